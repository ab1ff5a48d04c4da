"""Observers: the callbacks by which the rooms report what they do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

SLACK_RESULTS = ("ok", "refused", "ratelimited", "not sent", "doubtful")
"""How calls to Slack end."""

SENT_RESULTS = ("ok", "refused", "no answer")
"""How posts to the collector end."""

RENEWED = "renewed"
"""The result of a successful renewal or reading of a token."""

TOKEN_SERVER = "token server"  # noqa: S105  # a label
"""Stands for the token server, in place of a link of the chain."""

ELSEWHERE = "another path"
"""Stands for any path that is not served; the path itself may be anything."""


def no_op(*_: object) -> None:
    """Ignore the call: the default observer."""


Acked = Callable[[Mapping[str, object], float], None]
"""Called with a payload that was acked to Slack, and the seconds until the ack."""

Unheard = Callable[[Mapping[str, object]], None]
"""Called with a payload that has no listener."""

CalledSlack = Callable[[str, str], None]
"""Called with a method of Slack's Web API, and how the call ended."""

CalledWeChat = Callable[[str, str, float], None]
"""Called with the name of a WeChat call, its result (an errcode or a trouble), and the seconds it took."""

RefusedPost = Callable[[str, Enum], None]
"""Called with the path of a POST that was refused, and the reason: its name is a metric's label, its value is logged."""

Renewed = Callable[[str, str], None]
"""Called with the link of the token chain that was renewed or read, and how that ended."""

Transacted = Callable[[float, bool], None]
"""Called with the seconds of a ledger operation, queueing included, and whether it succeeded; from any thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observers:
    """All observers of the bot. Each returns at once and never raises; by default nobody observes.

    `connected` reports Socket Mode; `sent_events` gets how a post to the collector ended (SENT_RESULTS); `reloaded` gets whether a changed policy file was accepted, `took_secrets` whether changed secrets were, `lagged` by how many seconds
    the loop was late.
    """

    acked: Acked = no_op
    unheard: Unheard = no_op
    called_slack: CalledSlack = no_op
    connected: Callable[[], None] = no_op
    called_wechat: CalledWeChat = no_op
    refused: RefusedPost = no_op
    renewed: Renewed = no_op
    transacted: Transacted = no_op
    sent_events: Callable[[str], None] = no_op
    reloaded: Callable[[bool], None] = no_op
    took_secrets: Callable[[bool], None] = no_op
    lagged: Callable[[float], None] = no_op
