"""The scopes that the bot needs, as in app-manifest.yml, which is not shipped, and what does not work without each."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope of the bot token; without a `vital` one the bot is of no use."""

    name: str
    without: str
    """What does not work if it is not granted."""
    vital: bool = False


_DIRECTLY = "approvers are asked directly, not in their channel, if that is"
_NOT_SEEN = "an answer that Slack did not confirm is put into the message above its thread, in"

SCOPES = (
    Scope("commands", "nobody can type /share-env or use its shortcuts", vital=True),
    Scope("chat:write", "nothing can be answered in threads", vital=True),
    Scope("users:read", "every command is denied, as nobody can be looked up", vital=True),
    Scope("usergroups:read", "rules that name groups let nobody in"),
    Scope("channels:read", f"{_DIRECTLY} a public one"),
    Scope("groups:read", f"{_DIRECTLY} a private one"),
    Scope("mpim:read", f"{_DIRECTLY} a group message"),
    Scope("channels:history", f"{_NOT_SEEN} public channels"),
    Scope("groups:history", f"{_NOT_SEEN} private channels"),
    Scope("mpim:history", f"{_NOT_SEEN} group messages"),
    Scope("im:history", f"{_NOT_SEEN} direct messages"),
    Scope("im:write", "a direct message that Slack did not confirm may come twice"),
)
"""In the order in which they matter."""


REINSTALL = (
    "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml again), "
    "then choose “Reinstall to Workspace”."
)
"""What to do about a scope that is not granted."""


def missing(granted: Collection[str] | None) -> list[Scope]:
    """Return the scopes that are not granted; none where Slack did not say which are."""
    return [scope for scope in SCOPES if granted is not None and scope.name not in granted]
