"""A request may escalate, once: others are asked too, and may decide."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column."""
    op.add_column("requests", sa.Column("escalated", sa.Float))
