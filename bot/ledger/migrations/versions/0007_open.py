"""What is open is found by its env and appid, however much of that env has ended."""

from alembic import op

from bot.ledger.migrations.shared import where

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the index."""
    still_open = where("state <> 'ended'")
    op.create_index("requests_open_pair", "requests", ["env", "appid"], **still_open)
