"""Turn a row of the ledger's events into a CloudEvents 1.0 JSON object. Pure.

Source: github.com/cloudevents/spec, "CloudEvents - Version 1.0.2", "HTTP Protocol Binding" (batched content mode).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from bot.ledger.collector import WORDS
from bot.ledger.events import TYPED

BATCH = "application/cloudevents-batch+json"
"""The content type of several events."""

_FACTS = (
    *("kind", "request", "team", "user", "channel", "env", "appid", "rule"),
    *("outcome", "errcode", "rid", "seconds", "detail"),
)


def id_of(row: Mapping[str, object]) -> str:
    """Return the id of an event, which no other ever has: a ledger that was restored uses the numbers of rows again."""
    return f"{row['id']}-{float(str(row['at'])) * 1000:.0f}"


def cloud_event(row: Mapping[str, object], *, text: bool) -> dict[str, object]:
    """Return the event in a row, without empty facts; what people wrote is among these only with `text`."""
    hidden = set(WORDS) | ({"detail"} if row["kind"] in TYPED else set())
    names = [*_FACTS, *WORDS] if text else [name for name in _FACTS if name not in hidden]
    subject = {"subject": row["request"]} if row.get("request") else {}
    return {
        "specversion": "1.0",
        "id": id_of(row),
        "source": f"/share-env-bot/{row.get('team') or ''}",
        "type": f"share_env.{str(row['kind']).replace(' ', '_')}",
        **subject,
        "time": rfc3339(float(str(row["at"]))),
        "datacontenttype": "application/json",
        "data": {name: row[name] for name in names if row.get(name) not in {None, ""}},
    }


def rfc3339(at: float) -> str:
    """Return a time in Unix seconds as RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
