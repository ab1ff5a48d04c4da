"""The scopes that the bot needs, as in app-manifest.yml, which is not shipped: what for, and what is lost without."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope of the bot token; without a `vital` one the bot is of no use."""

    name: str
    purpose: str
    vital: bool = False


SCOPES = (
    Scope("commands", "to be called as /share-env, and by shortcuts", vital=True),
    Scope("chat:write", "to answer", vital=True),
    Scope("users:read", "to know who is a member, and who a guest or gone", vital=True),
    Scope("usergroups:read", "to know who is in the groups that rules name"),
    Scope("channels:read", "to keep details private in channels shared with others"),
    Scope("groups:read", "the same, in private channels"),
    Scope("mpim:read", "the same, in group direct messages"),
    Scope("channels:history", "to see whether an answer already stands in its thread"),
    Scope("groups:history", "the same, in private channels"),
    Scope("mpim:history", "the same, in group direct messages"),
    Scope("im:history", "the same, in direct messages"),
    Scope("im:write", "to find the direct messages where an answer may stand"),
)
"""In the order in which they matter."""
