"""Read the environment into Settings, or into one sentence for each thing wrong: the setting and the fix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from bot.command import is_appid
from bot.environ import Reader
from bot.policy import Policy
from bot.policy.file import CHANNEL_ID, GROUP_ID, USER_ID, read_policy, simple_policy
from bot.token_settings import TokenSettings, check_owners, read_tokens, secrets_of

DEFAULT_DATABASE = "sqlite:///share-env.db"
NAMES = (
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "SLACK_API_URL",
    "WECHAT_API_URL",
    "WECHAT_AUTHORIZER_APPID",
    "WECHAT_AUTHORIZER_ACCESS_TOKEN",
    "WECHAT_TOKEN_SERVER_URL",
    "WECHAT_TOKEN_SERVER_AUTHORIZATION",
    "WECHAT_COMPONENT_APPID",
    "WECHAT_COMPONENT_APPSECRET",
    "WECHAT_MESSAGE_TOKEN",
    "WECHAT_ENCODING_AES_KEY",
    "WECHAT_ENCODING_AES_KEY_PREVIOUS",
    "WECHAT_AUTHORIZER_REFRESH_TOKEN",
    "WECHAT_TIMEOUT",
    "TOKEN_ENCRYPTION_KEY",
    "DATABASE_URL",
    "POLICY_FILE",
    "SHARE_ENV_ALLOWED_USERS",
    "SHARE_ENV_ALLOWED_GROUPS",
    "SHARE_ENV_ALLOWED_CHANNELS",
    "HOST",
    "PORT",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "SHUTDOWN_GRACE",
)


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """How to reach Slack: by Socket Mode with an app token, else by HTTP with a signing secret."""

    bot_token: str = field(repr=False)
    app_token: str | None = field(repr=False)
    signing_secret: str | None = field(repr=False)
    api_url: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the bot is told from outside; times in seconds."""

    slack: SlackSettings
    tokens: TokenSettings
    policy: Policy
    database_url: str = field(repr=False)
    wechat_url: str
    wechat_timeout: float
    host: str
    port: int
    log_level: str
    log_format: str | None
    shutdown_grace: float

    def secrets(self) -> tuple[str, ...]:
        """Return every secret among the settings, so that logs can be kept clean of them."""
        slack = [self.slack.bot_token, self.slack.app_token, self.slack.signing_secret]
        found = [*slack, *_passwords(self.database_url), *secrets_of(self.tokens)]
        return tuple(filter(None, found))


def _passwords(database_url: str) -> list[str]:
    """Return the passwords in a database's address, as written and as the driver reads them.

    SQLAlchemy takes all up to the `@`, where `urlsplit` would stop at a slash or raise; libpq takes one in the query.
    """
    found = [
        *re.findall(r"\A[\w+]+://[^:/]*:([^@]*)@", database_url),
        *re.findall(r"[?&]password=([^&]*)", database_url),
    ]
    return [*dict.fromkeys([*found, *map(unquote, found), *map(unquote_plus, found)])]


def load(environ: Mapping[str, str]) -> Settings | list[str]:
    """Return the Settings that `environ` describes, or one sentence for each thing wrong."""
    read = Reader(environ)
    default_owner = _default_owner(read)
    slack = _slack(read)
    tokens = read_tokens(read, default_owner)
    policy = _policy(read, default_owner)
    if policy and tokens:
        check_owners(read, policy, tokens)
    database_url = read.text("DATABASE_URL") or DEFAULT_DATABASE
    wechat_url = read.url("WECHAT_API_URL", "https://api.weixin.qq.com").rstrip("/")
    timeout = read.number("WECHAT_TIMEOUT", 10, 0.1, 60)
    host = read.text("HOST") or "127.0.0.1"
    port = int(read.number("PORT", 3000, 1, 65535, whole=True))
    level = read.choice("LOG_LEVEL", "DEBUG", "INFO", "WARNING", "ERROR") or "INFO"
    log_format = read.choice("LOG_FORMAT", "text", "json")
    grace = read.number("SHUTDOWN_GRACE", 10, 0, 600)
    if read.problems or not (slack and tokens and policy):
        return read.problems
    return Settings(
        slack,
        tokens,
        policy,
        database_url,
        wechat_url,
        timeout,
        host,
        port,
        level,
        log_format,
        grace,
    )


def _default_owner(read: Reader) -> str | None:
    appid = read.text("WECHAT_AUTHORIZER_APPID")
    if appid and not is_appid(appid):
        read.problems.append(
            f"WECHAT_AUTHORIZER_APPID is “{appid}”, which is not an appid. "
            "Set it to wx and 16 digits or letters a to f."
        )
    return appid


def _slack(read: Reader) -> SlackSettings | None:
    bot, app = read.text("SLACK_BOT_TOKEN"), read.text("SLACK_APP_TOKEN")
    secret = read.text("SLACK_SIGNING_SECRET")
    if not bot:
        read.problems.append(
            "SLACK_BOT_TOKEN is missing. Copy the bot token (xoxb-…) from your Slack app's page "
            "“OAuth & Permissions”."
        )
    elif not bot.startswith(("xoxb-", "xoxe.xoxb-")):
        read.problems.append(
            f"SLACK_BOT_TOKEN holds {_kind(bot)}. Put the bot token (xoxb-…) there; it is on your "
            "Slack app's page “OAuth & Permissions”."
        )
    if app and not app.startswith("xapp-"):
        read.problems.append(
            f"SLACK_APP_TOKEN holds {_kind(app)}. Put the app-level token (xapp-…) there; it is on your "
            "Slack app's page “Basic Information”."
        )
    if not app and not secret:
        read.problems.append(
            "SLACK_APP_TOKEN is missing. Set it to an app-level token (xapp-…) for Socket Mode, or set "
            "SLACK_SIGNING_SECRET for HTTP mode; both are on your Slack app's page “Basic Information”."
        )
    if secret and secret.startswith(("xox", "xapp-")):
        read.problems.append(
            f"SLACK_SIGNING_SECRET holds {_kind(secret)}. Copy the signing secret from your Slack app's "
            "page “Basic Information”."
        )
    api_url = read.url("SLACK_API_URL", "https://slack.com/api/").rstrip("/") + "/"
    return SlackSettings(bot, app, secret, api_url) if bot else None


def _kind(token: str) -> str:
    kinds = {"xoxb-": "a bot token", "xoxp-": "a user token", "xapp-": "an app-level token"}
    return next(
        (kind for start, kind in kinds.items() if token.startswith(start)), "something else"
    )


def _policy(read: Reader, default_owner: str | None) -> Policy | None:
    users = read.ids("SHARE_ENV_ALLOWED_USERS", USER_ID, "U012ABCDEF")
    groups = read.ids("SHARE_ENV_ALLOWED_GROUPS", GROUP_ID, "S012ABCDEF")
    channels = read.ids("SHARE_ENV_ALLOWED_CHANNELS", CHANNEL_ID, "C012ABCDEF")
    named = read.text("POLICY_FILE")
    path = Path(named or "policy.toml")
    if named or path.is_file():
        if users or groups or channels:
            read.problems.append(
                f"There is a policy file ({path}) and there are SHARE_ENV_ALLOWED_… settings. Keep one way: "
                "move what they say into the file, or remove the file."
            )
        return _policy_file(read, path, default_owner)
    if not users and not groups:
        read.problems.append(
            "Nobody may share anything yet. Write a policy.toml, or set SHARE_ENV_ALLOWED_USERS or "
            "SHARE_ENV_ALLOWED_GROUPS."
        )
        return None
    return simple_policy(users, groups, channels, default_owner)


def _policy_file(read: Reader, path: Path, default_owner: str | None) -> Policy | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        read.problems.append(
            f"POLICY_FILE {path} cannot be read: {why}. Put it there, or correct the path."
        )
        return None
    policy = read_policy(text, default_owner)
    if isinstance(policy, Policy):
        return policy
    read.problems += [f"{path}: {problem}" for problem in policy]
    return None
