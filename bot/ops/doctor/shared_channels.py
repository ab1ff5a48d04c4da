"""Look whether the approvers' channels of a policy are shared with others, for whoever looks at the policy alone."""

import time
from collections.abc import Mapping, Sequence

from bot.ops.doctor.check import Finding
from bot.ops.doctor.policy import shared_outside
from bot.ops.doctor.slack_calls import ask_channels
from bot.ops.doctor.transport import HeardHeaders, session
from bot.policy import Policy
from bot.settings.slack import SlackSettings
from bot.slack.api import Answered


async def look(slack: SlackSettings, rules: Policy) -> Mapping[str, Sequence[Finding]]:
    """Return what is found in each channel of which Slack tells."""
    async with session(HeardHeaders(time.time)) as http:
        told = await ask_channels(slack, rules, http)
    return {
        channel: [*shared_outside(channel, answer)]
        for channel, answer in told.items()
        if isinstance(answer, Answered)
    }
