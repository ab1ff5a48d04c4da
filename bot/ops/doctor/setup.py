"""What the checks look at: the settings, and what Slack, the ledger and the bot that runs answer, asked once for all."""

from asyncio import Task
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import httpx

from bot.ops.doctor.ledger import Looked
from bot.ops.doctor.slack_calls import SlackAnswers
from bot.ops.doctor.transport import DEADLINE, HeardHeaders
from bot.ops.listener import METRICS, origin
from bot.policy import Policy
from bot.runtime.clock import Runtime
from bot.settings.load import Address, Parts

_LONGEST_PAGE = 5_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Counted:
    """What the bot that runs has counted since it started."""

    refused: Mapping[tuple[str, str], int]
    """Posts by path and reason."""
    acked: int
    """What Slack got its ack for."""
    good_ticket: bool


async def ask_running_bot(parts: Parts) -> Counted | None:
    """Return what the bot that listens where the settings say has counted; None where none answers."""
    page = await ask_there(parts.listener, METRICS) if parts.listener else None
    if page is None:
        return None
    # Imported here: whoever listens nowhere need not wait for it.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    try:
        families = text_string_to_metric_families(page.decode())
        samples = [sample for family in families for sample in family.samples]
    except ValueError:  # another program's page
        return None
    refused = {
        (sample.labels["path"], sample.labels["reason"]): int(sample.value)
        for sample in samples
        if sample.name == "share_env_posts_refused_total" and sample.value
    }
    acked = sum(s.value for s in samples if s.name == "share_env_ack_seconds_count")
    good = [s for s in samples if s.name == "share_env_token_good_seconds" and s.value > 0]
    ticket = any(sample.labels["link"] == "ticket" for sample in good)
    ours = any(sample.name.startswith("share_env_") for sample in samples)
    return Counted(refused, int(acked), ticket) if ours else None


async def ask_there(address: Address, path: str) -> bytes | None:
    """Return what is answered where the bot listens, past any proxy; None if nothing that is any of its answers."""
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    url = f"{origin(address.host, address.port)}{path}"
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
            page = bytearray()
            async for piece in answer.content.iter_any():
                page += piece
                if len(page) > _LONGEST_PAGE:
                    return None
            return bytes(page)
    except (aiohttp.ClientError, OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Setup:
    """One setup of the bot; a check that needs an answer of `slack`, `ledger` or the `running` bot awaits it."""

    environ: Mapping[str, str]
    parts: Parts
    http: httpx.AsyncBaseTransport
    """For WeChat and the token server."""
    runtime: Runtime
    heard: HeardHeaders
    slack: Task[SlackAnswers]
    ledger: Task[Looked]
    running: Task[Counted | None]

    @property
    def policy(self) -> Policy | None:
        """The policy, if it can be read; its tests may fail."""
        return self.parts.policy.policy if self.parts.policy else None

    @property
    def owners(self) -> Sequence[str]:
        """Every mini program whose token the policy may need."""
        return self.policy.all_owners if self.policy else ()
