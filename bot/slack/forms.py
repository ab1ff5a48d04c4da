"""Bolt's listeners for the form: opened by the bare command and the shortcuts, its env options, and its submission."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.command.form import Fields
from bot.command.grammar import Share
from bot.domain.request import Origin
from bot.messages import modals as say
from bot.messages.blocks import Mended, Message
from bot.slack.payloads import Body, shortcut_origin, team_of, text_at
from bot.slack.private import PrivateReplies
from bot.workflow.form import FormHandler

SHORTCUT, MESSAGE_SHORTCUT = "share_env", "share_env_from_message"
"""The callback_ids of the manifest."""

_ACK_SECONDS = 2.3  # for the request to be recorded before the ack; Slack waits three
_REMEMBERED = ("channel_id", "channel_name", "thread_ts", "active_thread", "response_url")


@dataclass(frozen=True, slots=True)
class FormListeners:
    """Opens the form and handles its submission; `_start` runs what follows an ack."""

    _handler: FormHandler
    _private: PrivateReplies
    _start: Callable[[Coroutine[None, None, None]], None]

    def listen(self, app: AsyncApp) -> None:
        """Add the listeners."""
        app.global_shortcut(SHORTCUT)(self._shortcut)
        app.message_shortcut(MESSAGE_SHORTCUT)(self._shortcut)
        app.options(say.ENV)(self._options)
        app.view_submission(say.FORM)(self._submitted)

    async def open(self, origin: Origin) -> None:
        """Open the form in the background, after the ack; the same trigger opens only one."""
        self._private.attempt_once(origin, self._open, origin)

    async def _shortcut(self, ack: AsyncAck, body: Body) -> None:
        await ack()
        await self.open(shortcut_origin(body))

    async def _open(self, origin: Origin) -> None:
        words = await self._handler.words(origin)
        view = say.form(words, origin, _metadata_of(origin))
        if await self._private.open_modal(origin, words, view):
            self._handler.prefetch()

    async def _options(self, ack: AsyncAck, body: Body) -> None:
        origin, typed = _sent_from(body), str(body.get("value") or "")
        words, offer = await asyncio.gather(
            self._handler.words(origin), self._handler.envs(origin, typed)
        )
        await ack(options=say.options(words, offer.envs, offer.typed, offer.cause))

    async def _submitted(self, ack: AsyncAck, body: Body) -> None:
        fields = _fields(body)
        origin = _sent_from(body, fields)
        found = self._handler.read(fields)
        if not isinstance(found, Share):
            await ack(
                response_action="errors",
                errors=say.errors(await self._handler.words(origin), found),
            )
            self._start(self._handler.record_mistakes(origin, found))
            return
        recorded = asyncio.create_task(self._handler.submit(origin, found))
        await asyncio.wait([recorded], timeout=_ACK_SECONDS)
        if not recorded.done():
            # So that a stop waits for it.
            self._start(self._private.attempt(origin, lambda: self._tell(origin, recorded)))
            await ack()
            return
        answer = await recorded  # an unforeseen error is then said in the form
        if isinstance(answer, Mended):
            await ack(response_action="errors", errors=say.error_at(answer))
            return
        await self._tell(origin, recorded)
        await ack()

    async def _tell(self, origin: Origin, recorded: asyncio.Task[Message]) -> None:
        self._private.answer_once(origin, await recorded)


def _metadata_of(origin: Origin) -> str:
    """Return the form's metadata: where it was opened."""
    return json.dumps([getattr(origin, name) for name in _REMEMBERED])


def _sent_from(body: Body, fields: Fields | None = None) -> Origin:
    """Return the origin of a form: where it was opened.

    The trigger id identifies the form and its fields: the same submission twice is one request, and one with other
    fields, after a lost ack, is another.
    """
    view = body["view"]
    digest = hashlib.sha256(repr(fields).encode("utf-8", "replace")).hexdigest()[:16]
    return Origin(
        team_id=team_of(body),
        user_id=text_at(body, "user", "id"),
        trigger_id=f"{view.get('id')} {view.get('hash', '')} {digest}",
        **dict(zip(_REMEMBERED, json.loads(view["private_metadata"]), strict=True)),
    )


def _fields(body: Body) -> Fields:
    values = body["view"]["state"]["values"]

    def held(name: str) -> Mapping[str, Any]:
        return (values.get(name) or {}).get(name) or {}

    return Fields(
        env=str((held(say.ENV).get("selected_option") or {}).get("value") or ""),
        appids=str(held(say.APPIDS).get("value") or ""),
        reason=str(held(say.REASON).get("value") or ""),
        dry_run=bool(held(say.DRY_RUN).get("selected_options")),
    )
