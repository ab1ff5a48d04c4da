"""Messages about confirmations, approvals and clicks: their wording, and that Slack accepts them."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from syrupy.assertion import SnapshotAssertion

from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Failed,
    Finished,
    Ground,
    Outcome,
    Party,
    Rejected,
    Said,
    Shared,
    Skipped,
    SkipReason,
    Stopped,
    Tally,
    Unknown,
    retry_may_help,
)
from bot.domain.request import Act, Agreement, Approval, BrokenGlass, Origin, Request
from bot.guidance import all_guidance
from bot.messages import Message, conversation
from bot.messages import click_replies as say
from bot.messages.answers import accepted
from bot.messages.approvals import (
    Settled,
    confirmation,
    decided,
    no_approver,
    question,
    reminder,
    sent_to_approvers,
    settled,
    skipped,
    so_far,
    waiting,
    without_approval,
    you_agreed,
    you_approved,
)
from bot.messages.batches import progress
from bot.messages.click_replies import too_late
from bot.messages.history import Line
from bot.messages.modals import breaking_glass, decision, trouble
from bot.messages.notices import Note, noted
from bot.messages.words import Words, as_typed
from bot.playground.slack.views import completed
from bot.policy.kinds import (
    Approvers,
    Effect,
    GroupUnreadable,
    Person,
    PersonUnreadable,
    Policy,
    Rule,
    Unreadable,
)
from tests import asking
from tests.checking import checks
from tests.languages import CHINESE, ENGLISH, in_each_language
from tests.messages.checks import CHINESE_TYPOGRAPHY
from tests.messages.golden import golden, goldens
from tests.messages.hostile import (
    HOSTILE,
    MENTION,
    check_that_nobody_is_mentioned,
    check_that_slack_accepts,
)
from tests.messages.samples import FREEZE, NOW, sent_to

APPID, OWNER = "wx5fe6bb43205e9e70", "wx0123456789abcdef"
AT, UNTIL = 1_764_028_800.0, 1_764_036_000.0
ORIGIN = Origin(
    team_id="T1",
    user_id="U1REQUESTER",
    channel_id="C1RELEASES",
    channel_name="releases",
    trigger_id="1.1",
    response_url="",
)
ONE = Request(
    id="k7m2p9qx",
    origin=ORIGIN,
    appid=APPID,
    env="prod-1",
    owner=OWNER,
    rule="four eyes",
    reason="for the launch",
)
BARE = replace(ONE, reason=None, origin=replace(ORIGIN, channel_id="D1"))
MANY = replace(ONE, appid="", appids=tuple(f"wx{n:016x}" for n in range(12)))
APPROVED = replace(ONE, approval=Approval("U2APPROVER"))
AGREED = replace(
    ONE, approval=Approval("U2APPROVER"), agreed=(Agreement("U3", "fine"), Agreement("U4"))
)
BROKEN = replace(ONE, approval=BrokenGlass("U1REQUESTER", "the <shop> is down"))
COMMENTED = replace(ONE, approval=Approval("U2APPROVER", "fine by <me> & the team"))
GUIDANCE = all_guidance()[0]
PAST = [
    Line(replace(ONE, id=f"past{n}"), Shared(), AT - n, None if n % 2 else "https://x/1")
    for n in range(5)
]
MISSING = [Party(groups=frozenset({"S1"}), count=2), Party(frozenset({"*"}))]
BATCHES = [Line(MANY, Finished(Tally(12, shared=n, failed=12 - n)), AT, None) for n in (12, 3, 1)]
UNAPPROVED, LACKING = replace(AGREED, approval=None), Expired("approval", tuple(MISSING))
RULE = Rule(
    "four eyes",
    Effect.APPROVE,
    approvers=Approvers(frozenset({"U2"}), frozenset(), "C2", timedelta(hours=2)),
)
ASKED = asking.ask(Person("T1", "U1REQUESTER"), "C1RELEASES", APPID, "prod-1")
POLICY = Policy((RULE,), contact="the platform team")
UNDECIDED: dict[str, Outcome] = {
    "rejected": Rejected("U2APPROVER"),
    "rejected with a comment": Rejected("U2APPROVER", "not <today> & not like that"),
    "cancelled": Cancelled("U1REQUESTER"),
    "not confirmed": Expired("confirmation"),
    "not decided": Expired("approval"),
    "denied": Denied(),
    "frozen": Denied(Ground.FROZEN, NOW + 86_400),
    "several rules": Denied(Ground.SEVERAL_RULES),
    "another owner": Denied(Ground.OTHER_OWNER),
    "shared by another": Skipped(SkipReason.SHARED_BEFORE),
    "being shared by another": Skipped(SkipReason.UNDER_WAY),
    "stopped": Stopped(),
}
CALLED: dict[str, Outcome] = {
    "shared": Shared(),
    "failed": Failed(GUIDANCE, Said(40097, "invalid args", "rid-1")),
    "unknown": Unknown(GUIDANCE),
    "finished": Finished(Tally(3, shared=2, failed=1)),
    "stopped": Stopped(),
    "stopped midway": Finished(Tally(3, shared=1, stopped=2)),
}


def messages(words: Words, request: Request) -> dict[str, Message]:
    """Return every message about a request that waits for people, by name."""
    every = {**UNDECIDED, **CALLED}
    return {
        "confirmation": confirmation(words, request, NOW),
        "confirmation of a retry": confirmation(words, request, NOW, "U2APPROVER"),
        "requester asked": say.requester_asked(words, request, NOW),
        "sent to the approvers": sent_to_approvers(words, request),
        "sent to approvers whom they need not wait for": sent_to_approvers(
            words, request, breakable=True
        ),
        "without approval": without_approval(words, request),
        "waiting": waiting(words, request),
        "question": question(words, request, [], UNTIL, "<!subteam^S1>"),
        "question with a past": question(words, request, PAST, UNTIL, ""),
        "question after an agreement": question(
            words,
            request,
            [],
            UNTIL,
            "<!subteam^S1>",
            so_far(words, [Agreement("U2APPROVER", request.rule)], MISSING),
        ),
        "question after batches": question(words, request, BATCHES, UNTIL, ""),
        "reminder": reminder(words, request, UNTIL, "<!subteam^S1>"),
        "reminder to everybody": reminder(words, request, UNTIL, ""),
        **{
            f"decided: {name}": decided(words, request, outcome, AT)
            for name, outcome in UNDECIDED.items()
        },
        **{
            f"parent: {name}": conversation.parent(words, request, outcome)
            for name, outcome in UNDECIDED.items()
        },
        **{
            f"answer: {name}": conversation.answer(words, request, outcome)
            for name, outcome in UNDECIDED.items()
        },
        "not yours": say.refused(words, say.NothingDone.NOT_YOURS, request),
        "nothing to decide": say.refused(words, say.NothingDone.NOTHING_TO_DECIDE, request),
        "not for cancel": say.refused(words, say.NothingDone.NOT_FOR_CANCEL, request),
        "not for retry": say.refused(words, say.NothingDone.NOT_FOR_RETRY, request),
        **{
            f"too late: {name}": too_late(words, request, outcome)
            for name, outcome in [("under way", None), *every.items()]
        },
        "confirmed": accepted(words, request),
        "cancelled": settled(words, request, Settled.CANCELLED),
        "approved": you_approved(words, request),
        "agreed": you_agreed(words, request, MISSING),
        "agreed already": you_agreed(words, request, MISSING, before=True),
        "rejected": settled(words, request, Settled.REJECTED),
        **{
            f"over by policy: {ground.name.lower()}": say.over_by_policy(
                words, request, Denied(ground)
            )
            for ground in Ground
        },
        "over by policy, frozen": say.over_by_policy(
            words, request, Denied(Ground.FROZEN, FREEZE.ends), FREEZE
        ),
        "opens later": say.opens_later(words, request, NOW, NOW + 60),
        "opens too late": say.opens_later(words, request, NOW, NOW - 60),
        "denied to the requester": say.denied_for_them(words, ASKED, request.receivers),
    }


def about_approved(words: Words, request: Request) -> dict[str, Message]:
    """Return every message about an approved request, by name."""
    return {
        "decided: under way": decided(words, request, None, AT),
        **{
            f"decided: {name}": decided(words, request, outcome, AT)
            for name, outcome in CALLED.items()
        },
        "decided: after others agreed": decided(words, AGREED, Shared(), AT),
        "answer: after others agreed": conversation.answer(words, AGREED, Shared()),
        "decided: nobody more agreed": decided(words, UNAPPROVED, LACKING, AT),
        "decided: nobody more agreed, quietly": decided(
            words, UNAPPROVED, LACKING, AT, quietly=True
        ),
        "answer: nobody more agreed": conversation.answer(words, UNAPPROVED, LACKING),
        "reminder: somebody is missing": reminder(
            words, request, UNTIL, "<!subteam^S1>", so_far(words, AGREED.agreed, MISSING)
        ),
        "skipped": skipped(words, BROKEN, "<!subteam^S1>", commented=True),
        "skipped: others read": skipped(words, BROKEN, "", commented=False),
        "decided: not waited for": decided(words, BROKEN, None, AT),
        "answer: not waited for": conversation.answer(words, BROKEN, Shared()),
        "decided: left to another": decided(words, request, Skipped(SkipReason.UNDER_WAY), AT),
        "answer: shared": conversation.answer(words, request, CALLED["shared"]),
        "too late: under way": too_late(words, request, None),
    }


def without_request(words: Words) -> dict[str, Message]:
    """Return every message that is about no particular request, by name."""
    return {
        "no approver": no_approver(words, RULE),
        "asked directly": noted(words, Message(()), Note.ASKED_DIRECTLY),
        "no such request": say.refused(words, say.NothingDone.NO_SUCH_REQUEST),
        "no approver of this": say.refused(words, say.NothingDone.NOT_AN_APPROVER),
        "own request": say.refused(words, say.NothingDone.OWN_REQUEST),
        "retried already": say.refused(words, say.NothingDone.RETRIED_ALREADY),
        "no member": say.refused(words, say.NothingDone.NOT_A_MEMBER),
        **{
            f"cannot tell {whose}": say.cannot_tell(words, why, groups=groups, other=other)
            for whose, why, groups, other in [
                ("who you are", Unreadable.SLACK_DOWN, False, None),
                ("who you are for good", Unreadable.MISSING_SCOPE, False, None),
                ("who another is", Unreadable.SLACK_DOWN, False, "U1REQUESTER"),
                ("your groups", Unreadable.NOT_FOUND, True, None),
                ("the groups of another", Unreadable.RATE_LIMITED, True, "U1REQUESTER"),
            ]
        },
        "ledger down": say.refused(words, say.NothingDone.LEDGER_DOWN),
        "in doubt": say.refused(words, say.NothingDone.IN_DOUBT),
        "not opened": say.refused(words, say.NothingDone.NOT_OPENED),
        "no rest cancelled": say.rest_cancelled(words, MANY, 0),
        "rest cancelled": say.rest_cancelled(words, MANY, 1),
        "rests cancelled": say.rest_cancelled(words, MANY, 7),
    }


@in_each_language
@pytest.mark.parametrize("request_", [ONE, MANY], ids=["one", "many"])
def test_the_messages_while_people_decide_are_worded_as_agreed(
    words: Words, request_: Request, snapshot: SnapshotAssertion
) -> None:
    said, one = messages(words, request_), messages(words, ONE)
    other = {name: each for name, each in said.items() if request_ is ONE or each != one[name]}
    assert goldens(other) == snapshot


@in_each_language
def test_without_a_reason_only_the_question_says_so(
    words: Words, snapshot: SnapshotAssertion
) -> None:
    one, bare = messages(words, ONE), messages(words, BARE)
    for name in one:
        if not name.startswith("question"):
            said = golden(one[name]).split("\n")
            assert golden(bare[name]) == "\n".join(x for x in said if "for the launch" not in x)
    assert golden(bare["question"]) == snapshot


@in_each_language
def test_the_messages_about_an_approved_request_are_worded_as_agreed(
    words: Words, snapshot: SnapshotAssertion
) -> None:
    assert goldens(about_approved(words, COMMENTED)) == snapshot


@in_each_language
def test_without_a_comment_only_the_comment_is_missing(words: Words) -> None:
    comment = "“fine by &lt;me&gt; &amp; the team”"
    commented = goldens(about_approved(words, COMMENTED))
    without = re.sub(rf"\n  .*{comment}|[:：] ?{comment}", "", commented)
    assert without == goldens(about_approved(words, APPROVED))


@pytest.mark.parametrize("request_", [BARE, MANY, COMMENTED], ids=["bare", "many", "approved"])
def test_messages_for_approvers_follow_chinese_typography(request_: Request) -> None:
    said = (
        messages(CHINESE, request_) | about_approved(CHINESE, request_) | without_request(CHINESE)
    )
    with checks() as check:
        for name, each in said.items():
            for rule in CHINESE_TYPOGRAPHY:
                with check(f"{name}: {rule.__name__}"):
                    rule(each)


@in_each_language
def test_the_messages_without_a_request_are_worded_as_agreed(
    words: Words, snapshot: SnapshotAssertion
) -> None:
    assert goldens(without_request(words)) == snapshot


@in_each_language
@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT])
def test_the_question_to_an_approver_is_worded_as_agreed(
    words: Words, act: Act, snapshot: SnapshotAssertion
) -> None:
    view = decision(words, ONE, act, '["k7m2p9qx"]')
    assert json.dumps(view, ensure_ascii=False, indent=1) == snapshot


@in_each_language
def test_the_question_why_it_cannot_wait_is_worded_as_agreed(
    words: Words, snapshot: SnapshotAssertion
) -> None:
    view = breaking_glass(words, ONE, "k7m2p9qx")
    assert json.dumps(view, ensure_ascii=False, indent=1) == snapshot


@in_each_language
def test_the_beginning_of_a_request_says_whether_it_is_new_or_a_retry(words: Words) -> None:
    assert conversation.begun(words, ONE, waiting=True) == waiting(words, ONE)
    assert conversation.begun(words, ONE, waiting=False) == conversation.parent(words, ONE, None)
    nothing_yet = progress(words, MANY, Tally(len(MANY.appids)), None)
    assert conversation.begun(words, MANY, waiting=False) == nothing_yet


@in_each_language
def test_an_ephemeral_message_begins_like_the_channels_and_has_each_id_once(
    words: Words,
) -> None:
    whole = conversation.answer(words, ONE, Shared())
    said = conversation.alone(words, ONE, Shared(), whole)
    above = conversation.parent(words, ONE, Shared())
    assert said.parts[-len(whole.parts) :] == whole.parts
    assert set(said.parts[: -len(whole.parts)]) < set(above.parts)
    assert said.text.count(ONE.id) == 1


@in_each_language
def test_a_modal_after_an_unforeseen_error_has_its_reference_and_no_submit_button(
    words: Words,
) -> None:
    broken = trouble(words, "k7m2p9qx")
    assert "k7m2p9qx" in json.dumps(broken)
    assert "submit" not in broken


# Every outcome has its own message.


@in_each_language
def test_the_approvers_message_differs_for_each_outcome(words: Words) -> None:
    ends = [decided(words, APPROVED, end, AT).text for end in (None, *CALLED.values())]
    assert len(set(ends)) == len(ends)
    kinds = ("rejected", "cancelled", "not decided", "denied")
    others = [decided(words, ONE, UNDECIDED[kind], AT).text for kind in kinds]
    assert len({*others, *ends}) == len(others) + len(ends)


@in_each_language
@pytest.mark.parametrize("name", CALLED)
def test_an_unknown_outcome_is_never_called_a_failure(words: Words, name: str) -> None:
    text = decided(words, APPROVED, CALLED[name], AT).text
    failure = words("not shared")
    assert (failure in text) == (name in {"failed", "finished"})


@in_each_language
@pytest.mark.parametrize("name", [*UNDECIDED, *CALLED])
def test_there_is_a_retry_button_if_a_retry_can_help(words: Words, name: str) -> None:
    outcome = {**UNDECIDED, **CALLED}[name]
    said = conversation.answer(words, ONE, outcome)
    assert (f'"action_id": "{Act.RETRY.value}"' in json.dumps(said.blocks)) is (
        retry_may_help(outcome)
    )


# Hostile texts.


@in_each_language
@given(reason=HOSTILE, rule=HOSTILE, comment=HOSTILE)
def test_messages_with_hostile_texts_are_valid_for_slack(
    words: Words, reason: str, rule: str, comment: str
) -> None:
    hostile = replace(MANY, reason=reason, rule=rule, approval=Approval("U2", comment))
    rejected = Rejected("U2", comment)
    for said in (
        *messages(words, hostile).values(),
        *about_approved(words, hostile).values(),
        decided(words, replace(hostile, approval=None), rejected, AT),
        conversation.answer(words, hostile, rejected),
        no_approver(sent_to(words, reason), replace(RULE, name=rule)),
    ):
        check_that_slack_accepts(said)


def test_the_default_contact_is_translated() -> None:
    assert "the people who run this bot" in no_approver(ENGLISH, RULE).text
    assert "the people who run this bot" not in no_approver(CHINESE, RULE).text


@in_each_language
def test_no_mention_comes_from_peoples_texts(words: Words) -> None:
    hostile = replace(
        ONE, reason=MENTION, rule=MENTION, env=MENTION, approval=Approval("U2", MENTION)
    )
    rejected = Rejected("U2", MENTION)
    every = [*messages(words, hostile).values(), *about_approved(words, hostile).values()]
    every += [conversation.answer(words, hostile, rejected), decided(words, hostile, rejected, AT)]
    for said in every:
        check_that_nobody_is_mentioned(said)


@in_each_language
def test_no_label_or_id_comes_from_peoples_texts(words: Words) -> None:
    forged = "fine* *Approved:* `wx0000000000000000` ~not~"
    hostile = replace(ONE, reason=forged, rule=forged, approval=Approval("U2", forged))
    rejected = Rejected("U2", forged)
    every = [*messages(words, hostile).values(), *about_approved(words, hostile).values()]
    every += [conversation.answer(words, hostile, rejected), decided(words, hostile, rejected, AT)]
    for said in every:
        shown = said.text + json.dumps(said.blocks, ensure_ascii=False)
        assert [mark for mark in ("*Approved", "`wx0000", "~not~") if mark in shown] == []


@in_each_language
@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT])
@pytest.mark.parametrize("env", ["prod-1", MENTION, "<" * 64])
def test_the_modal_is_valid_for_slack(words: Words, act: Act, env: str) -> None:
    view = decision(words, replace(MANY, env=env), act, "x" * 100)
    whole = completed(json.loads(json.dumps(view)), "modal")
    assert whole["callback_id"] == act.value
    assert as_typed(env)[:6] in as_typed(json.dumps(view, ensure_ascii=False))


@in_each_language
def test_a_buttons_value_is_the_request_only(words: Words) -> None:
    for said in messages(words, ONE).values():
        for block in said.blocks:
            elements = block.get("elements")
            if block["type"] == "actions" and isinstance(elements, list):
                assert {element["value"] for element in elements} == {ONE.id}


@pytest.mark.parametrize(
    ("channel", "shown"), [("C1", "<#C1>"), ("G1", "<#G1>"), ("D1", "a direct message")]
)
def test_the_question_names_the_channel_unless_it_is_a_direct_message(
    channel: str, shown: str
) -> None:
    asked = replace(ONE, origin=replace(ORIGIN, channel_id=channel))
    assert f"*From:* {shown}\n" in question(ENGLISH, asked, [], UNTIL, "").text


def test_an_approver_is_told_whether_slack_does_not_tell_the_requester_or_their_groups() -> None:
    doubt = GroupUnreadable(RULE, Unreadable.SLACK_DOWN)
    of_groups = say.cannot_tell_requester(ENGLISH, doubt, other="U1")
    assert of_groups == say.cannot_tell(ENGLISH, doubt.trouble, groups=True, other="U1")
    of_them = say.cannot_tell_requester(ENGLISH, PersonUnreadable(doubt.trouble), other="U1")
    assert of_them == say.cannot_tell(ENGLISH, doubt.trouble, other="U1")
