"""The third-party platform as WeChat keeps it: its pushes to the replicas, and what its owners do.

The rules are the playground's. A push goes to the real handler of one live replica, and is sent again until that answers.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, cast

from aiohttp import web
from cryptography.fernet import Fernet

from bot.playground.wechat.platform import PERMISSIONS, PUSH_INTERVAL, PlatformStandIn
from bot.playground.wechat.pushes import Push, Stamp, event, sealed
from bot.playground.wechat.tokens import IssuedTokens
from bot.runtime.bounded import BODIES, Bodies
from bot.settings.access import PlatformSettings
from bot.wechat.push import RANDOM_BYTES

if TYPE_CHECKING:
    from tests.simulation.world import World

KEY = "bWFkZS11cC1rZXktb2YtdGhlLWxlZGdlci0wMDAwMDA="
"""Encrypts the tokens in the ledger."""
PLATFORM = PlatformSettings(
    appid="wxc0de00000000c0de",
    appsecret="made-up-component-secret",
    message_tokens=("made-up-message-token",),
    encoding_aes_keys=("MadeUpEncodingAESKeyOfTheLocalWeChat0000004",),
    refresh_token=None,
    encryption_keys=(KEY,),
)
SECRETS = (PLATFORM.appsecret, *PLATFORM.message_tokens, *PLATFORM.encoding_aes_keys, KEY)
SHAPES = (
    "ticket@@@made-up",
    "refreshtoken@@@made-up",
    "queryauthcode@@@made-up",
    "made-up-component-token",
)
"""How what WeChat issues begins."""
_AGAIN = 15.0  # seconds; a guess, since WeChat tells no times
_SOON = 5.0
_DONE = (200, "success")

Carry = Callable[[Push], Awaitable[tuple[int, str]]]


class SimulatedPlatform(PlatformStandIn):
    """A platform whose pushes are carried by `carry`; `told` hears of each that was answered. `now` is the true Unix time."""

    def __init__(
        self,
        now: Callable[[], float],
        tokens: IssuedTokens,
        note: Callable[[str], None],
        dice: Random,
        carry: Carry,
        told: Callable[[str, str, int], None],
    ) -> None:
        self._now = now
        self._has_told = told
        self._dice = dice
        self._carry = carry
        self._noted = note
        self.silent = False
        """Whether it pushes no tickets for now."""
        self._newest: dict[str, int] = {}
        self._pushing: asyncio.Task[None] | None = None
        super().__init__(now, tokens, note)
        self.rotate_refresh_tokens = True

    def authorize(self, owner: str, sets: tuple[int, ...] = PERMISSIONS) -> str:
        """Let an owner grant; until their code is exchanged, WeChat tells no refresh token of theirs."""
        code = super().authorize(owner, sets)
        self.authorized[owner] = int(self._now())
        self.without_refresh_token.add(owner)
        return code

    def keep_pushing(self) -> bool:
        """Push a ticket soon, as a call asks for; those of every ten minutes go on besides."""
        if not self.silent:
            self._pushing = asyncio.get_running_loop().create_task(self._push_soon())
        return not self.silent

    async def _push_soon(self) -> None:
        await self.push_ticket()

    async def push_for_ever(self) -> None:
        """Push a ticket every ten minutes."""
        while True:
            if not self.silent:
                await self.push_ticket()
            await asyncio.sleep(PUSH_INTERVAL)

    async def grant(self, owner: str) -> None:
        """Let an owner grant, and push the code."""
        code = self.authorize(owner)
        await self.push("authorized", AuthorizerAppid=owner, AuthorizationCode=code)

    async def withdraw(self, owner: str) -> None:
        """Let an owner withdraw, and push that."""
        await self.push_unauthorized(owner)

    async def push(self, info_type: str, **more: str | int) -> tuple[int, str]:
        """Push an event until it is answered with success, and then never again; a later one takes its place."""
        created = int(self._now())
        about = f"{info_type == 'component_verify_ticket'} {more.get('AuthorizerAppid')}"
        self._newest[about] = number = self._newest.get(about, 0) + 1
        fields = event(self.component_appid, info_type, created, **more)
        answer = 0, ""
        while answer != _DONE and self._newest[about] == number:
            random = self._dice.randbytes(RANDOM_BYTES)
            stamp = Stamp(int(self._now()), str(self._dice.randrange(1 << 31)), random)
            answer = await self._carry(sealed(fields, self.seal, stamp))
            self._noted(f"pushes {info_type}: {answer[0]} {answer[1]}")
            if answer != _DONE:
                await asyncio.sleep(_AGAIN if answer[0] else _SOON)
        if self._newest[about] == number:
            self._has_told(info_type, str(more.get("AuthorizerAppid", "")), created)
        return answer


class _Body:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def readany(self) -> bytes:
        rest, self._body = self._body, b""
        return rest


@dataclass(frozen=True, slots=True)
class _Request:
    """What the handler of pushes reads of an HTTP request."""

    app: Mapping[object, Bodies]
    query: Mapping[str, str]
    content: _Body
    content_length: int
    body_exists: bool = True


def request_of(push: Push) -> web.Request:
    """Return the request of a push as a replica's listener hands it over."""
    request = _Request({BODIES: Bodies()}, push.query, _Body(push.body), len(push.body))
    return cast("web.Request", request)


# What must hold.


def kept(world: "World") -> dict[str, str]:
    """Return the tokens that the ledger keeps, by name, decrypted."""
    fernet = Fernet(KEY)
    return {
        name: fernet.decrypt(value.removeprefix("fernet:")).decode()
        if value.startswith("fernet:")
        else value.removeprefix("plain:")
        for name, value in world.database.rows("SELECT name, value FROM tokens WHERE value <> ''")
    }


def not_recovered(world: "World") -> Iterator[str]:
    """Yield each owner who has granted, and whose token in the ledger is not valid."""
    if not world.chain:
        return
    wechat, tokens = world.wechat, kept(world)
    for owner in wechat.platform.authorized:
        if owner in world.lost_codes and owner in wechat.platform.without_refresh_token:
            continue  # the owner has to act
        token = tokens.get(owner, "")
        if not wechat.may_be_kept(token):
            yield f"{owner} has granted, and the ledger has no token of theirs that is valid"


def no_secret_is_kept_in_clear(world: "World") -> Iterator[str]:
    """Nothing of the chain is in the ledger as it is, or in an event."""
    if not world.chain:
        return
    secrets = (*SECRETS, *SHAPES, "made-up-token-")
    names = world.database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    for (table,) in names:
        for row in world.database.rows(f'SELECT * FROM "{table}"'):  # noqa: S608  # a table's name
            yield from (f"{each} is in {table}" for each in secrets if each in repr(row))
    for _, told in world.events:
        said = json.dumps(dict(told.facts), default=str)
        yield from (f"{each} is in an event" for each in secrets if each in said)


# What WeChat, its owners and other systems do.


def _platform(world: "World") -> SimulatedPlatform:
    return cast("SimulatedPlatform", world.wechat.platform)


@dataclass(frozen=True, slots=True)
class NoTickets:
    """WeChat pushes no tickets for a while; with `forgotten`, the last one is of no use either."""

    at: float
    seconds: float
    forgotten: bool

    async def act(self, world: "World", _dice: Random) -> None:
        """Stop, and go on."""
        platform = _platform(world)
        world.note("WeChat", f"pushes no tickets for {self.seconds:.0f} s")
        platform.silent = True
        ticket = platform.tickets.newest(platform.component_appid)
        if self.forgotten and ticket:
            platform.tickets.end(ticket, "expired")
        await asyncio.sleep(self.seconds)
        platform.silent = False
        await platform.push_ticket()


@dataclass(frozen=True, slots=True)
class Supersede:
    """Another system gets new tokens of an owner, or WeChat gives them another refresh token."""

    at: float
    owner: str
    refresh: bool

    async def act(self, world: "World", _dice: Random) -> None:
        """Replace what the bot has."""
        platform = _platform(world)
        world.note(
            "another system", f"renews {'all' if self.refresh else 'the token'} of {self.owner}"
        )
        world.wechat.overtake(self.owner)
        if self.refresh and self.owner not in platform.without_refresh_token:
            platform.lose(self.owner)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """An owner withdraws, and grants again later."""

    at: float
    owner: str
    seconds: float

    async def act(self, world: "World", _dice: Random) -> None:
        """Withdraw and grant."""
        platform = _platform(world)
        world.note(self.owner, "withdraws")
        withdrawn = asyncio.ensure_future(platform.withdraw(self.owner))
        await asyncio.sleep(self.seconds)
        world.note(self.owner, "grants again")
        world.withdrawn.pop(self.owner, None)
        await platform.grant(self.owner)
        await withdrawn
