"""The closed sets of values for metric labels, so that no outside input creates a series, and alerts find zeros."""

from collections.abc import Collection, Mapping
from typing import Final, get_args

from bot.domain.link import Link
from bot.guidance import CODES, Fixer, Trouble
from bot.ops.listener import ELSEWHERE
from bot.policy.kinds import Denial
from bot.wechat.tokens import TOKEN_SERVER

OTHER: Final = "other"
"""The label for any unknown value."""

COMMANDS: Final = (
    *("accepted", "withdrawn", "under way", "shared before", "dry run", "asked"),
    *("denied", "no owner", "not an approver", "mistake"),
)
"""The ledger's events that say how a command or a form was answered."""

DELIVERIES: Final = ("delivered", "refused", "too late", "nowhere to answer", "given up")
DENIALS: Final = (
    *(kind.__name__ for kind in get_args(Denial)),
    *("SeveralRules", "NoApprover", "TooManyBatches"),
)
ANSWERS: Final = frozenset({"0", *map(str, CODES), *(each.value.key for each in Trouble)})
LINKS: Final = (Link.PLATFORM.value, Link.OWNER.value, TOKEN_SERVER)
PATHS: Final = ("/slack/events", "/wechat/events", ELSEWHERE)
REFUSALS: Final = (
    *("unsigned", "stale", "signature", "unreadable", "no_such_path"),
    *("not_xml", "decryption", "other_platform", "incomplete"),
    *("slow", "long", "broken", "crowded"),
)
"""The reasons for refusing a POST: the names from the rooms' enums."""
FIXERS: Final = tuple(fixer.name.lower() for fixer in Fixer)
KINDS: Final = (
    *("command", "shortcut", "message_action", "block_actions", "block_suggestion"),
    *("view_submission", "event_callback"),
)
"""The types of Slack's payloads, besides a command, which has none."""


def kind_of(payload: Mapping[str, object]) -> str:
    """Return the kind of a payload, one of KINDS or OTHER."""
    return "command" if "command" in payload else known(payload.get("type"), KINDS)


def known(value: object, values: Collection[str] | None) -> str:
    """Return `value` if it is one of `values`, or if those are not listed, else OTHER."""
    return str(value) if values is None or value in values else OTHER
