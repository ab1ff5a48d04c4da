"""The question to the approvers: posted in their channel or directly, with one reminder, and edited when it is decided."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bot.domain.kept import KeptShare
from bot.domain.outcome import Expired, Party
from bot.domain.request import Request
from bot.guidance import Trouble
from bot.ledger.entries import Entry
from bot.messages import Message
from bot.messages.approvals import decided, mentions, question, reminder, skipped, so_far
from bot.messages.blocks import Posted, read_ref, ref_of
from bot.messages.history import Line
from bot.messages.notices import Note, NoThread, noted
from bot.messages.request import replies
from bot.messages.words import Languages, Words, mention
from bot.policy.kinds import Escalation, Rule
from bot.policy.quorum import escalated
from bot.slack.api import Refused
from bot.slack.directory import Directory
from bot.slack.payloads import DIRECT, PERSON
from bot.slack.posts import Posts, raise_if_away
from bot.slack.thread import post_lists
from bot.workflow.judge import accepted_under
from bot.workflow.ports import LinkTo, PolicyInForce

MOST = 20
"""The most approvers who are asked directly about one request; any of them decides it for all."""

_INVITE = "Type /invite @share-env in the approvers' channel, or correct its id in the policy."
_FIXES = {
    "is_archived": "Bring the approvers' channel back, or name another one in the policy.",
    "not_in_channel": _INVITE,
    "channel_not_found": _INVITE,
}
"""What to do about Slack's error to a question."""
_CHECK = "Run share-env-bot doctor: it looks at the approvers and at their channels."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApproverMessages:
    """Posts and edits the messages to the approvers of a request's rule.

    `_link` is as in Ports, for an earlier request's thread.
    """

    _posts: Posts
    _in_force: PolicyInForce
    _languages: Languages
    _link: LinkTo
    _people: Directory

    async def ask(  # noqa: PLR0913  # as in Approvals
        self,
        request: Request,
        past: Sequence[Entry | KeptShare],
        asked: str | None,
        record: Callable[[str], Awaitable[bool]],
        *,
        look_since: float | None = None,
        until: float,
        missing: Sequence[Party] = (),
    ) -> str | Trouble:
        """Ask the approvers who are yet to be asked, and return the reference of all questions, or why there are none.

        Where somebody agreed, questions that are posted are edited to show that.

        Before the first and after each question `record` is called with that reference; nobody more is asked once it
        returns False.
        """
        rule = accepted_under(self._in_force.policy, request)
        if rule is None:
            return Trouble.RULE_CHANGED
        questions = await self._begun(request, asked, look_since)
        if not questions:
            where = await self._where(rule, rule.approvers.channel, request.origin.user_id)
            questions = [Posted(conversation, "") for conversation in where]
            if questions and not await record(ref_of(*questions)):
                return ref_of(*questions)
        before = [
            e
            if isinstance(e, KeptShare)
            else Line(e.request, e.outcome, e.ended or e.created, self._link(e.place, own=False))
            for e in past
        ]
        refusal: str | None = None
        for number, at in enumerate(questions):
            told = await self._so_far(rule, at, request, missing)
            asks = self._question(rule, request, before, until, at, told)
            posted = await self._put(request, at, asks, look_since, edits=bool(request.agreed))
            if isinstance(posted, Refused):
                refusal = posted.error
                if _later(rule, at):
                    _log_refusal(
                        "nobody can be asked to whom a request escalates", request, refusal
                    )
                continue
            questions[number] = posted
            if not at.ts and not await record(ref_of(*questions)):
                break
            await self._list(request, posted, look_since)
        if any(at.ts for at in questions):
            return ref_of(*questions)
        why = refusal or "nobody who may decide can be asked"
        _log_refusal("the approvers cannot be asked", request, why)
        return Trouble.NO_APPROVER

    async def _so_far(
        self, rule: Rule, at: Posted, request: Request, missing: Sequence[Party]
    ) -> str:
        """Return who agreed and who is missing; comments only where they may be read."""
        commented = bool(request.agreed) and await self._may_comment(at.channel)
        quietly = rule.approvers.notify is not None
        words = self._languages.channel
        return so_far(words, request.agreed, missing, commented=commented, quietly=quietly)

    def _question(  # noqa: PLR0913, PLR0917  # one part of the message each
        self,
        rule: Rule,
        request: Request,
        past: Sequence[Line | KeptShare],
        until: float,
        at: Posted,
        told: str,
    ) -> Message:
        """Return the question as it is asked there."""
        words, note = self._languages.channel, _note(rule, at)
        asks = question(words, request, past, until, _who(words, rule, request, at), told)
        return noted(words, asks, note) if note else asks

    async def _put(
        self, request: Request, at: Posted, asks: Message, look_since: float | None, *, edits: bool
    ) -> Posted | Refused:
        """Post a question and return where it stands; edit it if it is posted, and `edits`."""
        if at.ts:
            if edits:
                raise_if_away(await self._posts.edit(at, asks, request.id))
            return at
        words, mark = self._languages.channel, _mark(request, at)
        posted = await self._posts.post(
            words, at.channel, asks, mark, at.root or None, look_since=look_since
        )
        raise_if_away(posted)
        return posted if isinstance(posted, Refused) else replace(posted, root=at.root)

    async def _list(self, request: Request, at: Posted, look_since: float | None) -> None:
        """Post all appids of a batch below a question, unless that stands below another one, which has them."""
        if not at.root:
            words, marks = self._languages.channel, f"{request.id}-list"
            listed = replies(words, request)
            await post_lists(self._posts, words, listed, at, marks, look_since=look_since)

    async def _begun(
        self, request: Request, asked: str | None, look_since: float | None
    ) -> list[Posted]:
        """Return the questions of which one is posted; none if none is, since where to ask may have changed by now."""
        planned = read_ref(asked)
        if look_since is not None and not any(at.ts for at in planned):
            for number, at in enumerate(planned):
                found = await self._posts.find(at.channel, _mark(request, at), look_since)
                planned[number] = found or at
        return planned if any(at.ts for at in planned) else []

    async def escalation(self, request: Request, ref: str) -> str:
        """Return the reference with the places where those are to be asked to whom the request escalates.

        It is below the question, if that stands in their channel.
        """
        rule, stand = accepted_under(self._in_force.policy, request), read_ref(ref)
        if rule is None or rule.approvers.escalate is None:
            return ref
        channel, requester_id = rule.approvers.escalate.channel, request.origin.user_id
        where = await self._where(escalated(rule), channel, requester_id)
        if channel not in where:
            asked = await self._people.approvers(rule, requester_id, MOST)
            where = [user_id for user_id in where if user_id not in asked]
        below = next((at.ts for at in stand if at.channel == channel), "")
        return ref_of(*stand, *(Posted(conversation, "", below) for conversation in where))

    async def remind(
        self, request: Request, ref: str, until: float, missing: Sequence[Party] = ()
    ) -> None:
        """Remind the approvers in the question's thread, unless a replica did so before it crashed."""
        rule = accepted_under(self._in_force.policy, request)
        words, mark = self._languages.channel, f"{request.id}-reminder"
        for asked in read_ref(ref):
            if not asked.ts or asked.root:  # Slack refused the question, or reminds of it above
                continue
            who = _who(words, rule, request, asked) if rule else ""
            told = await self._so_far(rule, asked, request, missing) if rule else ""
            reminded = reminder(words, request, until, who, told)
            since = float(asked.ts)
            posted = await self._posts.post(
                words, asked.channel, reminded, mark, asked.ts, look_since=since
            )
            raise_if_away(posted)

    async def show_decision(self, entry: Entry) -> None:
        """Replace the questions with who decided, when, and how it ended; also one that was posted but not recorded."""
        expired = isinstance(entry.outcome, Expired)  # nobody decided, except who confirmed it
        words, at = (
            self._languages.channel,
            (not expired and entry.decided) or entry.ended or entry.at,
        )
        rule = accepted_under(self._in_force.policy, entry.request)
        quietly = rule is not None and rule.approvers.notify is not None
        for asked in await self._all_asked(entry):
            commented = await self._may_comment(asked.channel)
            shown = decided(
                words, entry.request, entry.outcome, at, commented=commented, quietly=quietly
            )
            raise_if_away(await self._posts.edit(asked, shown, entry.request.id))

    async def tell_skipped(self, entry: Entry) -> None:
        """Tell the approvers below their questions, else where they would be asked, that their approval was not waited for."""
        request, words = entry.request, self._languages.channel
        rule = accepted_under(self._in_force.policy, request)
        places = await self._all_asked(entry)
        if rule and not places:
            where = await self._where(rule, rule.approvers.channel, request.origin.user_id)
            places = [Posted(conversation, "") for conversation in where]
        for at in places:
            commented = await self._may_comment(at.channel)
            who = _who(words, rule, request, at) if rule else ""
            told = skipped(words, request, who, commented=commented)
            thread = at.root or at.ts or None
            posted = await self._posts.post(
                words, at.channel, told, f"{request.id}-glass", thread, look_since=entry.decided
            )
            raise_if_away(posted)
            if isinstance(posted, Refused):
                facts = {"channel": at.channel, "reason": posted.error}
                _log.error("approvers are not told that they were skipped", extra=facts)
        if not places:
            _log.error("approvers are not told that they were skipped", extra={"reason": "none"})

    async def _may_comment(self, channel: str) -> bool:
        """Tell whether no other organisation reads there, as far as Slack tells; that may change while a question waits."""
        return await self._people.why_private(channel) is None

    async def _where(self, rule: Rule, channel: str, requester_id: str) -> Sequence[str]:
        """Return the approvers' channel, or the user ids of approvers for direct messages."""
        why = await self._people.why_private(channel)
        # A channel without the bot refuses the question anyway.
        if why is None or why is NoThread.NOT_INVITED:
            return (channel,)
        facts = {"channel": channel, "reason": why.name.lower()}
        _log.warning("approvers are asked directly, and not in their channel", extra=facts)
        return await self._people.approvers(rule, requester_id, MOST)

    async def _all_asked(self, entry: Entry) -> list[Posted]:
        """Return the posted questions; one that is not recorded, because of a crash or an error of Slack's, is looked for."""
        posted = list[Posted]()
        for asked in read_ref(entry.asked):
            if asked.ts:
                posted.append(asked)
            elif found := await self._posts.find(
                asked.channel, _mark(entry.request, asked), entry.created, asked.root or None
            ):
                posted.append(found)
        return posted


def _log_refusal(what: str, request: Request, why: str) -> None:
    facts = {"request": request.id, "reason": why, "fix": _FIXES.get(why, _CHECK)}
    _log.error(what, extra=facts)


def _mark(request: Request, at: Posted) -> str:
    """Return the mark of a question; below another one, it needs its own."""
    return f"{request.id}-escalation" if at.root else f"{request.id}-question"


def _later(rule: Rule, at: Posted) -> Escalation | None:
    """Return the rule's escalation, if this is the place where its people are asked."""
    later = rule.approvers.escalate
    is_theirs = later and (at.root or at.channel == later.channel != rule.approvers.channel)
    return later if is_theirs else None


def _note(rule: Rule, at: Posted) -> Note | None:
    """Return what those who are asked there have to know about it."""
    if at.channel.startswith(DIRECT):
        return Note.ASKED_DIRECTLY
    return Note.ESCALATED if _later(rule, at) else None


def _who(words: Words, rule: Rule, request: Request, at: Posted) -> str:
    """Return mentions of those whom Slack is to notify there, or a word for them; empty if everybody may decide."""
    if at.channel.startswith(DIRECT):
        asked = at.channel.startswith(PERSON)
        return mention(at.channel) if asked else words("Approvers")
    approvers, later = rule.approvers, _later(rule, at)
    everybody = Party(approvers.users, approvers.groups)
    named = Party(later.users, later.groups) if later else approvers.notify or everybody
    own = set() if rule.self_approval else {request.origin.user_id}
    mentioned = mentions(replace(named, users=named.users - own))
    return mentioned or ("" if named is everybody else words("Approvers"))
