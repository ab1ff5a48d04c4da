"""The question to the approvers: posted in their channel or directly, with one reminder, and edited when it is decided."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.domain.request import Agreement, Request
from bot.guidance import Trouble
from bot.ledger.entries import Entry
from bot.messages.approvals import decided, question, reminder, so_far
from bot.messages.blocks import Posted, read_ref, ref_of
from bot.messages.history import Line
from bot.messages.notices import Note, NoThread, noted
from bot.messages.request import replies
from bot.messages.words import Languages, group_name
from bot.policy.kinds import ANYONE, Party, Rule
from bot.slack.api import Refused
from bot.slack.directory import Directory
from bot.slack.payloads import PERSON
from bot.slack.posts import Posts, raise_if_away
from bot.slack.thread import post_lists
from bot.workflow.judge import approving_rule
from bot.workflow.ports import LinkTo, PolicyInForce

MOST = 20
"""The most approvers who are asked directly about one request; any of them decides it for all."""

_NAMED = 5

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
        past: Sequence[Entry],
        asked: str | None,
        record: Callable[[str], Awaitable[bool]],
        *,
        look_since: float | None = None,
        until: float,
        agreed: Sequence[Agreement] = (),
        missing: Sequence[Party] = (),
    ) -> str | Trouble:
        """Ask the approvers who are yet to be asked, and return the reference of all questions, or why there are none.

        Where somebody agreed, questions that are posted are edited to show that.

        Before the first and after each question `record` is called with that reference; nobody more is asked once it
        returns False.
        """
        rule = approving_rule(self._in_force.policy, request)
        if rule is None:
            return Trouble.RULE_CHANGED
        questions = await self._begun(request, asked, look_since)
        if not questions:
            where = await self._where(rule, request.origin.user_id)
            questions = [Posted(conversation, "") for conversation in where]
            if questions and not await record(ref_of(*questions)):
                return ref_of(*questions)
        before = [
            Line(e.request, e.outcome, e.ended or e.created, self._link(e.place, own=False))
            for e in past
        ]
        words = self._languages.channel
        refusal: str | None = None
        for number, at in enumerate(questions):
            posted: Posted | Refused = at
            direct = at.channel.startswith(PERSON)
            who = f"<@{at.channel}>" if direct else _who(rule, request)
            asks = question(words, request, before, until, who, so_far(words, agreed, missing))
            asks = noted(words, asks, Note.ASKED_DIRECTLY) if direct else asks
            if at.ts and agreed:
                raise_if_away(await self._posts.edit(at, asks, request.id))
            elif not at.ts:
                posted = await self._posts.post(
                    words, at.channel, asks, _mark(request), look_since=look_since
                )
                raise_if_away(posted)
            if isinstance(posted, Refused):
                refusal = posted.error
                continue
            questions[number] = posted
            if not at.ts and not await record(ref_of(*questions)):
                break
            listed, marks = replies(words, request), f"{request.id}-list"
            await post_lists(self._posts, words, listed, posted, marks, look_since=look_since)
        if any(at.ts for at in questions):
            return ref_of(*questions)
        why = refusal or "nobody who may decide can be asked"
        facts = {"request": request.id, "reason": why, "fix": _FIXES.get(why, _CHECK)}
        _log.error("the approvers cannot be asked", extra=facts)
        return Trouble.NO_APPROVER

    async def _begun(
        self, request: Request, asked: str | None, look_since: float | None
    ) -> list[Posted]:
        """Return the questions of which one is posted; none if none is, since where to ask may have changed by now."""
        planned = read_ref(asked)
        if look_since is not None and not any(at.ts for at in planned):
            for number, at in enumerate(planned):
                found = await self._posts.find(at.channel, _mark(request), look_since)
                planned[number] = found or at
        return planned if any(at.ts for at in planned) else []

    async def remind(self, request: Request, ref: str, until: float) -> None:
        """Remind the approvers in the question's thread, unless a replica did so before it crashed."""
        rule = approving_rule(self._in_force.policy, request)
        who = _who(rule, request) if rule else ""
        words, mark = self._languages.channel, f"{request.id}-reminder"
        reminded = reminder(words, request, until, who)
        for asked in read_ref(ref):
            if not asked.ts:  # Slack refused the question
                continue
            since = float(asked.ts)
            posted = await self._posts.post(
                words, asked.channel, reminded, mark, asked.ts, look_since=since
            )
            raise_if_away(posted)

    async def show_decision(self, entry: Entry) -> None:
        """Replace the questions with who decided, when, and how it ended; also one that was posted but not recorded."""
        words, at = self._languages.channel, entry.decided or entry.ended or entry.at
        for asked in await self._all_asked(entry):
            # No other organisation reads there, as far as Slack tells; that may change while a question waits.
            commented = await self._people.why_private(asked.channel) is None
            shown = decided(words, entry.request, entry.outcome, at, commented=commented)
            raise_if_away(await self._posts.edit(asked, shown, entry.request.id))

    async def _where(self, rule: Rule, requester_id: str) -> Sequence[str]:
        """Return the approvers' channel, or the user ids of approvers for direct messages."""
        channel = rule.approvers.channel
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
                asked.channel, _mark(entry.request), entry.created
            ):
                posted.append(found)
        return posted


def _mark(request: Request) -> str:
    return f"{request.id}-question"


def _who(rule: Rule, request: Request) -> str:
    """Return mentions of the approvers, so that Slack notifies them; empty if everybody may decide."""
    own = set() if rule.self_approval else {request.origin.user_id}
    users = sorted(rule.approvers.users - {ANYONE} - own)
    groups = [*map(group_name, sorted(rule.approvers.groups))]
    return " ".join([*groups, *(f"<@{user}>" for user in users)][:_NAMED])
