"""The result of each click, by the clicker, the request's state and the current policy; and which people are looked up."""

import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.command.grammar import Share
from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Failed,
    Finished,
    Ground,
    Outcome,
    Rejected,
    Shared,
    Skipped,
    SkipReason,
    Tally,
)
from bot.domain.request import Act, Click, Origin, Request, State
from bot.guidance import Trouble
from bot.ledger.entries import Entry
from bot.messages import click_replies as say
from bot.messages.approvals import sent_to_approvers, waiting
from bot.messages.click_replies import too_late
from bot.messages.conversation import answer
from bot.policy.kinds import (
    Approvers,
    Effect,
    Operators,
    Person,
    Policy,
    Rule,
    Standing,
    Unreadable,
)
from bot.workflow.click_decisions import (
    ApplyMove,
    CancelRest,
    ClickContext,
    ClickStep,
    Reply,
    Resubmit,
    late,
    step_of,
)
from bot.workflow.judge import Asker
from tests.asking import at
from tests.checking import checks
from tests.conftest import REQUESTER
from tests.languages import ENGLISH
from tests.rig import ALLOW, APPROVE, APPROVER, Rig
from tests.said import SHARED, YOU_APPROVED

OWNER, OTHER, APPID = "wx0123456789abcdef", "wxfedcba9876543210", "wx5fe6bb43205e9e70"
ASKED = Origin(
    team_id="T1",
    user_id="U1",
    channel_id="C1",
    channel_name="releases",
    trigger_id="1.1",
    response_url="",
)
HERE = replace(ASKED, trigger_id="2.2", response_url="https://now")
ONE = Request(
    id="r1", origin=ASKED, appid=APPID, env="prod-1", owner=OWNER, rule="rule", reason="a reason"
)
MANY = replace(ONE, appid="", appids=(APPID, OTHER))
FOUR_EYES = Approvers(frozenset({"U2"}), frozenset({"S2"}), "C2", timedelta(hours=3))
PLAIN = Rule("rule", Effect.ALLOW)
FOUR = Rule("rule", Effect.APPROVE, approvers=FOUR_EYES)
BY_OWN = replace(FOUR, approvers=replace(FOUR_EYES, users=frozenset({"U1"})), self_approval=True)
BY_NOBODY = Rule("rule", Effect.APPROVE)
NO = Rule("rule", Effect.DENY)
BY_APPID = (replace(FOUR, name="one", appids=(APPID,)), replace(FOUR, name="other"))
NOW_FREE = (replace(PLAIN, name="one", appids=(APPID,)), replace(PLAIN, name="other"))
IN_DOUBT = Rule("rule", Effect.ALLOW, groups=frozenset({"S9"}))
FAILED = Failed(Trouble.GIVEN_UP.value)
NOT_TOLD = Unreadable.SLACK_DOWN


def person(user_id: str, *unreadable: str) -> Person:
    """Return a person in no group; some of their groups may be unreadable."""
    return Person("T1", user_id, unreadable=dict.fromkeys(unreadable, NOT_TOLD))


def context(
    state: State = State.WAITING,
    by: Person | Unreadable | None = None,
    *rules: Rule,
    request: Request = ONE,
    outcome: Outcome | None = None,
    requester: Person | Unreadable | None = None,
    user: str = "",
    **click: str,
) -> ClickContext:
    """Return the facts that decide a click: by default by the requester, under rules that allow it."""
    clicker = by or person("U1")
    user_id = user or (clicker.user_id if isinstance(clicker, Person) else "U1")
    clicked = Click(replace(HERE, user_id=user_id), "r1", **click)
    entry = Entry(request, state, 1, 0.0, outcome=outcome)
    operators = Operators(frozenset({"U9"}), frozenset({"S8"}))
    policy = Policy(rules or (PLAIN,), default_owner=OWNER, operators=operators)
    asked_by = requester or (clicker if user_id == "U1" else person("U1"))
    failed = request.receivers
    by_click, by_request = asker(policy, clicker), asker(policy, asked_by)
    return ClickContext(
        click=clicked,
        entry=entry,
        words=ENGLISH,
        clicker=by_click,
        requester=by_request,
        decisions=by_request.decisions(request.receivers, request.env, request.reason),
        failed=failed,
    )


def asker(policy: Policy, who: Person | Unreadable) -> Asker:
    """Return somebody who asks in the channel of the request."""
    if isinstance(who, Unreadable):
        return Asker(policy, at(person("U1"), ASKED.channel_id), who)
    return Asker(policy, at(who, ASKED.channel_id))


def brief(step: ClickStep) -> tuple[object, ...]:
    """Return what a step does, without its message: the new state, the event, and the outcome."""
    match step:
        case ApplyMove(move, _, replaces):
            return ApplyMove, move.to, move.kind, move.outcome, replaces
        case Reply(refused=True):
            return REFUSED
        case Reply(_, replaces):
            return Reply, replaces
        case Resubmit(origin, _, _, retry, replaces):
            return Resubmit, origin.trigger_id, retry.by if retry else None, replaces
        case CancelRest():
            return (step,)


REFUSED = ("refused",)
CONFIRMING, WAITING, ENDED = State.CONFIRMING, State.WAITING, State.ENDED
NOT_ALLOWED = Denied(Ground.NOT_ALLOWED)
SEVERAL = Denied(Ground.SEVERAL_RULES)
DENIED_TO_THE_END = (ApplyMove, ENDED, "denied", NOT_ALLOWED, True)
DENIED = (ApplyMove, State.ANSWERED, "denied", NOT_ALLOWED, False)
SECOND, NINTH, STRANGER = person("U2"), person("U9"), person("U5")


@pytest.mark.parametrize("request_", [ONE, MANY], ids=["one", "many"])
@pytest.mark.parametrize("act", Act)
def test_a_stranger_moves_no_request_and_submits_only_for_themselves(
    act: Act, request_: Request
) -> None:
    with checks() as check:
        for state in State:
            with check(state.value):
                step = step_of(
                    act, context(state, STRANGER, FOUR, request=request_, outcome=FAILED)
                )
                theirs = isinstance(step, Resubmit) and step.asker.person is STRANGER
                assert theirs or isinstance(step, Reply)


@pytest.mark.parametrize(
    ("clicked", "expected"),
    [
        (context(CONFIRMING), (ApplyMove, State.ACCEPTED, "confirmed", None, True)),
        (context(CONFIRMING, None, FOUR), (ApplyMove, WAITING, "confirmed", None, True)),
        (context(CONFIRMING, None, BY_NOBODY), (ApplyMove, WAITING, "confirmed", None, True)),
        (context(CONFIRMING, None, NO), DENIED_TO_THE_END),
        (
            context(CONFIRMING, None, *BY_APPID, request=MANY),
            (ApplyMove, ENDED, "denied", SEVERAL, True),
        ),
        (
            context(CONFIRMING, request=replace(ONE, owner=OTHER)),
            (ApplyMove, ENDED, "denied", Denied(Ground.OTHER_OWNER), True),
        ),
        (context(CONFIRMING, person("U1", "S9"), IN_DOUBT), (Reply, False)),
        (context(CONFIRMING, NOT_TOLD), (Reply, False)),
        (context(CONFIRMING, SECOND), (Reply, False)),
        (context(ENDED, outcome=Shared()), (Reply, True)),
        (context(ENDED, outcome=Shared(), message="C1/1.2"), (Reply, False)),
        (context(WAITING), (Reply, True)),
    ],
)
def test_a_click_on_confirm_has_this_result(
    clicked: ClickContext, expected: tuple[object, ...]
) -> None:
    assert brief(step_of(Act.CONFIRM, clicked)) == expected


def test_a_person_who_confirms_anothers_request_is_told_so_first() -> None:
    said = step_of(Act.CONFIRM, context(ENDED, SECOND, outcome=Shared()))
    assert said == Reply(say.refused(ENGLISH, say.NothingDone.NOT_YOURS, ONE))


def test_a_late_confirmation_is_answered_even_if_the_clicker_cannot_be_looked_up() -> None:
    said = step_of(Act.CONFIRM, context(ENDED, NOT_TOLD, outcome=Shared()))
    assert said == Reply(too_late(ENGLISH, ONE, Shared()), replaces=True)


@pytest.mark.parametrize(
    ("state", "outcome", "message", "spent"),
    [
        (ENDED, Shared(), "C1/9.9", True),
        (ENDED, Shared(), "C9/9.9/9.9", True),
        (ENDED, Shared(), "C1/1.2/1.2", False),
        (ENDED, Shared(), "C2/1.3", False),
        (ENDED, Shared(), "C2/1.4", False),
        (ENDED, Shared(), None, False),
        (State.ANSWERED, Expired("approval"), "C9/9.9", False),
        (State.ANSWERED, Expired("confirmation"), "C9/9.9", True),
        (State.PLACED, None, "C9/9.9", False),
    ],
)
def test_a_late_click_removes_the_buttons_of_a_message_that_is_no_longer_edited(
    state: State, outcome: Outcome | None, message: str | None, *, spent: bool
) -> None:
    entry = Entry(ONE, state, 1, 0.0, outcome=outcome, place="C1/1.2", asked="C2/1.3 C2/1.4/1.1")
    click = Click(HERE, "r1", message)
    assert late(ENGLISH, click, entry).spent is spent


@pytest.mark.parametrize(
    ("state", "outcome", "place", "whole"),
    [
        (ENDED, NOT_ALLOWED, None, True),
        (ENDED, Cancelled("U1"), None, True),
        (ENDED, Skipped(SkipReason.UNDER_WAY), None, True),
        (ENDED, NOT_ALLOWED, "C1/1.2", False),
        (ENDED, Expired("confirmation"), None, False),
        (State.ANSWERED, Cancelled("U9"), None, False),
    ],
)
def test_a_late_click_is_answered_as_the_first_was_if_nothing_else_says_more(
    state: State, outcome: Outcome, place: str | None, *, whole: bool
) -> None:
    entry = Entry(ONE, state, 1, 0.0, outcome=outcome, place=place)
    said = late(ENGLISH, Click(HERE, "r1"), entry).message
    assert said == (answer if whole else too_late)(ENGLISH, ONE, outcome)


@pytest.mark.parametrize(("user", "cancels"), [("U9", True), ("U1", False)])
def test_whoever_cancels_what_its_requester_just_confirmed_sees_that_it_waits_and_can_cancel_it(
    user: str, *, cancels: bool
) -> None:
    clicked = context(WAITING, user=user)
    said = late(ENGLISH, clicked.click, clicked.entry).message
    assert said == (waiting(ENGLISH, ONE) if cancels else sent_to_approvers(ENGLISH, ONE))


def test_a_person_who_cannot_be_looked_up_is_told_so_and_not_that_they_may_not() -> None:
    assert step_of(Act.CONFIRM, context(CONFIRMING, NOT_TOLD)) == Reply(
        say.cannot_tell(ENGLISH, NOT_TOLD), unsure=True
    )


@pytest.mark.parametrize(("rule", "patience"), [(FOUR, 3 * 3600.0), (PLAIN, None)])
def test_a_confirmed_request_continues_by_the_current_rule_and_its_expiry(
    rule: Rule, patience: float | None
) -> None:
    step = step_of(Act.CONFIRM, context(CONFIRMING, None, replace(rule, name="new")))
    assert isinstance(step, ApplyMove)
    assert (step.move.rule, step.move.patience) == ("new", patience)


def test_a_second_confirmation_says_as_the_first_that_the_approvers_are_asked() -> None:
    first = step_of(Act.CONFIRM, context(CONFIRMING, None, FOUR))
    second = step_of(Act.CONFIRM, context(WAITING, None, FOUR))
    assert isinstance(first, ApplyMove)
    assert second == Reply(first.message, replaces=True)


def cancelled(by: str, *, to: State = State.ANSWERED) -> tuple[object, ...]:
    return ApplyMove, to, "cancelled", Cancelled(by), to is ENDED


@pytest.mark.parametrize(
    ("clicked", "expected"),
    [
        (context(CONFIRMING), cancelled("U1", to=ENDED)),
        (context(WAITING), cancelled("U1")),
        (context(WAITING, request=MANY), cancelled("U1")),
        (context(WAITING, NOT_TOLD), cancelled("U1")),
        (context(CONFIRMING, NINTH), cancelled("U9")),
        (context(WAITING, SECOND, FOUR), cancelled("U2")),
        (context(WAITING, SECOND), REFUSED),
        (context(WAITING, STRANGER, FOUR), REFUSED),
        (context(WAITING, NOT_TOLD, FOUR, user="U2"), (Reply, False)),
        (context(State.PLACED, request=MANY), (CancelRest(),)),
        (context(State.PLACED, STRANGER, request=MANY), REFUSED),
        (context(State.PLACED), (Reply, False)),
        (context(ENDED, outcome=Shared()), (Reply, True)),
        (context(ENDED, request=MANY, outcome=Finished(Tally(2, shared=2))), (Reply, True)),
        (context(ENDED, NINTH, outcome=Shared()), (Reply, True)),
        (context(ENDED, outcome=Shared(), message="C1/1.2"), (Reply, False)),
    ],
)
def test_a_click_on_cancel_has_this_result(
    clicked: ClickContext, expected: tuple[object, ...]
) -> None:
    assert brief(step_of(Act.CANCEL, clicked)) == expected


@pytest.mark.parametrize("group", ["S2", "S8"], ids=["approvers", "operators"])
def test_a_person_whose_groups_are_unreadable_is_not_told_that_they_may_not_cancel(
    group: str,
) -> None:
    doubted = context(WAITING, person("U5", group), FOUR)
    told = say.cannot_tell(ENGLISH, NOT_TOLD, groups=True)
    assert step_of(Act.CANCEL, doubted) == Reply(told, unsure=True)
    stranger = person("U5", "S7")  # a group that matters only for other requests
    assert step_of(Act.CANCEL, context(WAITING, stranger, FOUR)) == Reply(
        say.refused(ENGLISH, say.NothingDone.NOT_FOR_CANCEL, ONE), refused=True
    )


GUEST = replace(SECOND, standing=Standing.GUEST)


@pytest.mark.parametrize("person", [GUEST, replace(NINTH, standing=Standing.OUTSIDER)])
def test_an_approver_or_operator_who_is_no_member_is_told_that(person: Person) -> None:
    no = Reply(say.refused(ENGLISH, say.NothingDone.NOT_A_MEMBER), refused=True)
    assert step_of(Act.CANCEL, context(WAITING, person, FOUR)) == no
    assert step_of(Act.APPROVE, context(WAITING, person, FOUR)) == no
    assert step_of(Act.RETRY, context(ENDED, person, FOUR, outcome=FAILED)) == no


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT])
def test_an_approver_is_told_that_the_policy_asks_for_no_approval_any_more(act: Act) -> None:
    nothing = say.refused(ENGLISH, say.NothingDone.NOTHING_TO_DECIDE, ONE)
    assert step_of(act, context(WAITING, SECOND)) == Reply(nothing)


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT, Act.CANCEL, Act.RETRY])
def test_a_person_whose_group_slack_does_not_know_is_not_sent_to_click_again(act: Act) -> None:
    unknown = replace(SECOND, user_id="U5", unreadable={"S2": Unreadable.NOT_FOUND})
    state, outcome = (ENDED, FAILED) if act is Act.RETRY else (WAITING, None)
    step = step_of(act, context(state, unknown, FOUR, outcome=outcome))
    assert isinstance(step, Reply)
    told = "which groups you are in, so I did nothing: Slack does not know the id"
    assert told in step.message.text
    assert "If this keeps happening, tell" in step.message.text


@pytest.mark.parametrize(
    ("requester", "rule", "why"),
    [
        (Unreadable.MISSING_SCOPE, FOUR, "I lack a scope"),
        (Unreadable.MISSING_SCOPE, PLAIN, "I lack a scope"),
        (NOT_TOLD, PLAIN, "try again in a minute"),
        (
            replace(person("U1"), unreadable={"S9": Unreadable.PAID_PLAN}),
            replace(FOUR, groups=frozenset({"S9"})),
            "which groups <@U1> is in, so I did nothing: user groups need a paid",
        ),
    ],
)
def test_an_approver_is_told_why_the_requester_cannot_be_checked(
    requester: Person | Unreadable, rule: Rule, why: str
) -> None:
    step = step_of(Act.APPROVE, context(WAITING, SECOND, rule, requester=requester))
    assert isinstance(step, Reply)
    assert "<@U1>" in step.message.text
    assert why in step.message.text


@pytest.mark.parametrize(
    ("by", "channel", "place"),
    [
        (person("U1"), "C1", "C1/1.2"),
        (person("U1"), "D1", "D1/1.2"),
        (NINTH, "C1", "C1/1.2"),
        (NINTH, "D9", None),
    ],
    ids=["in the channel", "told alone", "an operator", "an operator, told alone"],
)
def test_a_cancellation_is_answered_at_the_place_of_its_button_if_its_requester_reads_there(
    by: Person, channel: str, place: str | None
) -> None:
    clicked = context(WAITING, by, message=f"{channel}/1.2")
    there = replace(clicked.click.origin, channel_id=channel)
    step = step_of(Act.CANCEL, replace(clicked, click=replace(clicked.click, origin=there)))
    assert isinstance(step, ApplyMove)
    assert step.move.place == place


OF_SEVERAL = (ApplyMove, State.ANSWERED, "denied", SEVERAL, False)
REJECTED = (ApplyMove, State.ANSWERED, "rejected", Rejected("U2", "no"), False)
OWN_REJECTED = (ApplyMove, State.ANSWERED, "rejected", Rejected("U1", None), False)
APPROVED = (ApplyMove, State.ACCEPTED, "approved", None, False)


@pytest.mark.parametrize(
    ("clicked", "approve", "reject"),
    [
        (context(WAITING, SECOND, FOUR, comment="no"), APPROVED, REJECTED),
        (context(WAITING, STRANGER, FOUR), REFUSED, REFUSED),
        (context(WAITING, person("U1"), FOUR), REFUSED, REFUSED),
        (context(WAITING, person("U1"), BY_OWN), APPROVED, OWN_REJECTED),
        (context(WAITING, NOT_TOLD, FOUR, user="U2"), *[(Reply, False)] * 2),
        (context(WAITING, person("U5", "S2"), FOUR), *[(Reply, False)] * 2),
        (context(WAITING, SECOND, NO), DENIED, DENIED),
        (context(WAITING, STRANGER, NO), DENIED, DENIED),
        (context(WAITING, STRANGER, replace(NO, name="freeze"), FOUR), REFUSED, REFUSED),
        (context(WAITING, NOT_TOLD, NO, user="U5"), *[(Reply, False)] * 2),
        (
            context(WAITING, SECOND, replace(NO, name="freeze"), FOUR, comment="no"),
            DENIED,
            REJECTED,
        ),
        (
            context(WAITING, STRANGER, IN_DOUBT, requester=person("U1", "S9")),
            *[(Reply, False)] * 2,
        ),
        (
            context(WAITING, SECOND, FOUR, comment="no", requester=NOT_TOLD),
            (Reply, False),
            REJECTED,
        ),
        (
            context(WAITING, SECOND, FOUR, comment="no", request=replace(ONE, owner=OTHER)),
            (ApplyMove, State.ANSWERED, "denied", Denied(Ground.OTHER_OWNER), False),
            REJECTED,
        ),
        (context(WAITING, SECOND, *BY_APPID, request=MANY), OF_SEVERAL, OF_SEVERAL),
        (context(WAITING, STRANGER, *BY_APPID, request=MANY), REFUSED, REFUSED),
        (context(WAITING, STRANGER, *NOW_FREE, request=MANY), OF_SEVERAL, OF_SEVERAL),
        (context(ENDED, SECOND, FOUR, outcome=Shared()), (Reply, True), (Reply, True)),
    ],
)
def test_an_approvers_decision_has_this_result(
    clicked: ClickContext,
    approve: tuple[object, ...],
    reject: tuple[object, ...],
) -> None:
    assert brief(step_of(Act.APPROVE, clicked)) == approve
    assert brief(step_of(Act.REJECT, clicked)) == reject


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [("C2/", "C2/1.2"), ("D1/1.1 C2/", "D1/1.1 C2/1.2"), ("C2/1.1", None), ("C3/", None)],
)
def test_an_approvers_comment_and_a_question_that_was_not_recorded_are_recorded(
    asked: str, recorded: str | None
) -> None:
    clicked = context(WAITING, SECOND, FOUR, comment="no", message="C2/1.2")
    clicked = replace(clicked, entry=replace(clicked.entry, asked=asked))
    for act in (Act.APPROVE, Act.REJECT):
        step = step_of(act, clicked)
        assert isinstance(step, ApplyMove)
        assert (step.move.comment, step.move.asked) == ("no", recorded)


@pytest.mark.parametrize(
    ("by", "says"),
    [("U1", "This is your own request"), ("U5", "Only approvers named in the policy can")],
)
def test_a_person_who_may_not_decide_is_told_that_approvers_may_or_that_it_is_their_own_request(
    by: str, says: str
) -> None:
    approvers = replace(FOUR_EYES, users=frozenset({"U1", "U2"}))
    clicked = context(WAITING, person(by), replace(FOUR, approvers=approvers))
    refused = step_of(Act.APPROVE, clicked)
    assert isinstance(refused, Reply)
    assert refused.refused
    assert refused.message.text.startswith(says)
    assert step_of(Act.REJECT, clicked) == refused


@pytest.mark.parametrize("self_approval", [False, True])
def test_a_requester_who_is_no_approver_is_not_told_that_another_one_has_to_decide(
    *, self_approval: bool
) -> None:
    rule = replace(FOUR, self_approval=self_approval)
    refused = step_of(Act.APPROVE, context(WAITING, person("U1"), rule))
    assert isinstance(refused, Reply)
    assert refused.refused
    assert refused.message.text.startswith("Only approvers named in the policy can")


@pytest.mark.parametrize("by", ["U1", "U5"])
def test_whoever_clicks_is_told_that_nobody_can_approve_where_only_the_requester_is_left(
    by: str,
) -> None:
    alone = replace(FOUR, approvers=Approvers(frozenset({"U1"}), frozenset(), "C2", timedelta(1)))
    refused = step_of(Act.APPROVE, context(WAITING, person(by), alone))
    assert isinstance(refused, Reply)
    assert refused.refused
    assert "asks for an approval, and nobody can give it. Nothing was done." in refused.message.text


def test_an_approved_request_continues_by_the_current_rule() -> None:
    step = step_of(Act.APPROVE, context(WAITING, SECOND, replace(FOUR, name="new")))
    assert isinstance(step, ApplyMove)
    assert step.move.rule == "new"


def test_a_request_with_a_place_continues_in_it() -> None:
    clicked = context(WAITING, SECOND, FOUR)
    step = step_of(Act.APPROVE, replace(clicked, entry=replace(clicked.entry, place="private")))
    assert brief(step) == (ApplyMove, State.PLACED, "approved", None, False)


@pytest.mark.parametrize(
    ("clicked", "expected"),
    [
        (context(ENDED, outcome=FAILED), (Resubmit, "2.2", "U1", False)),
        (context(ENDED, SECOND, FOUR, outcome=FAILED), (Resubmit, "2.2", "U2", False)),
        (context(ENDED, SECOND, outcome=FAILED), REFUSED),
        (context(ENDED, NOT_TOLD, outcome=FAILED), (Resubmit, "2.2", "U1", False)),
        (context(ENDED, NOT_TOLD, FOUR, outcome=FAILED, user="U2"), (Reply, False)),
        (context(ENDED, outcome=Shared()), (Reply, False)),
        (context(WAITING), (Reply, False)),
    ],
)
def test_a_click_on_retry_has_this_result(
    clicked: ClickContext, expected: tuple[object, ...]
) -> None:
    assert brief(step_of(Act.RETRY, clicked)) == expected


@pytest.mark.parametrize(
    ("by", "channel", "origin"),
    [
        (person("U1"), "C1", replace(ASKED, response_url="https://now", thread_ts="2.1")),
        (person("U1"), "D1", replace(ASKED, response_url="https://now", thread_ts="1.0")),
        (SECOND, "C1", replace(ASKED, response_url="", thread_ts="2.1")),
    ],
    ids=["where it was asked", "where they were told alone", "by an approver"],
)
def test_a_retry_is_answered_at_the_place_of_its_button(
    by: Person, channel: str, origin: Origin
) -> None:
    first = replace(ONE, origin=replace(ASKED, thread_ts="1.0", response_url="https://then"))
    clicked = context(ENDED, by, FOUR, request=first, outcome=FAILED)
    here = replace(clicked.click.origin, channel_id=channel, thread_ts="2.1", active_thread="2.1")
    step = step_of(Act.RETRY, replace(clicked, click=replace(clicked.click, origin=here)))
    assert isinstance(step, Resubmit)
    assert step.origin == replace(origin, trigger_id="2.2")
    assert step.asker.person == person("U1")


@pytest.mark.parametrize("failed", [(), (APPID,), (APPID, OTHER)])
def test_a_retry_of_a_batch_is_for_its_failed_items(failed: tuple[str, ...]) -> None:
    again = replace(MANY, again=True)
    through = context(ENDED, request=again, outcome=Finished(Tally(2, failed=2)))
    step = step_of(Act.RETRY, replace(through, failed=failed))
    if not failed:
        assert step == Reply(say.refused(ENGLISH, say.NothingDone.NO_SUCH_REQUEST))
        return
    assert isinstance(step, Resubmit)
    assert step.share == Share(failed, MANY.env, MANY.reason, again=True)


def test_a_request_is_not_retried_twice() -> None:
    clicked = context(ENDED, outcome=FAILED)
    tried = replace(clicked, entry=replace(clicked.entry, retried_by="U2"))
    assert step_of(Act.RETRY, tried) == Reply(
        say.refused(ENGLISH, say.NothingDone.RETRIED_ALREADY), spent=True
    )


@pytest.mark.parametrize(
    ("by", "given", "reason"),
    [("U1", None, "a reason"), ("U2", None, None), ("U2", "mine", "mine"), ("U1", "new", "new")],
)
def test_sharing_again_has_the_new_reason_or_the_clickers_own_earlier_one(
    by: str, given: str | None, reason: str | None
) -> None:
    clicked = context(ENDED, person(by), outcome=Shared())
    step = step_of(Act.SHARE_AGAIN, replace(clicked, click=replace(clicked.click, reason=given)))
    assert isinstance(step, Resubmit)
    assert (step.share.reason, step.share.again, step.origin.user_id) == (reason, True, by)
    assert step.replaces


def test_a_batch_cannot_be_shared_again_as_a_whole() -> None:
    whole = context(ENDED, request=MANY, outcome=Finished(Tally(2, shared=2)))
    assert step_of(Act.SHARE_AGAIN, whole) == Reply(
        say.refused(ENGLISH, say.NothingDone.NO_SUCH_REQUEST)
    )


# Lookups of people.


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The number of Person values that were made, by user id."""
    made, make = Counter[str](), Person.__init__

    def counted(self: Person, team_id: str, user_id: str, *others: object, **named: object) -> None:
        made[user_id] += 1
        make(self, team_id, user_id, *others, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Person, "__init__", counted)
    return made


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -3600.0])
async def test_one_share_looks_the_person_up_once_also_if_its_clock_is_not_the_databases(
    rig: Rig, known: Counter[str], ahead: float
) -> None:
    rig.runtime = replace(rig.runtime, now=lambda: time.time() + ahead)
    async with rig.bot(ALLOW):
        known.clear()
        await rig.ask()
        await rig.over()
        assert rig.replies()[0].startswith(SHARED)
    assert known == {REQUESTER: 1}
    assert _asked(rig) == Counter({"users.info": 1})


async def test_one_approval_looks_each_person_up_once_for_each_of_their_actions(
    rig: Rig, known: Counter[str]
) -> None:
    async with rig.bot(APPROVE):
        known.clear()
        await rig.ask()
        assert YOU_APPROVED in await rig.decide(APPROVER, "approve")
        await rig.over()
    assert known == {REQUESTER: 2, APPROVER: 2}  # to ask, to open the form, and to decide
    assert _asked(rig) == Counter({"users.info": 4, "usergroups.list": 2})


def _asked(rig: Rig) -> Counter[str]:
    """Return the number of Slack's calls about people."""
    methods = Counter(call.method for call in rig.slack.calls)
    return Counter({name: methods[name] for name in ("users.info", "usergroups.list")})
