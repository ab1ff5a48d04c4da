"""The tables: requests with their current state, events, the replicas' leases, and WeChat's tokens.

Times are Unix seconds by the database's clock, so that a replica with a wrong clock does no harm.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    false,
    text,
)

HEAD = "0016"
"""The newest revision in `migrations/versions`."""

# Literal in queries too, not bound parameters: only then does a database use the partial indexes.
OPEN = text("state <> 'ended'")
CARRIED = text("state in ('accepted', 'queued', 'placed') and appid <> ''")
WAITING = text("state = 'waiting' and appid <> ''")
SHARED = text("outcome = 'shared'")
ITEM = text("batch is not null")
IN_LANE = text("lane is not null")
IN_DOUBT = text("recheck is not null")
ENDED = text("state = 'ended' and batch is null")

ERROR_LIMIT = 64
"""The number of characters of why a token was not renewed that are stored."""

LANE = "batches"
"""The value of `lane` for the one batch that runs."""


def _partial(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """Return an index of the rows that meet a condition, on both databases."""
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


metadata = MetaData()

requests = Table(
    "requests",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("trigger_id", String(255), nullable=False, unique=True),
    Column("team", String(32), nullable=False),
    Column("user", String(32), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("channel_name", String(255), nullable=False),
    Column("response_url", Text),  # a credential for half an hour; deleted when the request ends
    Column("appid", String(18), nullable=False),  # empty for a batch
    Column("env", String(64), nullable=False),
    Column("owner", String(18), nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text),
    Column("state", String(16), nullable=False),
    Column("place", Text),
    Column("outcome", String(16)),  # its kind
    Column("holder", String(32)),
    Column("fence", Integer, nullable=False, server_default="1"),
    Column("taken_over", Integer, nullable=False, server_default="0"),
    Column("created", Float, nullable=False),
    Column("ended", Float),
    Column("language", String(8), nullable=False, server_default="en"),
    Column("thread_ts", String(32), nullable=False, server_default=text("''")),
    Column("until", Float),  # when waiting for a confirmation or an approval ends
    Column("wake", Float),  # when a released request may be taken over
    Column("asked", Text),  # where the approvers are asked
    Column("decided", Float),  # when a click last decided: the requester's "yes", or an approver's
    Column("decided_by", String(32)),
    Column("comment", Text),
    Column("retried_by", String(32)),
    Column("appids", Text),  # of a batch, with spaces between
    Column("again", Boolean, nullable=False, server_default=false()),
    Column("batch", String(32)),  # the id of the batch that this is an item of
    Column("begun", Boolean, nullable=False, server_default=false()),
    Column("lane", String(16)),  # held by the one batch that runs
    Column("owed", Float),  # since when Slack has refused the next message
    # WeChat was called twice, because of a crash.
    Column("called_again", Boolean, nullable=False, server_default=false()),
    # Does not queue for the lane; of an item, is back in the queue after a call.
    Column("paused", Boolean, nullable=False, server_default=false()),
    # Since when it queues, if another batch of this person has run meanwhile.
    Column("turn", Float),
    Column("ending", Text),  # the whole outcome, as JSON
    Column("cancelled_by", String(32)),  # of a batch: who cancelled the rest
    Column("all_asked", Boolean, nullable=False, server_default=false()),
    Column("doubted", Float),  # when a call to Slack about it last ended in doubt, or as if one had
    Column("recheck", Float),  # when its messages are looked at once more
    Column("agreed", Text),  # who agreed before the one who decided, as JSON
    Column("escalated", Float),  # when whom its rule escalates to could decide too
    # The one who decided is the requester, who did not wait for the approval.
    Column("broke_glass", Boolean, nullable=False, server_default=false()),
    Index("requests_by_env", "env", "created"),
    Index("requests_by_appid", "appid", "created"),
    Index("requests_by_user", "team", "user", "created"),
    _partial("requests_open", "holder", "created", where=OPEN),
    _partial("requests_open_pair", "env", "appid", where=OPEN),
    _partial("one_under_way", "env", "appid", where=CARRIED, unique=True),
    _partial("one_waiting", "team", "user", "env", "appid", where=WAITING, unique=True),
    _partial("requests_by_batch", "batch", where=ITEM),
    _partial("requests_lane", "lane", where=IN_LANE, unique=True),
    _partial("requests_in_doubt", "recheck", where=IN_DOUBT),
    _partial("requests_shared", "env", "appid", "ended", where=SHARED),
    _partial("requests_ended", "ended", where=ENDED),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("request", String(32)),
    Column("team", String(32)),
    Column("user", String(32)),
    Column("channel", String(32)),
    Column("env", String(64)),
    Column("appid", String(18)),
    Column("rule", Text),
    Column("outcome", String(16)),
    Column("errcode", BigInteger),
    Column("rid", String(64)),
    Column("seconds", Float),
    Column("detail", Text),
    Index("events_by_time", "at"),
    Index("events_by_request", "request"),
)

kept_shares = Table(  # of requests that were deleted; nothing ever deletes these
    "kept_shares",
    metadata,
    Column("request", String(32), primary_key=True),
    Column("env", String(64), nullable=False),
    Column("appid", String(18), nullable=False),
    Column("owner", String(18), nullable=False),
    Column("ended", Float, nullable=False),
    Index("kept_shares_by_pair", "env", "appid", "ended"),
    Index("kept_shares_by_appid", "appid", "ended"),
)

deletions = Table(  # one row, which whoever deletes has locked
    "deletions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("requests", Integer, nullable=False),  # deleted, and told by no event yet
    Column("events", Integer, nullable=False),
)

collectors = Table(
    "collectors",
    metadata,
    Column("key", String(64), primary_key=True),  # the SHA-256 of its URL
    Column("cursor", Integer, nullable=False),  # the id of the last event that it took
    Column("holder", String(32)),  # the replica that sends
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("lease_until", Float, nullable=False),
    Column("greeted", Float),  # when Slack last greeted or refused a connection of it
    Column("connections", Integer),  # that the app had then, of its own this one alone
    Column("bots", Integer),  # that ran on this ledger then
    Column("app", String(32)),
    Column("refusal", String(64)),  # Slack's reason, if that was the last that it said
)

tokens = Table(
    "tokens",
    metadata,
    Column("platform", String(18), primary_key=True),
    Column("name", String(18), primary_key=True),  # ticket, component, or an owner's appid
    Column("value", Text),  # sealed, as are the refresh token and the code
    Column("refresh_token", Text),
    Column("issued", Float),
    Column("expires", Float),
    Column("told", Float),  # WeChat's CreateTime of the newest push that counted
    Column("told_marks", Text),  # of all pushes of that second, in order of arrival
    Column("error", String(ERROR_LIMIT)),  # why the last renewal failed, as in an event
    Column("error_at", Float),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("lease_until", Float, nullable=False, server_default="0"),
    Column("code", Text),  # of the newest push about an owner, until it is used or of no use
)
