"""The lane's index becomes partial: each new request had to be added to it, not only the batch in the lane."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Replace the index."""
    op.drop_index("requests_lane")
    op.execute("CREATE UNIQUE INDEX requests_lane ON requests (lane) WHERE lane is not null")
