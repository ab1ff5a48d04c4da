"""A unique index: of a person's requests for the same share, only one can wait for an approval."""

import sqlalchemy as sa
from alembic import op

from bot.ledger.statements import NOW

revision = "0008"
down_revision = "0007"

# Two replicas, or two confirmations, could record more than one.
_END_ALL_BUT_THE_FIRST = r"""
    UPDATE requests
    SET state = 'answered', outcome = 'skipped', ending = '{"kind"\: "skipped", "why"\: "under-way"}',
        fence = fence + 1, holder = NULL, wake = NULL, owed = NULL
    WHERE state = 'waiting' AND appid <> '' AND EXISTS (
        SELECT 1 FROM requests AS first
        WHERE first.state = 'waiting' AND first.team = requests.team AND first."user" = requests."user"
        AND first.env = requests.env AND first.appid = requests.appid
        AND (first.created, first.id) < (requests.created, requests.id)
    )
    RETURNING id
"""
_RECORD = """
    INSERT INTO events (at, kind, request, team, "user", channel, env, appid, rule, outcome, detail)
    SELECT :now, 'answered', id, team, "user", channel, env, appid, rule, 'skipped', 'under-way'
    FROM requests WHERE id = :id
"""


def upgrade() -> None:
    """End all but the first of such requests, for the bot to tell, and add the index."""
    database = op.get_bind()
    if database.dialect.name == "postgresql":
        op.execute("LOCK TABLE requests IN SHARE ROW EXCLUSIVE MODE")
    now = database.scalar(sa.select(NOW))
    for ended in database.scalars(sa.text(_END_ALL_BUT_THE_FIRST)).all():
        database.execute(sa.text(_RECORD), {"id": ended, "now": now})
    waiting = sa.text("state = 'waiting' and appid <> ''")
    op.create_index(
        "one_waiting",
        "requests",
        ["team", "user", "env", "appid"],
        unique=True,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
