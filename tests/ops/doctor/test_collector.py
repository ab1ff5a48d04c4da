from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.finding import Level
from bot.ledger.collector import key_of
from bot.playground.loopback import free_port
from bot.runtime.clock import Runtime
from tests.collecting import Elsewhere, collecting
from tests.conftest import rows
from tests.ops.doctors import finding_of, findings_of, locked_by_a_bot

TOKEN = "made-up-token-of-the-collector"


@pytest.fixture
async def there(environ: dict[str, str]) -> AsyncIterator[Elsewhere]:
    async with collecting() as found:
        environ |= {"AUDIT_URL": found.url, "AUDIT_AUTHORIZATION": f"Splunk {TOKEN}"}
        yield found


async def test_a_collector_gets_one_event_of_the_doctors_own_kind(
    environ: dict[str, str], there: Elsewhere
) -> None:
    found = await finding_of(environ, "collector")
    assert (found.level, found.found) == ("ok", "it took an event of the doctor's (HTTP 200)")
    (event,) = there.took
    assert (event["type"], event["data"]) == ("share_env.doctor", {"kind": "doctor"})


async def test_without_a_collector_there_is_nothing_to_say_about_it(
    environ: dict[str, str],
) -> None:
    assert await findings_of(environ, "collector") == []


@pytest.mark.parametrize(
    ("status", "text", "found", "fix"),
    [
        (
            *(400, '{{"text":"Invalid data format"}}'),
            '(HTTP 400); it said: {"text":"Invalid data format"}',
            "Let it take application/cloudevents-batch+json, an array of CloudEvents.",
        ),
        (
            *(403, "who is {authorization}?"),
            "(HTTP 403); it said: who is [hidden]?",
            "Correct AUDIT_AUTHORIZATION or AUDIT_SECRET.",
        ),
        (*(308, ""), "(HTTP 308)", "Set AUDIT_URL to the address to which it redirects."),
        (*(404, ""), "(HTTP 404)", "Correct AUDIT_URL."),
        (*(413, ""), "(HTTP 413)", "Let it take more bytes at once."),
        (*(503, ""), "(HTTP 503)", "Look at the collector; nothing is lost, "),
    ],
)
async def test_what_a_collector_answers_is_told_with_the_fix(
    environ: dict[str, str], there: Elsewhere, status: int, text: str, found: str, fix: str
) -> None:
    there.answer, there.text = lambda _: status, text
    finding = await finding_of(environ, "collector")
    assert finding.level == "wrong"
    assert finding.found == f"it took no event of the doctor's {found}"
    assert (finding.fix or "").startswith(fix)


async def test_a_collector_that_cannot_be_reached_is_told_with_what_is_in_the_way(
    environ: dict[str, str],
) -> None:
    environ["AUDIT_URL"] = f"http://127.0.0.1:{free_port()}/events"
    finding = await finding_of(environ, "collector")
    assert (finding.level, finding.unreached) == ("wrong", "AUDIT_URL")


@pytest.mark.parametrize(("seconds", "level"), [(30, "ok"), (200, "warning")])
async def test_events_that_a_collector_does_not_have_for_minutes_are_told_with_the_first(
    environ: dict[str, str], there: Elsewhere, ledger: Path, seconds: int, level: Level
) -> None:
    now = Runtime().now()
    key = key_of(environ["AUDIT_URL"])
    rows(ledger, f"INSERT INTO collectors (key, cursor) VALUES ('{key}', 1)")  # noqa: S608  # ours
    for at in (now - 900, now - seconds, now):
        rows(ledger, f"INSERT INTO events (at, kind) VALUES ({at}, 'asked')")  # noqa: S608  # ours
    with locked_by_a_bot(ledger):
        finding = await finding_of(environ, "collector")
    assert (finding.level, len(there.took)) == (level, 1)
    if level == "warning":
        assert "but 2 events are not sent yet, the first for 3 minutes: 2-" in finding.found
        assert "share-env-bot audit --leave-out 2-" in (finding.fix or "")
