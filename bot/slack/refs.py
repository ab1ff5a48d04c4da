"""How the ledger spells where messages stand: that of an answer, and those that ask the approvers. Pure."""

from bot.slack.looking import Posted


def ref_of(*stand: Posted) -> str:
    """Return the words for where messages stand: channel/ts, and /root where one stands in a thread of another."""
    return " ".join("/".join(filter(None, (at.channel, at.ts, at.root))) for at in stand)


def read_ref(ref: str | None) -> list[Posted]:
    """Return the messages that stand where these words say; none for the place of an answer that has no message."""
    found = (word.split("/") for word in (ref or "").split() if "/" in word)
    return [Posted(channel, ts, "".join(root)) for channel, ts, *root in found]
