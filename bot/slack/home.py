"""The App Home: published when it is opened, and again when something on it has changed.

Source: docs.slack.dev, app_home_opened and views.publish (tier 4: some 100 calls a minute).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from slack_bolt.async_app import AsyncApp

from bot.domain.request import Request
from bot.messages.home import view
from bot.runtime.tasks import Tasks, log_request
from bot.slack.api import Answered, SlackApi, is_transient, retry_after
from bot.slack.payloads import Body
from bot.workflow.home import Page

LATELY = 3600.0
"""Seconds for which a page is kept up to date after it was opened."""

_PATIENCE = 60.0  # seconds that one page may wait for Slack's rate limits
_PAUSES = (2.0, 8.0, 30.0)  # seconds between its tries while Slack is away

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Viewer:
    """A person who opened their page lately; `stale` once it has to be published again, `decides` as in Page.

    It `waits` for its next try while Slack is away.
    """

    who: tuple[str, str]
    """(team, user): the workspace where they opened it last, as views.publish knows one page for each user."""
    opened: float = field(init=False)
    decides: bool = True  # until the first page says so
    stale: bool = field(init=False)
    waits: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True, eq=False)
class Homes:
    """Publishes pages: refreshes at most every `pause` seconds, and one page every `gap` seconds.

    `_page` returns the current page of (team, user).
    """

    _api: SlackApi
    _page: Callable[[str, str], Awaitable[Page]]
    _clock: Callable[[], float]
    _sleep: Callable[[float], Awaitable[None]]
    pause: float = 2.0
    gap: float = 0.6
    _viewers: dict[str, _Viewer] = field(default_factory=dict)  # by user id
    _tasks: Tasks = field(default_factory=Tasks)
    _refreshing: bool = False

    def listen(self, app: AsyncApp) -> None:
        """Add the listener."""
        app.event("app_home_opened")(self._opened)

    def changed(self, request: Request | None = None) -> None:
        """Refresh the pages that may show this request, or every page, soon, together with later changes."""
        by = request and (request.origin.team_id, request.origin.user_id)
        viewers = self._lately()
        for viewer in viewers:
            if viewer.decides or by is None or viewer.who == by:
                viewer.stale = True
        if not self._refreshing and any(viewer.stale for viewer in viewers):
            self._refreshing = True
            with log_request(""):  # the pages are of many requests
                self._tasks.start(self._refresh())

    async def close(self) -> None:
        """Publish nothing more, and cancel what is under way."""
        await self._tasks.drain(0.0)

    async def _opened(self, body: Body) -> None:
        """Publish the page of the person who opened it, after the ack."""
        event = body["event"]
        if event.get("tab") != "home":
            return
        self.publish_for(str(body["team_id"]), str(event["user"]))

    def publish_for(self, team_id: str, user_id: str) -> None:
        """Publish the page of a person who opened it or clicked on it, maybe with another replica, and keep it fresh."""
        who = (team_id, user_id)
        viewer = self._viewers.setdefault(user_id, _Viewer(who))
        viewer.who, viewer.opened, viewer.stale = who, self._clock(), True
        self._tasks.start(self._show(viewer))

    def _lately(self) -> list[_Viewer]:
        """Drop viewers who opened their page too long ago, and return the others."""
        since = self._clock() - LATELY
        self._viewers = {who: each for who, each in self._viewers.items() if each.opened >= since}
        return [*self._viewers.values()]

    async def _refresh(self) -> None:
        """Publish stale pages, in rounds, until none is left but those that wait; none waits for another."""
        try:
            while any(viewer.stale and not viewer.waits for viewer in self._lately()):
                await self._sleep(self.pause)
                for viewer in self._lately():
                    if viewer.stale and not viewer.waits and not viewer.turn.locked():
                        self._tasks.start(self._show(viewer))
                        await self._sleep(self.gap)
        finally:
            self._refreshing = False

    async def _show(self, viewer: _Viewer) -> None:
        """Publish a page unless it is no longer stale; one at a time per viewer, so that no older page comes last.

        It stays stale between the tries while Slack is away; a later opening tries at once, and ends these.
        """
        opened = viewer.opened
        for pause in (*_PAUSES, None):
            async with viewer.turn:
                if not viewer.stale or viewer.opened != opened:
                    return
                viewer.stale = viewer.waits = False
                try:
                    page = await self._page(*viewer.who)
                    viewer.decides = page.decides
                    how = {"user_id": viewer.who[1], "view": view(page.message)}
                    shown = await self._api.write("views.publish", _PATIENCE, **how)
                except Exception:  # noqa: BLE001  # the other pages are not affected
                    _log.exception("unforeseen error")
                    return
            if isinstance(shown, Answered):
                return
            if pause is None or not is_transient(shown):
                break
            viewer.stale = viewer.waits = True
            await self._sleep(max(pause, retry_after(shown) or 0.0))
        _log.warning("an App Home was not shown", extra={"reason": str(shown)})
