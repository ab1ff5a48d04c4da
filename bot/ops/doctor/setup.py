"""What the checks share: the settings, and the answers of Slack, the ledger and the running bot, each fetched once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import httpx
from prometheus_client.parser import text_string_to_metric_families

from bot.observe.health import METRICS
from bot.ops.doctor.ledger import LedgerLook
from bot.ops.doctor.slack_calls import SlackAnswers
from bot.ops.doctor.transport import DEADLINE, Traffic
from bot.runtime.clock import Runtime
from bot.runtime.listener import origin
from bot.settings.load import Address, Parts


@dataclass(frozen=True, slots=True)
class BotCounts:
    """Counts from the running bot's metrics since its start."""

    refused: Mapping[tuple[str, str], int]
    """Refused POSTs by path and reason."""
    acked: int
    """The number of acks to Slack."""


async def read_counts(address: Address | None) -> BotCounts | None:
    """Return the counts of the bot that listens at this address, asked without a proxy; None if no bot answers."""
    if address is None:
        return None
    url, timeout = origin(address.host, address.port), aiohttp.ClientTimeout(total=DEADLINE)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"{url}{METRICS}") as answer,
        ):
            page = (await answer.read()).decode()
        families = text_string_to_metric_families(page)
        samples = [s for each in families for s in each.samples if s.name.startswith("share_env_")]
    except (aiohttp.ClientError, OSError, ValueError):  # also another program's page
        return None
    refused = {
        (sample.labels["path"], sample.labels["reason"]): int(sample.value)
        for sample in samples
        if sample.name == "share_env_posts_refused_total" and sample.value
    }
    acked = sum(each.value for each in samples if each.name == "share_env_ack_seconds_count")
    return BotCounts(refused, int(acked)) if samples else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The setup to check, and what Slack, the ledger and the running bot returned."""

    environ: Mapping[str, str]
    parts: Parts
    http: httpx.AsyncClient
    """For WeChat and the token server."""
    runtime: Runtime
    traffic: Traffic
    slack: SlackAnswers
    ledger: LedgerLook
    running: BotCounts | None

    @property
    def owners(self) -> Sequence[str]:
        """All mini programs whose token the policy may need."""
        return self.parts.policy.all_owners if self.parts.policy else ()
