"""The judge: it asks the policy in force about the people as Slack tells of them, and leaves nothing out."""

import ast
from dataclasses import MISSING, fields, replace
from inspect import isfunction
from pathlib import Path

import pytest

from bot.domain.request import Origin, Request
from bot.policy import decide
from bot.policy.kinds import (
    Allow,
    Approvers,
    Ask,
    Circumstances,
    Deny,
    Effect,
    Operators,
    Person,
    PersonUnreadable,
    Policy,
    Rule,
    Standing,
    Unreadable,
)
from bot.workflow.judge import Asker, Judge
from bot.workflow.ports import PolicyInForce
from tests.asking import at
from tests.workflow.conftest import Members

ROOT = Path(__file__).parents[2] / "bot"
ORIGIN = Origin(
    team_id="T1",
    user_id="U1",
    channel_id="C1",
    channel_name="releases",
    trigger_id="1.1",
    response_url="",
)
ONE, TWO = "wx0000000000000001", "wx0000000000000002"
PLAIN, NO = Rule("plain", Effect.ALLOW), Rule("no", Effect.DENY)
BY_GROUP = Rule("group", Effect.ALLOW, groups=frozenset({"S1"}))
BATCH = Request(
    id="r1", origin=ORIGIN, appid="", env="prod-1", owner="wx0", rule="plain", appids=(ONE, TWO)
)


@pytest.fixture
def judge(judge: Judge) -> Judge:
    return replace(judge, in_force=PolicyInForce(Policy((BY_GROUP,))))


async def test_a_question_has_every_fact_that_a_rule_can_ask_for(judge: Judge) -> None:
    asker = await judge.asker(ORIGIN)
    ((ask, decision),) = asker.decisions([ONE], "prod-1", "release 4.2").of_each
    assert ask == replace(ask, person=Person("T1", "U1", groups=frozenset({"S1"})), channel="C1")
    assert [each.name for each in fields(ask) if not getattr(ask, each.name)] == []
    assert decision == Allow(BY_GROUP)


async def test_a_recorded_request_is_decided_by_the_policy_in_force_now(judge: Judge) -> None:
    judge.in_force.swap(Policy((PLAIN,)))
    decisions = await judge.again(BATCH)
    assert [(ask.appid, ask.env, decision) for ask, decision in decisions.of_each] == [
        (appid, "prod-1", Allow(PLAIN)) for appid in (ONE, TWO)
    ]
    (rest,) = (await judge.again(BATCH, [TWO])).of_each
    assert rest.ask.appid == TWO


async def test_several_are_looked_up_once_each_and_each_asks_where_they_are(
    judge: Judge, members: Members
) -> None:
    there = replace(ORIGIN, channel_id="C2")
    here, elsewhere, other = await judge.askers([ORIGIN, there, replace(ORIGIN, user_id="U2")])
    assert members.lookups == 2
    assert here.person == elsewhere.person != other.person
    assert [each.circumstances.channel for each in (here, elsewhere, other)] == ["C1", "C2", "C1"]
    assert await judge.askers([]) == []


async def test_all_that_somebody_asks_is_decided_by_one_policy(judge: Judge) -> None:
    asker = await judge.asker(ORIGIN)
    judge.in_force.swap(Policy((NO,)))
    assert asker.decisions([ONE], "prod-1", None).of_each[0].decision == Allow(BY_GROUP)
    (under,) = await judge.askers([ORIGIN], asker.policy)
    assert under.policy is asker.policy


class Gone(Members):
    """A directory that knows nobody."""

    async def several(self, *_: object, **__: object) -> dict[str, Unreadable]:  # type: ignore[override]  # all the same
        """Return that Slack is down."""
        return {"U1": Unreadable.SLACK_DOWN}


async def test_a_person_who_cannot_be_looked_up_may_share_nothing(judge: Judge) -> None:
    asker = await replace(judge, people=Gone()).asker(ORIGIN)
    assert (asker.person, asker.rights) == (Unreadable.SLACK_DOWN, ())
    decisions = asker.decisions([ONE, TWO], "prod-1", None).of_each
    assert [ask.appid for ask, _ in decisions] == [ONE, TWO]
    assert {ask.person.standing for ask, _ in decisions} == {Standing.OUTSIDER}
    assert {decision for _, decision in decisions} == {
        Deny(PersonUnreadable(Unreadable.SLACK_DOWN))
    }


@pytest.mark.parametrize("standing", Standing)
def test_somebody_has_the_rights_of_their_standing(standing: Standing) -> None:
    asker = Asker(Policy((PLAIN, NO)), at(Person("T1", "U1", standing)))
    assert asker.rights == ((PLAIN,) if standing is Standing.MEMBER else ())


def test_somebody_whom_slack_does_not_return_may_nothing_that_others_may() -> None:
    asks = Rule("asks", Effect.APPROVE, guests=True, approvers=Approvers(frozenset({"*"})))
    policy = Policy((asks,), operators=Operators(frozenset({"U1"})))
    known = Asker(policy, at(Person("T1", "U1")))
    for asker in (known, replace(known, unreadable=Unreadable.SLACK_DOWN)):
        assert {
            bool(asker.rights),
            asker.may_share_env("prod-1"),
            asker.may_share_somewhere([ONE], "prod-1"),
            asker.may_approve([asks], "U2"),
            asker.may_approve_such(ONE, "prod-1"),
            asker.is_operator,
        } == {asker is known}


def test_no_fact_of_a_question_has_a_default_that_a_rule_would_take_for_the_truth() -> None:
    assert [each.name for each in fields(Ask) if each.default is not MISSING] == []
    assert {each.default_factory for each in fields(Ask)} == {MISSING}


ASKED_ELSEWHERE = {
    "messages/rulings.py",  # explains a decision on a question of the judge's
    "ops/doctor/real_blocks.py",  # made-up messages
    "ops/policy_command.py",  # operators' own questions
    "policy/file.py",  # the file's tests
    "policy/lint.py",
    "policy/quorum.py",  # which seat a person can fill
}


def test_only_the_judge_asks_the_policy_about_people() -> None:
    about = {Policy, Person, Ask, Circumstances}
    questions = {
        name
        for name, each in vars(decide).items()
        if isfunction(each) and about & set(each.__annotations__.values())
    }
    askers = set[str]()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.ImportFrom("bot.policy.decide", names):
                    asked = questions & {each.name for each in names}
                case ast.ImportFrom("bot.policy", names) | ast.Import(names):
                    asked = {each.name for each in names if each.name.endswith("decide")}
                case _:
                    continue
            if asked:
                askers.add(path.relative_to(ROOT).as_posix())
    assert askers == {"workflow/judge.py", *ASKED_ELSEWHERE}
