"""The settings of the three token sources: a fixed token, the company's token server, the platform's own chain."""

import re
import sys
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import assert_never
from urllib.parse import urlsplit

from bot.command import is_appid
from bot.policy import Policy
from bot.settings import table
from bot.settings.environ import Reader
from bot.settings.setting import Setting

_ENCODING_AES_KEY = re.compile(r"[A-Za-z0-9+/]{43}")
_FERNET_KEY_BYTES = 32
_NO_OWNER = (
    "No mini program is known to own any env. Set WECHAT_AUTHORIZER_APPID, or add "
    "[[owner]] to the policy file."
)


@dataclass(frozen=True, slots=True)
class FixedTokenSettings:
    """Token source 1: one token, of the default owner."""

    owner: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenServerSettings:
    """Token source 2: GET `url`, in which `{appid}` is replaced by the owner."""

    url: str = field(repr=False)
    authorization: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlatformSettings:
    """Token source 3: the third-party platform whose token chain the bot keeps.

    Message tokens (消息校验Token), EncodingAESKeys and encryption keys for the ledger's tokens are in the order in which they
    are tried.
    """

    appid: str
    appsecret: str = field(repr=False)
    message_tokens: tuple[str, ...] = field(repr=False)
    encoding_aes_keys: tuple[str, ...] = field(repr=False)
    refresh_token: str | None = field(repr=False)
    encryption_keys: tuple[str, ...] = field(repr=False)


TokenSettings = FixedTokenSettings | TokenServerSettings | PlatformSettings


def secrets_of(tokens: TokenSettings) -> list[str | None]:
    """Return the secrets in a token source's settings."""
    match tokens:
        case FixedTokenSettings(_, token):
            return [token]
        case TokenServerSettings(url, header):
            parts = urlsplit(url)
            # Each parameter by itself, because the one with {appid} differs in each call.
            query = re.findall("[?&][^&]+", f"?{parts.query}")
            keys = [part for part in query if "{appid}" not in part]
            return [header, *(header or "").split()[-1:], *keys]
        case PlatformSettings():
            keys = [*tokens.encoding_aes_keys, *tokens.encryption_keys]
            return [tokens.appsecret, *tokens.message_tokens, tokens.refresh_token, *keys]
        case _:
            assert_never(tokens)


def read_tokens(read: Reader, owner: str | None) -> TokenSettings | None:
    """Return the token source that is set; `owner` is the default owner."""
    sources = (
        "WECHAT_COMPONENT_APPID",
        "WECHAT_TOKEN_SERVER_URL",
        "WECHAT_AUTHORIZER_ACCESS_TOKEN",
    )
    found = [name for name in sources if read.text(name)]
    if len(found) > 1:
        read.problems.append(f"{' and '.join(found)} are set together. Keep one of them.")
    keys = _encryption_keys(read)  # checked for every source, even if none needs it yet
    match found[:1]:
        case ["WECHAT_COMPONENT_APPID"]:
            return _platform(read, keys)
        case ["WECHAT_TOKEN_SERVER_URL"]:
            return _token_server(read)
        case ["WECHAT_AUTHORIZER_ACCESS_TOKEN"]:
            return _fixed(read, owner)
        case _:
            read.problems.append(
                "There is no source for WeChat tokens. Set WECHAT_COMPONENT_APPID to your third-party platform, "
                "or WECHAT_TOKEN_SERVER_URL to your central token server or, to try things, "
                "WECHAT_AUTHORIZER_ACCESS_TOKEN to a token."
            )
            return None


def _fixed(read: Reader, owner: str | None) -> FixedTokenSettings:
    _need_owner(read, "that WECHAT_AUTHORIZER_ACCESS_TOKEN belongs to")
    _refuse_appid(read, table.WECHAT_AUTHORIZER_ACCESS_TOKEN)
    token = table.WECHAT_AUTHORIZER_ACCESS_TOKEN.value(read) or ""
    return FixedTokenSettings(owner or "", token)


def _token_server(read: Reader) -> TokenServerSettings:
    server = table.WECHAT_TOKEN_SERVER_URL.value(read)
    if "{appid}" not in server:
        into = "put {appid} into WECHAT_TOKEN_SERVER_URL"
        _need_owner(read, f"whose token the token server gives, or {into}")
    return TokenServerSettings(server, table.WECHAT_TOKEN_SERVER_AUTHORIZATION.value(read))


def _platform(read: Reader, keys: tuple[str, ...]) -> PlatformSettings:
    appid = table.WECHAT_COMPONENT_APPID.value(read) or ""
    if not is_appid(appid):
        read.problems.append(
            "WECHAT_COMPONENT_APPID is not an appid. Copy the platform's AppID from open.weixin.qq.com."
        )
    _refuse_appid(read, table.WECHAT_COMPONENT_APPSECRET)
    seed = table.WECHAT_AUTHORIZER_REFRESH_TOKEN.value(read)
    if seed:
        _need_owner(read, "that WECHAT_AUTHORIZER_REFRESH_TOKEN belongs to")
        _refuse_appid(read, table.WECHAT_AUTHORIZER_REFRESH_TOKEN)
    return PlatformSettings(
        appid,
        _needed(read, table.WECHAT_COMPONENT_APPSECRET, "AppSecret"),
        _message_tokens(read),
        _encoding_aes_keys(read),
        seed,
        keys,
    )


def _needed(read: Reader, setting: Setting[str | None], there: str) -> str:
    value = setting.value(read)
    if not value:
        read.problems.append(
            f"{setting.name} is missing. Copy the platform's {there} from open.weixin.qq.com."
        )
    return value or ""


def _need_owner(read: Reader, which: str) -> None:
    """Add a problem if the default owner is missing; a wrong one is a problem already."""
    if not table.WECHAT_AUTHORIZER_APPID.value(read):
        read.problems.append(f"WECHAT_AUTHORIZER_APPID is missing. Set it to the appid {which}.")


def _refuse_appid(read: Reader, setting: Setting[str | None]) -> None:
    """Add a problem if an appid is in the place of a secret, as when two settings are swapped."""
    if is_appid(setting.value(read) or ""):
        read.problems.append(
            f"{setting.name} holds an appid. Put the secret there that goes with the appid."
        )


def _message_tokens(read: Reader) -> tuple[str, ...]:
    current = _needed(read, table.WECHAT_MESSAGE_TOKEN, "消息校验Token")
    return tuple(filter(None, (current, table.WECHAT_MESSAGE_TOKEN_PREVIOUS.value(read))))


def _encoding_aes_keys(read: Reader) -> tuple[str, ...]:
    current = _needed(read, table.WECHAT_ENCODING_AES_KEY, "消息加解密Key")
    previous = table.WECHAT_ENCODING_AES_KEY_PREVIOUS.value(read)
    keys = {"WECHAT_ENCODING_AES_KEY": current, "WECHAT_ENCODING_AES_KEY_PREVIOUS": previous}
    for name, key in keys.items():
        if key and not _ENCODING_AES_KEY.fullmatch(key):
            read.problems.append(
                f"{name} is no EncodingAESKey, which has 43 letters and digits. Copy 消息加解密Key from "
                "open.weixin.qq.com."
            )
    return tuple(filter(None, keys.values()))


def _encryption_keys(read: Reader) -> tuple[str, ...]:
    """Return the Fernet keys that encrypt the ledger's tokens, newest first."""
    keys = tuple(table.TOKEN_ENCRYPTION_KEY.value(read).replace(",", " ").split())
    for number, key in enumerate(keys, 1):
        if not _is_fernet_key(key):
            which = f" (number {number})" if len(keys) > 1 else ""
            read.problems.append(
                f"TOKEN_ENCRYPTION_KEY{which} is no Fernet key. Make one with: {sys.executable} -c 'from "
                "cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            )
    return keys


def _is_fernet_key(key: str) -> bool:
    try:
        return len(urlsafe_b64decode(key)) == _FERNET_KEY_BYTES
    except ValueError:
        return False


def check_owners(read: Reader, policy: Policy, tokens: TokenSettings) -> None:
    """Add a problem for each owner whose token the source cannot provide."""
    others = sorted({owner.appid for owner in policy.owners} - {policy.default_owner})
    match tokens:
        case PlatformSettings() if not policy.owners and not policy.default_owner:
            read.problems.append(_NO_OWNER)
        case PlatformSettings():
            pass
        case TokenServerSettings(url=url) if "{appid}" in url:
            if not policy.owners and not policy.default_owner:
                read.problems.append(_NO_OWNER)
        case _ if not others or not policy.default_owner:
            pass  # a single owner; or the default owner is missing, which is a problem already
        case TokenServerSettings():
            read.problems.append(
                "WECHAT_TOKEN_SERVER_URL gives one token, but the policy file names several owners. Put "
                "{appid} into the address where the owner's appid belongs."
            )
        case FixedTokenSettings(owner=owner):
            read.problems.append(
                f"WECHAT_AUTHORIZER_ACCESS_TOKEN serves {owner} only, but the policy file also names "
                f"{', '.join(others)}. Use WECHAT_TOKEN_SERVER_URL for several owners."
            )
        case _:
            assert_never(tokens)
