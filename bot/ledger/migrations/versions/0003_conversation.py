"""What waits for people: confirmations, approvals and batches."""

import sqlalchemy as sa
from alembic import op

from bot.ledger.migrations.shared import where

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, and let several batches about one env be open at a time."""
    for column in (
        sa.Column("language", sa.String(8), nullable=False, server_default="en"),
        sa.Column("thread_ts", sa.String(32), nullable=False, server_default=""),
        sa.Column("until", sa.Float),
        sa.Column("wake", sa.Float),
        sa.Column("asked", sa.Text),
        sa.Column("decided", sa.Float),
        sa.Column("decided_by", sa.String(32)),
        sa.Column("comment", sa.Text),
        sa.Column("retried_by", sa.String(32)),
        sa.Column("appids", sa.Text),
        sa.Column("again", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("batch", sa.String(32)),
        sa.Column("begun", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("lane", sa.String(16)),
        sa.Column("tally", sa.Text),
    ):
        op.add_column("requests", column)
    pair_open = where("state <> 'ended' and appid <> ''")
    op.drop_index("one_under_way", "requests")
    op.create_index("one_under_way", "requests", ["env", "appid"], unique=True, **pair_open)
    op.create_index("requests_by_batch", "requests", ["batch"], **where("batch is not null"))
    op.create_index("requests_lane", "requests", ["lane"], unique=True)
