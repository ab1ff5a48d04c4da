"""Bolt's listeners for the buttons: ack at once, handle the click after that, and reply privately."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.request import Act, Click
from bot.messages.blocks import Posted, ref_of, value_of
from bot.messages.modals import breaking_glass, decision
from bot.runtime.tasks import log_request
from bot.slack.api import SlackApi
from bot.slack.payloads import Body, click_of, decision_of, is_private, without_buttons
from bot.slack.private import PrivateReplies
from bot.workflow.click_decisions import Reply
from bot.workflow.clicks import ClickHandler

_PATIENCE = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class ClickListeners:
    """Hands clicks to the use cases; a click that is delivered twice is handled once.

    `_on_home_click` is called with (team, user) for a click on an App Home.
    """

    _api: SlackApi
    _handler: ClickHandler
    _private: PrivateReplies
    _on_home_click: Callable[[str, str], None]

    def listen(self, app: AsyncApp) -> None:
        """Add the listeners for every button, and for the modals of a decision."""
        for act in Act:
            if act in {Act.APPROVE, Act.REJECT, Act.BREAK_GLASS}:
                app.action(act.value)(self._listener(act, click_of, self._open))
                app.view(act.value)(self._listener(act, decision_of, self._answer))
            else:
                app.action(act.value)(self._listener(act, click_of, self._answer))

    def _listener(
        self,
        act: Act,
        read: Callable[[Body], Click],
        work: Callable[[Act, Click, Body], Awaitable[None]],
    ) -> Callable[..., Awaitable[None]]:
        """Return a listener that acks and does `work` in the background: Bolt sends the ack only after the listener."""

        async def listener(ack: AsyncAck, body: Body) -> None:
            await ack()
            click = read(body)
            with log_request(click.request_id):  # inherited by the task
                self._private.attempt_once(click.origin, work, act, click, body)

        return listener

    async def _answer(self, act: Act, click: Click, body: Body) -> None:
        await self._reply(click, await self._handler.answer(act, click), body)

    async def _reply(self, click: Click, reply: Reply, body: Body) -> None:
        """Reply to the user who clicked, and remove spent buttons: from an ephemeral message only a reply in its place can."""
        wanted = reply.replaces or (reply.spent and click.message is None)
        replaces = wanted and is_private(click)
        about = click.request_id
        await self._private.send(click.origin, reply.message, replaces=replaces, about=about)
        if not click.origin.channel_id:
            self._on_home_click(click.origin.team_id, click.origin.user_id)
        if reply.spent and (without := without_buttons(body)):
            await self._api.write("chat.update", _PATIENCE, **without)

    async def _open(self, act: Act, click: Click, body: Body) -> None:
        """Open the modal; whether this person may decide is checked when they submit it.

        The trigger is valid for three seconds, which that check may exceed.
        """
        words, found = await self._handler.to_decide(click)
        if isinstance(found, Reply):
            await self._reply(click, found, body)
            return
        at = click.origin  # what one person alone sees has no reference: its reply comes there
        place = click.message or ref_of(
            *[Posted(at.channel_id, "", at.thread_ts)][: bool(at.channel_id)]
        )
        value = value_of(click.request_id, place)
        if act is Act.BREAK_GLASS:
            view = breaking_glass(words, found.request, value)
        else:
            view = decision(words, found.request, act, value)
        await self._private.open_modal(click.origin, words, view, about=click.request_id)
