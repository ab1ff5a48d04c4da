"""Answers that are owed until they are delivered."""

import sqlalchemy as sa
from alembic import op

from bot.ledger.migrations.shared import where

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns for owed messages and the lane; requests that wait for people block no others."""
    for column in (
        sa.Column("owed", sa.Float),
        sa.Column("called_again", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("turn", sa.Float),
    ):
        op.add_column("requests", column)
    carried = where("state in ('accepted', 'queued', 'placed') and appid <> ''")
    op.drop_index("one_under_way", "requests")
    op.create_index("one_under_way", "requests", ["env", "appid"], unique=True, **carried)
