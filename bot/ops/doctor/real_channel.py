"""The messages that one run of the test posts: each is marked, found again by its mark, and deleted at the end."""

from collections.abc import Awaitable, Callable, Mapping

from bot.slack.api import Answered, Doubtful, Refused, Result, SlackApi

BEGINNING = "share-env-bot doctor:"
"""The start of each message, so that a person can find and delete one by hand."""

_EVENT = "share_env_doctor"
_PAGE = 100
_LOOKS = 3
_PAUSE = 1.0
_PATIENCE = 30.0  # seconds for rate limits

Shown = Mapping[str, Mapping[str, object]]
"""Messages by their ts."""


class NoAnswerError(Exception):
    """Slack did not do what it was asked to; `no` is its refusal, or what came instead of an answer."""

    def __init__(self, no: Refused | Doubtful) -> None:
        super().__init__(no)
        self.no = no


class RealChannel:
    """A channel, and the messages that this run has posted there; `mark` is unique to the run.

    All calls but `clear` raise NoAnswerError.
    """

    def __init__(
        self, api: SlackApi, channel: str, mark: str, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._api = api
        self._channel = channel
        self._mark = mark
        self._sleep = sleep
        self._posted: dict[str, bool] = {}  # by ts; True while it is not deleted
        self._lost = False  # whether a message may exist whose ts is unknown

    async def post(self, words: str, thread_ts: str | None = None) -> Answered:
        """Post a message, with the mark in its metadata."""
        metadata = {"event_type": _EVENT, "event_payload": {"mark": self._mark}}
        before, self._lost = self._lost, True  # until Slack answers, also if Ctrl-C comes first
        result = await self._say("chat.postMessage", words, thread_ts, metadata=metadata)
        ts = ts_of(result)
        self._lost = before or not (ts or isinstance(result, Refused))
        if ts:
            self._posted[ts] = True
        return _answered(result)

    async def edit(self, ts: str, words: str) -> None:
        """Change a message's text, and drop its metadata."""
        _answered(await self._say("chat.update", words, ts=ts))

    async def show(self, user: str, words: str, thread_ts: str | None = None) -> Answered:
        """Show one person an ephemeral message, which cannot be deleted and disappears when Slack is reloaded."""
        return _answered(await self._say("chat.postEphemeral", words, thread_ts, user=user))

    async def delete(self, ts: str) -> None:
        """Delete a message."""
        _answered(await self._delete(ts))

    async def look(self, thread_ts: str | None = None) -> Shown:
        """Return the run's messages that can be read back: in the channel, or in a thread with its parent."""
        method = "conversations.replies" if thread_ts else "conversations.history"
        where: dict[str, str | int | bool] = {"channel": self._channel, "limit": _PAGE}
        if thread_ts:
            where["ts"] = thread_ts
        result = await self._api.read(method, _PATIENCE, **where, include_all_metadata=True)
        listed = _answered(result).data.get("messages")
        each = filter(self._is_marked, listed if isinstance(listed, list) else ())
        return {str(message.get("ts")): message for message in each}

    async def look_until(
        self, seen: Callable[[Shown], bool], thread_ts: str | None = None
    ) -> Shown:
        """Call `look`, again for some seconds until `seen` is true."""
        for _ in range(_LOOKS - 1):
            found = await self.look(thread_ts)
            if seen(found):
                return found
            await self._sleep(_PAUSE)
        return await self.look(thread_ts)

    async def clear(self) -> int:
        """Delete the messages; return how many may be left."""
        for ts in [ts for ts, stands in reversed(self._posted.items()) if stands]:
            await self._delete(ts)
        return sum(self._posted.values()) + self._lost

    async def _delete(self, ts: str) -> Result:
        result = await self._write("chat.delete", ts=ts)
        gone = isinstance(result, Answered) or result == Refused("message_not_found")
        self._posted[ts] = not gone
        return result

    async def _say(
        self, method: str, words: str, thread_ts: str | None = None, **arguments: object
    ) -> Result:
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        return await self._write(method, text=f"{BEGINNING} {words}", **thread, **arguments)

    async def _write(self, method: str, **arguments: object) -> Result:
        return await self._api.write(method, _PATIENCE, channel=self._channel, **arguments)

    def _is_marked(self, message: object) -> bool:
        metadata = message.get("metadata") if isinstance(message, dict) else None
        payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
        return isinstance(payload, dict) and payload.get("mark") == self._mark


def _answered(result: Result) -> Answered:
    if not isinstance(result, Answered):
        raise NoAnswerError(result)
    return result


def ts_of(result: Result) -> str | None:
    """Return a posted message's ts, if Slack returned one."""
    ts = result.data.get("ts") if isinstance(result, Answered) else None
    return ts if isinstance(ts, str) else None
