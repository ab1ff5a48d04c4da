"""Several people may have to agree to a request: who has is recorded, and how many of them the question shows."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the table and the column."""
    op.create_table(
        "agreements",
        sa.Column("request", sa.String(32), primary_key=True),
        sa.Column("user", sa.String(32), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("comment", sa.Text),
    )
    op.add_column("requests", sa.Column("shown", sa.Integer, nullable=False, server_default="0"))
