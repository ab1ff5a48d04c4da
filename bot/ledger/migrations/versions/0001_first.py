"""The first schema: requests, events, replicas."""

import sqlalchemy as sa
from alembic import op

from bot.ledger.migrations.shared import where

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables of version 0.1."""
    still_open = where("state <> 'ended'")
    op.create_table(
        "requests",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("trigger_id", sa.String(255), nullable=False, unique=True),
        sa.Column("team", sa.String(32), nullable=False),
        sa.Column("user", sa.String(32), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("channel_name", sa.String(255), nullable=False),
        sa.Column("response_url", sa.Text),
        sa.Column("appid", sa.String(18), nullable=False),
        sa.Column("env", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(18), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("place", sa.Text),
        sa.Column("outcome", sa.String(16)),
        sa.Column("guidance", sa.String(64)),
        sa.Column("errcode", sa.BigInteger),
        sa.Column("errmsg", sa.Text),
        sa.Column("rid", sa.String(64)),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("holder", sa.String(32)),
        sa.Column("fence", sa.Integer, nullable=False, server_default="1"),
        sa.Column("taken_over", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("ended", sa.Float),
    )
    op.create_index("requests_by_env", "requests", ["env", "created"])
    op.create_index("requests_by_appid", "requests", ["appid", "created"])
    op.create_index("requests_by_user", "requests", ["team", "user", "created"])
    op.create_index("requests_open", "requests", ["holder", "created"], **still_open)
    op.create_index("one_under_way", "requests", ["env", "appid"], unique=True, **still_open)
    shared = where("outcome = 'shared'")
    op.create_index("requests_shared", "requests", ["env", "appid", "ended"], **shared)
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("request", sa.String(32)),
        sa.Column("team", sa.String(32)),
        sa.Column("user", sa.String(32)),
        sa.Column("channel", sa.String(32)),
        sa.Column("env", sa.String(64)),
        sa.Column("appid", sa.String(18)),
        sa.Column("rule", sa.Text),
        sa.Column("outcome", sa.String(16)),
        sa.Column("errcode", sa.BigInteger),
        sa.Column("rid", sa.String(64)),
        sa.Column("seconds", sa.Float),
        sa.Column("detail", sa.Text),
    )
    op.create_index("events_by_time", "events", ["at"])
    op.create_index("events_by_request", "events", ["request"])
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("lease_until", sa.Float, nullable=False),
    )
