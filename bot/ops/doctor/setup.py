"""What the checks look at: the settings, and what Slack and the ledger answer, which are asked once for all checks."""

from asyncio import Task
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from bot.ops.doctor.ledger import Looked
from bot.ops.doctor.running_bot import Counted
from bot.ops.doctor.slack_calls import SlackAnswers
from bot.ops.doctor.transport import HeardHeaders
from bot.policy import Policy
from bot.runtime.clock import Runtime
from bot.settings.load import Parts


@dataclass(frozen=True, slots=True)
class Setup:
    """One setup of the bot; a check that needs an answer of `slack`, `ledger` or the `running` bot awaits it."""

    environ: Mapping[str, str]
    parts: Parts
    http: httpx.AsyncClient
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
