"""What is open is found by its env and appid, however much of that env has ended."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the index."""
    op.execute("CREATE INDEX requests_open_pair ON requests (env, appid) WHERE state <> 'ended'")
