"""Create the schema, or bring it up to date with the steps in `migrations`; one process at a time.

Source: postgresql.org, "Advisory Locks".
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from bot.ledger.address import CannotOpenError
from bot.ledger.schema import HEAD, metadata

_MIGRATION_LOCK = 0x5E4A  # any number that nothing else in this database uses


def migrate(connection: Connection) -> bool:
    """Create or upgrade the schema, one process at a time; return whether it was created.

    Raises CannotOpenError if a newer version wrote it, or another program that uses Alembic too.
    """
    if connection.dialect.name == "postgresql":
        # A migration, and another process that waits for it, may take longer than the usual timeouts allow.
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {name} = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    tables = inspect(connection).get_table_names()
    found = text("SELECT version_num FROM alembic_version")
    current = connection.scalar(found) if "alembic_version" in tables else None
    if current is None:
        _create_schema(connection)
    elif current != HEAD:
        _upgrade(connection, current)
    return current is None


def _create_schema(connection: Connection) -> None:
    """Create the newest schema, without loading Alembic, which takes nine megabytes."""
    # If it skipped tables that exist, another program's would pass for ours.
    metadata.create_all(connection, checkfirst=False)
    column = "version_num VARCHAR(32) NOT NULL"
    key = "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)"
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS alembic_version ({column}, {key})"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _upgrade(connection: Connection, current: str) -> None:
    """Run every migration from revision `current` to the newest one."""
    # Imported here, since most starts have nothing to migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["connection"] = connection
    steps = ScriptDirectory.from_config(config).walk_revisions()
    if current not in {step.revision for step in steps}:
        raise CannotOpenError(
            f"The ledger was written by a newer version of this bot, or by another program (schema {current}). "
            "Install that version, or let DATABASE_URL name another database."
        )
    command.upgrade(config, "head")
