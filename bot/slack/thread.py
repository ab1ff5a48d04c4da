"""The place for an answer: a thread under the bot's own message or, where it may not post, messages to the requester alone.

A slash command has no message to reply to, so the bot posts a parent first. For a button or a shortcut used in a
thread, the parent is a reply there. Sources: docs.slack.dev, chat.postMessage (errors); "Handling user interaction"
(response_url: five uses in half an hour).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.batch import Pause
from bot.domain.outcome import NOTHING_KNOWN, AfterCall, Outcome, Tally
from bot.domain.request import Request
from bot.messages import Message, conversation
from bot.messages.batches import progress
from bot.messages.blocks import Posted, read_ref, ref_of
from bot.messages.notices import Note, NoThread, noted, only_you
from bot.messages.request import replies
from bot.messages.words import Languages, Words
from bot.slack.api import DOUBT_PAUSE, PATIENCE, Answered, Doubtful, Refused, Result, SlackApi
from bot.slack.directory import Directory
from bot.slack.payloads import DIRECT, link_to
from bot.slack.posts import Posts, confirmation_of, raise_if_away

PRIVATE = "private"
"""The reference of a place without a thread: a response_url for the start, a direct message for the answer."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Threads:
    """Opens the place for each request's answer, and writes there; the place's reference is its parent's, or PRIVATE.

    `_workspace_url` is that of auth.test.
    """

    _api: SlackApi
    _posts: Posts
    _people: Directory
    _languages: Languages
    _workspace_url: str = ""

    def link(self, ref: str | None, *, own: bool) -> str | None:
        """Return the URL of an answer's or a question's thread in Slack, if the reader can open it.

        None for a private place, and for a direct message that is not the reader's `own`.
        """
        messages = read_ref(ref)
        if (
            len(messages) != 1
            or not messages[0].ts
            or (messages[0].channel.startswith(DIRECT) and not own)
        ):
            return None
        return link_to(self._workspace_url, *messages)

    async def open(
        self, request: Request, *, look_since: float | None = None, waiting: bool = False
    ) -> str | None:
        """Post what is under way, and return the reference of that place for the answer; None if there is none.

        With `look_since`, in Unix seconds, a crashed replica may have posted a parent already. While
        `waiting` for an approval it says so.
        """
        at = await self._parent(request, look_since=look_since, waiting=waiting)
        if isinstance(at, NoThread):
            alone = await self._begin_alone(request, at, look_since=look_since, waiting=waiting)
            if not isinstance(alone, Posted):
                return alone
            at = alone
        words = self._words_in(at.channel, request)
        thread, marks = Posted(at.channel, at.root or at.ts), f"{request.id}-list"
        listed = replies(words, request)
        await post_lists(self._posts, words, listed, thread, marks, look_since=look_since)
        return ref_of(at)

    async def find(self, request: Request, since: float) -> str | None:
        """Return the reference of a place that was opened `since` then, but not recorded; None if none is found.

        The question to the requester in a direct message is one too.
        """
        origin = request.origin
        ways = (origin.channel_id, origin.thread_ts), (origin.user_id, "")
        parents = {request.id, confirmation_of(request.id)}
        for channel, root in ways:
            for found in await self._posts.every(channel, request.id, since, root or None):
                if found.mark in parents:
                    return ref_of(replace(found.at, root=root))
        return None

    async def go_on(self, request: Request, ref: str) -> None:
        """Show in the parent what is under way, without the button to cancel; an ephemeral message cannot be edited."""
        if at := _parent_of(ref):
            words = self._words_in(at.channel, request)
            await self._posts.edit(
                at, conversation.begun(words, request, waiting=False), request.id
            )

    async def progress(self, request: Request, ref: str, tally: Tally, pause: Pause | None) -> None:
        """Show in the parent how far a batch has come."""
        if at := _parent_of(ref):
            words = self._words_in(at.channel, request)
            await self._posts.show(at, progress(words, request, tally, pause), request.id)

    async def show_outcome(
        self, request: Request, ref: str | None, outcome: Outcome, since: float
    ) -> None:
        """Edit the parent to its final state once more, also one that was posted `since` then, but not recorded."""
        if at := _parent_of(ref) or _parent_of(await self.find(request, since)):
            words = self._words_in(at.channel, request)
            said = conversation.parent(words, request, outcome)
            raise_if_away(await self._posts.edit(at, said, request.id))

    async def close(  # noqa: PLR0913  # what ended, how, and what is known of earlier attempts
        self,
        request: Request,
        ref: str | None,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
        after: AfterCall = NOTHING_KNOWN,
    ) -> bool:
        """Reply with the answer, then edit the parent to its final state.

        The answer goes to the requester alone without a thread, or if another organisation can read it by now.
        """
        if at := _parent_of(ref):
            words, reply = self._words_in(at.channel, request), None
            if await self._people.why_private(at.channel) is None:
                reply = await self._posts.post(
                    words,
                    at.channel,
                    conversation.answer(
                        words, request, outcome, called_again=called_again, after=after
                    ),
                    f"{request.id}-answer" if at.root else request.id,
                    at.root or at.ts,
                    look_since=look_since,
                    corrects=called_again,  # the second of two calls may have ended differently
                )
            edit = await self._posts.edit(
                at, conversation.parent(words, request, outcome), request.id
            )
            if isinstance(reply, Posted):
                raise_if_away(edit)
                listed, marks = conversation.lists(words, outcome, after), f"{request.id}-ends"
                thread = Posted(at.channel, at.root or at.ts)
                await post_lists(self._posts, words, listed, thread, marks, look_since=look_since)
                return True
        words = self._languages.of[request.language]
        answer = conversation.answer(
            words, request, outcome, called_again=called_again, after=after
        )
        listed = conversation.lists(words, outcome, after)
        return await self._end_alone(
            words, request, outcome, answer, listed, look_since=look_since, corrects=called_again
        )

    async def _parent(
        self, request: Request, *, look_since: float | None, waiting: bool
    ) -> Posted | NoThread:
        """Post the parent."""
        origin = request.origin
        why = await self._people.why_private(origin.channel_id)
        if why is not None:
            not_in = Refused("channel_not_found")
            return _no_thread(not_in, request) if why is NoThread.NOT_INVITED else why
        words, thread = self._words_in(origin.channel_id, request), origin.thread_ts or None
        said = conversation.begun(words, request, waiting=waiting)
        posted = await self._posts.post(
            words, origin.channel_id, said, request.id, thread, look_since=look_since
        )
        if isinstance(posted, Posted):
            return replace(posted, root=origin.thread_ts)
        return _no_thread(posted, request)

    async def _begin_alone(
        self, request: Request, why: NoThread, *, look_since: float | None, waiting: bool
    ) -> Posted | str | None:
        """Say what is under way and why there is no thread; return the direct message, PRIVATE, or None if nothing was accepted.

        In doubt it is PRIVATE: the answer, which comes as a direct message, says all.
        """
        words = self._languages.of[request.language]
        said = conversation.begun(words, request, waiting=waiting)
        responded = await self._respond(words, request, only_you(words, said, why), look_since)
        if not isinstance(responded, Refused):
            return PRIVATE
        direct, user = noted(words, said, Note.ELSEWHERE), request.origin.user_id
        posted = await self._posts.post(words, user, direct, request.id, look_since=look_since)
        if isinstance(posted, Posted):
            return posted
        raise_if_away(posted, responded)
        return None

    async def _end_alone(  # noqa: PLR0913  # as `close`
        self,
        words: Words,
        request: Request,
        outcome: Outcome,
        answer: Message,
        listed: Sequence[Message],
        *,
        look_since: float | None,
        corrects: bool,
    ) -> bool:
        """Deliver the outcome in a direct message, with lists below it, since an ephemeral one may go unseen.

        Slack shows an ephemeral message only while the user is there, and not after a reload (docs.slack.dev,
        chat.postEphemeral).
        """
        direct = conversation.alone(words, request, outcome, answer)
        mark, user = f"{request.id}-answer", request.origin.user_id
        posted = await self._posts.post(
            words, user, direct, mark, look_since=look_since, corrects=corrects
        )
        if isinstance(posted, Posted):
            marks = f"{request.id}-ends"
            await post_lists(self._posts, words, listed, posted, marks, look_since=look_since)
            return True
        # A response_url would do, but nothing could end what stands in a channel.
        raise_if_away(posted)
        responded = await self._respond(words, request, answer, look_since)
        if isinstance(responded, Refused):
            raise_if_away(responded)
        return isinstance(responded, Answered)

    async def _respond(
        self, words: Words, request: Request, message: Message, look_since: float | None
    ) -> Result:
        """Post to the response_url; in doubt once more, since nothing can be searched for there: one that may be a second says so.

        Doubtful if it may have been posted, whatever became of the second one.
        """
        if not request.origin.response_url:
            return Refused("no response_url")
        url = request.origin.response_url
        second = noted(words, message, Note.REPLACING)
        said = message if look_since is None else second
        first = await self._api.respond(url, PATIENCE, said)
        if not isinstance(first, Doubtful):
            return first
        await self._api.sleep(DOUBT_PAUSE)
        again = await self._api.respond(url, PATIENCE, second)
        return again if isinstance(again, Answered) else first

    def _words_in(self, channel: str, request: Request) -> Words:
        """Return the words for all who read there: in a direct message that is the requester alone."""
        languages = self._languages
        return languages.of[request.language] if channel.startswith(DIRECT) else languages.channel


async def post_lists(  # noqa: PLR0913  # what, where, and what is known of earlier attempts
    posts: Posts,
    words: Words,
    listed: Sequence[Message],
    thread: Posted,
    marks: str,
    *,
    look_since: float | None,
) -> None:
    """Reply with lists of a batch's appids, each once, with marks that begin with `marks`; raises AwayError.

    Where Slack refuses one for good, as in a channel without threads, it goes on without the list.
    """
    for number, reply in enumerate(listed, 1):
        mark = f"{marks}-{number}"
        posted = await posts.post(
            words, thread.channel, reply, mark, thread.ts, look_since=look_since
        )
        if isinstance(posted, Refused):
            facts = {"request": marks.partition("-")[0], "reason": str(posted)}
            _log.error("the appids of a batch are not listed", extra=facts)
            return


def _parent_of(ref: str | None) -> Posted | None:
    return next(iter(read_ref(ref)), None)


def _no_thread(no: Refused, request: Request) -> NoThread:
    """Read why chat.postMessage refused; a conversation without the bot is hidden as channel_not_found."""
    match no:
        case Refused("not_in_channel" | "channel_not_found"):
            channel, name = request.origin.channel_id, request.origin.channel_name
            between_people = channel.startswith(DIRECT) or name.startswith("mpdm-")
            return NoThread.DIRECT if between_people else NoThread.NOT_INVITED
        case Refused("is_archived"):
            return NoThread.ARCHIVED
        case Refused(error) if error.startswith("restricted_action"):
            return NoThread.READ_ONLY
        case _:
            return NoThread.SLACK_TROUBLE
