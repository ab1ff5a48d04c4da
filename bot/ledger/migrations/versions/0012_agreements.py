"""Several people may have to agree to a request: it records who has, so far."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column."""
    op.add_column("requests", sa.Column("agreed", sa.Text))
