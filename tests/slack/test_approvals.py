"""The question to the approvers in Slack: asked once, reminded of once, and edited in place."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.outcome import Outcome, Party, Rejected, Shared
from bot.domain.request import Agreement, Approval, Request, State
from bot.guidance import Trouble
from bot.ledger.entries import Entry
from bot.messages.blocks import read_ref
from bot.playground.faults import Code, Drop, RateLimited, Slow, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.world import BOT, TEAM
from bot.policy.kinds import Approvers as Named
from bot.policy.kinds import Effect, Policy, Rule
from bot.slack.api import SlackApi
from bot.slack.approvals import ApproverMessages
from bot.slack.directory import Directory
from bot.slack.posts import Posts
from bot.workflow.ports import AwayError, PolicyInForce
from tests.conftest import Clock, Sleep, appids, request_of
from tests.languages import LANGUAGES
from tests.rig import APPROVALS, APPROVER, has_button
from tests.said import ASKED_DIRECTLY, STILL_WAITS

UNTIL = 1_800_000_000.0
NAMED = Named(frozenset(), frozenset({"S0APPROVERS"}), APPROVALS, timedelta(hours=2))
MANY = tuple(appids(500))
RULE = Rule("four eyes", Effect.APPROVE, approvers=NAMED)


Make = Callable[..., ApproverMessages]


@pytest.fixture
def approvals(api: SlackApi, sleep: Sleep, clock: Clock) -> Make:
    """A factory of the messages to the approvers of a rule."""
    people = Directory(api, TEAM, clock)
    posts = Posts(api, BOT, sleep, time.time)

    def link(ref: str | None, *, own: bool) -> str | None:
        return f"https://x/{ref}" if ref and not own else None

    def approvals(rule: Rule = RULE) -> ApproverMessages:
        in_force = PolicyInForce(Policy((rule,)))
        return ApproverMessages(posts, in_force, LANGUAGES, link, people)

    return approvals


@pytest.fixture
def request_(slack: LocalSlack) -> Request:
    return replace(request_of(slack), rule="four eyes")


async def recorded(_: str) -> bool:
    return True


async def ask(
    asking: ApproverMessages,
    request: Request,
    past: Sequence[Entry] = (),
    asked: str | None = None,
    record: Callable[[str], Awaitable[bool]] = recorded,
    look_since: float | None = None,
) -> str | Trouble:
    """Ask the approvers of a request."""
    return await asking.ask(request, past, asked, record, look_since=look_since, until=UNTIL)


def entry_of(request: Request, asked: str | None, outcome: Outcome | None = None) -> Entry:
    approved = replace(request, approval=Approval(APPROVER))
    return Entry(
        approved,
        State.PLACED,
        2,
        1.0,
        place="C1/1.5",
        outcome=outcome,
        asked=asked,
        decided=2.0,
    )


def asked_with(slack: LocalSlack) -> list[str]:
    return [message.text for message in slack.parents(APPROVALS)]


async def test_a_question_is_posted_in_the_approvers_channel(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    ref = await ask(approvals(), request_, [])
    (question,) = slack.parents(APPROVALS)
    assert ref == f"{APPROVALS}/{question.ts}"
    assert ASKED_DIRECTLY not in question.text
    assert has_button(question, "approve")
    assert slack.violations == []


@pytest.mark.parametrize(
    ("named", "who"),
    [
        (replace(NAMED, users=frozenset({"U2", "U1"})), "<!subteam^S0APPROVERS> <@U1> <@U2>"),
        (replace(NAMED, users=frozenset({"*"})), "<!subteam^S0APPROVERS>"),
        (replace(NAMED, groups=frozenset(), users=frozenset({"*"})), "Everybody here"),
        (
            replace(NAMED, users=frozenset(f"U{n}" for n in range(9))),
            "<!subteam^S0APPROVERS> <@U0> <@U1> <@U2> <@U3>",
        ),
        (replace(NAMED, users=frozenset({"U0REQUESTER", "U1"})), "<!subteam^S0APPROVERS> <@U1>"),
        (replace(NAMED, notify=Party(frozenset({"U1"}), frozenset({"S1"}))), "<!subteam^S1> <@U1>"),
        (replace(NAMED, notify=Party()), "Approvers"),
    ],
)
async def test_a_question_mentions_those_who_may_decide(
    slack: LocalSlack, approvals: Make, request_: Request, named: Named, who: str
) -> None:
    asking = approvals(replace(RULE, approvers=named))
    ref = await ask(asking, request_, [])
    assert isinstance(ref, str)
    await asking.remind(request_, ref, UNTIL)
    (question,) = slack.parents(APPROVALS)
    (reminder,) = slack.thread(APPROVALS, question.ts)
    assert question.text.startswith(f"🕓 {who}: <@U0REQUESTER>")
    assert reminder.text.startswith(f"{who.replace('Everybody here', 'Approvers')}: ")


async def test_a_requester_who_may_approve_their_own_request_is_mentioned(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    named = replace(NAMED, users=frozenset({"U0REQUESTER"}), groups=frozenset())
    rule = replace(RULE, approvers=named, self_approval=True)
    await ask(approvals(rule), request_, [])
    assert asked_with(slack)[0].startswith("🕓 <@U0REQUESTER>: <@U0REQUESTER> asks")


NO_LONGER = pytest.mark.parametrize(
    "rule",
    [replace(RULE, name="another"), replace(RULE, effect=Effect.ALLOW)],
    ids=["gone", "allows"],
)


@NO_LONGER
async def test_a_rule_that_no_longer_has_approvers_asks_nobody(
    slack: LocalSlack, approvals: Make, request_: Request, rule: Rule
) -> None:
    assert await ask(approvals(rule), request_, []) is Trouble.RULE_CHANGED
    assert slack.parents(APPROVALS) == []


@pytest.mark.parametrize(
    "error", ["not_in_channel", "channel_not_found", "is_archived", "restricted_action"]
)
async def test_nobody_is_asked_if_slack_refuses_the_post_and_the_log_says_why(
    slack: LocalSlack,
    approvals: Make,
    request_: Request,
    caplog: pytest.LogCaptureFixture,
    error: str,
) -> None:
    slack.fail("chat.postMessage", Code(error))
    assert await ask(approvals(), request_, []) is Trouble.NO_APPROVER
    (said,) = [vars(each) for each in caplog.records if "cannot be asked" in each.msg]
    assert said["reason"] == error
    assert ("Bring the approvers' channel back" in said["fix"]) is (error == "is_archived")


async def test_nobody_is_asked_directly_where_the_bot_is_not_invited(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    elsewhere = replace(RULE, approvers=replace(NAMED, channel="C0SECRET"))
    assert await ask(approvals(elsewhere), request_, []) is Trouble.NO_APPROVER
    assert slack.messages == []


@pytest.mark.parametrize("error", ["token_revoked", "team_access_not_granted"])
async def test_the_approvers_are_asked_and_reminded_once_slack_lets_the_app_in(
    slack: LocalSlack, approvals: Make, request_: Request, error: str
) -> None:
    asking = approvals()
    slack.fail("chat.postMessage", Code(error))
    with pytest.raises(AwayError):
        await ask(asking, request_, [])
    ref = await ask(asking, request_, [], look_since=slack.clock())
    (question,) = slack.parents(APPROVALS)
    assert ref == f"{APPROVALS}/{question.ts}"
    slack.fail("chat.postMessage", Code(error))
    with pytest.raises(AwayError):
        await asking.remind(request_, ref, UNTIL)
    await asking.remind(request_, ref, UNTIL)
    assert len(slack.thread(APPROVALS, question.ts)) == 1


@pytest.mark.parametrize(
    "fault",
    [Drop(), Drop(after_effect=True), Status(503, after_effect=True), RateLimited(1)],
    ids=["lost", "answer lost", "error after all", "too many"],
)
async def test_the_question_is_posted_once_whatever_slack_does(
    slack: LocalSlack, approvals: Make, request_: Request, fault: Drop | Status | RateLimited
) -> None:
    slack.fail("chat.postMessage", fault)
    ref = await ask(approvals(), request_, [])
    (question,) = slack.parents(APPROVALS)
    assert ref == f"{APPROVALS}/{question.ts}"


def listed_under(slack: LocalSlack) -> list[str]:
    """Return the appids that are listed below the only question, with repetitions."""
    (question,) = slack.parents(APPROVALS)
    below = "\n".join(reply.text for reply in slack.thread(APPROVALS, question.ts))
    return re.findall(r"^wx[0-9a-f]{16}$", below, re.MULTILINE)


@pytest.mark.parametrize("standing", [1, 2, 3, 4], ids=["none", "some", "most", "all"])
async def test_a_list_that_a_dead_replica_began_is_completed(
    slack: LocalSlack, approvals: Make, request_: Request, standing: int
) -> None:
    many, asking = replace(request_, appid="", appids=MANY), approvals()
    await ask(asking, many, [])
    for message in slack.messages[standing:]:
        slack.delete(message.ts)
    ref = await ask(asking, many, [], look_since=slack.clock())
    assert ref == f"{APPROVALS}/{slack.parents(APPROVALS)[0].ts}"
    assert listed_under(slack) == [*MANY]


@pytest.mark.parametrize(
    "fault",
    [Drop(), Drop(after_effect=True), Status(503, after_effect=True), RateLimited(1)],
    ids=["lost", "answer lost", "error after all", "too many"],
)
async def test_whatever_slack_does_each_appid_is_listed_once(
    slack: LocalSlack, approvals: Make, request_: Request, fault: Drop | Status | RateLimited
) -> None:
    many, asking = replace(request_, appid="", appids=MANY[:10]), approvals()
    await ask(asking, many, [])
    (question,) = slack.parents(APPROVALS)
    slack.fail("chat.postMessage", fault, thread_ts=question.ts)
    await ask(asking, replace(many, appids=MANY), [], look_since=slack.clock())
    assert listed_under(slack) == [*MANY]


async def test_the_approvers_are_asked_without_a_list_that_slack_refuses(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    fault = Code("restricted_action_non_threadable_channel")
    many, asking = replace(request_, appid="", appids=MANY[:10]), approvals()
    await ask(asking, many, [])
    (question,) = slack.parents(APPROVALS)
    slack.fail("chat.postMessage", *[fault] * 9, thread_ts=question.ts)
    assert await ask(asking, replace(many, appids=MANY), [], look_since=slack.clock())
    assert listed_under(slack) == []


async def test_the_approvers_do_not_count_as_asked_while_the_list_is_owed(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    many, asking = replace(request_, appid="", appids=MANY[:10]), approvals()
    await ask(asking, many, [])
    (question,) = slack.parents(APPROVALS)
    slack.fail("chat.postMessage", *[Status(503)] * 3, thread_ts=question.ts)
    whole = replace(many, appids=MANY)
    with pytest.raises(AwayError):
        await ask(asking, whole, [], look_since=slack.clock())
    assert await ask(asking, whole, [], look_since=slack.clock())
    assert listed_under(slack) == [*MANY]


async def test_an_owed_question_is_asked_directly_once_others_may_read_the_channel(
    slack: LocalSlack, approvals: Make, request_: Request, clock: Clock
) -> None:
    slack.fail("chat.postMessage", *[Status(503)] * 3, channel=APPROVALS)
    plans, asking = list[str](), approvals()

    async def record(ref: str) -> bool:
        plans.append(ref)
        return True

    with pytest.raises(AwayError):
        await ask(asking, request_, record=record)
    assert plans == [f"{APPROVALS}/"]
    slack.channels[APPROVALS] = replace(slack.channels[APPROVALS], ext_shared=True)
    clock.now += 60
    ref = await ask(asking, request_, asked=plans[-1], look_since=slack.clock())
    assert isinstance(ref, str)
    assert all(at.channel.startswith("D") and at.ts for at in read_ref(ref))
    assert slack.parents(APPROVALS) == []


async def test_a_reminder_is_posted_once_below_the_question(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    asking = approvals()
    ref = await ask(asking, request_, [])
    assert isinstance(ref, str)
    for _ in range(2):  # the replica that posted the first may have died before recording it
        await asking.remind(request_, ref, UNTIL)
    (question,) = slack.parents(APPROVALS)
    (reminder,) = slack.thread(APPROVALS, question.ts)
    assert STILL_WAITS in reminder.text


@NO_LONGER
async def test_a_reminder_under_a_rule_that_no_longer_has_approvers_calls_nobody(
    slack: LocalSlack, approvals: Make, request_: Request, rule: Rule
) -> None:
    ref = await ask(approvals(), request_, [])
    assert isinstance(ref, str)
    await approvals(rule).remind(request_, ref, UNTIL)
    (question,) = slack.parents(APPROVALS)
    (reminder,) = slack.thread(APPROVALS, question.ts)
    assert reminder.text.startswith(f"Approvers: {STILL_WAITS}")


async def test_a_reminder_of_a_deleted_question_is_no_error(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    asking = approvals()
    ref = await ask(asking, request_, [])
    assert isinstance(ref, str)
    slack.delete(slack.parents(APPROVALS)[0].ts)
    await asking.remind(request_, ref, UNTIL)
    await asking.show_decision(entry_of(request_, ref, Shared()))
    assert slack.parents(APPROVALS) == []


async def test_a_decision_replaces_the_question(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    asking = approvals()
    ref = await ask(asking, request_, [])
    assert isinstance(ref, str)
    await asking.show_decision(entry_of(request_, ref))
    (question,) = slack.parents(APPROVALS)
    assert f": approved by <@{APPROVER}>." in question.text
    assert not has_button(question, "approve")
    await asking.show_decision(entry_of(request_, ref, Shared()))
    assert ": shared." in slack.parents(APPROVALS)[0].text
    assert slack.parents(APPROVALS)[0].edits == 2


async def test_a_decision_that_a_revoked_token_keeps_from_the_question_is_owed(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    asking = approvals()
    ref = await ask(asking, request_, [])
    assert isinstance(ref, str)
    slack.fail("chat.update", Code("token_revoked"))
    with pytest.raises(AwayError):
        await asking.show_decision(entry_of(request_, ref, Shared()))


@pytest.mark.parametrize("shared", [False, True], ids=["their own", "shared meanwhile"])
async def test_a_comment_is_shown_only_where_no_other_organisation_reads(
    slack: LocalSlack, approvals: Make, request_: Request, clock: Clock, shared: bool
) -> None:
    asking = approvals()
    ref = await ask(asking, request_, [])
    assert isinstance(ref, str)
    slack.channels[APPROVALS] = replace(slack.channels[APPROVALS], ext_shared=shared)
    clock.now += 60
    rejected = replace(entry_of(request_, ref, Rejected(APPROVER, "too dear")), request=request_)
    approved = replace(rejected, request=replace(request_, approval=Approval(APPROVER, "go on")))
    for decided, verdict, comment in (
        (rejected, ": rejected by", "too dear"),
        (approved, "approved this", "go on"),
    ):
        await asking.show_decision(decided)
        [question] = slack.parents(APPROVALS)
        assert verdict in question.text
        assert (comment in question.text) is not shared


async def test_whoever_is_missing_is_not_mentioned_where_others_are_to_be_notified(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    asking = approvals(replace(RULE, approvers=replace(NAMED, approvals=2, notify=Party())))
    missing = [Party(frozenset({"U1", "*"}), NAMED.groups, 2)]
    ref = await asking.ask(request_, [], None, recorded, until=UNTIL, missing=missing)
    assert isinstance(ref, str)
    (question,) = slack.parents(APPROVALS)
    assert "2 approvals of `S0APPROVERS` `U1` are missing" in question.text
    assert re.findall(r"<[@!][^>]*>", question.text)[0] == "<@U0REQUESTER>"
    assert "<!subteam" not in question.text


@pytest.mark.parametrize("shared", [False, True], ids=["their own", "shared meanwhile"])
async def test_an_open_question_shows_comments_only_where_no_other_organisation_reads(
    slack: LocalSlack, approvals: Make, request_: Request, clock: Clock, shared: bool
) -> None:
    asking = approvals()
    ref = await ask(asking, request_, [])
    assert isinstance(ref, str)
    slack.channels[APPROVALS] = replace(slack.channels[APPROVALS], ext_shared=shared)
    clock.now += 60
    agreed = replace(request_, agreed=(Agreement(APPROVER, "too dear"),))
    await asking.ask(agreed, [], ref, recorded, until=UNTIL, missing=[Party(count=1)])
    [question] = slack.parents(APPROVALS)
    assert f"<@{APPROVER}> agreed" in question.text
    assert ("too dear" in question.text) is not shared


async def test_approvers_whom_a_lost_scope_hides_are_asked_once_it_is_back(
    slack: LocalSlack, approvals: Make, request_: Request, clock: Clock
) -> None:
    slack.channels[APPROVALS] = replace(slack.channels[APPROVALS], ext_shared=True)
    slack.scopes.discard("usergroups:read")
    asking = approvals()
    with pytest.raises(AwayError):
        await ask(asking, request_, [])
    gone = replace(NAMED, users=frozenset({"U0GONE"}), groups=frozenset())
    assert await ask(approvals(replace(RULE, approvers=gone)), request_, []) is Trouble.NO_APPROVER
    named = approvals(replace(RULE, approvers=replace(NAMED, users=frozenset({APPROVER}))))
    assert await ask(named, request_, [])
    slack.scopes.add("usergroups:read")
    clock.now += 5
    assert await ask(asking, request_, [], look_since=slack.clock())


async def test_the_later_of_two_edits_stays_however_slow_the_first_is(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    asking = approvals()
    ref = await ask(asking, request_, [])
    assert isinstance(ref, str)
    slack.fail("chat.update", Slow(0.3))
    await asyncio.gather(
        asking.show_decision(entry_of(request_, ref)),
        asking.show_decision(entry_of(request_, ref, Shared())),
    )
    assert ": shared." in slack.parents(APPROVALS)[0].text


async def test_past_shares_are_linked_if_they_have_a_thread(
    slack: LocalSlack, approvals: Make, request_: Request
) -> None:
    past = [
        Entry(request_, State.ENDED, 1, 1.0, place=ref, outcome=Shared(), ended=2.0)
        for ref in ("thread", None, "thread", "thread")
    ]
    await ask(approvals(), request_, past)
    (text,) = asked_with(slack)
    assert text.count("by <@U0REQUESTER>, <!date^2^") == 3  # when it ended
    assert text.count("<https://x/thread|thread>") == 2
    assert "and earlier ones" in text
