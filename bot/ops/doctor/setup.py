"""What the checks share: the settings, and the answers of Slack, the ledger and the running bot, each fetched once."""

from asyncio import Task
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import httpx

from bot.ledger.tokens import TICKET_LIFE
from bot.ops.doctor.ledger import LedgerLook
from bot.ops.doctor.slack_calls import SlackAnswers
from bot.ops.doctor.transport import DEADLINE, Traffic
from bot.ops.listener import METRICS, origin
from bot.runtime.clock import Runtime
from bot.settings.load import Address, Parts

SEEN_LATELY = 30 * 60.0
"""Seconds within which WeChat's last ticket should have come: it pushes one every ten minutes."""


@dataclass(frozen=True, slots=True)
class BotCounts:
    """Counts from the running bot's metrics since its start."""

    refused: Mapping[tuple[str, str], int]
    """Refused POSTs by path and reason."""
    acked: int
    """The number of acks to Slack."""
    ticket_taken: bool
    """Whether WeChat's last ticket came lately, and since the start."""


async def ask_running_bot(
    address: Address | None, now: Callable[[], float]
) -> BotCounts | TimeoutError | None:
    """Return the counts of the bot that listens at this address, asked without a proxy; `now` is in Unix seconds.

    None if no bot answers; TimeoutError if what listens there does not answer at all.
    """
    if address is None:
        return None
    url, timeout = origin(address.host, address.port), aiohttp.ClientTimeout(total=DEADLINE)
    asked = now()
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"{url}{METRICS}") as answer,
        ):
            page = await answer.read()
    except TimeoutError as error:
        return error
    except (aiohttp.ClientError, OSError, ValueError):
        return None
    # Imported here: not needed without a listener.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    try:
        families = text_string_to_metric_families(page.decode())
        samples = [s for each in families for s in each.samples if s.name.startswith("share_env_")]
    except ValueError:  # another program's page
        return None
    if not samples:
        return None
    refused = {
        (sample.labels["path"], sample.labels["reason"]): int(sample.value)
        for sample in samples
        if sample.name == "share_env_posts_refused_total" and sample.value
    }
    acked = sum(each.value for each in samples if each.name == "share_env_ack_seconds_count")
    values = {(each.name, each.labels.get("link")): each.value for each in samples}
    age = TICKET_LIFE - values.get(("share_env_token_good_seconds", "ticket"), 0.0)
    uptime = asked - values.get(("share_env_taken_over_created", None), asked)
    return BotCounts(refused, int(acked), ticket_taken=age < min(uptime, SEEN_LATELY))


@dataclass(frozen=True, slots=True)
class Setup:
    """The setup to check; `slack`, `ledger` and `running` are tasks whose results the checks await."""

    environ: Mapping[str, str]
    parts: Parts
    http: httpx.AsyncBaseTransport
    """For WeChat and the token server."""
    runtime: Runtime
    traffic: Traffic
    slack: Task[SlackAnswers]
    ledger: Task[LedgerLook]
    running: Task[BotCounts | TimeoutError | None]

    @property
    def owners(self) -> Sequence[str]:
        """All mini programs whose token the policy may need."""
        return self.parts.policy.all_owners if self.parts.policy else ()
