"""What the stand-in WeChat tells the platform by itself, tickets and what owners do: XML, encrypted and signed.

Source: developers.weixin.qq.com, oplatform/Third-party_Platforms/2.0, Before_Develop:
component_verify_ticket, authorize_event and message_push.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.playground.wechat.owners import CODE_LIFETIME, PERMISSIONS, PlatformOwners
from bot.playground.wechat.tokens import IssuedTokens
from bot.wechat.encryption import RANDOM_BYTES, encrypt, key_of, signature

CONTENT_TYPE = "text/xml"


@dataclass(frozen=True, slots=True)
class PushKeys:
    """What a push is encrypted and signed with: the same on both sides."""

    appid: str
    message_token: str
    encoding_aes_key: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """What differs from push to push: Unix seconds, digits, and RANDOM_BYTES bytes."""

    timestamp: int
    nonce: str
    random: bytes


@dataclass(frozen=True, slots=True)
class Push:
    """One POST to the platform's callback."""

    info_type: str
    query: dict[str, str]
    body: bytes


def event(component_appid: str, info_type: str, at: int, **more: str | int) -> dict[str, str | int]:
    """Return the fields of an event that happened at `at`, in Unix seconds."""
    return {"AppId": component_appid, "CreateTime": at, "InfoType": info_type, **more}


def sealed(fields: Mapping[str, str | int], seal: PushKeys, stamp: Stamp) -> Push:
    """Return the push of an event's fields; ValueError if the seal's key is no EncodingAESKey."""
    key = key_of(seal.encoding_aes_key)
    if key is None:
        raise ValueError("the EncodingAESKey is not 43 characters of base64")
    encrypted = encrypt(key, xml(fields), seal.appid, stamp.random)
    token, timestamp = seal.message_token, str(stamp.timestamp)
    query = {
        "signature": signature(
            token, timestamp, stamp.nonce, ""
        ),  # of no use: it leaves the body out
        "timestamp": timestamp,
        "nonce": stamp.nonce,
        "encrypt_type": "aes",
        "msg_signature": signature(token, timestamp, stamp.nonce, encrypted),
    }
    body = xml({"AppId": seal.appid, "Encrypt": encrypted})
    return Push(str(fields.get("InfoType", "")), query, body)


def xml(fields: Mapping[str, str | int]) -> bytes:
    """Return fields as WeChat writes them: text as CDATA, numbers bare."""
    lines = (f"<{name}>{_value(value)}</{name}>" for name, value in fields.items())
    return "\n".join(("<xml>", *lines, "</xml>")).encode()


def _value(value: str | int) -> str:
    return str(value) if isinstance(value, int) else f"<![CDATA[{value}]]>"


PUSH_INTERVAL = 600.0
PUSH_TIMEOUT = 5.0
_ANOTHER = 17  # a permission set that has nothing to do with cloud environments


class Pushed(NamedTuple):
    """One push, and how the bot answered: status 0 and the error's name if it did not."""

    info_type: str
    status: int
    text: str


class Pushes(PlatformOwners):
    """The platform, and a way to reach it: `callback` is the URL of its POST /wechat/events.

    Each `push_…` returns the status and text of the bot's answer. `push_interval` is the time
    between two tickets once the bot has asked for them, `push_timeout` how long an answer may
    take, both in seconds.
    """

    def __init__(
        self, clock: Callable[[], float], access_tokens: IssuedTokens, note: Callable[[str], None]
    ) -> None:
        super().__init__(clock, access_tokens)
        self.callback: str | None = None
        self.pushes: list[Pushed] = []
        self.push_interval = PUSH_INTERVAL
        self.push_timeout = PUSH_TIMEOUT
        self._note = note
        self._session: ClientSession | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()

    async def start(self) -> None:
        """Open the HTTP session for pushes."""
        self._session = ClientSession()

    async def stop(self) -> None:
        """Cancel every push, those under way and those to come."""
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
            self._ticking = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def seal(self) -> PushKeys:
        """Return what pushes are encrypted and signed with at present."""
        key = self.previous_encoding_aes_key or self.encoding_aes_key
        token = self.previous_message_token or self.message_token
        return PushKeys(self.component_appid, token, key)

    async def push_ticket(self) -> tuple[int, str]:
        """Push a new component_verify_ticket."""
        return await self._tell("component_verify_ticket", ComponentVerifyTicket=self.new_ticket())

    async def push_authorized(self, owner: str) -> tuple[int, str]:
        """Let an owner authorise the platform for the first time, and push that."""
        return await self._tell_of_code("authorized", owner, PERMISSIONS)

    async def push_updateauthorized(self, owner: str) -> tuple[int, str]:
        """Let an owner authorise the platform anew, with a set more or less than before, and push that."""
        changed = _ANOTHER in self.granted.get(owner, ())
        sets = PERMISSIONS if changed else (*PERMISSIONS, _ANOTHER)
        return await self._tell_of_code("updateauthorized", owner, sets)

    async def reauthorize(self, owner: str, *sets: int) -> bool:
        """Let an owner go through the authorisation link again; False if it changes nothing, and nothing is pushed."""
        if set(sets) == set(self.granted[owner]):
            return False
        await self._tell_of_code("updateauthorized", owner, sets)
        return True

    async def push_unauthorized(self, owner: str) -> tuple[int, str]:
        """Let an owner revoke, and push that."""
        self.revoke(owner)
        return await self._tell("unauthorized", AuthorizerAppid=owner)

    async def push_other(self, info_type: str) -> tuple[int, str]:
        """Push an event of another type, of which nothing else is known."""
        return await self._tell(info_type)

    async def deliver(self, push: Push) -> tuple[int, str]:
        """Send a push as it is; ValueError without a callback."""
        if self.callback is None or self._session is None:
            raise ValueError("there is nowhere to push to: the server or its callback is not there")
        status, text = await self._posted(self._session, self.callback, push)
        self.pushes.append(Pushed(push.info_type, status, text))
        self._note(f"push {push.info_type}: {status}")
        return status, text

    async def _posted(self, session: ClientSession, url: str, push: Push) -> tuple[int, str]:
        try:
            async with session.post(
                url,
                params=push.query,
                data=push.body,
                headers={"Content-Type": CONTENT_TYPE},
                allow_redirects=False,
                timeout=ClientTimeout(total=self.push_timeout),
            ) as response:
                return response.status, await response.text(errors="replace")
        except (ClientError, TimeoutError) as error:
            return 0, type(error).__name__

    async def _tell_of_code(
        self, info_type: str, owner: str, sets: tuple[int, ...]
    ) -> tuple[int, str]:
        code = self.authorize(owner, sets)
        return await self._tell(
            info_type,
            AuthorizerAppid=owner,
            AuthorizationCode=code,
            AuthorizationCodeExpiredTime=int(time.time()) + CODE_LIFETIME,
            PreAuthCode=f"preauthcode@@@made-up-of-{owner}",
        )

    async def _tell(self, info_type: str, **more: str | int) -> tuple[int, str]:
        now = int(time.time())
        nonce = str(secrets.randbelow(1 << 31))
        stamp = Stamp(now, nonce, secrets.token_bytes(RANDOM_BYTES))
        fields = event(self.component_appid, info_type, now, **more)
        return await self.deliver(sealed(fields, self.seal, stamp))

    def _keep_pushing(self) -> bool:
        """Start to push tickets regularly, the first at once; False if that was started before."""
        self._wanted.set()
        if self._ticking is not None:
            return False
        self._ticking = asyncio.create_task(self._tick())
        return True

    async def _tick(self) -> None:
        while True:
            self._wanted.clear()
            if self.callback is not None:
                await self.push_ticket()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.push_interval):
                    await self._wanted.wait()
