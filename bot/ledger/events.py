"""The events: what happened, to which request, and who did it; only ever more of them."""

from collections.abc import Mapping

from sqlalchemy import Connection

from bot.ledger.statements import Statements
from bot.request import Origin


def record(
    on: Connection, say: Statements, kind: str, origin: Origin, facts: Mapping[str, object]
) -> None:
    """Write one event; what `facts` says of who did it counts more than the origin."""
    who = {"team": origin.team_id, "user": origin.user_id, "channel": origin.channel_id}
    on.execute(say.event, {"kind": kind, **who, **facts})
