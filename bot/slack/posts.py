"""Post each message once, even if Slack does not confirm the first attempt.

A doubtful message is searched for in the conversation before it is posted again, by the mark in its metadata. Where the
bot may not look, the second one says that it may be one. A transient refusal raises AwayError. Sources:
docs.slack.dev, chat.postMessage, chat.update, "Message metadata".
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import ParamSpec
from weakref import WeakValueDictionary

from bot.messages import Message
from bot.messages.blocks import PLAINLY, Posted
from bot.messages.notices import Note, noted
from bot.messages.words import Words
from bot.runtime.observers import no_op
from bot.slack.api import (
    BAD_TOKEN,
    PATIENCE,
    Answered,
    Doubtful,
    Refused,
    Result,
    SlackApi,
    away_error,
    is_transient,
    retry_after,
)
from bot.slack.search import Found, MessageSearch

_EVENT = "share_env_request"
_TRIES = 3  # of a call for which Slack may be too busy
_PAUSE = 1.0  # seconds before a search, since Slack may still be posting

_FOR_NOW = {
    "access_denied",
    "accesslimited",
    "app_access_restricted",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "message_limit_exceeded",
    "missing_scope",
    "no_permission",
    "org_login_required",
    "team_access_not_granted",
    "team_added_to_org",
    "two_factor_setup_required",
}
"""The errors that end once an admin gives the app access, a move to an organisation is over, or people post less."""

_log = logging.getLogger(__name__)

P = ParamSpec("P")


class Posts:
    """The bot's messages in conversations; `in_doubt` is called with a request's id after each call that may come late."""

    def __init__(
        self,
        api: SlackApi,
        bot_user_id: str,
        sleep: Callable[[float], Awaitable[None]],
        now: Callable[[], float],
        in_doubt: Callable[[str], None] = no_op,
    ) -> None:
        self._api = api
        self._in_doubt = in_doubt
        self._search = MessageSearch(api, bot_user_id)
        self._sleep = sleep
        self._now = now
        self._editing = WeakValueDictionary[Posted, asyncio.Lock]()

    async def post(  # noqa: PLR0913  # where, what, and what is known of earlier attempts
        self,
        words: Words,
        channel: str,
        message: Message,
        mark: str,
        thread_ts: str | None = None,
        *,
        look_since: float | None = None,
        corrects: bool = False,
    ) -> Posted | Refused:
        """Return the posted message, or a permanent refusal.

        If it may be posted and the bot may not look, a second one says so in these `words`: twice is better than never.
        `mark` is in the metadata of this message, and of no other of the bot's there but a reply's parent; it is the
        request's id, or begins with that and a hyphen. With `look_since`, in Unix seconds, a replica that crashed may have
        posted a message with this mark since then. If it is found, it stays as it is, and nothing is posted; with
        `corrects`, the text of `message` replaces the text of the posted message.
        """
        posted: Posted | Refused | Doubtful | None = None
        if look_since is not None:
            posted = await self._search.find(channel, mark, thread_ts, look_since)
        if posted is None:
            posted = await self._try_to_post(channel, message, mark, thread_ts)
        elif corrects and isinstance(posted, Posted):
            edited = await self.edit(posted, message, _request_of(mark))
            if not isinstance(edited, Answered):
                posted = Doubtful("it cannot be edited")  # and may say something else
        if isinstance(posted, Doubtful):
            second = noted(words, message, Note.REPLACING)
            posted = await self._try_to_post(channel, second, mark, thread_ts)
        if isinstance(posted, Doubtful):
            raise away_error(posted)
        return posted

    async def _try_to_post(
        self, channel: str, message: Message, mark: str, thread_ts: str | None
    ) -> Posted | Refused | Doubtful:
        """Post a message, with retries unless it is found after a doubtful one. Raises AwayError.

        Doubtful if it may be posted and cannot be verified.
        """
        began, tries = self._now(), 0
        while True:
            result = await self._once(channel, message, mark, thread_ts)
            if isinstance(result, Posted) or not is_transient(result):
                return result
            tries += 1
            await self._pause(result, tries)
            if isinstance(result, Doubtful):
                earlier = await self._search.find(channel, mark, thread_ts, began)
                if earlier is not None:
                    return earlier
            if tries == _TRIES:
                raise away_error(result)

    async def _once(
        self, channel: str, message: Message, mark: str, thread_ts: str | None
    ) -> Posted | Refused | Doubtful:
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        arguments = {"channel": channel, **thread, **PLAINLY, **marked(mark)}
        saying = self._api.say("chat.postMessage", PATIENCE, message, **arguments)
        result = await self._watched(_request_of(mark), saying)
        if not isinstance(result, Answered):
            return result
        # For a user id, which is enough for posting, `channel` in the response is the conversation's id.
        there, ts = result.data.get("channel") or channel, result.data.get("ts")
        if isinstance(there, str) and isinstance(ts, str) and ts:
            return await self._verify_thread(Posted(there, ts), result.data, thread_ts)
        return Doubtful("it does not say where the message stands")

    async def _keep_trying(
        self, write: Callable[P, Awaitable[Result]], *given: P.args, **named: P.kwargs
    ) -> Result:
        """Return the result of the first try that succeeds or is refused permanently. Raises AwayError.

        It also repeats a doubtful try: a second success must do no harm.
        """
        tries = 0
        while True:
            result = await write(*given, **named)
            if isinstance(result, Answered) or not is_transient(result):
                return result
            tries += 1
            await self._pause(result, tries)
            if tries == _TRIES:
                raise away_error(result)

    async def _pause(self, no: Refused | Doubtful, tries: int) -> None:
        """Wait after so many tries; raises AwayError at a rate limit, whose wait is longer."""
        if retry_after(no) is not None:
            raise away_error(no)
        await self._sleep(_PAUSE * tries)

    async def find(
        self, channel: str, mark: str, since: float, thread_ts: str | None = None
    ) -> Posted | None:
        """Return the message with this `mark`, posted `since` then; None if none is found. Raises AwayError."""
        found = await self._search.find(channel, mark, thread_ts, since)
        return found if isinstance(found, Posted) else None

    async def every(
        self, channel: str, request_id: str, since: float, thread_ts: str | None = None
    ) -> list[Found]:
        """Return all of the bot's messages about a request, posted `since` then. Raises AwayError."""
        return await self._search.every(channel, request_id, thread_ts, since)

    async def delete(self, at: Posted) -> Result:
        """Delete a message, with retries; Refused if Slack is there and refuses, as it does if the message is gone."""
        where = {"channel": at.channel, "ts": at.ts}
        return await self._keep_trying(self._api.write, "chat.delete", PATIENCE, **where)

    async def _watched(self, request_id: str, saying: Awaitable[Result]) -> Result:
        """Return the result; of one in doubt, or if it is cancelled, Slack may still carry it out later."""
        in_doubt = True
        try:
            result = await saying
            in_doubt = isinstance(result, Doubtful)
            return result
        finally:
            if in_doubt:
                self._in_doubt(request_id)

    async def _verify_thread(
        self, at: Posted, data: Mapping[str, object], thread_ts: str | None
    ) -> Posted | Refused:
        """Return a new message, or a refusal having deleted a reply that Slack put into the channel instead.

        Slack refuses a reply to a deleted message, or posts it into the channel; then the response lacks `thread_ts`
        (slack-go, issue 1571; bolt-js, issue 2307).
        """
        shown = data.get("message")
        if thread_ts is None or not isinstance(shown, dict) or shown.get("thread_ts") == thread_ts:
            return at
        result = await self.delete(at)
        if not isinstance(result, Answered) and result != Refused("message_not_found"):
            facts = {"channel": at.channel, "reason": str(result)}
            _log.error("a reply was posted outside of its thread", extra=facts)
        return Refused("thread_not_found")

    async def edit(self, at: Posted, message: Message, request_id: str) -> Result:
        """Edit a message about a request; Refused if Slack is there and refuses.

        Retried, since an edit is idempotent; edits of one message are made in order, so that the last one stays.
        """
        async with self._editing.setdefault(at, asyncio.Lock()):
            return await self._keep_trying(self._update, at, message, request_id, PATIENCE)

    async def show(self, at: Posted, message: Message, request_id: str) -> None:
        """Edit a message with a transient text; raises AwayError if Slack is away or busy.

        If it is cancelled, Slack may still make the edit, so the next one waits for the response.
        """
        try:
            result = await asyncio.shield(self._show(at, message, request_id))
        except asyncio.CancelledError:
            self._in_doubt(request_id)  # now, since the edit may outlast the ledger
            raise
        if not isinstance(result, Answered) and is_transient(result):
            raise away_error(result)

    async def _show(self, at: Posted, message: Message, request_id: str) -> Result:
        async with self._editing.setdefault(at, asyncio.Lock()):
            return await self._update(at, message, request_id, 0.0)

    async def _update(
        self, at: Posted, message: Message, request_id: str, patience: float
    ) -> Result:
        where = {"channel": at.channel, "ts": at.ts}
        saying = self._api.say("chat.update", patience, message, **where)
        return await self._watched(request_id, saying)


def marked(mark: str) -> dict[str, object]:
    """Return the argument of chat.postMessage by which a message is found again."""
    return {"metadata": {"event_type": _EVENT, "event_payload": {"request": mark}}}


def confirmation_of(request_id: str) -> str:
    """Return the mark of a direct message that asks the requester to confirm."""
    return f"{request_id}-confirmation"


def _request_of(mark: str) -> str:
    return mark.partition("-")[0]


def raise_if_away(*ways: Result | Posted) -> None:
    """Raise AwayError if one of the failed ways may work later, by itself or after an operator's fix."""
    for no in ways:
        if isinstance(no, Doubtful) or (
            isinstance(no, Refused) and (is_transient(no) or no.error in BAD_TOKEN | _FOR_NOW)
        ):
            raise away_error(no)
