"""Send the ledger's events to the collector, in their order, each at least once, however long it is away."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx
import orjson

from bot.domain.sentence import Sentence
from bot.ledger.collector import Collector, Due
from bot.ledger.writer import LedgerDownError
from bot.observe.collector.cloudevents import BATCH, cloud_event, id_of
from bot.observe.collector.signature import webhook_headers
from bot.settings.access import CollectorSettings

_MOST = 100  # events in one post
_SECONDS = 10.0  # for one post
_EVERY = 1.0  # seconds between two looks
_LONGEST = 300.0  # seconds between two tries
_SAID = 200  # characters of what the collector says
_SMALLER = {400, 413, 422}  # of several events, one may be to blame, or their size

_TAKE = Sentence("Let it take {type}, an array of CloudEvents.", type=BATCH)
_CREDENTIALS = Sentence("Correct AUDIT_AUTHORIZATION or AUDIT_SECRET.")
_ADDRESS = Sentence("Correct AUDIT_URL.")
_FIXES: Mapping[int, Sentence] = {
    **dict.fromkeys((400, 415, 422), _TAKE),
    **dict.fromkeys((401, 403), _CREDENTIALS),
    **dict.fromkeys((404, 405), _ADDRESS),
    413: Sentence("Let it take more bytes at once."),
}
_REDIRECTED = Sentence("Set AUDIT_URL to the address to which it redirects.")
_OTHERWISE = Sentence(
    "Look at the collector; nothing is lost, and the events are sent again until it takes them."
)

_log = logging.getLogger(__name__)


def fix_for(status: int | None) -> Sentence:
    """Return what to do about a collector that answers with this HTTP status, or not at all."""
    if status is not None and status // 100 == 3:  # noqa: PLR2004  # all of them
        return _REDIRECTED
    return _FIXES.get(status or 0, _OTHERWISE)


def how_to_go_on(event: str) -> Sentence:
    """Return what to do about an event that the collector refuses by itself, and that holds up those after it."""
    return Sentence(
        "Let the collector take it, or leave it out: share-env-bot audit --leave-out {event}",
        event=event,
    )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a post: the HTTP status and what the collector said, or the error if there is no answer."""

    status: int | None
    said: str = ""
    error: httpx.HTTPError | None = None

    @property
    def ok(self) -> bool:
        """Whether the events were taken."""
        return self.status is not None and self.status // 100 == 2  # noqa: PLR2004  # all of them

    @property
    def result(self) -> str:
        """One of SENT_RESULTS."""
        return "ok" if self.ok else "refused" if self.status else "no answer"


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
            self._pause = 0.0  # what comes next has not been tried
            return False
        receipt = await self._post(due.rows)
        if receipt.ok:
            await self.collector.took(due, int(str(due.rows[-1]["id"])))
            self._well()
            return True
        if receipt.status in _SMALLER and len(due.rows) > 1:
            self._most = len(due.rows) // 2
            return True
        self._failed(due, receipt)
        return False

    def _well(self) -> None:
        if self._told:
            _log.info("the collector of events takes them again")
        self._pause, self._told = 0.0, ()
        self._most = min(_MOST, self._most * 2)

    def _failed(self, due: Due, receipt: Receipt) -> None:
        """Wait longer than before, and log why, once for each event and cause."""
        self._pause = min(_LONGEST, max(_EVERY, self._pause * 2))
        status, first = receipt.status, due.rows[0]
        why = f"HTTP {status}" if status else str(receipt.error)
        about = why, first["id"] if status in _SMALLER else None
        if about == self._told:
            return
        self._told = about
        facts = {"reason": why, "fix": fix_for(status), "unsent": due.unsent}
        if status in _SMALLER:  # this very one, which holds up those after it
            event = id_of(first)
            facts |= {"refused": event, "request": first["request"], "fix": how_to_go_on(event)}
        _log.error("the collector takes no events", extra=facts)

    async def _post(self, rows: Sequence[Mapping[str, object]]) -> Receipt:
        text = self.settings.include_text
        events = [cloud_event(row, text=text) for row in rows]
        receipt = await post(self.http, self.settings, events, self.now())
        self.posted(receipt.result)
        return receipt


async def post(
    http: httpx.AsyncClient,
    settings: CollectorSettings,
    events: Sequence[Mapping[str, object]],
    now: float,
    seconds: float = _SECONDS,
) -> Receipt:
    """Post events as one message, and wait for an answer for so long."""
    body = orjson.dumps(events)
    # The same events make the same message, whoever sends them, and when.
    message = f"{events[0]['id']}-{events[-1]['id']}"
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
            timeout=seconds,
            extensions={"query": url.query.decode()},
        )
    except httpx.HTTPError as error:
        return Receipt(None, error=error)
    return Receipt(answer.status_code, answer.text[:_SAID].strip())
