"""A column for the authorization code of a push, which was lost at a restart before it was exchanged."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column."""
    op.add_column("tokens", sa.Column("code", sa.Text))
