"""The platform's tokens, and which link of their chain a request failed at."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of tokens, and the column for the link."""
    op.create_table(
        "tokens",
        sa.Column("platform", sa.String(18), primary_key=True),
        sa.Column("name", sa.String(18), primary_key=True),
        sa.Column("value", sa.Text),
        sa.Column("refresh_token", sa.Text),
        sa.Column("issued", sa.Float),
        sa.Column("expires", sa.Float),
        sa.Column("told", sa.Float),
        sa.Column("told_marks", sa.Text),
        sa.Column("error", sa.String(64)),
        sa.Column("error_at", sa.Float),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_until", sa.Float, nullable=False, server_default="0"),
    )
    op.add_column("requests", sa.Column("link", sa.String(16)))
