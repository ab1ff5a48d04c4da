"""References of messages in one format: channel/ts, or channel/ts/root for a reply."""

import sqlalchemy as sa
from alembic import op

from bot.ledger.migrations.shared import read_in_parts

revision = "0006"
down_revision = "0005"

_requests = sa.table("requests", *map(sa.column, ("id", "place", "asked")))


def upgrade() -> None:
    """Rewrite the references of answers and questions in that format."""
    on, row = op.get_bind(), _requests.c
    stand = sa.or_(row.place.like("thread %"), row.asked.is_not(None))
    some = sa.select(_requests).where(stand)
    change = (
        sa.update(_requests)
        .where(row.id == sa.bindparam("the_id"))
        .values(place=sa.bindparam("new_place"), asked=sa.bindparam("new_asked"))
    )
    for rows in read_in_parts(on, some, row.id):
        new = [
            {
                "the_id": each["id"],
                "new_place": _place(each["place"]),
                "new_asked": _asked(each["asked"]),
            }
            for each in rows
        ]
        on.execute(change, new)


def _place(ref: str | None) -> str | None:
    """Return the place that was "thread channel ts" or "thread channel ts root"; "private" stays."""
    return "/".join(ref.split()[1:]) if ref and ref.startswith("thread ") else ref


def _asked(ref: str | None) -> str | None:
    """Return the questions that were "channel ts channel ts"."""
    if ref is None:
        return None
    words = ref.split()
    return " ".join(map("/".join, zip(words[::2], words[1::2], strict=True)))
