"""What is in doubt outlives the process: who cancelled the rest of a batch."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("requests", sa.Column("cancelled_by", sa.String(32)))
