"""Setups of the bot that are broken in one way each: what the doctor says first, and what the start says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.fernet import Fernet

from bot.guidance import Trouble, for_code, for_trouble
from bot.playground.environments import chain_environment
from bot.playground.faults import Code, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import OWNER
from tests.conftest import free_port
from tests.ops.doctors import B, rule

OTHER_OWNER = "wx00000000000000aa"
TEST = f'[[test]]\nuser = "U0STRANGER"\nappid = "{B}"\nenv = "prod-1"\nexpect = "allow"\n'
DENY = '[[rule]]\nname = "freeze"\neffect = "deny"\n'
ASKING = """
[[rule]]
name = "core"
users = ["U0REQUESTER"]
effect = "approve"
approvers = {{ {who}, channel = "{channel}" }}
"""
OWNED = '[[owner]]\nappid = "{appid}"\nenvs = ["prod-*"]\n'


@dataclass(frozen=True)
class Around:
    """The servers that a setup talks to, and the folder in which the bot runs."""

    slack: LocalSlack
    wechat: LocalWeChat
    folder: Path


Change = Mapping[str, str | None]
"""Settings to be set, or with None taken away."""


@dataclass(frozen=True)
class Broken:
    """One broken setup: what of it is wrong, and what is said of it.

    `first` is the check that the doctor names first, `found` and `fix` are words of what it says there. `start` are
    words of what the start says; empty where the bot starts, since only what people ask for can show it.
    """

    first: str
    found: str
    fix: str
    start: str = ""
    change: Change | Callable[[Around], Change] = field(default_factory=dict)
    policy: str | None = None


def fixed(around: Around) -> dict[str, str | None]:
    """Return the settings of token source 1."""
    return {
        "WECHAT_TOKEN_SERVER_URL": None,
        "WECHAT_TOKEN_SERVER_AUTHORIZATION": None,
        "WECHAT_AUTHORIZER_ACCESS_TOKEN": around.wechat.issue(OWNER),
    }


def chain(around: Around) -> dict[str, str | None]:
    """Return the settings of token source 3."""
    nothing: dict[str, str | None] = {
        "WECHAT_TOKEN_SERVER_URL": None,
        "WECHAT_TOKEN_SERVER_AUTHORIZATION": None,
    }
    return nothing | chain_environment(around.wechat, free_port())


def http(around: Around) -> dict[str, str | None]:
    """Return the settings of HTTP mode."""
    secret = around.slack.world.signing_secret
    return {"SLACK_APP_TOKEN": None, "SLACK_SIGNING_SECRET": secret, "PORT": str(free_port())}


def at(
    base: Callable[[Around], dict[str, str | None]], **change: str | None
) -> Callable[[Around], Change]:
    """Return a base with something else in it."""
    return lambda around: {**base(around), **change}


def slack_fails(method: str, *faults: Code | Status) -> Callable[[Around], Change]:
    """Return what lets a method of Slack's fail again and again."""

    def change(around: Around) -> Change:
        around.slack.fail(method, *faults * 3)
        return {}

    return change


def wechat_fails(
    what: str, *faults: Code | Status, base: Callable[[Around], Change] = lambda _: {}
) -> Callable[[Around], Change]:
    """Return what lets a call to WeChat or to the token server fail again and again."""

    def change(around: Around) -> Change:
        changed = base(around)
        around.wechat.fail(what, *faults * 3)
        return changed

    return change


def without_scope(name: str) -> Callable[[Around], Change]:
    def change(around: Around) -> Change:
        around.slack.scopes.discard(name)
        return {}

    return change


def without_members(around: Around) -> Change:
    groups = around.slack.groups
    groups["S0PLATFORM"] = replace(groups["S0PLATFORM"], members=frozenset())
    return {}


BROKEN: dict[str, Broken] = {
    # Slack's tokens.
    "a bot token in quotes": Broken(
        "settings",
        "SLACK_BOT_TOKEN holds a value in quotes",
        "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”.",
        "SLACK_BOT_TOKEN holds a value in quotes",
        lambda a: {"SLACK_BOT_TOKEN": f'"{a.slack.world.bot_token}"'},
    ),
    "no bot token": Broken(
        "settings",
        "SLACK_BOT_TOKEN is missing",
        "Copy the bot token (xoxb-…) from your Slack app's page “OAuth & Permissions”.",
        "SLACK_BOT_TOKEN is missing",
        {"SLACK_BOT_TOKEN": None},
    ),
    "an app-level token as bot token": Broken(
        "settings",
        "SLACK_BOT_TOKEN holds an app-level token",
        "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”.",
        "SLACK_BOT_TOKEN holds an app-level token",
        {"SLACK_BOT_TOKEN": "xapp-1-A2-33-dEf"},
    ),
    "a user token as bot token": Broken(
        "settings",
        "SLACK_BOT_TOKEN holds a user token",
        "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”.",
        "SLACK_BOT_TOKEN holds a user token",
        {"SLACK_BOT_TOKEN": "xoxp-1-2-3"},
    ),
    "a signing secret as bot token": Broken(
        "settings",
        "SLACK_BOT_TOKEN holds an AppSecret or a signing secret",
        "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”.",
        "SLACK_BOT_TOKEN holds an AppSecret or a signing secret",
        {"SLACK_BOT_TOKEN": "0" * 32},
    ),
    "an old bot token": Broken(
        "slack-bot",
        "SLACK_BOT_TOKEN is not accepted by Slack (invalid_auth)",
        "Copy the bot token again from your Slack app's page “OAuth & Permissions”, or install",
        "SLACK_BOT_TOKEN is not accepted by Slack (invalid_auth)",
        {"SLACK_BOT_TOKEN": "xoxb-revoked"},
    ),
    "the bot token as app-level token": Broken(
        "settings",
        "SLACK_APP_TOKEN holds a bot token",
        "Put the app-level token (xapp-…) there; it is on your Slack app's page “Basic",
        "SLACK_APP_TOKEN holds a bot token",
        {"SLACK_APP_TOKEN": "xoxb-11-22-AbC"},
    ),
    "a client secret as app-level token": Broken(
        "settings",
        "SLACK_APP_TOKEN holds an AppSecret or a signing secret",
        "Put the app-level token (xapp-…) there; it is on your Slack app's page “Basic",
        "SLACK_APP_TOKEN holds an AppSecret or a signing secret",
        {"SLACK_APP_TOKEN": "0" * 32},
    ),
    "neither app-level token nor signing secret": Broken(
        "settings",
        "SLACK_APP_TOKEN is missing",
        "Set it to an app-level token (xapp-…) for Socket Mode, or set SLACK_SIGNING_SECRET for",
        "SLACK_APP_TOKEN is missing",
        {"SLACK_APP_TOKEN": None},
    ),
    "an old app-level token": Broken(
        "slack-app",
        "SLACK_APP_TOKEN is not accepted by Slack (invalid_auth)",
        "Make a new app-level token with the scope connections:write on your Slack app's page",
        "SLACK_APP_TOKEN is not accepted by Slack (invalid_auth)",
        {"SLACK_APP_TOKEN": "xapp-1-A2-33-old"},
    ),
    "a token as signing secret": Broken(
        "settings",
        "SLACK_SIGNING_SECRET holds a bot token",
        "Copy the signing secret from your Slack app's page “Basic Information”.",
        "SLACK_SIGNING_SECRET holds a bot token",
        at(http, SLACK_SIGNING_SECRET="xoxb-1-2"),
    ),
    "both tokens swapped": Broken(
        "settings",
        "SLACK_BOT_TOKEN and SLACK_APP_TOKEN are swapped",
        "Exchange the two values.",
        "SLACK_BOT_TOKEN holds an app-level token. Put the bot token (xoxb-…) there; it is on",
        lambda a: {
            "SLACK_BOT_TOKEN": a.slack.world.app_token,
            "SLACK_APP_TOKEN": a.slack.world.bot_token,
        },
    ),
    "a revoked bot token": Broken(
        "slack-bot",
        "SLACK_BOT_TOKEN is not accepted by Slack (token_revoked)",
        "Copy the bot token again from your Slack app's page “OAuth & Permissions”, or install",
        "SLACK_BOT_TOKEN is not accepted by Slack (token_revoked)",
        slack_fails("auth.test", Code("token_revoked")),
    ),
    "a deactivated bot": Broken(
        "slack-bot",
        "SLACK_BOT_TOKEN is not accepted by Slack (account_inactive)",
        "Copy the bot token again from your Slack app's page “OAuth & Permissions”, or install",
        "SLACK_BOT_TOKEN is not accepted by Slack (account_inactive)",
        slack_fails("auth.test", Code("account_inactive")),
    ),
    "a revoked app-level token": Broken(
        "slack-app",
        "SLACK_APP_TOKEN is not accepted by Slack (invalid_auth)",
        "Make a new app-level token with the scope connections:write on your Slack app's page",
        "SLACK_APP_TOKEN is not accepted by Slack (invalid_auth)",
        slack_fails("apps.connections.open", Code("invalid_auth")),
    ),
    "an app-level token without its scope": Broken(
        "slack-app",
        "SLACK_APP_TOKEN lacks the scope connections:write",
        "Make a new app-level token with it on your Slack app's page “Basic Information”.",
        "SLACK_APP_TOKEN lacks the scope connections:write",
        without_scope("connections:write"),
    ),
    # The way to Slack.
    "Slack in trouble": Broken(
        "slack-bot",
        "Slack answers that it is in trouble itself (internal_error)",
        "Look at slack-status.com, wait, then run the doctor again.",
        "Slack answers that it is in trouble itself (internal_error)",
        slack_fails("auth.test", Code("internal_error")),
    ),
    "Slack in trouble over sockets": Broken(
        "slack-app",
        "Slack answers that it is in trouble itself (internal_error)",
        "Look at slack-status.com, wait, then run the doctor again.",
        "Slack answers that it is in trouble itself (internal_error)",
        slack_fails("apps.connections.open", Code("internal_error")),
    ),
    "another server as Slack": Broken(
        "slack-bot",
        "What answers at SLACK_API_URL is not Slack's API (HTTP 404)",
        "Set it to https://slack.com/api/, or take it out, then run the doctor again.",
        "What answers at SLACK_API_URL is not Slack's API (HTTP 404)",
        slack_fails("auth.test", Status(404)),
    ),
    "a proxy that wants a password": Broken(
        "proxies",
        "the proxy does not let the bot through to 127.0.0.1 (HTTP 407)",
        "Check HTTPS_PROXY, the user and the password in it, and what the proxy lets through.",
        "The proxy does not let the bot through to Slack",
        slack_fails("auth.test", Status(407)),
    ),
    "a web page in Slack's place": Broken(
        "slack-bot",
        "What answers at SLACK_API_URL is not Slack, but a web page perhaps",
        "Check whether a proxy or a sign-in page of the network stands in between, then run the",
        "What answers at SLACK_API_URL is not Slack, but a web page perhaps",
        slack_fails("auth.test", Status(200)),
    ),
    "nobody at Slack's address": Broken(
        "slack-bot",
        "Slack cannot be reached",
        "Check the network, the proxy and SLACK_API_URL, then run the doctor again.",
        "Slack cannot be reached",
        {"SLACK_API_URL": "http://127.0.0.1:9/api/"},
    ),
    "an address of Slack without https": Broken(
        "settings",
        "SLACK_API_URL begins with http://, which would send tokens unprotected",
        "Use https://.",
        "SLACK_API_URL begins with http://, which would send tokens unprotected",
        {"SLACK_API_URL": "http://slack.com/api/"},
    ),
    "an address of Slack that is none": Broken(
        "settings",
        "SLACK_API_URL is not a web address",
        "Set it to one that begins with https://.",
        "SLACK_API_URL is not a web address",
        {"SLACK_API_URL": "slack.com/api"},
    ),
    "a password in Slack's address": Broken(
        "settings",
        "SLACK_API_URL holds a user or a password",
        "Take it out of the address.",
        "SLACK_API_URL holds a user or a password",
        {"SLACK_API_URL": "https://a:b@slack.com/api/"},
    ),
    # Slack's scopes.
    "without commands": Broken(
        "slack-scopes",
        "not granted: commands (nobody can type /share-env or use its shortcuts)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        "commands",
        without_scope("commands"),
    ),
    "without chat:write": Broken(
        "slack-scopes",
        "not granted: chat:write (nothing can be answered in threads)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        "chat:write",
        without_scope("chat:write"),
    ),
    "without users:read": Broken(
        "slack-scopes",
        "not granted: users:read (every command is denied, as nobody can be looked up)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        "users:read",
        without_scope("users:read"),
    ),
    "without usergroups:read": Broken(
        "slack-scopes",
        "not granted: usergroups:read (rules that name groups let nobody in)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        "usergroups:read",
        without_scope("usergroups:read"),
    ),
    "without channels:read": Broken(
        "slack-scopes",
        "not granted: channels:read (approvers are asked directly, not in their channel, if that",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        "channels:read",
        without_scope("channels:read"),
    ),
    "without im:write": Broken(
        "slack-scopes",
        "not granted: im:write (a direct message that Slack did not confirm may come twice)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        "im:write",
        without_scope("im:write"),
    ),
    "without users:read, and people in the policy": Broken(
        "slack-scopes",
        "not granted: users:read (every command is denied, as nobody can be looked up)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        "users:read",
        without_scope("users:read"),
        rule(),
    ),
    # The token source.
    "no token source": Broken(
        "settings",
        "There is no source for WeChat tokens",
        "Set WECHAT_COMPONENT_APPID to your third-party platform, or WECHAT_TOKEN_SERVER_URL to",
        "There is no source for WeChat tokens",
        {"WECHAT_TOKEN_SERVER_URL": None, "WECHAT_TOKEN_SERVER_AUTHORIZATION": None},
    ),
    "two token sources": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_URL and WECHAT_AUTHORIZER_ACCESS_TOKEN are set together",
        "Keep one of them.",
        "WECHAT_TOKEN_SERVER_URL and WECHAT_AUTHORIZER_ACCESS_TOKEN are set together",
        {"WECHAT_AUTHORIZER_ACCESS_TOKEN": "80_aBc-DeF_123"},
    ),
    "no owner for the fixed token": Broken(
        "settings",
        "WECHAT_AUTHORIZER_APPID is missing",
        "Set it to the appid that WECHAT_AUTHORIZER_ACCESS_TOKEN belongs to.",
        "WECHAT_AUTHORIZER_APPID is missing",
        at(fixed, WECHAT_AUTHORIZER_APPID=None),
    ),
    "an appid as fixed token": Broken(
        "settings",
        "WECHAT_AUTHORIZER_ACCESS_TOKEN holds an appid",
        "Put the secret there that goes with the appid.",
        "WECHAT_AUTHORIZER_ACCESS_TOKEN holds an appid",
        at(fixed, WECHAT_AUTHORIZER_ACCESS_TOKEN=OWNER),
    ),
    "a fixed token that is over": Broken(
        "wechat",
        for_code(42001).title,
        "WECHAT_AUTHORIZER_ACCESS_TOKEN",
        "",
        wechat_fails("getenvinfo", Code(42001), base=fixed),
    ),
    "a fixed token that is none": Broken(
        "wechat",
        for_code(40014).title,
        "WECHAT_AUTHORIZER_ACCESS_TOKEN",
        "",
        at(fixed, WECHAT_AUTHORIZER_ACCESS_TOKEN="80_made-up-and-never-issued"),
    ),
    "a fixed token and two owners": Broken(
        "settings",
        "WECHAT_AUTHORIZER_ACCESS_TOKEN serves wx0123456789abcdef only, but the policy file also",
        "Use WECHAT_TOKEN_SERVER_URL for several owners.",
        "WECHAT_AUTHORIZER_ACCESS_TOKEN serves wx0123456789abcdef only, but the policy file also",
        fixed,
        OWNED.format(appid=OTHER_OWNER) + rule(),
    ),
    "no appid as owner": Broken(
        "settings",
        "WECHAT_AUTHORIZER_APPID is “gh_0123456789ab”, which is not an appid",
        "Set it to wx and 16 digits or letters a to f.",
        "WECHAT_AUTHORIZER_APPID is “gh_0123456789ab”, which is not an appid",
        {"WECHAT_AUTHORIZER_APPID": "gh_0123456789ab"},
    ),
    "nobody at the token server": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_DOWN).title,
        "WECHAT_TOKEN_SERVER_URL",
        "",
        {"WECHAT_TOKEN_SERVER_URL": "http://127.0.0.1:9/{appid}"},
    ),
    "a token server that wants another password": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_REFUSED).title,
        "WECHAT_TOKEN_SERVER_AUTHORIZATION",
        "",
        {"WECHAT_TOKEN_SERVER_AUTHORIZATION": "Bearer another"},
    ),
    "a token server that wants a password": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_REFUSED).title,
        "WECHAT_TOKEN_SERVER_AUTHORIZATION",
        "",
        {"WECHAT_TOKEN_SERVER_AUTHORIZATION": None},
    ),
    "a token server that is broken": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_ANSWER).title,
        "WECHAT_TOKEN_SERVER_URL",
        "",
        wechat_fails("token", Status(500)),
    ),
    "a token server with a web page": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_ANSWER).title,
        "WECHAT_TOKEN_SERVER_URL",
        "",
        wechat_fails("token", Status(200)),
    ),
    "a token server with another path": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_ANSWER).title,
        "WECHAT_TOKEN_SERVER_URL",
        "",
        wechat_fails("token", Status(404)),
    ),
    "a token server without https": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_URL begins with http://, which would send tokens unprotected",
        "Use https://.",
        "WECHAT_TOKEN_SERVER_URL begins with http://, which would send tokens unprotected",
        {"WECHAT_TOKEN_SERVER_URL": "http://tokens.example/{appid}"},
    ),
    "a password in the token server's address": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_URL holds a user or a password",
        "Take it out of the address, and set WECHAT_TOKEN_SERVER_AUTHORIZATION to “Basic ” and",
        "WECHAT_TOKEN_SERVER_URL holds a user or a password",
        {"WECHAT_TOKEN_SERVER_URL": "https://a:b@tokens.example/"},
    ),
    "a line break in the token server's header": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_AUTHORIZATION holds characters that no header may have",
        "Copy it again, as one line of plain letters.",
        "WECHAT_TOKEN_SERVER_AUTHORIZATION holds characters that no header may have",
        {"WECHAT_TOKEN_SERVER_AUTHORIZATION": "Bearer a\nb"},
    ),
    "a token server that gives old tokens": Broken(
        "wechat",
        for_code(40001).title,
        for_code(40001).steps[0],
        "",
        wechat_fails("getenvinfo", Code(40001)),
    ),
    "one token for two owners": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_URL gives one token, but the policy file names several owners",
        "Put {appid} into the address where the owner's appid belongs.",
        "WECHAT_TOKEN_SERVER_URL gives one token, but the policy file names several owners",
        lambda a: {"WECHAT_TOKEN_SERVER_URL": a.wechat.token_url.replace("{appid}", OWNER)},
        OWNED.format(appid=OTHER_OWNER) + rule(),
    ),
    "no owner at all": Broken(
        "settings",
        "No mini program is known to own any env",
        "Set WECHAT_AUTHORIZER_APPID, or add [[owner]] to the policy file.",
        "No mini program is known to own any env",
        {"WECHAT_AUTHORIZER_APPID": None},
    ),
    # WeChat.
    "nobody at WeChat's address": Broken(
        "wechat",
        for_trouble(Trouble.NOT_SENT_CONNECT).title,
        "WECHAT_API_URL",
        "",
        {"WECHAT_API_URL": "http://127.0.0.1:9"},
    ),
    "another server as WeChat": Broken(
        "wechat",
        "what answers at WECHAT_API_URL is not WeChat (HTTP 404)",
        "Set it to https://api.weixin.qq.com, or take it out, then run the doctor again.",
        "",
        wechat_fails("getenvinfo", Status(404)),
    ),
    "a proxy before WeChat": Broken(
        "proxies",
        "the proxy does not let the bot through to 127.0.0.1 (HTTP 407)",
        "Check HTTPS_PROXY, the user and the password in it, and what the proxy lets through.",
        "",
        wechat_fails("getenvinfo", Status(407)),
    ),
    "a proxy before Slack and WeChat": Broken(
        "proxies",
        "the proxy does not let the bot through to 127.0.0.1 (HTTP 407)",
        "Check HTTPS_PROXY, the user and the password in it, and what the proxy lets through.",
        "The proxy does not let the bot through to Slack",
        lambda a: {
            **slack_fails("auth.test", Status(407))(a),
            **wechat_fails("getenvinfo", Status(407))(a),
        },
    ),
    "no network": Broken(
        "proxies",
        "none of these answers: http://127.0.0.1:",
        "Check the network and its firewall, the addresses, and whether HTTPS_PROXY has to be set.",
        "Slack cannot be reached",
        {
            "SLACK_API_URL": "http://127.0.0.1:9/api/",
            "WECHAT_API_URL": "http://127.0.0.1:7",
            "WECHAT_TOKEN_SERVER_URL": "http://127.0.0.1:11/{appid}",
        },
    ),
    "an address of WeChat without https": Broken(
        "settings",
        "WECHAT_API_URL begins with http://, which would send tokens unprotected",
        "Use https://.",
        "WECHAT_API_URL begins with http://, which would send tokens unprotected",
        {"WECHAT_API_URL": "http://api.weixin.qq.com"},
    ),
    "an address that WeChat does not know": Broken(
        "wechat",
        for_code(40164).title,
        for_code(40164).steps[0],
        "",
        wechat_fails("getenvinfo", Code(40164)),
    ),
    "an address that is not on the platform's list": Broken(
        "wechat",
        for_code(61004).title,
        "白名单IP",
        "",
        wechat_fails("getenvinfo", Code(61004)),
    ),
    "no permission for CloudBase": Broken(
        "wechat",
        for_code(48001).title,
        "云开发管理权限",
        "",
        wechat_fails("getenvinfo", Code(48001)),
    ),
    "a timeout of nothing": Broken(
        "settings",
        "WECHAT_TIMEOUT is “0”",
        "Set it to a number from 0.1 to 60.",
        "WECHAT_TIMEOUT is “0”",
        {"WECHAT_TIMEOUT": "0"},
    ),
    "a timeout in words": Broken(
        "settings",
        "WECHAT_TIMEOUT is “10s”",
        "Set it to a number from 0.1 to 60.",
        "WECHAT_TIMEOUT is “10s”",
        {"WECHAT_TIMEOUT": "10s"},
    ),
    # Token source 3.
    "no appid as platform": Broken(
        "settings",
        "WECHAT_COMPONENT_APPID is not an appid",
        "Copy the platform's AppID from open.weixin.qq.com.",
        "WECHAT_COMPONENT_APPID is not an appid",
        at(chain, WECHAT_COMPONENT_APPID="my-platform"),
    ),
    "no AppSecret": Broken(
        "settings",
        "WECHAT_COMPONENT_APPSECRET is missing",
        "Copy the platform's AppSecret from open.weixin.qq.com.",
        "WECHAT_COMPONENT_APPSECRET is missing",
        at(chain, WECHAT_COMPONENT_APPSECRET=None),
    ),
    "the appid as AppSecret": Broken(
        "settings",
        "WECHAT_COMPONENT_APPSECRET holds an appid",
        "Put the secret there that goes with the appid.",
        "WECHAT_COMPONENT_APPSECRET holds an appid",
        at(chain, WECHAT_COMPONENT_APPSECRET=OWNER),
    ),
    "no message token": Broken(
        "settings",
        "WECHAT_MESSAGE_TOKEN is missing",
        "Copy the platform's 消息校验Token from open.weixin.qq.com.",
        "WECHAT_MESSAGE_TOKEN is missing",
        at(chain, WECHAT_MESSAGE_TOKEN=None),
    ),
    "no EncodingAESKey": Broken(
        "settings",
        "WECHAT_ENCODING_AES_KEY is missing",
        "Copy the platform's 消息加解密Key from open.weixin.qq.com.",
        "WECHAT_ENCODING_AES_KEY is missing",
        at(chain, WECHAT_ENCODING_AES_KEY=None),
    ),
    "an EncodingAESKey of 44 letters": Broken(
        "settings",
        "WECHAT_ENCODING_AES_KEY is no EncodingAESKey, which has 43 letters and digits",
        "Copy 消息加解密Key from open.weixin.qq.com.",
        "WECHAT_ENCODING_AES_KEY is no EncodingAESKey, which has 43 letters and digits",
        at(chain, WECHAT_ENCODING_AES_KEY="a" * 44),
    ),
    "a chain before its first start": Broken(
        "callback",
        "WeChat has pushed no ticket yet",
        "Start the bot, and look at its log.",
        "",
        chain,
    ),
    "a Fernet key that is none": Broken(
        "settings",
        "TOKEN_ENCRYPTION_KEY is no Fernet key",
        "Make one with:",
        "TOKEN_ENCRYPTION_KEY is no Fernet key",
        at(chain, TOKEN_ENCRYPTION_KEY="short"),
    ),
    "a second Fernet key that is none": Broken(
        "settings",
        "TOKEN_ENCRYPTION_KEY (number 2) is no Fernet key",
        "Make one with:",
        "TOKEN_ENCRYPTION_KEY (number 2) is no Fernet key",
        at(chain, TOKEN_ENCRYPTION_KEY=f"{Fernet.generate_key().decode()},short"),
    ),
    "a Fernet key that is none and not needed": Broken(
        "settings",
        "TOKEN_ENCRYPTION_KEY is no Fernet key",
        "Make one with:",
        "TOKEN_ENCRYPTION_KEY is no Fernet key",
        at(fixed, TOKEN_ENCRYPTION_KEY="short"),
    ),
    # The ledger.
    "a ledger in memory": Broken(
        "ledger",
        "it is in memory, and lost at each stop",
        "Name a file in DATABASE_URL, such as sqlite:///share-env.db.",
        "it is in memory, and lost at each stop",
        {"DATABASE_URL": "sqlite://"},
    ),
    "a ledger with two slashes": Broken(
        "ledger",
        "DATABASE_URL has two slashes before share-env.db, where a file needs three",
        "Set DATABASE_URL to sqlite:///share-env.db.",
        "DATABASE_URL has two slashes before share-env.db, where a file needs three",
        {"DATABASE_URL": "sqlite://share-env.db"},
    ),
    "a ledger in no folder": Broken(
        "ledger",
        "there is no folder /no/such/folder",
        "Make the folder, or correct DATABASE_URL.",
        "DATABASE_URL cannot be opened (No such file or directory: /no/such/folder). Choose a",
        {"DATABASE_URL": "sqlite:////no/such/folder/share-env.db"},
    ),
    "a folder as ledger": Broken(
        "ledger",
        "is no file",
        "Let DATABASE_URL name a file, such as sqlite:///share-env.db.",
        "DATABASE_URL cannot be opened (unable to open database file",
        lambda a: {"DATABASE_URL": f"sqlite:///{a.folder}"},
    ),
    "a ledger that is none": Broken(
        "ledger",
        "it cannot be read (file is not a database)",
        "Let DATABASE_URL name another file, or put a backup of the ledger at",
        "DATABASE_URL cannot be opened (file is not a database). Let DATABASE_URL name another",
        lambda a: {"DATABASE_URL": f"sqlite:///{text_file(a)}"},
    ),
    "a ledger of another kind": Broken(
        "ledger",
        "DATABASE_URL names another database than SQLite or PostgreSQL",
        "Use sqlite:///share-env.db or postgresql+psycopg://…",
        "DATABASE_URL names another database than SQLite or PostgreSQL",
        {"DATABASE_URL": "mysql://h/d"},
    ),
    "a ledger without a driver": Broken(
        "ledger",
        "DATABASE_URL names another database than SQLite or PostgreSQL",
        "Use sqlite:///share-env.db or postgresql+psycopg://…",
        "DATABASE_URL names another database than SQLite or PostgreSQL",
        {"DATABASE_URL": "postgresql+pg8000://h/d"},
    ),
    "a path as ledger": Broken(
        "ledger",
        "DATABASE_URL is not a database's address",
        "Use sqlite:///share-env.db or postgresql+psycopg://…",
        "DATABASE_URL is not a database's address",
        {"DATABASE_URL": "/var/lib/share-env.db"},
    ),
    "a database that is not there": Broken(
        "ledger",
        'it cannot be read (connection failed: connection to server at "127.0.0.1", port 9',
        "Check the address, the database and its rights.",
        'DATABASE_URL cannot be opened (connection failed: connection to server at "127.0.0.1",',
        {"DATABASE_URL": "postgresql+psycopg://bot:hush@127.0.0.1:9/d"},
    ),
    # The policy.
    "no policy": Broken(
        "settings",
        "Nobody may share anything yet",
        "Write a policy.toml, or set SHARE_ENV_ALLOWED_USERS or SHARE_ENV_ALLOWED_GROUPS.",
        "Nobody may share anything yet",
        {"SHARE_ENV_ALLOWED_GROUPS": None},
    ),
    "a file and settings": Broken(
        "settings",
        "policy.toml) and there are SHARE_ENV_ALLOWED_… settings",
        "Keep one way: move what they say into the file, or remove the file.",
        "policy.toml) and there are SHARE_ENV_ALLOWED_… settings",
        {"SHARE_ENV_ALLOWED_USERS": "U0REQUESTER"},
        rule(),
    ),
    "a name as user": Broken(
        "settings",
        "SHARE_ENV_ALLOWED_USERS: “@mei” is not an id",
        "Use ids such as U012ABCDEF, separated by commas.",
        "SHARE_ENV_ALLOWED_USERS: “@mei” is not an id",
        {"SHARE_ENV_ALLOWED_USERS": "@mei"},
    ),
    "a handle as group": Broken(
        "settings",
        "SHARE_ENV_ALLOWED_GROUPS: “@platform” is not an id",
        "Use ids such as S012ABCDEF, separated by commas.",
        "SHARE_ENV_ALLOWED_GROUPS: “@platform” is not an id",
        {"SHARE_ENV_ALLOWED_GROUPS": "@platform"},
    ),
    "a name as channel": Broken(
        "settings",
        "SHARE_ENV_ALLOWED_CHANNELS: “#releases” is not an id",
        "Use ids such as C012ABCDEF, separated by commas.",
        "SHARE_ENV_ALLOWED_CHANNELS: “#releases” is not an id",
        {"SHARE_ENV_ALLOWED_CHANNELS": "#releases"},
    ),
    "a policy file that is not there": Broken(
        "settings",
        "The policy file “/no/such/policy.toml” cannot be read: No such file or directory",
        "Put it there, let the bot's user read it, or correct the path.",
        "The policy file “/no/such/policy.toml” cannot be read: No such file or directory",
        {"POLICY_FILE": "/no/such/policy.toml", "SHARE_ENV_ALLOWED_GROUPS": None},
    ),
    "a folder as policy file": Broken(
        "settings",
        "cannot be read: it is not a file",
        "Correct the path: it has to name the file itself.",
        "cannot be read: it is not a file",
        lambda a: {"POLICY_FILE": str(a.folder), "SHARE_ENV_ALLOWED_GROUPS": None},
    ),
    "a policy that is no TOML": Broken(
        "settings",
        "It is not valid TOML: Expected ']]' at the end of an array declaration (at line 1,",
        "Put that line right first.",
        "It is not valid TOML: Expected ']]' at the end of an array declaration (at line 1,",
        {},
        "[[rule]\nname = 1",
    ),
    "a policy with an unknown key": Broken(
        "settings",
        "rule 1, colour: there is no such key",
        "Remove it.",
        "rule 1, colour: there is no such key",
        {},
        rule() + "colour = 'red'\n",
    ),
    "a rule without an effect": Broken(
        "settings",
        "rule 1, effect: it is missing",
        "Add it.",
        "rule 1, effect: it is missing",
        {},
        "[[rule]]\nname = 'r'\n",
    ),
    "a test that fails": Broken(
        "policy-tests",
        "test 1: U0STRANGER with wx5fe6bb43205e9e70 and prod-1 should get “allow” but gets",
        "Put the rules or the test right.",
        "test 1: U0STRANGER with wx5fe6bb43205e9e70 and prod-1 should get “allow” but gets",
        {},
        rule() + TEST,
    ),
    "a policy that denies everybody": Broken(
        "policy-reach",
        "nobody may share anything: every rule that decides anything denies",
        "Add a [[rule]] with another effect, or move one up.",
        "nobody may share anything: every rule that decides anything denies; "
        "“r” never decides: “freeze”, which comes first, always does",
        {},
        DENY + rule(),
    ),
    "a policy for somebody who is gone": Broken(
        "slack-people",
        "do not exist: U0NOBODY1",
        "Take them out of the policy, or correct the ids.",
        "",
        {},
        rule(user="U0NOBODY1"),
    ),
    "a policy for somebody who is deactivated": Broken(
        "slack-people",
        "deactivated: U0GONE",
        "Take them out of the policy, or correct the ids.",
        "",
        {},
        rule(user="U0GONE"),
    ),
    "an operator who is deactivated": Broken(
        "slack-people",
        "deactivated: U0GONE",
        "Take them out of the policy, or correct the ids.",
        "",
        {},
        f'operators = {{ users = ["U0GONE"] }}\n{rule()}',
    ),
    "a group that is not there": Broken(
        "slack-groups",
        "do not exist: S0NOSUCH1",
        "Correct the ids in the policy, or bring the groups back in Slack.",
        "",
        {"SHARE_ENV_ALLOWED_GROUPS": "S0NOSUCH1"},
    ),
    "a rule that nobody can approve": Broken(
        "slack-people",
        "do not exist: U0NOBODY1",
        "Take them out of the policy, or correct the ids.",
        "",
        {},
        ASKING.format(who='users = ["U0NOBODY1"]', channel="C0APPROVALS"),
    ),
    "a group of approvers that is not there": Broken(
        "slack-groups",
        "do not exist: S0NOSUCH1",
        "Correct the ids in the policy, or bring the groups back in Slack.",
        "",
        {},
        ASKING.format(who='groups = ["S0NOSUCH1"]', channel="C0APPROVALS"),
    ),
    "a group without anybody": Broken(
        "slack-groups",
        "without members: @platform (S0PLATFORM)",
        "Add people in Slack, or take the group out of the policy.",
        "",
        without_members,
    ),
    "an approvers' channel that is not there": Broken(
        "policy-approvers",
        "the approvers' channel C0NOSUCH01 does not exist, or is private and without the bot",
        "Correct the id, or type /invite @share-env in it.",
        "",
        {},
        ASKING.format(who='groups = ["S0APPROVERS"]', channel="C0NOSUCH01"),
    ),
    # The process.
    "a port of words": Broken(
        "settings",
        "PORT is “http”",
        "Set it to a whole number from 1 to 65535.",
        "PORT is “http”",
        {"PORT": "http"},
    ),
    "port nought": Broken(
        "settings",
        "PORT is “0”",
        "Set it to a whole number from 1 to 65535.",
        "PORT is “0”",
        {"PORT": "0"},
    ),
    "another machine's host": Broken(
        "listener",
        "HOST 192.0.2.1 and PORT 3001 cannot be used (Cannot assign requested address)",
        "Choose others, or stop what uses them.",
        "HOST 192.0.2.1 and PORT 3001 cannot be used (Cannot assign requested address)",
        {"HOST": "192.0.2.1", "PORT": "3001"},
    ),
    "a level that is none": Broken(
        "settings",
        "LOG_LEVEL is “LOUD”",
        "Set it to one of DEBUG, INFO, WARNING, ERROR.",
        "LOG_LEVEL is “LOUD”",
        {"LOG_LEVEL": "LOUD"},
    ),
    "a format that is none": Broken(
        "settings",
        "LOG_FORMAT is “xml”",
        "Set it to one of text, json.",
        "LOG_FORMAT is “xml”",
        {"LOG_FORMAT": "xml"},
    ),
    "a language that it does not speak": Broken(
        "settings",
        "LANGUAGE is “de”",
        "Set it to one of en, zh-CN.",
        "LANGUAGE is “de”",
        {"LANGUAGE": "de"},
    ),
    "a grace of a day": Broken(
        "settings",
        "SHUTDOWN_GRACE is “86400”",
        "Set it to a number from 0 to 600.",
        "SHUTDOWN_GRACE is “86400”",
        {"SHUTDOWN_GRACE": "86400"},
    ),
}


def text_file(around: Around) -> Path:
    """Return a file that is no ledger."""
    path = around.folder / "notes.txt"
    path.write_text("these are notes, and no database of anybody's\n" * 40, encoding="utf-8")
    return path
