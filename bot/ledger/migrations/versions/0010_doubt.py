"""What is in doubt outlives the process.

Who cancelled the rest of a batch, calls to Slack that may come late, and the authorization code of a push.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns, and the index of what is looked at once more."""
    op.add_column("requests", sa.Column("cancelled_by", sa.String(32)))
    asked = sa.Column("all_asked", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("requests", asked)
    op.execute("UPDATE requests SET all_asked = true WHERE asked IS NOT NULL")
    op.add_column("requests", sa.Column("doubted", sa.Float))
    op.add_column("requests", sa.Column("recheck", sa.Float))
    op.execute("CREATE INDEX requests_in_doubt ON requests (recheck) WHERE recheck is not null")
    op.add_column("tokens", sa.Column("code", sa.Text))
