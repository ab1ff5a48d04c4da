"""The platform's ticket and tokens in the ledger, encrypted; and the claim by which one replica renews a token.

A claim is made by compare-and-set, which raises the token's fence; the new token is saved only if the fence is still
the same. Times are by the database's clock, and the remaining life of a token is returned in seconds.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, Engine, RowMapping, Update

from bot.ledger import token_statements as statements
from bot.ledger.seal import Seal, Sealed
from bot.ledger.writer import LedgerDownError, Writer

TICKET, COMPONENT = "ticket", "component"
"""The names of the platform's own ticket and token; all other names are owners' appids."""

TICKET_LIFE = 12 * 3600.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A stored ticket or token; `left` and `life` in seconds, times in Unix seconds."""

    name: str
    value: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    fence: int
    left: float
    life: float
    issued: float | None
    expires: float | None
    error: str | None
    """The key of the guidance for the last renewal, if it failed."""
    error_at: float | None


@dataclass(frozen=True, slots=True)
class OwnerPush:
    """A push about an owner: WeChat's CreateTime, and a mark that distinguishes pushes of the same second."""

    owner: str
    created: float
    mark: str


class Tokens:
    """One platform's tokens; every method raises LedgerDownError if the database fails or is too slow."""

    def __init__(self, writer: Writer, platform: str, seal: Seal) -> None:
        self._writer = writer
        self._platform = platform
        self._seal = seal

    async def all(self) -> Mapping[str, StoredToken]:
        """Return the ticket and all tokens, by name."""

        def work(on: Connection) -> Mapping[str, StoredToken]:
            rows = on.execute(statements.ALL, {"the_platform": self._platform}).mappings()
            return {row["name"]: read_stored_token(row, self._seal) for row in rows}

        return await self._writer.run(work)

    async def find(self, name: str) -> StoredToken | None:
        """Return the token of this name."""

        def work(on: Connection) -> StoredToken | None:
            row = on.execute(statements.ONE, self._key(name)).mappings().first()
            return read_stored_token(row, self._seal) if row else None

        return await self._writer.run(work)

    async def claim(self, name: str, seconds: float) -> StoredToken | None:
        """Claim the renewal of a token for `seconds`, and return the token; None while another replica has the claim."""

        def work(on: Connection) -> StoredToken | None:
            self._make(on, name)
            key = {**self._key(name), "seconds": seconds}
            row = on.execute(statements.CLAIM, key).mappings().first()
            return read_stored_token(row, self._seal) if row else None

        return await self._writer.run(work)

    async def save(
        self, claim: StoredToken, value: str, refresh_token: str | None, life: float
    ) -> bool:
        """Save a renewed token and end the claim; False if another replica has claimed it since.

        WeChat does not return the same token again, so it is written even if the caller is cancelled.
        """
        sealed = self._sealed(value, refresh_token, life)

        def work(on: Connection) -> bool:
            return on.execute(statements.SAVE, {**self._held(claim), **sealed}).rowcount == 1

        return await self._run_even_if_cancelled(work, claim.name)

    async def failed(self, claim: StoredToken, error: str, *, free: bool = True) -> bool:
        """Record why a renewal failed; end the claim, or without `free` keep it, so that others do not try yet.

        False if another replica has claimed it since.
        """
        how = statements.FAILED if free else statements.NOTED
        fill = {**self._held(claim), "error": error}
        return await self._writer.run(lambda on: on.execute(how, fill).rowcount == 1)

    async def release(self, claim: StoredToken) -> None:
        """End a claim without a renewal."""
        await self._writer.run(lambda on: on.execute(statements.RELEASE, self._held(claim)))

    def release_later(self, claim: StoredToken) -> None:
        """End a claim in the background, for a renewal that is being cancelled."""
        fill = self._held(claim)
        self._writer.run_later(lambda on: on.execute(statements.RELEASE, fill), token=claim.name)

    async def ticket(self, value: str, created: float) -> bool:
        """Save a pushed ticket; False if a push of the same second or later was saved before."""
        key = {**self._key(TICKET), "the_told": created}
        fill = {**key, **self._sealed(value, None, TICKET_LIFE)}
        return await self._writer.run(
            lambda on: self._changes(on, TICKET, statements.NEW_TICKET, fill)
        )

    async def record_push(self, push: OwnerPush) -> bool:
        """Record that a push arrived; False if it, or a later one, was recorded before."""
        return await self._writer.run(
            lambda on: self._changes(on, push.owner, statements.RECORD_PUSH, self._push_key(push))
        )

    async def is_latest(self, push: OwnerPush) -> bool:
        """Tell whether this is the last push about its owner."""
        fill = self._push_key(push)
        return await self._writer.run(
            lambda on: on.execute(statements.FIND_LATEST, fill).first() is not None
        )

    async def replace(self, push: OwnerPush, value: str, refresh_token: str, life: float) -> bool:
        """Save the tokens that an owner granted, and void any renewal under way.

        False if a later push about the owner was recorded.
        """
        fill = {**self._push_key(push), **self._sealed(value, refresh_token, life)}

        def work(on: Connection) -> bool:
            return self._changes(on, push.owner, statements.REPLACE, fill)

        return await self._run_even_if_cancelled(work, push.owner)

    async def revoke(self, push: OwnerPush, error: str) -> bool:
        """Delete an owner's tokens, and void any renewal under way; False as for `record_push`."""
        fill = {**self._push_key(push), "error": error}
        return await self._writer.run(
            lambda on: self._changes(on, push.owner, statements.REVOKE, fill)
        )

    def _changes(self, on: Connection, name: str, how: Update, fill: Mapping[str, object]) -> bool:
        self._make(on, name)
        return on.execute(how, fill).rowcount == 1

    async def _run_even_if_cancelled(self, work: Callable[[Connection], T], name: str) -> T:
        try:
            return await self._writer.run(work)
        except (asyncio.CancelledError, LedgerDownError):
            self._writer.run_later(work, token=name)
            raise

    def _make(self, on: Connection, name: str) -> None:
        on.execute(statements.MAKE, {"platform": self._platform, "name": name})

    def _key(self, name: str) -> dict[str, object]:
        return {"the_platform": self._platform, "the_name": name}

    def _held(self, claim: StoredToken) -> dict[str, object]:
        return {**self._key(claim.name), "the_fence": claim.fence}

    def _push_key(self, push: OwnerPush) -> dict[str, object]:
        # Marks have one length, so that none matches across two others.
        mark = f"{push.mark} "
        return {**self._key(push.owner), "the_told": push.created, "the_mark": mark}

    def _sealed(self, value: str, refresh_token: str | None, life: float) -> dict[str, object]:
        refresh = self._seal.encrypt(refresh_token) if refresh_token else None
        return {"value": self._seal.encrypt(value), "refresh_token": refresh, "life": life}


def read_stored_token(row: RowMapping, seal: Seal) -> StoredToken:
    """Return the token in a row of `tokens`, decrypted."""
    issued, expires = row["issued"], row["expires"]
    return StoredToken(
        row["name"],
        seal.decrypt(row["value"]),
        seal.decrypt(row["refresh_token"]),
        row["fence"],
        (expires or 0.0) - row["now"],
        (expires or 0.0) - (issued or 0.0),
        issued,
        expires,
        row["error"],
        row["error_at"],
    )


def at_rest(
    engine: Engine, platform: str, seal: Seal
) -> dict[str, tuple[StoredToken, set[Sealed]]]:
    """Return a platform's tokens by name, and how each is protected; raises SQLAlchemyError."""
    with engine.connect() as connection:
        rows = connection.execute(statements.ALL, {"the_platform": platform}).mappings().all()
    secrets = ("value", "refresh_token")
    return {
        row["name"]: (read_stored_token(row, seal), {seal.state(row[s]) for s in secrets if row[s]})
        for row in rows
    }
