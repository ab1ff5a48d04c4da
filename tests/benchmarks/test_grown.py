from bot.domain.outcome import Shared
from tests.benchmarks.grown import fill
from tests.databases import Database


async def test_the_filled_ledger_is_one_that_the_bot_reads(sqlite: Database) -> None:
    fill(sqlite.url, 3)
    ledger = sqlite.ledger("a")
    found = await ledger.history(("T0", "U0"), None, 50)
    assert [entry.outcome for entry in found] == [Shared()] * 3
