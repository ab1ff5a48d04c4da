"""A replica records how Slack greeted it, so that a doctor beside it needs no connection of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("replicas", sa.Column("greeted", sa.Float))
    op.add_column("replicas", sa.Column("connections", sa.Integer))
    op.add_column("replicas", sa.Column("bots", sa.Integer))
    op.add_column("replicas", sa.Column("app", sa.String(32)))
    op.add_column("replicas", sa.Column("refusal", sa.String(64)))
