"""Events are sent to a collector, from where it stands."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "collectors",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("cursor", sa.Integer, nullable=False),
        sa.Column("holder", sa.String(32)),
    )
