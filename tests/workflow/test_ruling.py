"""Combining the decisions about all appids into one ruling."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.command.grammar import Share
from bot.domain.outcome import Ground
from bot.domain.request import Origin, Request, State
from bot.policy.kinds import (
    Allow,
    Approvers,
    Decided,
    Decision,
    DeniedByRule,
    Deny,
    Effect,
    GroupUnreadable,
    NeedsApproval,
    NeedsConfirmation,
    NoRule,
    NotEntitled,
    Permitted,
    Person,
    PersonUnreadable,
    Policy,
    Rule,
    Unreadable,
)
from bot.workflow.judge import Decisions, doubt_in
from bot.workflow.ruling import Refusal, first_state, ruling
from tests import asking
from tests.languages import ENGLISH
from tests.policy.test_decide import A

OWNER = "wx0123456789abcdef"
ORIGIN = Origin(
    team_id="T1",
    user_id="U1",
    channel_id="C1",
    channel_name="releases",
    trigger_id="1.1",
    response_url="",
)
APPROVERS = Approvers(frozenset({"U2"}), frozenset(), "C2", timedelta(hours=3))
PLAIN = Rule("plain", Effect.ALLOW)
SURE = Rule("sure", Effect.ALLOW, confirm=True)
FOUR = Rule("four eyes", Effect.APPROVE, approvers=APPROVERS)
ASKED = asking.ask(Person("T1", "U1"), "C1", A, "prod-1")
BOTH = Rule("both", Effect.APPROVE, approvers=APPROVERS, confirm=True)
ODD = replace(FOUR, name="odd")
NO = Rule("no", Effect.DENY)
DENIALS = [
    Deny(DeniedByRule(NO)),
    Deny(NoRule(())),
    Deny(NotEntitled()),
    Deny(PersonUnreadable(Unreadable.SLACK_DOWN)),
    Deny(GroupUnreadable(PLAIN, Unreadable.SLACK_DOWN)),
]
PASSED = [Allow(PLAIN), NeedsConfirmation(SURE), NeedsApproval(FOUR), NeedsApproval(BOTH)]
DECISIONS = st.lists(st.sampled_from([*PASSED, *DENIALS]), min_size=1, max_size=6)
POLICY = Policy((PLAIN,), default_owner=OWNER)
OWNERLESS = Policy((PLAIN,))


def decided(decisions: list[Decision], policy: Policy = POLICY) -> Decisions:
    asks = [replace(ASKED, appid=f"wx{n:016x}", env="e") for n in range(len(decisions))]
    return Decisions(policy, "e", tuple(map(Decided, asks, decisions)))


def ruled_on(decisions: Decisions) -> Refusal | Permitted:
    appids = tuple(ask.appid for ask, _ in decisions.of_each)
    return ruling(ENGLISH, decisions, Share(appids, decisions.env))


@given(DECISIONS)
def test_a_request_is_accepted_only_if_one_rule_allows_all_appids(
    decisions: list[Decision],
) -> None:
    ruled = ruled_on(decided(decisions))
    rules = {each.rule.name for each in decisions if not isinstance(each, Deny)}
    if any(isinstance(each, Deny) for each in decisions) or len(rules) > 1:
        assert isinstance(ruled, Refusal)
        assert ruled.kind == "denied"
    else:
        assert ruled in decisions


@given(DECISIONS)
def test_a_denial_has_the_number_of_denied_appids(decisions: list[Decision]) -> None:
    sure = [each for each in decisions if each in DENIALS[:3]]
    ruled = ruled_on(decided(decisions))
    if sure:
        assert isinstance(ruled, Refusal)
        assert ruled.detail == type(sure[0].because).__name__
        part = len(sure) < len(decisions)
        several = f"{len(sure)} of these {len(decisions)}" if part else "any of these"
        assert (f"with {several} apps" in ruled.message.text) == any(
            each != sure[0] for each in decisions
        )


@pytest.mark.parametrize("no", DENIALS[:3])
def test_of_a_batch_that_is_denied_as_a_whole_no_part_is_to_be_left_out(no: Deny) -> None:
    ruled = ruled_on(decided([no, no]))
    assert isinstance(ruled, Refusal)
    assert "may not share `e` with 2 apps" in ruled.message.text
    assert "Leave" not in ruled.message.text


def test_a_batch_that_is_denied_for_several_reasons_is_told_to_ask_for_the_right() -> None:
    ruled = ruled_on(decided([*DENIALS[:2]]))
    assert isinstance(ruled, Refusal)
    assert "with any of these apps" in ruled.message.text
    assert "Ask for the right to share with these." in ruled.message.text


@pytest.mark.parametrize("doubtful", DENIALS[3:])
@pytest.mark.parametrize(("count", "receivers"), [(1, "`wx0000000000000000`"), (3, "3 apps")])
def test_a_batch_in_doubt_is_not_said_to_be_denied(
    doubtful: Deny, count: int, receivers: str
) -> None:
    ruled = ruled_on(decided([*[doubtful] * count, Allow(PLAIN)]))
    assert isinstance(ruled, Refusal)
    said = ruled.message.text
    assert f"cannot tell whether you may share `e` with {receivers}" in said
    assert "try again in a minute" in said
    assert "right to share" not in said


def test_several_deciding_rules_are_named_with_their_appids() -> None:
    ruled = ruled_on(decided([Allow(PLAIN), NeedsApproval(FOUR)]))
    assert isinstance(ruled, Refusal)
    assert ruled.detail == "SeveralRules"
    assert "Rule “plain”: `wx0000000000000000`" in ruled.message.text
    assert "Rule “four eyes”: `wx0000000000000001`" in ruled.message.text


def test_of_many_deciding_rules_the_number_of_those_not_named_is_told() -> None:
    rules = [Allow(replace(PLAIN, name=f"rule {number}")) for number in range(6)]
    ruled = ruled_on(decided([*rules]))
    assert isinstance(ruled, Refusal)
    assert ruled.message.text.count("Rule “") == 4
    assert ruled.message.text.endswith("and 2 more")


@pytest.mark.parametrize("passed", PASSED)
def test_a_request_for_an_env_without_an_owner_is_refused(passed: Decision) -> None:
    ruled = ruled_on(decided([passed], OWNERLESS))
    assert isinstance(ruled, Refusal)
    assert (ruled.kind, ruled.detail) == ("no owner", None)


@pytest.mark.parametrize("passed", PASSED)
def test_a_batch_that_holds_the_owner_is_refused_as_a_whole_naming_it(passed: Decision) -> None:
    ruled = ruled_on(decided([passed] * 3, Policy((PLAIN,), default_owner=f"wx{1:016x}")))
    assert isinstance(ruled, Refusal)
    assert (ruled.kind, ruled.detail) == ("denied", "OwnReceiver")
    assert f"`wx{1:016x}` owns `e`" in ruled.message.text


@pytest.mark.parametrize("no", DENIALS)
def test_a_denied_person_is_not_told_that_the_owner_is_unknown(no: Deny) -> None:
    ruled = ruled_on(decided([no], OWNERLESS))
    assert isinstance(ruled, Refusal)
    assert ruled.kind == "denied"


@given(DECISIONS)
def test_the_strictest_decision_is_a_denial_then_a_doubtful_one_then_the_first(
    decisions: list[Decision],
) -> None:
    _, strictest = decided(decisions).strictest

    def rank(each: Decision) -> int:
        return DENIALS.index(each) // 3 if isinstance(each, Deny) else 2

    assert strictest == min(decisions, key=rank)


@given(DECISIONS, st.sampled_from([OWNER, "wx00000000000000aa", f"wx{0:016x}", None]))
def test_a_waiting_request_continues_by_one_rule_with_the_same_owner_or_has_the_reason_why_not(
    decisions: list[Decision], owner: str | None
) -> None:
    request = Request(
        id="r1",
        origin=ORIGIN,
        appid="",
        env="e",
        owner=OWNER,
        rule=FOUR.name,
        appids=("wx1", "wx2"),
    )
    policy = replace(POLICY, default_owner=owner)
    rules = {each.rule.name for each in decisions if not isinstance(each, Deny)}
    ground = decided(decisions, policy).ground_against(request)
    if any(isinstance(each, Deny) for each in decisions):
        assert ground is Ground.NOT_ALLOWED
    elif len(rules) > 1:
        assert ground is Ground.SEVERAL_RULES
    elif owner == f"wx{0:016x}":  # one of the receivers
        assert ground is Ground.OWN_RECEIVER
    else:
        assert ground is (None if owner == OWNER else Ground.OTHER_OWNER)


@pytest.mark.parametrize("decision", [*PASSED, *DENIALS])
def test_only_a_denial_for_lack_of_an_answer_is_doubtful(decision: Decision) -> None:
    assert (doubt_in(decision) is not None) is (decision in DENIALS[3:])


@pytest.mark.parametrize(
    ("passed", "first"),
    [
        (Allow(PLAIN), (State.ACCEPTED, None)),
        (NeedsConfirmation(SURE), (State.CONFIRMING, 600)),
        (NeedsApproval(FOUR), (State.WAITING, 3 * 3600)),
        (NeedsApproval(BOTH), (State.CONFIRMING, 600)),
    ],
)
def test_the_initial_state_of_a_request_follows_from_its_rule(
    passed: Allow | NeedsConfirmation | NeedsApproval, first: tuple[State, float | None]
) -> None:
    assert first_state(passed) == first


@pytest.mark.parametrize(
    ("rules", "decisions", "deciding"),
    [
        pytest.param((FOUR,), [NeedsApproval(FOUR)], [FOUR], id="its own rule"),
        pytest.param((BOTH, FOUR), [NeedsApproval(BOTH)] * 2, [BOTH], id="another rule now"),
        pytest.param((PLAIN, FOUR), [Allow(PLAIN)], [FOUR], id="allowed now"),
        pytest.param((NO, FOUR), [Deny(DeniedByRule(NO))], [FOUR], id="denied now"),
        pytest.param(
            (BOTH, FOUR), [NeedsApproval(FOUR), NeedsApproval(BOTH)], [FOUR, BOTH], id="several"
        ),
        pytest.param(
            (BOTH, FOUR, PLAIN),
            [NeedsApproval(BOTH), Allow(PLAIN)],
            [BOTH, FOUR],
            id="one that asks for some, and its own",
        ),
        pytest.param(
            (BOTH, ODD, FOUR),
            [NeedsApproval(ODD), NeedsApproval(BOTH)],
            [ODD, BOTH, FOUR],
            id="several others now",
        ),
        pytest.param((PLAIN,), [Allow(PLAIN)], [], id="gone"),
        pytest.param(
            (replace(FOUR, effect=Effect.ALLOW),), [Allow(PLAIN)], [], id="asks no longer"
        ),
    ],
)
def test_the_approvers_of_the_current_rule_decide_or_those_of_any_rule_can_end_the_request(
    rules: tuple[Rule, ...], decisions: list[Decision], deciding: list[Rule]
) -> None:
    request = Request(
        id="r1", origin=ORIGIN, appid="wx0123456789abcdef", env="e", owner=OWNER, rule=FOUR.name
    )
    assert [*decided(decisions, Policy(rules)).deciding_rules(request)] == deciding
