"""Only the batch in the lane is in the lane's index, which each new request had to be added to."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Replace the index."""
    in_lane = sa.text("lane is not null")
    op.drop_index("requests_lane")
    op.create_index(
        "requests_lane",
        "requests",
        ["lane"],
        unique=True,
        sqlite_where=in_lane,
        postgresql_where=in_lane,
    )
