"""What is open is found by its env and appid, however much of that env has ended."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the index."""
    still_open = sa.text("state <> 'ended'")
    op.create_index(
        "requests_open_pair",
        "requests",
        ["env", "appid"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
