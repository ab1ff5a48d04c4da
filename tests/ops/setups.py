"""Setups of the bot that are broken in one way each, with what the doctor reports first and what the start reports.

Of the sentences about settings and scopes there is one of each way here: both repeat what tests/settings has in whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.domain.finding import Level
from bot.guidance import Trouble, for_code
from bot.playground.environments import chain_environment
from bot.playground.faults import Code, Status
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.world import OWNER, UserGroup
from tests.ops.doctors import B, rule
from tests.token_server import TokenWeChat

OTHER_OWNER = "wx00000000000000aa"
NO_ANSWER = Trouble.TOKEN_SERVER_ANSWER.value.title
TEST = f'[[test]]\nuser = "U0STRANGER"\nappid = "{B}"\nenv = "prod-1"\nexpect = "allow"\n'
DENY = '[[rule]]\nname = "freeze"\neffect = "deny"\n'
PAST = """
[[freeze]]
from = 2020-12-24T18:00:00+08:00
until = 2021-01-04T09:00:00+08:00
reason = "last year"
"""
ASKING = """
[[rule]]
name = "core"
users = ["U0REQUESTER"]
effect = "approve"
approvers = {{ {who}, channel = "{channel}" }}
"""
OWNED = '[[owner]]\nappid = "{appid}"\nenvs = ["prod-*"]\n'
_NOT_LISTED = "access clientip is not registered, requestIP: 203.0.113.7"
NO_TOKEN_SERVER = dict[str, str | None].fromkeys(
    ("WECHAT_TOKEN_SERVER_URL", "WECHAT_TOKEN_SERVER_AUTHORIZATION")
)


@dataclass(frozen=True)
class Around:
    """The servers that a setup talks to, and the folder in which the bot runs."""

    slack: LocalSlack
    wechat: TokenWeChat
    folder: Path


Settings = dict[str, str | None]
Change = Mapping[str, str | None]
"""Settings to be set, or removed if None."""


@dataclass(frozen=True)
class Broken:
    """One broken setup: the change that breaks it, and what is reported.

    `first` is the check that the doctor names first; its finding has `level` and contains `found`, and its fix `fix`.
    The message at the start contains `start`, or `found` if that is None; it is empty if the bot starts, since only a
    share can fail.
    """

    first: str
    found: str
    fix: str
    change: Change | Callable[[Around], Change] = field(default_factory=dict)
    policy: str | None = None
    start: str | None = None
    level: Level = "wrong"

    @property
    def at_start(self) -> str:
        """Return what the message at the start contains."""
        return self.found if self.start is None else self.start


def fixed(around: Around) -> Settings:
    """Return the settings of token source 1."""
    return NO_TOKEN_SERVER | {"WECHAT_AUTHORIZER_ACCESS_TOKEN": around.wechat.issue(OWNER)}


def chain(around: Around) -> Settings:
    """Return the settings of token source 3."""
    return NO_TOKEN_SERVER | chain_environment(around.wechat, free_port())


def http(around: Around) -> Settings:
    """Return the settings of HTTP mode."""
    secret = around.slack.world.signing_secret
    return {"SLACK_APP_TOKEN": None, "SLACK_SIGNING_SECRET": secret, "PORT": str(free_port())}


def at(base: Callable[[Around], Settings], **change: str | None) -> Callable[[Around], Change]:
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


def with_a_group_of_guests(around: Around) -> Change:
    around.slack.groups["S0GUESTS"] = UserGroup("S0GUESTS", "guests", frozenset({"U0GUEST"}))
    return {}


def doubtful(first: str, found: str, fix: str, text: str) -> Broken:
    """Return a setup with this policy file, of which the doctor warns; the bot starts."""
    return Broken(first, found, fix, policy=text, start="", level="warning")


def sockets(**change: object) -> Callable[[Around], Change]:
    """Return a change of how Slack answers connections of Socket Mode."""

    def changed(around: Around) -> Change:
        for name, value in change.items():
            setattr(around.slack.sockets, name, value)
        return {}

    return changed


def without_members(around: Around) -> Change:
    groups = around.slack.groups
    groups["S0PLATFORM"] = replace(groups["S0PLATFORM"], members=frozenset())
    return {}


def text_file(around: Around) -> Path:
    """Return a file that is not a ledger."""
    path = around.folder / "notes.txt"
    path.write_text("these are notes, and no database of anybody's\n" * 40, encoding="utf-8")
    return path


def no_change(_: Around) -> Settings:
    return {}


def setting(
    name: str,
    value: str | None,
    found: str,
    fix: str,
    base: Callable[[Around], Settings] = no_change,
) -> Broken:
    """Return a setup with one wrong setting, whose name begins what the check of the settings finds."""
    return Broken("settings", f"{name} {found}", fix, at(base, **{name: value}))


def scope(name: str, lost: str, level: Level = "wrong") -> Broken:
    """Return a setup without one of Slack's scopes, and with what is lost."""
    fix = "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml"
    found = f"not granted: {name} ({lost}"
    return Broken("slack-scopes", found, fix, without_scope(name), level=level)


def at_a_share(
    found: str, fix: str, change: Callable[[Around], Change], first: str = "wechat"
) -> Broken:
    """Return a setup in which the bot starts, since only a share can fail."""
    return Broken(first, found, fix, change, start="")


def from_token_server(body: bytes, found: str, fix: str) -> Broken:
    """Return a setup whose token server sends this."""
    return at_a_share(f"{NO_ANSWER}; {found}", fix, wechat_fails("token", Status(200, body)))


def ledger(url: str, found: str, fix: str, start: str | None = None) -> Broken:
    """Return a setup with this DATABASE_URL, in which `{}` is the folder of the bot."""
    return Broken(
        "ledger", found, fix, lambda a: {"DATABASE_URL": url.format(a.folder)}, start=start
    )


def policy(first: str, found: str, fix: str, text: str, start: str | None = None) -> Broken:
    """Return a setup with this policy file."""
    return Broken(first, found, fix, policy=text, start=start)


BOT_TOKEN_AGAIN = (
    "Copy the bot token again from your Slack app's page “OAuth & Permissions”, or install"
)
NEW_APP_TOKEN = (
    "Make a new app-level token with the scope connections:write on your Slack app's page"
)
IN_TROUBLE = "Slack answers that it is in trouble itself (internal_error)"
WAIT = "Look at slack-status.com, wait, then run the doctor again."
NOT_SLACK = "What answers at SLACK_API_URL is not Slack's API (HTTP 404)"
SLACKS_URL = "Set it to https://slack.com/api/, or take it out, then run the doctor again."
BY_A_PROXY = (
    "a proxy that HTTPS_PROXY does not name wants a user and a password that it knows (HTTP 407)"
)
PROXY = "Put both before its host in HTTPS_PROXY, as user:password@."
REFUSED_THERE = "no connection can be made (Connection refused)"
NETWORK = (
    "Check the network and its firewall, whether HTTPS_PROXY has to be set, and the address if"
)
FIXED_TOKEN = "Put the owner's authorizer_access_token there."
OTHER_DATABASE = "DATABASE_URL names another database than SQLite or PostgreSQL"
URLS = "Use sqlite:///share-env.db or postgresql+psycopg://…"
PEOPLE = "Take them out of the policy, or correct the ids."
GROUPS = "Correct the ids in the policy, or bring the groups back in Slack."
NO_CHANNEL = "rules are for channels that do not exist, or are private ones without the bot: "
TWO_OWNERS = OWNED.format(appid=OTHER_OWNER) + rule()
REFUSED = Trouble.TOKEN_SERVER_REFUSED.value.title

BROKEN: dict[str, Broken] = {
    # Slack's tokens.
    "no bot token": setting(
        "SLACK_BOT_TOKEN",
        None,
        "is missing",
        "Copy the bot token (xoxb-…) from your Slack app's page “OAuth & Permissions”.",
    ),
    "a misspelt name of the app-level token": Broken(
        "settings",
        "SLACK_APP_TOKEN is missing, and SLACK_APP_TOKN is no setting",
        "Call it SLACK_APP_TOKEN.",
        {"SLACK_APP_TOKEN": None, "SLACK_APP_TOKN": "xapp-1-A2-33-dEf"},
    ),
    "a misspelt name of those who may share": Broken(
        "settings",
        "Nobody may share anything yet, and SHARE_ENV_ALLOWED_GROUP is no setting",
        "Call it SHARE_ENV_ALLOWED_GROUPS.",
        {"SHARE_ENV_ALLOWED_GROUPS": None, "SHARE_ENV_ALLOWED_GROUP": "S0PLATFORM"},
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
    "an old bot token": Broken(
        "slack-bot",
        "SLACK_BOT_TOKEN is not accepted by Slack (invalid_auth)",
        BOT_TOKEN_AGAIN,
        {"SLACK_BOT_TOKEN": "xoxb-revoked"},
    ),
    "a revoked bot token": Broken(
        "slack-bot",
        "SLACK_BOT_TOKEN is not accepted by Slack (token_revoked)",
        BOT_TOKEN_AGAIN,
        slack_fails("auth.test", Code("token_revoked")),
    ),
    "a deactivated bot": Broken(
        "slack-bot",
        "SLACK_BOT_TOKEN is not accepted by Slack (account_inactive)",
        BOT_TOKEN_AGAIN,
        slack_fails("auth.test", Code("account_inactive")),
    ),
    "an old app-level token": Broken(
        "slack-app",
        "SLACK_APP_TOKEN is not accepted by Slack (invalid_auth)",
        NEW_APP_TOKEN,
        {"SLACK_APP_TOKEN": "xapp-1-A2-33-old"},
    ),
    "an app-level token without its scope": Broken(
        "slack-app",
        "SLACK_APP_TOKEN lacks the scope connections:write",
        "Make a new app-level token with it on your Slack app's page “Basic Information”.",
        without_scope("connections:write"),
    ),
    "Socket Mode switched off": Broken(
        "slack-connections",
        "Socket Mode is switched off for this Slack app",
        "On the app's page “Socket Mode”, choose “Enable Socket Mode”.",
        sockets(switched_off=True),
        start="Socket Mode is switched off for this Slack app. On the app's page",
    ),
    "tokens of two Slack apps": Broken(
        "slack-app",
        "SLACK_BOT_TOKEN belongs to the Slack app A0SHAREENV, SLACK_APP_TOKEN to A0ANOTHER",
        "Copy both tokens from the pages of one app.",
        sockets(app_id="A0ANOTHER"),
        start="",
    ),
    # The way to Slack.
    "Slack in trouble": Broken(
        "slack-bot", IN_TROUBLE, WAIT, slack_fails("auth.test", Code("internal_error"))
    ),
    "another server as Slack": Broken(
        "slack-bot", NOT_SLACK, SLACKS_URL, slack_fails("auth.test", Status(404))
    ),
    "another server as Slack over sockets": Broken(
        "slack-app", NOT_SLACK, SLACKS_URL, slack_fails("apps.connections.open", Status(404))
    ),
    "a proxy that wants a password": Broken(
        "slack-bot", BY_A_PROXY, PROXY, slack_fails("auth.test", Status(407))
    ),
    "a web page in Slack's place": Broken(
        "slack-bot",
        "What answers at SLACK_API_URL is not Slack, but a web page perhaps",
        "Check whether a proxy or a sign-in page of the network stands in between, then run the",
        slack_fails("auth.test", Status(200)),
    ),
    "no server at Slack's address": Broken(
        "slack-bot",
        REFUSED_THERE,
        NETWORK,
        {"SLACK_API_URL": "http://127.0.0.1:9/api/"},
    ),
    # Slack's scopes.
    "without commands": scope("commands", "nobody can type /share-env or use its shortcuts)"),
    "without users:read": scope(
        "users:read", "every command is denied, as nobody can be looked up)"
    ),
    "without im:write": scope(
        "im:write",
        "a message that Slack did not confirm may come twice, in direct messages)",
        "warning",
    ),
    "without users:read, and people in the policy": replace(
        scope("users:read", "every command is denied, as nobody can be looked up)"), policy=rule()
    ),
    # The token source.
    "an expired fixed token": at_a_share(
        for_code(42001).title,
        "WECHAT_AUTHORIZER_ACCESS_TOKEN",
        wechat_fails("getenvinfo", Code(42001), base=fixed),
    ),
    "an invalid fixed token": at_a_share(
        for_code(40014).title,
        "WECHAT_AUTHORIZER_ACCESS_TOKEN",
        at(fixed, WECHAT_AUTHORIZER_ACCESS_TOKEN="80_made-up-and-never-issued"),
    ),
    "an appid as fixed token": setting(
        "WECHAT_AUTHORIZER_ACCESS_TOKEN", OWNER, "holds an appid", FIXED_TOKEN, fixed
    ),
    "no server at the token server's address": at_a_share(
        REFUSED_THERE,
        NETWORK,
        at(no_change, WECHAT_TOKEN_SERVER_URL="http://127.0.0.1:9/{appid}"),
    ),
    "a token server that wants another password": at_a_share(
        REFUSED,
        "WECHAT_TOKEN_SERVER_AUTHORIZATION",
        at(no_change, WECHAT_TOKEN_SERVER_AUTHORIZATION="Bearer another"),
    ),
    "a token server that gives another owner's token": from_token_server(
        b'{"authorizer_appid": "wx00000000000000aa", "authorizer_access_token": "80_made-up"}',
        f"a token came of {OTHER_OWNER}, not of {OWNER}",
        "Check {appid} in WECHAT_TOKEN_SERVER_URL, and which owner the server looks up.",
    ),
    "a token server with a password in its address": setting(
        "WECHAT_TOKEN_SERVER_URL",
        "https://me:made-up@tokens.example/{appid}",
        "holds a user or a password",
        "Take it out of the address, and set WECHAT_TOKEN_SERVER_AUTHORIZATION to “Basic ” and user:password in "
        "Base64: printf %s 'user:password' | base64.",
    ),
    "a token server that gives old tokens": at_a_share(
        for_code(40001).title, for_code(40001).steps[0], wechat_fails("getenvinfo", Code(40001))
    ),
    "one token for two owners": Broken(
        "settings",
        "WECHAT_TOKEN_SERVER_URL gives one token, but the policy file names several owners",
        "Put {appid} into the address where the owner's appid belongs.",
        lambda a: {"WECHAT_TOKEN_SERVER_URL": a.wechat.token_url.replace("{appid}", OWNER)},
        TWO_OWNERS,
    ),
    # WeChat.
    "no server at WeChat's address": at_a_share(
        REFUSED_THERE,
        NETWORK,
        at(no_change, WECHAT_API_URL="http://127.0.0.1:9"),
    ),
    "another server as WeChat": at_a_share(
        "what answers at WECHAT_API_URL is not WeChat (HTTP 404)",
        "Set it to https://api.weixin.qq.com, or take it out, then run the doctor again.",
        wechat_fails("getenvinfo", Status(404)),
    ),
    "a proxy before WeChat": at_a_share(BY_A_PROXY, PROXY, wechat_fails("getenvinfo", Status(407))),
    "a proxy before Slack and WeChat": Broken(
        "slack-bot",
        BY_A_PROXY,
        PROXY,
        lambda a: {
            **slack_fails("auth.test", Status(407))(a),
            **wechat_fails("getenvinfo", Status(407))(a),
        },
    ),
    "no network": Broken(
        "slack-bot",
        REFUSED_THERE,
        NETWORK,
        {
            "SLACK_API_URL": "http://127.0.0.1:9/api/",
            "WECHAT_API_URL": "http://127.0.0.1:7",
            "WECHAT_TOKEN_SERVER_URL": "http://127.0.0.1:11/{appid}",
        },
    ),
    "no network but the token server's": Broken(
        "slack-bot",
        REFUSED_THERE,
        NETWORK,
        {"SLACK_API_URL": "http://127.0.0.1:9/api/", "WECHAT_API_URL": "http://127.0.0.1:7"},
    ),
    "the address of a call as WeChat's": setting(
        "WECHAT_API_URL",
        "https://api.weixin.qq.com/tcb/shareenv?access_token=80_made-up-token",
        "is the address of a single call",
        "Set it to one such as https://api.weixin.qq.com.",
    ),
    "a token server behind a sign-in": at_a_share(
        f"{NO_ANSWER}; HTTP 302 came", "redirects to", wechat_fails("token", Status(302))
    ),
    "a token server that fails": at_a_share(
        f"{NO_ANSWER}; HTTP 502 came", "own log", wechat_fails("token", Status(502))
    ),
    "an address that is not on the platform's list": at_a_share(
        f"; WeChat said: {_NOT_LISTED}",
        "白名单IP",
        wechat_fails("getenvinfo", Code(61004, _NOT_LISTED)),
    ),
    "no permission for CloudBase": at_a_share(
        for_code(48001).title, "authorisation link", wechat_fails("getenvinfo", Code(48001))
    ),
    "a timeout of zero": setting(
        "WECHAT_TIMEOUT", "0", "is “0”", "Set it to a number from 0.1 to 60."
    ),
    # Token source 3.
    "a chain before its first start": at_a_share(
        "WeChat has pushed no ticket yet",
        "Start the bot, and look at its log.",
        chain,
        first="callback",
    ),
    "an invalid Fernet key that is not needed": setting(
        "TOKEN_ENCRYPTION_KEY", "short", "is no Fernet key", "Make one with:", fixed
    ),
    # The ledger.
    "a ledger in memory": ledger(
        "sqlite://",
        "it is in memory, and lost at each stop",
        "Name a file in DATABASE_URL, such as sqlite:///share-env.db.",
    ),
    "a ledger with two slashes": ledger(
        "sqlite://share-env.db",
        "DATABASE_URL has two slashes before share-env.db, where a file needs three",
        "Set DATABASE_URL to sqlite:///share-env.db.",
    ),
    "a ledger in a missing folder": ledger(
        "sqlite:////no/such/folder/share-env.db",
        "there is no folder /no/such/folder",
        "Make the folder, or correct DATABASE_URL.",
        "DATABASE_URL cannot be opened (No such file or directory: /no/such/folder). Choose a",
    ),
    "a folder as ledger": ledger(
        "sqlite:///{}",
        "is no file",
        "Let DATABASE_URL name a file, such as sqlite:///share-env.db.",
        "DATABASE_URL cannot be opened (unable to open database file",
    ),
    "a text file as ledger": Broken(
        "ledger",
        "it cannot be read (file is not a database)",
        "and put a backup of the ledger at",
        lambda a: {"DATABASE_URL": f"sqlite:///{text_file(a)}"},
        start="DATABASE_URL cannot be opened (file is not a database). Let DATABASE_URL name another",
    ),
    "a ledger on MySQL": ledger("mysql://h/d", OTHER_DATABASE, URLS),
    "a ledger with an asynchronous driver": ledger(
        "postgresql+asyncpg://h/d",
        "DATABASE_URL begins with postgresql+asyncpg://, a driver that the bot does not use",
        "Let it begin with postgresql+psycopg://.",
    ),
    "a path as ledger": ledger(
        "/var/lib/share-env.db", "DATABASE_URL is not a database's address", URLS
    ),
    "no database server": ledger(
        "postgresql+psycopg://bot:hush@127.0.0.1:9/d",
        'it cannot be read (connection failed: connection to server at "127.0.0.1", port 9',
        "Check DATABASE_URL, whether the database runs, and its rights.",
        'DATABASE_URL cannot be opened (connection failed: connection to server at "127.0.0.1",',
    ),
    # The policy.
    "a policy file that is not TOML": policy(
        "settings",
        "It is not valid TOML: Expected ']]' at the end of an array declaration (at line 1,",
        "Put that line right first.",
        "[[rule]\nname = 1",
    ),
    "a test that fails": policy(
        "policy-tests",
        "test 1: U0STRANGER with wx5fe6bb43205e9e70 and prod-1 should get “allow” but gets",
        "Correct the rules or the test.",
        rule() + TEST,
    ),
    "a policy that denies everybody": Broken(
        "policy-reach",
        "nobody may share anything: every rule that decides anything denies",
        "Add a [[rule]] with another effect, or move one up.",
        policy=DENY + rule(),
        start="nobody may share anything: every rule that decides anything denies",
        level="warning",
    ),
    "a policy for an unknown person": policy(
        "slack-people", "do not exist: U0NOBODY1", PEOPLE, rule(user="U0NOBODY1"), ""
    ),
    "a deactivated operator": policy(
        "slack-people",
        "deactivated: U0GONE",
        PEOPLE,
        f'operators = {{ users = ["U0GONE"] }}\n{rule()}',
        "",
    ),
    "a missing group of operators": policy(
        "slack-groups",
        "do not exist: S0NOSUCH1",
        GROUPS,
        f'operators = {{ groups = ["S0NOSUCH1"] }}\n{rule()}',
        "",
    ),
    "a missing group": at_a_share(
        "do not exist: S0NOSUCH1",
        GROUPS,
        at(no_change, SHARE_ENV_ALLOWED_GROUPS="S0NOSUCH1"),
        first="slack-groups",
    ),
    "a rule that nobody can approve": policy(
        "slack-people",
        "do not exist: U0NOBODY1",
        PEOPLE,
        ASKING.format(who='users = ["U0NOBODY1"]', channel="C0APPROVALS"),
        "",
    ),
    "a missing group of approvers": policy(
        "slack-groups",
        "do not exist: S0NOSUCH1",
        GROUPS,
        ASKING.format(who='groups = ["S0NOSUCH1"]', channel="C0APPROVALS"),
        "",
    ),
    "a group without members": Broken(
        "slack-groups",
        "without members: S0PLATFORM",
        "Add people in Slack, or take the group out of the policy.",
        without_members,
        start="",
        level="warning",
    ),
    "approvers who are guests, by a group": Broken(
        "policy-approvers",
        "nobody can approve what “core” asks for: none of its approvers exists and is an active full",
        "Name approvers who are there.",
        with_a_group_of_guests,
        ASKING.format(who='groups = ["S0GUESTS"]', channel="C0APPROVALS"),
        start="",
    ),
    "a denial behind a permission for everyone": doubtful(
        "policy-reach",
        "“freeze” decides only for guests: “r”, which comes first, decides for all others",
        "Move “freeze” above “r”, or take it out.",
        rule(user="*", env="*") + DENY + 'envs = ["prod-*"]\n',
    ),
    "a freeze that is over": doubtful(
        "policy-freezes",
        "freeze 1 (“last year”) is over",
        "Take it out, or correct its until.",
        f"{rule()}{PAST}",
    ),
    "a group that a freeze excepts and that does not exist": policy(
        "slack-groups",
        "do not exist: S0NOSUCH1",
        GROUPS,
        rule() + PAST.replace("2021", "2999") + 'except = { groups = ["S0NOSUCH1"] }\n',
        "",
    ),
    "a person whom a freeze excepts and who does not exist": policy(
        "slack-people",
        "do not exist: U0NOSUCH1",
        PEOPLE,
        rule() + PAST.replace("2021", "2999") + 'except = { users = ["U0NOSUCH1"] }\n',
        "",
    ),
    "a rule for a channel that does not exist": doubtful(
        "slack-channels",
        f"{NO_CHANNEL}C0NOSUCH01",
        "Correct the ids in the policy, or type /invite @share-env in those channels.",
        rule() + 'channels = ["C0NOSUCH01", "C0RELEASES"]\n',
    ),
    "a setting for a channel that does not exist": replace(
        at_a_share(
            f"{NO_CHANNEL}C0NOSUCH01",
            "Correct the ids in the policy",
            at(no_change, SHARE_ENV_ALLOWED_CHANNELS="C0NOSUCH01"),
            "slack-channels",
        ),
        level="warning",
    ),
    "an env that its owner lacks": doubtful(
        "wechat-envs",
        "no env in service of its owner: prod-9; wx0123456789abcdef has prod-",
        "Correct the id in the policy, or its [[owner]].",
        rule(env="prod-9"),
    ),
    "a pattern that fits no env of the owner": doubtful(
        "wechat-envs",
        "fits no env in service: life-*; wx0123456789abcdef has prod-",
        "Correct the id in the policy, or its [[owner]].",
        rule(env="life-*"),
    ),
    "a missing channel of approvers": policy(
        "policy-approvers",
        "the bot is not in the approvers' channel C0NOSUCH01, or there is no such channel",
        "Correct the id, or type /invite @share-env in it.",
        ASKING.format(who='groups = ["S0APPROVERS"]', channel="C0NOSUCH01"),
        "",
    ),
    # The process.
    "a port that is not a number": setting(
        "PORT", "http", "is “http”", "Set it to a whole number from 1 to 65535."
    ),
    "another machine's host": Broken(
        "listener",
        "HOST 192.0.2.1 and PORT 3001 cannot be used (Cannot assign requested address)",
        "Choose others, or stop what uses them.",
        {"HOST": "192.0.2.1", "PORT": "3001"},
    ),
}
