"""An index of open requests by env and appid, so that ended requests for an env do not slow the search."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the index."""
    op.execute("CREATE INDEX requests_open_pair ON requests (env, appid) WHERE state <> 'ended'")
