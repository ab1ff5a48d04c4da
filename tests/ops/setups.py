"""Setups of the bot that are broken in one way each, with what the doctor reports first and what the start reports."""

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
NO_TOKEN_SERVER: dict[str, str | None] = {
    "WECHAT_TOKEN_SERVER_URL": None,
    "WECHAT_TOKEN_SERVER_AUTHORIZATION": None,
}


@dataclass(frozen=True)
class Around:
    """The servers that a setup talks to, and the folder in which the bot runs."""

    slack: LocalSlack
    wechat: LocalWeChat
    folder: Path


Change = Mapping[str, str | None]
"""Settings to be set, or removed if None."""


@dataclass(frozen=True)
class Broken:
    """One broken setup: the change that breaks it, and what is reported.

    `first` is the check that the doctor names first; its finding contains `found`, and its fix `fix`. The message at the
    start contains `start`, or `found` if that is None; it is empty if the bot starts, since only a share can fail.
    """

    first: str
    found: str
    fix: str
    change: Change | Callable[[Around], Change] = field(default_factory=dict)
    policy: str | None = None
    start: str | None = None

    @property
    def at_start(self) -> str:
        """Return what the message at the start contains."""
        return self.found if self.start is None else self.start


def fixed(around: Around) -> dict[str, str | None]:
    """Return the settings of token source 1."""
    return NO_TOKEN_SERVER | {"WECHAT_AUTHORIZER_ACCESS_TOKEN": around.wechat.issue(OWNER)}


def chain(around: Around) -> dict[str, str | None]:
    """Return the settings of token source 3."""
    return NO_TOKEN_SERVER | chain_environment(around.wechat, free_port())


def http(around: Around) -> dict[str, str | None]:
    """Return the settings of HTTP mode."""
    secret = around.slack.world.signing_secret
    return {"SLACK_APP_TOKEN": None, "SLACK_SIGNING_SECRET": secret, "PORT": str(free_port())}


def at(
    base: Callable[[Around], dict[str, str | None]], **change: str | None
) -> Callable[[Around], Change]:
    """Return the settings of `base` with changes."""
    return lambda around: {**base(around), **change}


def slack_fails(method: str, *faults: Code | Status) -> Callable[[Around], Change]:
    """Return a change that makes a method of Slack fail three times for each fault."""

    def change(around: Around) -> Change:
        around.slack.fail(method, *faults * 3)
        return {}

    return change


def wechat_fails(
    call: str, *faults: Code | Status, base: Callable[[Around], Change] = lambda _: {}
) -> Callable[[Around], Change]:
    """Return a change that makes a call to WeChat or the token server fail three times for each fault."""

    def change(around: Around) -> Change:
        changed = base(around)
        around.wechat.fail(call, *faults * 3)
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
        lambda a: {"SLACK_BOT_TOKEN": f'"{a.slack.world.bot_token}"'},
    ),
    "no bot token": Broken(
        "settings",
        "SLACK_BOT_TOKEN is missing",
        "Copy the bot token (xoxb-…) from your Slack app's page “OAuth & Permissions”.",
        {"SLACK_BOT_TOKEN": None},
    ),
    "an app-level token as bot token": Broken(
        "settings",
        "SLACK_BOT_TOKEN holds an app-level token",
        "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”.",
        {"SLACK_BOT_TOKEN": "xapp-1-A2-33-dEf"},
    ),
    "a user token as bot token": Broken(
        "settings",
        "SLACK_BOT_TOKEN holds a user token",
        "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”.",
        {"SLACK_BOT_TOKEN": "xoxp-1-2-3"},
    ),
    "a signing secret as bot token": Broken(
        "settings",
        "SLACK_BOT_TOKEN holds an AppSecret or a signing secret",
        "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”.",
        {"SLACK_BOT_TOKEN": "0" * 32},
    ),
    "an old bot token": Broken(
        "slack-bot",
        "SLACK_BOT_TOKEN is not accepted by Slack (invalid_auth)",
        "Copy the bot token again from your Slack app's page “OAuth & Permissions”, or install",
        {"SLACK_BOT_TOKEN": "xoxb-revoked"},
    ),
    "the bot token as app-level token": Broken(
        "settings",
        "SLACK_APP_TOKEN holds a bot token",
        "Put the app-level token (xapp-…) there; it is on your Slack app's page “Basic",
        {"SLACK_APP_TOKEN": "xoxb-11-22-AbC"},
    ),
    "a client secret as app-level token": Broken(
        "settings",
        "SLACK_APP_TOKEN holds an AppSecret or a signing secret",
        "Put the app-level token (xapp-…) there; it is on your Slack app's page “Basic",
        {"SLACK_APP_TOKEN": "0" * 32},
    ),
    "neither app-level token nor signing secret": Broken(
        "settings",
        "SLACK_APP_TOKEN is missing",
        "Set it to an app-level token (xapp-…) for Socket Mode, or set SLACK_SIGNING_SECRET for",
        {"SLACK_APP_TOKEN": None},
    ),
    "an old app-level token": Broken(
        "slack-app",
        "SLACK_APP_TOKEN is not accepted by Slack (invalid_auth)",
        "Make a new app-level token with the scope connections:write on your Slack app's page",
        {"SLACK_APP_TOKEN": "xapp-1-A2-33-old"},
    ),
    "a token as signing secret": Broken(
        "settings",
        "SLACK_SIGNING_SECRET holds a bot token",
        "Copy the signing secret from your Slack app's page “Basic Information”.",
        at(http, SLACK_SIGNING_SECRET="xoxb-1-2"),
    ),
    "both tokens swapped": Broken(
        "settings",
        "SLACK_BOT_TOKEN and SLACK_APP_TOKEN are swapped",
        "Exchange the two values.",
        lambda a: {
            "SLACK_BOT_TOKEN": a.slack.world.app_token,
            "SLACK_APP_TOKEN": a.slack.world.bot_token,
        },
        start="SLACK_BOT_TOKEN holds an app-level token. Put the bot token (xoxb-…) there; it is on",
    ),
    "a revoked bot token": Broken(
        "slack-bot",
        "SLACK_BOT_TOKEN is not accepted by Slack (token_revoked)",
        "Copy the bot token again from your Slack app's page “OAuth & Permissions”, or install",
        slack_fails("auth.test", Code("token_revoked")),
    ),
    "a deactivated bot": Broken(
        "slack-bot",
        "SLACK_BOT_TOKEN is not accepted by Slack (account_inactive)",
        "Copy the bot token again from your Slack app's page “OAuth & Permissions”, or install",
        slack_fails("auth.test", Code("account_inactive")),
    ),
    "a revoked app-level token": Broken(
        "slack-app",
        "SLACK_APP_TOKEN is not accepted by Slack (invalid_auth)",
        "Make a new app-level token with the scope connections:write on your Slack app's page",
        slack_fails("apps.connections.open", Code("invalid_auth")),
    ),
    "an app-level token without its scope": Broken(
        "slack-app",
        "SLACK_APP_TOKEN lacks the scope connections:write",
        "Make a new app-level token with it on your Slack app's page “Basic Information”.",
        without_scope("connections:write"),
    ),
    # The way to Slack.
    "Slack in trouble": Broken(
        "slack-bot",
        "Slack answers that it is in trouble itself (internal_error)",
        "Look at slack-status.com, wait, then run the doctor again.",
        slack_fails("auth.test", Code("internal_error")),
    ),
    "Slack in trouble over sockets": Broken(
        "slack-app",
        "Slack answers that it is in trouble itself (internal_error)",
        "Look at slack-status.com, wait, then run the doctor again.",
        slack_fails("apps.connections.open", Code("internal_error")),
    ),
    "another server as Slack": Broken(
        "slack-bot",
        "What answers at SLACK_API_URL is not Slack's API (HTTP 404)",
        "Set it to https://slack.com/api/, or take it out, then run the doctor again.",
        slack_fails("auth.test", Status(404)),
    ),
    "a proxy that wants a password": Broken(
        "proxies",
        "the proxy does not let the bot through to 127.0.0.1 (HTTP 407)",
        "Check HTTPS_PROXY, the user and the password in it, and what the proxy lets through.",
        slack_fails("auth.test", Status(407)),
        start="The proxy does not let the bot through to Slack",
    ),
    "a web page in Slack's place": Broken(
        "slack-bot",
        "What answers at SLACK_API_URL is not Slack, but a web page perhaps",
        "Check whether a proxy or a sign-in page of the network stands in between, then run the",
        slack_fails("auth.test", Status(200)),
    ),
    "no server at Slack's address": Broken(
        "slack-bot",
        "Slack cannot be reached",
        "Check the network, the proxy and SLACK_API_URL, then run the doctor again.",
        {"SLACK_API_URL": "http://127.0.0.1:9/api/"},
    ),
    "an address of Slack without https": Broken(
        "settings",
        "SLACK_API_URL begins with http://, which would send tokens unprotected",
        "Use https://.",
        {"SLACK_API_URL": "http://slack.com/api/"},
    ),
    "an address of Slack without a scheme": Broken(
        "settings",
        "SLACK_API_URL is not a web address",
        "Set it to one that begins with https://.",
        {"SLACK_API_URL": "slack.com/api"},
    ),
    "a password in Slack's address": Broken(
        "settings",
        "SLACK_API_URL holds a user or a password",
        "Take it out of the address.",
        {"SLACK_API_URL": "https://a:b@slack.com/api/"},
    ),
    # Slack's scopes.
    "without commands": Broken(
        "slack-scopes",
        "not granted: commands (nobody can type /share-env or use its shortcuts)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        without_scope("commands"),
        start="commands",
    ),
    "without chat:write": Broken(
        "slack-scopes",
        "not granted: chat:write (nothing can be answered in threads)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        without_scope("chat:write"),
        start="chat:write",
    ),
    "without users:read": Broken(
        "slack-scopes",
        "not granted: users:read (every command is denied, as nobody can be looked up)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        without_scope("users:read"),
        start="users:read",
    ),
    "without usergroups:read": Broken(
        "slack-scopes",
        "not granted: usergroups:read (rules that name groups let nobody in)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        without_scope("usergroups:read"),
        start="usergroups:read",
    ),
    "without channels:read": Broken(
        "slack-scopes",
        "not granted: channels:read (approvers are asked directly, not in their channel, if that",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        without_scope("channels:read"),
        start="channels:read",
    ),
    "without im:write": Broken(
        "slack-scopes",
        "not granted: im:write (a direct message that Slack did not confirm may come twice)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        without_scope("im:write"),
        start="im:write",
    ),
    "without users:read, and people in the policy": Broken(
        "slack-scopes",
        "not granted: users:read (every command is denied, as nobody can be looked up)",
        "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml",
        without_scope("users:read"),
        rule(),
        start="users:read",
    ),
    # The token source.
    "no token source": Broken(
        "settings",
        "There is no source for WeChat tokens",
        "Set WECHAT_COMPONENT_APPID to your third-party platform, or WECHAT_TOKEN_SERVER_URL to",
        {"WECHAT_TOKEN_SERVER_URL": None, "WECHAT_TOKEN_SERVER_AUTHORIZATION": None},
    ),
    "two token sources": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_URL and WECHAT_AUTHORIZER_ACCESS_TOKEN are set together",
        "Keep one of them.",
        {"WECHAT_AUTHORIZER_ACCESS_TOKEN": "80_aBc-DeF_123"},
    ),
    "no owner for the fixed token": Broken(
        "settings",
        "WECHAT_AUTHORIZER_APPID is missing",
        "Set it to the appid that WECHAT_AUTHORIZER_ACCESS_TOKEN belongs to.",
        at(fixed, WECHAT_AUTHORIZER_APPID=None),
    ),
    "an appid as fixed token": Broken(
        "settings",
        "WECHAT_AUTHORIZER_ACCESS_TOKEN holds an appid",
        "Put the secret there that goes with the appid.",
        at(fixed, WECHAT_AUTHORIZER_ACCESS_TOKEN=OWNER),
    ),
    "an expired fixed token": Broken(
        "wechat",
        for_code(42001).title,
        "WECHAT_AUTHORIZER_ACCESS_TOKEN",
        wechat_fails("getenvinfo", Code(42001), base=fixed),
        start="",
    ),
    "an invalid fixed token": Broken(
        "wechat",
        for_code(40014).title,
        "WECHAT_AUTHORIZER_ACCESS_TOKEN",
        at(fixed, WECHAT_AUTHORIZER_ACCESS_TOKEN="80_made-up-and-never-issued"),
        start="",
    ),
    "a fixed token and two owners": Broken(
        "settings",
        "WECHAT_AUTHORIZER_ACCESS_TOKEN serves wx0123456789abcdef only, but the policy file also",
        "Use WECHAT_TOKEN_SERVER_URL for several owners.",
        fixed,
        OWNED.format(appid=OTHER_OWNER) + rule(),
    ),
    "an invalid appid of the owner": Broken(
        "settings",
        "WECHAT_AUTHORIZER_APPID is “gh_0123456789ab”, which is not an appid",
        "Set it to wx and 16 digits or letters a to f.",
        {"WECHAT_AUTHORIZER_APPID": "gh_0123456789ab"},
    ),
    "no server at the token server's address": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_DOWN).title,
        "WECHAT_TOKEN_SERVER_URL",
        {"WECHAT_TOKEN_SERVER_URL": "http://127.0.0.1:9/{appid}"},
        start="",
    ),
    "a token server that wants another password": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_REFUSED).title,
        "WECHAT_TOKEN_SERVER_AUTHORIZATION",
        {"WECHAT_TOKEN_SERVER_AUTHORIZATION": "Bearer another"},
        start="",
    ),
    "a token server that wants a password": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_REFUSED).title,
        "WECHAT_TOKEN_SERVER_AUTHORIZATION",
        {"WECHAT_TOKEN_SERVER_AUTHORIZATION": None},
        start="",
    ),
    "a token server that is broken": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_ANSWER).title,
        "WECHAT_TOKEN_SERVER_URL",
        wechat_fails("token", Status(500)),
        start="",
    ),
    "a web page in place of the token server": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_ANSWER).title,
        "WECHAT_TOKEN_SERVER_URL",
        wechat_fails("token", Status(200)),
        start="",
    ),
    "a token server with another path": Broken(
        "wechat",
        for_trouble(Trouble.TOKEN_SERVER_ANSWER).title,
        "WECHAT_TOKEN_SERVER_URL",
        wechat_fails("token", Status(404)),
        start="",
    ),
    "a token server without https": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_URL begins with http://, which would send tokens unprotected",
        "Use https://.",
        {"WECHAT_TOKEN_SERVER_URL": "http://tokens.example/{appid}"},
    ),
    "a password in the token server's address": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_URL holds a user or a password",
        "Take it out of the address, and set WECHAT_TOKEN_SERVER_AUTHORIZATION to “Basic ” and",
        {"WECHAT_TOKEN_SERVER_URL": "https://a:b@tokens.example/"},
    ),
    "a line break in the token server's header": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_AUTHORIZATION holds characters that no header may have",
        "Copy it again, as one line of plain letters.",
        {"WECHAT_TOKEN_SERVER_AUTHORIZATION": "Bearer a\nb"},
    ),
    "a token server that gives old tokens": Broken(
        "wechat",
        for_code(40001).title,
        for_code(40001).steps[0],
        wechat_fails("getenvinfo", Code(40001)),
        start="",
    ),
    "one token for two owners": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_URL gives one token, but the policy file names several owners",
        "Put {appid} into the address where the owner's appid belongs.",
        lambda a: {"WECHAT_TOKEN_SERVER_URL": a.wechat.token_url.replace("{appid}", OWNER)},
        OWNED.format(appid=OTHER_OWNER) + rule(),
    ),
    "no owner at all": Broken(
        "settings",
        "No mini program is known to own any env",
        "Set WECHAT_AUTHORIZER_APPID, or add [[owner]] to the policy file.",
        {"WECHAT_AUTHORIZER_APPID": None},
    ),
    # WeChat.
    "no server at WeChat's address": Broken(
        "wechat",
        for_trouble(Trouble.NOT_SENT_CONNECT).title,
        "WECHAT_API_URL",
        {"WECHAT_API_URL": "http://127.0.0.1:9"},
        start="",
    ),
    "another server as WeChat": Broken(
        "wechat",
        "what answers at WECHAT_API_URL is not WeChat (HTTP 404)",
        "Set it to https://api.weixin.qq.com, or take it out, then run the doctor again.",
        wechat_fails("getenvinfo", Status(404)),
        start="",
    ),
    "a proxy before WeChat": Broken(
        "proxies",
        "the proxy does not let the bot through to 127.0.0.1 (HTTP 407)",
        "Check HTTPS_PROXY, the user and the password in it, and what the proxy lets through.",
        wechat_fails("getenvinfo", Status(407)),
        start="",
    ),
    "a proxy before Slack and WeChat": Broken(
        "proxies",
        "the proxy does not let the bot through to 127.0.0.1 (HTTP 407)",
        "Check HTTPS_PROXY, the user and the password in it, and what the proxy lets through.",
        lambda a: {
            **slack_fails("auth.test", Status(407))(a),
            **wechat_fails("getenvinfo", Status(407))(a),
        },
        start="The proxy does not let the bot through to Slack",
    ),
    "no network": Broken(
        "proxies",
        "none of these answers: http://127.0.0.1:",
        "Check the network and its firewall, the addresses, and whether HTTPS_PROXY has to be set.",
        {
            "SLACK_API_URL": "http://127.0.0.1:9/api/",
            "WECHAT_API_URL": "http://127.0.0.1:7",
            "WECHAT_TOKEN_SERVER_URL": "http://127.0.0.1:11/{appid}",
        },
        start="Slack cannot be reached",
    ),
    "an address of WeChat without https": Broken(
        "settings",
        "WECHAT_API_URL begins with http://, which would send tokens unprotected",
        "Use https://.",
        {"WECHAT_API_URL": "http://api.weixin.qq.com"},
    ),
    "an address that WeChat does not know": Broken(
        "wechat",
        for_code(40164).title,
        for_code(40164).steps[0],
        wechat_fails("getenvinfo", Code(40164)),
        start="",
    ),
    "an address that is not on the platform's list": Broken(
        "wechat",
        for_code(61004).title,
        "白名单IP",
        wechat_fails("getenvinfo", Code(61004)),
        start="",
    ),
    "no permission for CloudBase": Broken(
        "wechat",
        for_code(48001).title,
        "云开发管理权限",
        wechat_fails("getenvinfo", Code(48001)),
        start="",
    ),
    "a timeout of zero": Broken(
        "settings",
        "WECHAT_TIMEOUT is “0”",
        "Set it to a number from 0.1 to 60.",
        {"WECHAT_TIMEOUT": "0"},
    ),
    "a timeout with a unit": Broken(
        "settings",
        "WECHAT_TIMEOUT is “10s”",
        "Set it to a number from 0.1 to 60.",
        {"WECHAT_TIMEOUT": "10s"},
    ),
    # Token source 3.
    "an invalid appid of the platform": Broken(
        "settings",
        "WECHAT_COMPONENT_APPID is not an appid",
        "Copy the platform's AppID from open.weixin.qq.com.",
        at(chain, WECHAT_COMPONENT_APPID="my-platform"),
    ),
    "no AppSecret": Broken(
        "settings",
        "WECHAT_COMPONENT_APPSECRET is missing",
        "Copy the platform's AppSecret from open.weixin.qq.com.",
        at(chain, WECHAT_COMPONENT_APPSECRET=None),
    ),
    "the appid as AppSecret": Broken(
        "settings",
        "WECHAT_COMPONENT_APPSECRET holds an appid",
        "Put the secret there that goes with the appid.",
        at(chain, WECHAT_COMPONENT_APPSECRET=OWNER),
    ),
    "no message token": Broken(
        "settings",
        "WECHAT_MESSAGE_TOKEN is missing",
        "Copy the platform's 消息校验Token from open.weixin.qq.com.",
        at(chain, WECHAT_MESSAGE_TOKEN=None),
    ),
    "no EncodingAESKey": Broken(
        "settings",
        "WECHAT_ENCODING_AES_KEY is missing",
        "Copy the platform's 消息加解密Key from open.weixin.qq.com.",
        at(chain, WECHAT_ENCODING_AES_KEY=None),
    ),
    "an EncodingAESKey of 44 letters": Broken(
        "settings",
        "WECHAT_ENCODING_AES_KEY is no EncodingAESKey, which has 43 letters and digits",
        "Copy 消息加解密Key from open.weixin.qq.com.",
        at(chain, WECHAT_ENCODING_AES_KEY="a" * 44),
    ),
    "a chain before its first start": Broken(
        "callback",
        "WeChat has pushed no ticket yet",
        "Start the bot, and look at its log.",
        chain,
        start="",
    ),
    "an invalid Fernet key": Broken(
        "settings",
        "TOKEN_ENCRYPTION_KEY is no Fernet key",
        "Make one with:",
        at(chain, TOKEN_ENCRYPTION_KEY="short"),
    ),
    "an invalid second Fernet key": Broken(
        "settings",
        "TOKEN_ENCRYPTION_KEY (number 2) is no Fernet key",
        "Make one with:",
        at(chain, TOKEN_ENCRYPTION_KEY=f"{Fernet.generate_key().decode()},short"),
    ),
    "an invalid Fernet key that is not needed": Broken(
        "settings",
        "TOKEN_ENCRYPTION_KEY is no Fernet key",
        "Make one with:",
        at(fixed, TOKEN_ENCRYPTION_KEY="short"),
    ),
    # The ledger.
    "a ledger in memory": Broken(
        "ledger",
        "it is in memory, and lost at each stop",
        "Name a file in DATABASE_URL, such as sqlite:///share-env.db.",
        {"DATABASE_URL": "sqlite://"},
    ),
    "a ledger with two slashes": Broken(
        "ledger",
        "DATABASE_URL has two slashes before share-env.db, where a file needs three",
        "Set DATABASE_URL to sqlite:///share-env.db.",
        {"DATABASE_URL": "sqlite://share-env.db"},
    ),
    "a ledger in a missing folder": Broken(
        "ledger",
        "there is no folder /no/such/folder",
        "Make the folder, or correct DATABASE_URL.",
        {"DATABASE_URL": "sqlite:////no/such/folder/share-env.db"},
        start="DATABASE_URL cannot be opened (No such file or directory: /no/such/folder). Choose a",
    ),
    "a folder as ledger": Broken(
        "ledger",
        "is no file",
        "Let DATABASE_URL name a file, such as sqlite:///share-env.db.",
        lambda a: {"DATABASE_URL": f"sqlite:///{a.folder}"},
        start="DATABASE_URL cannot be opened (unable to open database file",
    ),
    "a text file as ledger": Broken(
        "ledger",
        "it cannot be read (file is not a database)",
        "Let DATABASE_URL name another file, or put a backup of the ledger at",
        lambda a: {"DATABASE_URL": f"sqlite:///{text_file(a)}"},
        start="DATABASE_URL cannot be opened (file is not a database). Let DATABASE_URL name another",
    ),
    "a ledger on MySQL": Broken(
        "ledger",
        "DATABASE_URL names another database than SQLite or PostgreSQL",
        "Use sqlite:///share-env.db or postgresql+psycopg://…",
        {"DATABASE_URL": "mysql://h/d"},
    ),
    "a ledger with an unsupported driver": Broken(
        "ledger",
        "DATABASE_URL names another database than SQLite or PostgreSQL",
        "Use sqlite:///share-env.db or postgresql+psycopg://…",
        {"DATABASE_URL": "postgresql+pg8000://h/d"},
    ),
    "a path as ledger": Broken(
        "ledger",
        "DATABASE_URL is not a database's address",
        "Use sqlite:///share-env.db or postgresql+psycopg://…",
        {"DATABASE_URL": "/var/lib/share-env.db"},
    ),
    "no database server": Broken(
        "ledger",
        'it cannot be read (connection failed: connection to server at "127.0.0.1", port 9',
        "Check the address, the database and its rights.",
        {"DATABASE_URL": "postgresql+psycopg://bot:hush@127.0.0.1:9/d"},
        start='DATABASE_URL cannot be opened (connection failed: connection to server at "127.0.0.1",',
    ),
    # The policy.
    "no policy": Broken(
        "settings",
        "Nobody may share anything yet",
        "Write a policy.toml, or set SHARE_ENV_ALLOWED_USERS or SHARE_ENV_ALLOWED_GROUPS.",
        {"SHARE_ENV_ALLOWED_GROUPS": None},
    ),
    "a file and settings": Broken(
        "settings",
        "policy.toml) and there are SHARE_ENV_ALLOWED_… settings",
        "Keep one way: move what they say into the file, or remove the file.",
        {"SHARE_ENV_ALLOWED_USERS": "U0REQUESTER"},
        rule(),
    ),
    "a name as user": Broken(
        "settings",
        "SHARE_ENV_ALLOWED_USERS: “@mei” is not an id",
        "Use ids such as U012ABCDEF, separated by commas.",
        {"SHARE_ENV_ALLOWED_USERS": "@mei"},
    ),
    "a handle as group": Broken(
        "settings",
        "SHARE_ENV_ALLOWED_GROUPS: “@platform” is not an id",
        "Use ids such as S012ABCDEF, separated by commas.",
        {"SHARE_ENV_ALLOWED_GROUPS": "@platform"},
    ),
    "a name as channel": Broken(
        "settings",
        "SHARE_ENV_ALLOWED_CHANNELS: “#releases” is not an id",
        "Use ids such as C012ABCDEF, separated by commas.",
        {"SHARE_ENV_ALLOWED_CHANNELS": "#releases"},
    ),
    "a missing policy file": Broken(
        "settings",
        "The policy file “/no/such/policy.toml” cannot be read: No such file or directory",
        "Put it there, let the bot's user read it, or correct the path.",
        {"POLICY_FILE": "/no/such/policy.toml", "SHARE_ENV_ALLOWED_GROUPS": None},
    ),
    "a folder as policy file": Broken(
        "settings",
        "cannot be read: it is not a file",
        "Correct the path: it has to name the file itself.",
        lambda a: {"POLICY_FILE": str(a.folder), "SHARE_ENV_ALLOWED_GROUPS": None},
    ),
    "a policy file that is not TOML": Broken(
        "settings",
        "It is not valid TOML: Expected ']]' at the end of an array declaration (at line 1,",
        "Put that line right first.",
        {},
        "[[rule]\nname = 1",
    ),
    "a policy with an unknown key": Broken(
        "settings",
        "rule 1, colour: there is no such key",
        "Remove it.",
        {},
        rule() + "colour = 'red'\n",
    ),
    "a rule without an effect": Broken(
        "settings", "rule 1, effect: it is missing", "Add it.", {}, "[[rule]]\nname = 'r'\n"
    ),
    "a test that fails": Broken(
        "policy-tests",
        "test 1: U0STRANGER with wx5fe6bb43205e9e70 and prod-1 should get “allow” but gets",
        "Put the rules or the test right.",
        {},
        rule() + TEST,
    ),
    "a policy that denies everybody": Broken(
        "policy-reach",
        "nobody may share anything: every rule that decides anything denies",
        "Add a [[rule]] with another effect, or move one up.",
        {},
        DENY + rule(),
        start="nobody may share anything: every rule that decides anything denies; "
        "“r” never decides: “freeze”, which comes first, always does",
    ),
    "a policy for an unknown person": Broken(
        "slack-people",
        "do not exist: U0NOBODY1",
        "Take them out of the policy, or correct the ids.",
        {},
        rule(user="U0NOBODY1"),
        start="",
    ),
    "a policy for a deactivated person": Broken(
        "slack-people",
        "deactivated: U0GONE",
        "Take them out of the policy, or correct the ids.",
        {},
        rule(user="U0GONE"),
        start="",
    ),
    "a deactivated operator": Broken(
        "slack-people",
        "deactivated: U0GONE",
        "Take them out of the policy, or correct the ids.",
        {},
        f'operators = {{ users = ["U0GONE"] }}\n{rule()}',
        start="",
    ),
    "a missing group": Broken(
        "slack-groups",
        "do not exist: S0NOSUCH1",
        "Correct the ids in the policy, or bring the groups back in Slack.",
        {"SHARE_ENV_ALLOWED_GROUPS": "S0NOSUCH1"},
        start="",
    ),
    "a rule that nobody can approve": Broken(
        "slack-people",
        "do not exist: U0NOBODY1",
        "Take them out of the policy, or correct the ids.",
        {},
        ASKING.format(who='users = ["U0NOBODY1"]', channel="C0APPROVALS"),
        start="",
    ),
    "a missing group of approvers": Broken(
        "slack-groups",
        "do not exist: S0NOSUCH1",
        "Correct the ids in the policy, or bring the groups back in Slack.",
        {},
        ASKING.format(who='groups = ["S0NOSUCH1"]', channel="C0APPROVALS"),
        start="",
    ),
    "a group without members": Broken(
        "slack-groups",
        "without members: @platform (S0PLATFORM)",
        "Add people in Slack, or take the group out of the policy.",
        without_members,
        start="",
    ),
    "a missing channel of approvers": Broken(
        "policy-approvers",
        "the approvers' channel C0NOSUCH01 does not exist, or is private and without the bot",
        "Correct the id, or type /invite @share-env in it.",
        {},
        ASKING.format(who='groups = ["S0APPROVERS"]', channel="C0NOSUCH01"),
        start="",
    ),
    # The process.
    "a port that is not a number": Broken(
        "settings", "PORT is “http”", "Set it to a whole number from 1 to 65535.", {"PORT": "http"}
    ),
    "port zero": Broken(
        "settings", "PORT is “0”", "Set it to a whole number from 1 to 65535.", {"PORT": "0"}
    ),
    "another machine's host": Broken(
        "listener",
        "HOST 192.0.2.1 and PORT 3001 cannot be used (Cannot assign requested address)",
        "Choose others, or stop what uses them.",
        {"HOST": "192.0.2.1", "PORT": "3001"},
    ),
    "an unknown log level": Broken(
        "settings",
        "LOG_LEVEL is “LOUD”",
        "Set it to one of DEBUG, INFO, WARNING, ERROR.",
        {"LOG_LEVEL": "LOUD"},
    ),
    "an unknown log format": Broken(
        "settings", "LOG_FORMAT is “xml”", "Set it to one of text, json.", {"LOG_FORMAT": "xml"}
    ),
    "an unsupported language": Broken(
        "settings", "LANGUAGE is “de”", "Set it to one of en, zh-CN.", {"LANGUAGE": "de"}
    ),
    "a grace of one day": Broken(
        "settings",
        "SHUTDOWN_GRACE is “86400”",
        "Set it to a number from 0 to 600.",
        {"SHUTDOWN_GRACE": "86400"},
    ),
}


def text_file(around: Around) -> Path:
    """Return a file that is not a ledger."""
    path = around.folder / "notes.txt"
    path.write_text("these are notes, and no database of anybody's\n" * 40, encoding="utf-8")
    return path
