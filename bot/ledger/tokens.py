"""The platform's ticket and tokens in the ledger, encrypted; and the claim by which one replica renews a token.

A claim is made by compare-and-set, which raises the token's fence; the new token is saved only if the fence is still
the same. Times are by the database's clock, and the remaining life of a token is returned in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import (
    Connection,
    Engine,
    RowMapping,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from bot.domain.outcome import Said
from bot.ledger.events import address_in, why_in, with_address
from bot.ledger.schema import ERROR_LIMIT, tokens
from bot.ledger.seal import Seal, Sealed
from bot.ledger.statements import NOW, compared, seconds, upsert, value_of
from bot.ledger.writer import Operations, Writer, in_transaction

TICKET, COMPONENT = "ticket", "component"
"""The names of the platform's own ticket and token; all other names are owners' appids."""

_SECRETS = ("value", "refresh_token", "code")

TICKET_LIFE = 12 * 3600.0

_t = tokens.c
_KEY = and_(compared(_t.platform), compared(_t.name))
_TOLD, _MARK = seconds("the_told"), bindparam("the_mark", type_=_t.told_marks.type)
_NEWER = or_(_t.told.is_(None), _t.told < _TOLD)
_SAME_SECOND = and_(_t.told == _TOLD, ~_t.told_marks.contains(_MARK))
_IS_NEW = and_(_KEY, or_(_NEWER, _SAME_SECOND))
_MARKS = case((_t.told == _TOLD, _t.told_marks + _MARK), else_=_MARK)
_RECORDED = {"told": _TOLD, "told_marks": _MARKS}
_TROUBLE = {"error": value_of(_t.error), "error_at": NOW}
_VOID_CLAIM = {"fence": _t.fence + 1, "lease_until": 0.0}
_FRESH = {
    "value": value_of(_t.value),
    "refresh_token": func.coalesce(value_of(_t.refresh_token), _t.refresh_token),
    "issued": NOW,
    "expires": NOW + seconds("life"),
    "error": None,
    "error_at": None,
    "code": None,
}

_ALL = select(tokens, NOW.label("now")).where(compared(_t.platform))
_ONE = _ALL.where(compared(_t.name))
_MAKE = upsert(
    lambda insert: (
        insert(tokens)
        .values(platform=value_of(_t.platform), name=value_of(_t.name))
        .on_conflict_do_nothing()
    )
)
_UNTIL = NOW + seconds("seconds")
# A claim that ends later than a new one would was made before the clock was set back, so it is void.
_CLAIM = (
    update(tokens)
    .where(_KEY, or_(_t.lease_until <= NOW, _t.lease_until > _UNTIL))
    .values(fence=_t.fence + 1, lease_until=_UNTIL)
    .returning(tokens, NOW.label("now"))
)
_RELEASE = update(tokens).where(_KEY, compared(_t.fence)).values(lease_until=0.0)
_SAVE, _FAILED = _RELEASE.values(_FRESH), _RELEASE.values(_TROUBLE)
_NOTED = update(tokens).where(_KEY, compared(_t.fence)).values(_TROUBLE)
_DROP_CODE = update(tokens).where(_KEY, compared(_t.fence)).values(code=None)

# A push from WeChat takes precedence over a renewal under way, which loses its claim.
_NOTHING = dict.fromkeys(("value", "refresh_token", "issued", "expires", "code"))
# A new fence, so that a refusal to push one is not noted afterwards; but within the claim none is requested again.
_NEW_TICKET = update(tokens).where(_KEY, _NEWER).values(told=_TOLD, fence=_t.fence + 1, **_FRESH)
_GRANT = (
    update(tokens)
    .where(_IS_NEW)
    .values(**_RECORDED, code=value_of(_t.code), **_VOID_CLAIM)
    .returning(tokens, NOW.label("now"))
)
_REVOKE = update(tokens).where(_IS_NEW).values(**_RECORDED, **_NOTHING, **_TROUBLE, **_VOID_CLAIM)


@dataclass(frozen=True, slots=True, kw_only=True)
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
    address: str | None = None
    """The bot's address, as WeChat saw it, if it refused that."""
    code: str | None = field(default=None, repr=False)
    """The authorization code with which the owner's next tokens are to be obtained."""
    lost: bool = False
    """Whether no key decrypts some of it."""


@dataclass(frozen=True, slots=True)
class OwnerPush:
    """A push about an owner: WeChat's CreateTime, and a mark that distinguishes pushes of the same second."""

    owner: str
    created: float
    mark: str


class Tokens(Operations):
    """One platform's tokens; every method raises LedgerDownError if the database fails or is too slow."""

    def __init__(self, writer: Writer, platform: str, seal: Seal) -> None:
        super().__init__(writer)
        self._platform = platform
        self._seal = seal

    @in_transaction
    def all(self, on: Connection) -> Mapping[str, StoredToken]:
        """Return the ticket and all tokens, by name."""
        rows = on.execute(_ALL, {"the_platform": self._platform}).mappings()
        return {row["name"]: _read(row, self._seal) for row in rows}

    @in_transaction
    def find(self, on: Connection, name: str) -> StoredToken | None:
        """Return the token of this name."""
        row = on.execute(_ONE, self._key(name)).mappings().first()
        return _read(row, self._seal) if row else None

    @in_transaction
    def claim(self, on: Connection, name: str, seconds: float) -> StoredToken | None:
        """Claim the renewal of a token for `seconds`, and return the token; None while another replica has the claim."""
        self._make(on, name)
        row = on.execute(_CLAIM, {**self._key(name), "seconds": seconds}).mappings().first()
        return _read(row, self._seal) if row else None

    async def save(
        self, claim: StoredToken, value: str, refresh_token: str | None, life: float
    ) -> bool:
        """Save a renewed token and end the claim; False if another replica has claimed it since."""
        fill = {**self._held(claim), **self._sealed(value, refresh_token)}
        return await self._store(_SAVE, fill, life)

    @in_transaction
    def failed(
        self,
        on: Connection,
        claim: StoredToken,
        error: str,
        said: Said | None = None,
        *,
        free: bool = True,
    ) -> bool:
        """Record why a renewal failed, and what WeChat `said`, if that names the bot's address; end the claim, or without `free` keep it, so that others do not try yet.

        False if another replica has claimed it since.
        """
        why = with_address(error, said)[:ERROR_LIMIT]
        fill = {**self._held(claim), "the_error": why}
        return _changes(on, _FAILED if free else _NOTED, fill)

    def release(self, claim: StoredToken) -> None:
        """End a claim without a renewal, in the background: the renewal may be cancelled, or need not wait for it."""
        self._writer.run_later(lambda on: on.execute(_RELEASE, self._held(claim)), token=claim.name)

    @in_transaction
    def ticket(self, on: Connection, value: str, created: float) -> bool:
        """Save a pushed ticket; False if a push of the same second or later was saved before."""
        key = {**self._key(TICKET), "the_told": created}
        self._make(on, TICKET)
        return _changes(on, _NEW_TICKET, {**key, **self._sealed(value), "life": TICKET_LIFE})

    def drop_code(self, claim: StoredToken) -> None:
        """Delete the code of a claim, in the background as `release`, unless a push has brought another since."""
        self._writer.run_later(
            lambda on: on.execute(_DROP_CODE, self._held(claim)), token=claim.name
        )

    async def grant(self, push: OwnerPush, code: str) -> StoredToken | None:
        """Keep the code of a push until a token is saved, and void any renewal under way; return the token so far.

        None if this push, or a later one, was recorded before. If the ledger is down, it is written once that is up.
        """
        fill = {**self._push_key(push), "the_code": self._seal.encrypt(code)}

        def write(on: Connection) -> StoredToken | None:
            self._make(on, push.owner)
            row = on.execute(_GRANT, fill).mappings().first()
            return _read(row, self._seal) if row else None

        return await self._writer.run_or(write, write, token=push.owner)

    @in_transaction
    def revoke(self, on: Connection, push: OwnerPush, error: str) -> bool:
        """Delete an owner's tokens and code, and void any renewal under way.

        False if this push, or a later one, was recorded before.
        """
        self._make(on, push.owner)
        return _changes(on, _REVOKE, {**self._push_key(push), "the_error": error})

    async def _store(self, how: Update, fill: Mapping[str, object], life: float) -> bool:
        """Write a new token, even if the caller is cancelled, since WeChat does not return the same token again.

        If the ledger is down, it is written once that is up, with what is left of its life.
        """
        clock = self._writer.clock
        ends = clock() + life

        def write(on: Connection) -> bool:
            return _changes(on, how, {**fill, "life": ends - clock()})

        return await self._writer.run_or(write, write, token=fill["the_name"])

    def _make(self, on: Connection, name: str) -> None:
        _MAKE.run(on, self._key(name))

    def _key(self, name: str) -> dict[str, object]:
        return {"the_platform": self._platform, "the_name": name}

    def _held(self, claim: StoredToken) -> dict[str, object]:
        return {**self._key(claim.name), "the_fence": claim.fence}

    def _push_key(self, push: OwnerPush) -> dict[str, object]:
        # Marks have one length, so that none matches across two others.
        return {**self._key(push.owner), "the_told": push.created, "the_mark": f"{push.mark} "}

    def _sealed(self, value: str, refresh_token: str | None = None) -> dict[str, object]:
        refresh = self._seal.encrypt(refresh_token) if refresh_token else None
        return {"the_value": self._seal.encrypt(value), "the_refresh_token": refresh}


def _changes(on: Connection, how: Update, fill: Mapping[str, object]) -> bool:
    return on.execute(how, fill).rowcount == 1


def _read(row: RowMapping, seal: Seal) -> StoredToken:
    """Return the token in a row of `tokens`, decrypted."""
    issued, expires, error = row["issued"], row["expires"], row["error"]
    secrets = {name: seal.decrypt(row[name]) for name in _SECRETS}
    return StoredToken(
        name=row["name"],
        value=secrets["value"],
        refresh_token=secrets["refresh_token"],
        fence=row["fence"],
        left=(expires or 0.0) - row["now"],
        life=(expires or 0.0) - (issued or 0.0),
        issued=issued,
        expires=expires,
        error=why_in(error) if error else None,
        error_at=row["error_at"],
        address=address_in(error) if error else None,
        code=secrets["code"],
        lost=any(row[name] and secrets[name] is None for name in _SECRETS),
    )


def at_rest(
    engine: Engine, platform: str, seal: Seal
) -> dict[str, tuple[StoredToken, set[Sealed]]]:
    """Return a platform's tokens by name, and how each is protected; raises SQLAlchemyError."""
    with engine.connect() as connection:
        rows = connection.execute(_ALL, {"the_platform": platform}).mappings().all()
    return {
        row["name"]: (_read(row, seal), {seal.state(row[s]) for s in _SECRETS if row[s]})
        for row in rows
    }
