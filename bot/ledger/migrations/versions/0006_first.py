"""The schema of 0.1.0, the first release; a new ledger gets the newest schema at once."""

revision = "0006"
down_revision = None


def upgrade() -> None:
    """Change nothing: no ledger is older."""
