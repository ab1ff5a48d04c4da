"""What is old is deleted: of each share that was, the ledger keeps that it was made."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the tables, and the index by which old requests are found."""
    op.create_table(
        "kept_shares",
        sa.Column("request", sa.String(32), primary_key=True),
        sa.Column("env", sa.String(64), nullable=False),
        sa.Column("appid", sa.String(18), nullable=False),
        sa.Column("owner", sa.String(18), nullable=False),
        sa.Column("ended", sa.Float, nullable=False),
    )
    op.create_index("kept_shares_by_pair", "kept_shares", ["env", "appid", "ended"])
    op.create_index("kept_shares_by_appid", "kept_shares", ["appid", "ended"])
    op.create_table(
        "deletions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
    )
    over = sa.text("state = 'ended' and batch is null")
    op.create_index(
        "requests_ended", "requests", ["ended"], sqlite_where=over, postgresql_where=over
    )
