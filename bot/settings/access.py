"""The settings that give access to Slack, to WeChat by one of three token sources, and to the collector of events."""

import re
from dataclasses import dataclass, field
from typing import ClassVar, assert_never

from bot.command.grammar import is_appid
from bot.domain.sentence import Sentence, joined
from bot.policy.kinds import Policy
from bot.settings.environ import Reader
from bot.settings.setting import Setting
from bot.settings.table import Table


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """How to reach Slack: Socket Mode with an app token, else HTTP with a signing secret."""

    bot_token: str = field(repr=False)
    app_token: str | None = field(repr=False)
    signing_secret: str | None = field(repr=False)
    api_url: str


@dataclass(frozen=True, slots=True)
class FixedTokenSettings:
    """Token source 1: one token, of the default owner."""

    owner: str
    token: str = field(repr=False)
    described: ClassVar = Sentence("a fixed WeChat token")


@dataclass(frozen=True, slots=True)
class TokenServerSettings:
    """Token source 2: GET `url`, in which `{appid}` is replaced by the owner."""

    url: str = field(repr=False)
    authorization: str | None = field(repr=False)
    described: ClassVar = Sentence("a token server")


@dataclass(frozen=True, slots=True, kw_only=True)
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
    described: ClassVar = Sentence("the platform's own token chain")


TokenSettings = FixedTokenSettings | TokenServerSettings | PlatformSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSettings:
    """Where events are sent: with an Authorization header and signed with `key`, if these are set.

    `include_text`: also what people wrote.
    """

    url: str = field(repr=False)
    authorization: str | None = field(repr=False)
    key: bytes | None = field(repr=False)
    include_text: bool


def read_collector(read: Reader) -> CollectorSettings | None:
    """Return where events are sent; None if nowhere, or if a setting of it is wrong."""
    before = len(read.problems)
    collector = CollectorSettings(
        url=Table.AUDIT_URL.value(read),
        authorization=Table.AUDIT_AUTHORIZATION.value(read),
        key=Table.AUDIT_SECRET.value(read),
        include_text=Table.AUDIT_INCLUDE_TEXT.value(read) == "1",
    )
    if not collector.url and (collector.authorization or read.text(Table.AUDIT_SECRET.name)):
        fix = Sentence(
            "Set it to where events are to be sent, or empty what else begins with AUDIT_."
        )
        read.wrong(Sentence("{name} is missing", name=Table.AUDIT_URL.name), fix)
    return collector if collector.url and len(read.problems) == before else None


def read_slack(read: Reader) -> SlackSettings | None:
    """Return how to reach Slack; None without a bot token or with a wrong URL, to which no token may be sent."""
    bot = Table.SLACK_BOT_TOKEN.value(read)
    if not bot:
        fix = Sentence(
            "Copy the bot token (xoxb-…) from your Slack app's page “OAuth & Permissions”."
        )
        read.wrong(Sentence("{name} is missing", name=Table.SLACK_BOT_TOKEN.name), fix)
    app, secret = Table.SLACK_APP_TOKEN.value(read), Table.SLACK_SIGNING_SECRET.value(read)
    if not app and not secret:
        read.wrong(
            Sentence("{name} is missing", name=Table.SLACK_APP_TOKEN.name),
            Sentence(
                "Set it to an app-level token (xapp-…) for Socket Mode, or set SLACK_SIGNING_SECRET for HTTP mode; both are on your Slack app's page “Basic Information”."
            ),
        )
    api_url = read.unless_wrong(lambda: Table.SLACK_API_URL.value(read).rstrip("/") + "/")
    return SlackSettings(bot, app, secret, api_url) if bot and api_url else None


def read_tokens(read: Reader, owner: str | None) -> TokenSettings | None:
    """Return the token source that is set; `owner` is the default owner."""
    sources = (
        Table.WECHAT_COMPONENT_APPID,
        Table.WECHAT_TOKEN_SERVER_URL,
        Table.WECHAT_AUTHORIZER_ACCESS_TOKEN,
    )
    found = [source.name for source in sources if read.text(source.name)]
    if len(found) > 1:
        read.wrong(
            Sentence("{names} are set together", names=joined(found)),
            Sentence("Keep one of them."),
        )
    keys = Table.TOKEN_ENCRYPTION_KEY.value(read)  # checked for every source, even if none needs it
    match found[:1]:
        case ["WECHAT_COMPONENT_APPID"]:
            return _platform(read, keys)
        case ["WECHAT_TOKEN_SERVER_URL"]:
            return _token_server(read)
        case ["WECHAT_AUTHORIZER_ACCESS_TOKEN"]:
            return _fixed(read, owner)
        case _:
            read.wrong(
                Sentence("There is no source for WeChat tokens"),
                Sentence(
                    "Set WECHAT_COMPONENT_APPID to your third-party platform, or WECHAT_TOKEN_SERVER_URL to your central token server or, to try things, WECHAT_AUTHORIZER_ACCESS_TOKEN to a token."
                ),
            )
            return None


def _fixed(read: Reader, owner: str | None) -> FixedTokenSettings:
    _need_owner(read, Sentence("that WECHAT_AUTHORIZER_ACCESS_TOKEN belongs to"))
    return FixedTokenSettings(owner or "", Table.WECHAT_AUTHORIZER_ACCESS_TOKEN.value(read) or "")


def _token_server(read: Reader) -> TokenServerSettings:
    server = Table.WECHAT_TOKEN_SERVER_URL.value(read)
    # Browsers copy {appid} as %7Bappid%7D, and a Chinese keyboard types other braces.
    if re.search("(?i)[{<>}｛＜]|%(?:7B|3C)appid%", server.replace("{appid}", "")):
        fix = Sentence("Write {appid} where the owner's appid belongs.")
        read.wrong(Sentence("WECHAT_TOKEN_SERVER_URL holds another placeholder than {appid}"), fix)
    elif "{appid}" not in server:
        _need_owner(
            read,
            Sentence(
                "whose token the token server gives, or put {appid} into WECHAT_TOKEN_SERVER_URL"
            ),
        )
    return TokenServerSettings(server, Table.WECHAT_TOKEN_SERVER_AUTHORIZATION.value(read))


def _platform(read: Reader, keys: tuple[str, ...]) -> PlatformSettings:
    appid = Table.WECHAT_COMPONENT_APPID.value(read)
    if not is_appid(appid):
        fix = Sentence("Copy the platform's AppID from open.weixin.qq.com.")
        read.wrong(Sentence("WECHAT_COMPONENT_APPID is not an appid"), fix)
    appsecret = _needed(read, Table.WECHAT_COMPONENT_APPSECRET, "AppSecret")
    seed = Table.WECHAT_AUTHORIZER_REFRESH_TOKEN.value(read)
    if seed:
        _need_owner(read, Sentence("that WECHAT_AUTHORIZER_REFRESH_TOKEN belongs to"))
    tokens = (
        _needed(read, Table.WECHAT_MESSAGE_TOKEN, "消息校验Token"),
        Table.WECHAT_MESSAGE_TOKEN_PREVIOUS.value(read),
    )
    aes_keys = (
        _needed(read, Table.WECHAT_ENCODING_AES_KEY, "消息加解密Key"),
        Table.WECHAT_ENCODING_AES_KEY_PREVIOUS.value(read),
    )
    return PlatformSettings(
        appid=appid,
        appsecret=appsecret,
        message_tokens=tuple(filter(None, tokens)),
        encoding_aes_keys=tuple(filter(None, aes_keys)),
        refresh_token=seed,
        encryption_keys=keys,
    )


def _needed(read: Reader, setting: Setting[str | None], there: str) -> str:
    value = setting.value(read)
    if not value:
        fix = Sentence("Copy the platform's {there} from open.weixin.qq.com.", there=there)
        read.wrong(Sentence("{name} is missing", name=setting.name), fix)
    return value or ""


def _need_owner(read: Reader, which: str) -> None:
    """Note a problem if the default owner is missing; a wrong one is a problem already."""
    if not Table.WECHAT_AUTHORIZER_APPID.value(read):
        read.wrong(
            Sentence("{name} is missing", name=Table.WECHAT_AUTHORIZER_APPID.name),
            Sentence("Set it to the appid {which}.", which=which),
        )


def check_owners(read: Reader, policy: Policy, tokens: TokenSettings) -> None:
    """Note a problem for each owner whose token the source cannot provide."""
    others = sorted({owner.appid for owner in policy.owners} - {policy.default_owner})
    match tokens:
        case PlatformSettings():
            _need_any_owner(read, policy)
        case TokenServerSettings(url=url) if "{appid}" in url:
            _need_any_owner(read, policy)
        case _ if not others or not policy.default_owner:
            pass  # a single owner; or the default owner is missing, which is a problem already
        case TokenServerSettings():
            read.wrong(
                Sentence(
                    "WECHAT_TOKEN_SERVER_URL gives one token, but the policy file names several owners"
                ),
                Sentence("Put {appid} into the address where the owner's appid belongs."),
            )
        case FixedTokenSettings(owner=owner):
            read.wrong(
                Sentence(
                    "WECHAT_AUTHORIZER_ACCESS_TOKEN serves {owner} only, but the policy file also names {names}",
                    owner=owner,
                    names=", ".join(others),
                ),
                Sentence("Use WECHAT_TOKEN_SERVER_URL for several owners."),
            )
        case _:
            assert_never(tokens)


def _need_any_owner(read: Reader, policy: Policy) -> None:
    if not policy.owners and not policy.default_owner:
        fix = Sentence("Set WECHAT_AUTHORIZER_APPID, or add [[owner]] to the policy file.")
        read.wrong(Sentence("No mini program is known to own any env"), fix)
