"""Answers that are owed until they stand."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add when a request was answered, whether WeChat was asked twice for it, and how batches take turns."""
    for column in (
        sa.Column("answered", sa.Float),
        sa.Column("called_again", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("turn", sa.Float),
    ):
        op.add_column("requests", column)
