"""A requester may not have to wait for an approval: it records that they did not."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "requests", sa.Column("broke_glass", sa.Boolean, nullable=False, server_default=sa.false())
    )
