"""Send the ledger's events to the collector, in their order, each at least once, however long it is away."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx
import orjson

from bot.ledger.collector import Collector, Due
from bot.ledger.writer import LedgerDownError
from bot.observe.collector.cloudevents import BATCH, cloud_event, id_of
from bot.observe.collector.signature import webhook_headers
from bot.settings.access import CollectorSettings

_MOST = 100  # events in one post
_SECONDS = 10.0  # for one post
_EVERY = 1.0  # seconds between two looks
_LONGEST = 300.0  # seconds between two tries
_SMALLER = {400, 413, 422}  # of several events, one may be to blame, or their size

_FIXES: Mapping[int, str] = {
    401: "Correct AUDIT_AUTHORIZATION or AUDIT_SECRET.",
    403: "Correct AUDIT_AUTHORIZATION or AUDIT_SECRET.",
    404: "Correct AUDIT_URL.",
    405: "Correct AUDIT_URL.",
    415: f"Let the collector take {BATCH}.",
}
_REDIRECTED = "Set AUDIT_URL to the address to which it redirects."
_OTHERWISE = (
    "Look at the collector; nothing is lost, and the events are sent again until it takes them."
)

_log = logging.getLogger(__name__)


def fix_for(status: int | None) -> str:
    """Return what to do about a collector that answers with this HTTP status, or not at all."""
    if status is not None and status // 100 == 3:  # noqa: PLR2004  # all of them
        return _REDIRECTED
    return _FIXES.get(status or 0, _OTHERWISE)


@dataclass(slots=True, kw_only=True)
class Sender:
    """Sends what the ledger holds for the collector, while no other replica does; `http` follows no redirects.

    `now` is Unix time, `idle` sleeps, `jitter` returns a random number up to 1.
    """

    collector: Collector
    settings: CollectorSettings = field(repr=False)
    http: httpx.AsyncClient
    clock: Callable[[], float]
    now: Callable[[], float]
    idle: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    posted: Callable[[str], None]
    unsent: int = 0
    """How many events the collector does not have, at most."""
    _most: int = _MOST
    _pause: float = 0.0
    _since: float | None = None
    _told: tuple[object, ...] = ()

    def behind(self) -> float:
        """Return the age in seconds of the oldest event that the collector does not have; 0 if it has all."""
        return 0.0 if self._since is None else max(0.0, self.clock() - self._since)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            try:
                more = await self._step()
            except LedgerDownError:  # which the heartbeats log
                more = False
            except Exception:  # noqa: BLE001  # a defect must not end it
                _log.exception("unforeseen error")
                more = False
            if self._pause or not more:
                await self.idle(max(_EVERY, self._pause * (0.5 + self.jitter() / 2)))

    async def _step(self) -> bool:
        """Send the next events, if there are any; return whether to go on at once."""
        due = await self.collector.due(self._most)
        self.unsent = due.unsent
        self._since = self.clock() - due.behind if due.unsent else None
        if not due.rows:
            return False
        status, why = await self._post(due.rows)
        if status is not None and status // 100 == 2:  # noqa: PLR2004  # all of them
            await self.collector.took(due, int(str(due.rows[-1]["id"])))
            self._well()
            return True
        if status in _SMALLER and len(due.rows) > 1:
            self._most = len(due.rows) // 2
            return True
        self._failed(due, status, why)
        return False

    def _well(self) -> None:
        if self._told:
            _log.info("the collector of events takes them again")
        self._pause, self._told = 0.0, ()
        self._most = min(_MOST, self._most * 2)

    def _failed(self, due: Due, status: int | None, why: str) -> None:
        """Wait longer than before, and log why, once for each event and cause."""
        self._pause = min(_LONGEST, max(_EVERY, self._pause * 2))
        first = due.rows[0]
        about = status, why, first["id"] if status in _SMALLER else None
        if about == self._told:
            return
        self._told = about
        facts = {"reason": why, "fix": fix_for(status), "unsent": due.unsent}
        if status in _SMALLER:  # this very one, which holds up those after it
            facts |= {"event": id_of(first), "request": first["request"]}
        _log.error("the collector takes no events", extra=facts)

    async def _post(self, rows: Sequence[Mapping[str, object]]) -> tuple[int | None, str]:
        """Post these events; return the HTTP status, if there is one, and why not."""
        text = self.settings.include_text
        # The same events have the same id, whoever sends them, and when.
        message = f"{id_of(rows[0])}-{id_of(rows[-1])}"
        status, why = await post(
            self.http,
            self.settings,
            [cloud_event(row, text=text) for row in rows],
            message,
            self.now(),
        )
        self.posted("ok" if why == "" else "refused" if status else "no answer")
        return status, why


async def post(
    http: httpx.AsyncClient,
    settings: CollectorSettings,
    events: Sequence[Mapping[str, object]],
    message: str,
    now: float,
) -> tuple[int | None, str]:
    """Post events as one message with this id; return the HTTP status, if there is one, and why they were not taken."""
    body = orjson.dumps(events)
    headers = {"Content-Type": BATCH, **webhook_headers(message, now, body, settings.key)}
    if settings.authorization:
        headers["Authorization"] = settings.authorization
    # The query is not in the URL, which httpx logs.
    url = httpx.URL(settings.url)
    try:
        answer = await http.post(
            url.copy_with(query=None),
            content=body,
            headers=headers,
            timeout=_SECONDS,
            extensions={"query": url.query.decode()},
        )
    except httpx.HTTPError as error:
        return None, str(error)
    return answer.status_code, "" if answer.is_success else f"HTTP {answer.status_code}"
