"""References of messages in one format: channel/ts, or channel/ts/root for a reply."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_AT_ONCE = 1000

_requests = sa.table("requests", *map(sa.column, ("id", "place", "asked")))


def upgrade() -> None:
    """Rewrite the references of answers and questions in that format."""
    on, row = op.get_bind(), _requests.c
    stand = sa.or_(row.place.like("thread %"), row.asked.is_not(None))
    some = sa.select(_requests).where(stand).order_by(row.id).limit(_AT_ONCE)
    change = (
        sa.update(_requests)
        .where(row.id == sa.bindparam("the_id"))
        .values(place=sa.bindparam("new_place"), asked=sa.bindparam("new_asked"))
    )
    last = ""
    while rows := on.execute(some.where(row.id > last)).all():
        new = [
            {"the_id": id_, "new_place": _place(place), "new_asked": _asked(asked)}
            for id_, place, asked in rows
        ]
        on.execute(change, new)
        last = rows[-1].id


def _place(ref: str | None) -> str | None:
    """Return the place that was "thread channel ts" or "thread channel ts root"; "private" stays."""
    return "/".join(ref.split()[1:]) if ref and ref.startswith("thread ") else ref


def _asked(ref: str | None) -> str | None:
    """Return the questions that were "channel ts channel ts"."""
    if ref is None:
        return None
    words = ref.split()
    return " ".join(map("/".join, zip(words[::2], words[1::2], strict=True)))
