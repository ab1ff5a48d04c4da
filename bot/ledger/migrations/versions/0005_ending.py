"""An outcome is one column of JSON."""

import json

import sqlalchemy as sa
from alembic import op

from bot.ledger.migrations.shared import read_in_parts

revision = "0005"
down_revision = "0004"

_GONE = ("guidance", "errcode", "errmsg", "rid", "tries", "link", "tally")

_requests = sa.table(
    "requests",
    *map(sa.column, ("id", "outcome", "decided_by", "comment", "ending", *_GONE)),
)


def upgrade() -> None:
    """Copy each outcome into the new column, and drop the columns that held its parts."""
    op.add_column("requests", sa.Column("ending", sa.Text))
    on, row = op.get_bind(), _requests.c
    ended = sa.select(_requests).where(row.outcome.is_not(None))
    change = (
        sa.update(_requests)
        .where(row.id == sa.bindparam("the_id"))
        .values(ending=sa.bindparam("json"))
    )
    for rows in read_in_parts(on, ended, row.id):
        on.execute(change, [{"the_id": each["id"], "json": _ending(each)} for each in rows])
    for name in _GONE:
        op.drop_column("requests", name)


def _ending(row: sa.RowMapping) -> str:
    """Return as JSON what the columns of an outcome held."""
    return json.dumps({"kind": row["outcome"], **_facts(row)})


def _facts(row: sa.RowMapping) -> dict[str, object]:  # noqa: C901  # one case each
    match row["outcome"]:
        case "shared":
            return {"tries": row["tries"]}
        case "failed" | "unknown" as kind:
            facts: dict[str, object] = {"guidance": row["guidance"], "tries": row["tries"]}
            if row["errcode"] is not None:
                facts["said"] = {name: row[name] for name in ("errcode", "rid", "errmsg")}
            if kind == "failed" and row["link"]:
                facts["link"] = row["link"]
            return facts
        case "rejected":
            return {"by": row["decided_by"] or "", "comment": row["comment"]}
        case "cancelled":
            return {"by": row["decided_by"] or ""}
        case "expired":
            approval = row["guidance"] == "approval"
            return {"waited_for": "approval" if approval else "confirmation"}
        case "denied":
            return {"ground": row["guidance"] or "not allowed"}
        case "skipped":
            return {"why": row["guidance"]}
        case "finished":
            pairs = (pair.partition("=") for pair in (row["tally"] or "total=0").split())
            return {"tally": {what: int(count) for what, _, count in pairs}}
        case _:
            return {}
