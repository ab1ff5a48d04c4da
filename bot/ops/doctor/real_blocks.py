"""Have Slack validate one message and view of each kind, with made-up values; nothing is posted."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from bot.command.mistake import Misread, Mistake, Wrong
from bot.domain.batch import finished_of, groups_of
from bot.domain.kept import KeptShare
from bot.domain.link import Link, LinkState
from bot.domain.outcome import (
    NOTHING_KNOWN,
    Denied,
    Failed,
    Finished,
    Ground,
    Outcome,
    Party,
    Rejected,
    Said,
    Shared,
    Tally,
    Unknown,
)
from bot.domain.request import Act, Agreement, Approval, BrokenGlass, Origin, Request
from bot.domain.sentence import Sentence
from bot.guidance import Trouble, for_code
from bot.messages import Message, click_replies, conversation
from bot.messages.answers import accepted, steps_left
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
from bot.messages.batches import denied_some, progress, several_rules, too_many_batches
from bot.messages.blocks import Block
from bot.messages.history import (
    Line,
    history,
    history_table,
    kept_request,
    one_request,
    shared_before,
    shared_long_ago,
    under_way,
    untold,
)
from bot.messages.home import Records, home, view
from bot.messages.mistakes import misread
from bot.messages.modals import breaking_glass, decision, form, trouble
from bot.messages.notices import (
    Note,
    NoThread,
    broken,
    noted,
    only_you,
    stopping,
    twin,
    unknown_command,
)
from bot.messages.people import help_, whoami
from bot.messages.request import replies
from bot.messages.rulings import as_dry_run, denied, dry_run, no_owner, own_receiver, why
from bot.messages.words import Words
from bot.ops.doctor.real_slack import Tried, code_of, no_answer
from bot.policy.decide import nearest
from bot.policy.kinds import (
    Approvers,
    Deny,
    Effect,
    Freeze,
    Frozen,
    NeedsApproval,
    NoRule,
    Person,
    PersonUnreadable,
    Policy,
    Rule,
    Unreadable,
)
from bot.policy.shapes import Question
from bot.slack.api import Answered, Doubtful, SlackApi, is_transient

_TEAM, _USER, _CHANNEL = "T012ABCDEF", "U012ABCDEF", "C012ABCDEF"
_OWNER, _APPID, _ENV = "wx0123456789abcdef", "wx5fe6bb43205e9e70", "prod-1"
_LINK = "https://example.slack.com/archives/C012ABCDEF/p1764028801000200"
_NOW = 1_764_028_800.0
_ORIGIN = Origin(
    team_id=_TEAM,
    user_id=_USER,
    channel_id=_CHANNEL,
    channel_name="releases",
    trigger_id="1.2",
    response_url="",
)
_ONE = Request(
    id="7kq2m9xc",
    origin=_ORIGIN,
    appid=_APPID,
    env=_ENV,
    owner=_OWNER,
    rule="four eyes",
    reason="release 12",
)
_MISSING = [Party(groups=frozenset({"S0"}), count=2)]
_BROKEN = replace(_ONE, approval=BrokenGlass(_USER, "it is down"))
_AGREED = replace(_ONE, approval=Approval(_USER, "fine"), agreed=(Agreement(_USER, "fine"),))
_APPIDS = tuple(f"wx{number:016x}" for number in range(300))
_MANY = Request(
    id="7kq2m9xd",
    origin=_ORIGIN,
    appid="",
    env=_ENV,
    owner=_OWNER,
    rule="four eyes",
    reason="release 12",
    appids=_APPIDS,
)
_BY = Approvers(frozenset({_USER}), frozenset(), _CHANNEL, timedelta(hours=24))
_RULE = Rule("four eyes", Effect.APPROVE, users=frozenset({_USER}), envs=("prod-*",), approvers=_BY)
_POLICY = Policy((_RULE,), (), _OWNER, "the platform team")
_FREEZE = Freeze(_NOW, _NOW + 86_400, "end of the year")
_ASK = Question(user=_USER, channel=_CHANNEL, appid=_APPID, env="vault-1").ask(_NOW)
_FAILED = Failed(for_code(85088), Said(85088, "made up", "686cab53-686d2226-2e40eeeb"))
_LINE = Line(_ONE, Shared(), _NOW, _LINK)
_KEPT = KeptShare(_ONE.id, _ENV, _APPID, _OWNER, _NOW)
_TOKEN = LinkState(
    Link.OWNER,
    _OWNER,
    good_until=_NOW,
    renewed=_NOW,
    trouble=Trouble.NO_TICKET.value,
    trouble_at=_NOW,
)
_REFERENCE = "5f2c1e7a"
_ENDS: list[tuple[str, Outcome | None]] = [
    *((appid, _FAILED) for appid in _APPIDS[:9]),
    *((appid, Shared()) for appid in _APPIDS[9:]),
]
_ENDED: tuple[tuple[str, Request, Outcome], ...] = (
    ("shared", _ONE, Shared()),
    ("failed", _ONE, _FAILED),
    ("unknown", _ONE, Unknown(Trouble.TIMEOUT.value)),
    ("rejected", _ONE, Rejected(_USER, "not today")),
    ("batch", _MANY, Finished(Tally(300, shared=291, failed=9), groups_of(_ENDS))),
)
_NAME, _METHOD = "blocks-validate", "blocks.validate"
_PATIENCE = 60.0  # seconds for rate limits
_INVALID = {"invalid_blocks", "invalid_message", "invalid_view"}
_POINTER = re.compile(r"[a-z_0-9/]{1,120}")


def _messages(words: Words) -> Iterator[tuple[str, Message]]:
    yield from _to_who_asks(words)
    yield from _refusals(words)
    yield from _to_channels(words)
    yield from _to_who_clicks(words)
    for name, request, outcome in _ENDED:
        yield f"answer-{name}", conversation.answer(words, request, outcome)
        yield f"parent-{name}", conversation.parent(words, request, outcome)
    yield "answer-agreed", conversation.answer(words, _AGREED, Shared())


def _to_who_asks(words: Words) -> Iterator[tuple[str, Message]]:
    person, answered = Person(_TEAM, _USER), conversation.answer(words, _ONE, Shared())
    no = Deny(NoRule(nearest(_POLICY, _ASK)))
    yield "accepted", accepted(words, _ONE)
    yield (
        "mistake",
        misread(words, Misread(Mistake(Wrong.MISSING_ENV), _APPID, f"/share-env {_APPID} <env>")),
    )
    yield "help", help_(words, person, (_RULE,))
    yield "whoami", whoami(words, person, _USER, _TEAM, (_RULE,), (_TOKEN,))
    yield "why", why(words, no, _ASK, _POLICY)
    yield "dry-run", dry_run(words, NeedsApproval(_RULE), _ONE)
    yield "history", history(words, [_LINE], None)
    yield "history-table", history_table(words, [_LINE, _KEPT], "prod-1")
    yield "one-request", one_request(words, _LINE)
    yield "under-way", under_way(words, _ONE, _LINK)
    yield "untold", untold(words, _ONE, answered)
    yield "shared-before", shared_before(words, _ONE, _NOW, _LINK)
    yield "shared-long-ago", shared_long_ago(words, _KEPT)
    yield "kept-request", kept_request(words, _KEPT)
    yield "confirmation", confirmation(words, _MANY, _NOW)
    yield "sent-to-approvers", sent_to_approvers(words, _ONE, breakable=True)
    yield "without-approval", without_approval(words, _ONE)
    yield (
        "under-way-alone",
        only_you(words, conversation.begun(words, _ONE, waiting=False), NoThread.NOT_INVITED),
    )
    yield "answer-alone", conversation.alone(words, _ONE, Shared(), answered)
    yield "stopping", stopping(words)
    yield "unknown-command", unknown_command(words, "/share")
    yield "broken", broken(words, _REFERENCE)


def _refusals(words: Words) -> Iterator[tuple[str, Message]]:
    no = Deny(NoRule(nearest(_POLICY, _ASK)))
    refusal = denied(words, no, _ASK, _POLICY)
    yield "denied", refusal
    frozen = Deny(Frozen(NeedsApproval(_RULE), _FREEZE))
    yield "frozen", denied(words, frozen, _ASK, _POLICY)
    yield "denied-dry-run", as_dry_run(words, refusal)
    yield "denied-in-part", denied_some(words, _ENV, _APPIDS[:9], len(_APPIDS))
    yield "several-rules", several_rules(words, {"one": _APPIDS[:9], "another": _APPIDS[9:]})
    yield "too-many-batches", too_many_batches(words, _MANY, 5)
    yield "no-owner", no_owner(words, _ASK)
    yield "own-receiver", own_receiver(words, _OWNER, _ENV)
    yield "no-approver", no_approver(words, _RULE)


def _to_channels(words: Words) -> Iterator[tuple[str, Message]]:
    asks = question(words, _MANY, [_LINE], _NOW, f"<@{_USER}>")
    agreed = so_far(words, [Agreement(_USER, "fine")], _MISSING)
    yield "begun", conversation.begun(words, _ONE, waiting=False)
    yield "waiting", waiting(words, _ONE)
    yield "question", noted(words, asks, Note.ASKED_DIRECTLY)
    yield "question-agreed", question(words, _ONE, [], _NOW, f"<@{_USER}>", agreed)
    yield "reminder", reminder(words, _ONE, _NOW, f"<@{_USER}>")
    yield "decided", decided(words, _ONE, Rejected(_USER, "not today"), _NOW)
    yield "decided-by-several", decided(words, _AGREED, Shared(), _NOW)
    yield "skipped", skipped(words, _BROKEN, f"<@{_USER}>", commented=True)
    yield "progress", progress(words, _MANY, Tally(300, shared=120), None)
    yield "appids", replies(words, _MANY)[0]
    none = finished_of([(appid, _FAILED) for appid in _APPIDS])
    yield "failed-appids", conversation.lists(words, none, NOTHING_KNOWN)[0]
    yield "twin", twin(words)


def _to_who_clicks(words: Words) -> Iterator[tuple[str, Message]]:
    doubt = PersonUnreadable(Unreadable.SLACK_DOWN)
    yield "click", click_replies.refused(words, click_replies.NothingDone.NOT_AN_APPROVER, _ONE)
    yield "approved", you_approved(words, _ONE)
    yield "agreed", you_agreed(words, _ONE, _MISSING)
    yield "settled", settled(words, _ONE, Settled.CANCELLED)
    yield "steps-left", steps_left(words, _ONE)
    yield "requester-asked", click_replies.requester_asked(words, _ONE, _NOW)
    yield "denied-for-them", click_replies.denied_for_them(words, _ASK, _APPIDS[:2])
    yield "cannot-tell", click_replies.cannot_tell_requester(words, doubt, other=_USER)
    yield "rest-cancelled", click_replies.rest_cancelled(words, _MANY, 7)
    yield "too-late", click_replies.too_late(words, _ONE, Shared())
    frozen = Denied(Ground.FROZEN, _FREEZE.ends)
    yield "over-by-policy", click_replies.over_by_policy(words, _ONE, frozen, _FREEZE)
    yield "opens-later", click_replies.opens_later(words, _ONE, _NOW, _NOW)


def _views(words: Words) -> Iterator[tuple[str, Block]]:
    records = Records([_LINE], [Line(_MANY, None, _NOW, _LINK)])
    yield "app-home", view(home(words, Person(_TEAM, _USER), (_RULE,), records, "0"))
    yield "form", form(words, _ORIGIN, "")
    yield "approve", decision(words, _MANY, Act.APPROVE, _MANY.id)
    yield "break-glass", breaking_glass(words, _MANY, _MANY.id)
    yield "trouble", trouble(words, _REFERENCE)


def kinds_of(words: Words) -> dict[str, Mapping[str, str]]:
    """Return the arguments for Slack's method by kind: one message or view of each that the bot can send."""
    kinds: dict[str, Mapping[str, str]]
    kinds = {name: {"message": json.dumps({"blocks": m.blocks})} for name, m in _messages(words)}
    return kinds | {name: {"view": json.dumps(modal)} for name, modal in _views(words)}


async def try_blocks(api: SlackApi, words: Words) -> list[Tried] | str:
    """Return a result for each kind that Slack rejects, or one for all; a sentence if the app may not use the method."""
    kinds = kinds_of(words)
    wrong = list[Tried]()
    for name, payload in kinds.items():
        result = await api.write(_METHOD, _PATIENCE, **payload)
        if isinstance(result, Answered):
            continue
        if isinstance(result, Doubtful) or is_transient(result):
            return [*wrong, no_answer(_NAME, result)]
        if result.error not in _INVALID:
            return Sentence(
                "Slack does not let this app use {method} ({code}), so it looked at no message.",
                method=_METHOD,
                code=code_of(result),
            )
        at = ", ".join(filter(_POINTER.fullmatch, result.pointers)) or "it does not say where"
        wrong.append(Tried(_NAME, "no", f"`{name}`: {result.error} ({at})"))
    return wrong or [Tried(_NAME, "yes", f"kinds of messages and views, all valid: {len(kinds)}")]
