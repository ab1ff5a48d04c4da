"""Read the environment into Settings, or into one sentence for each thing wrong: the setting and the fix."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from bot.command import is_appid
from bot.domain.language import Language, language_of
from bot.domain.problem import Problem
from bot.policy import Policy
from bot.policy.file import Tested
from bot.settings.environ import Reader
from bot.settings.pasted import belongs, told
from bot.settings.policy import Content, file_of, read_content, read_rules
from bot.settings.slack import SlackSettings, read_slack
from bot.settings.tokens import (
    PlatformSettings,
    TokenSettings,
    check_owners,
    read_tokens,
    secrets_of,
)

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
    "WECHAT_MESSAGE_TOKEN_PREVIOUS",
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
    "LANGUAGE",
    "HOST",
    "PORT",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "SHUTDOWN_GRACE",
)
_SECRETS = (
    *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"),
    *("WECHAT_AUTHORIZER_ACCESS_TOKEN", "WECHAT_AUTHORIZER_REFRESH_TOKEN"),
    *("WECHAT_TOKEN_SERVER_AUTHORIZATION", "WECHAT_COMPONENT_APPSECRET"),
    *("WECHAT_MESSAGE_TOKEN", "WECHAT_MESSAGE_TOKEN_PREVIOUS"),
    *("WECHAT_ENCODING_AES_KEY", "WECHAT_ENCODING_AES_KEY_PREVIOUS", "TOKEN_ENCRYPTION_KEY"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the bot is told from outside; times in seconds."""

    slack: SlackSettings
    tokens: TokenSettings
    policy: Policy
    policy_file: Path | None
    database_url: str = field(repr=False)
    wechat_url: str
    wechat_timeout: float
    language: Language
    host: str
    port: int
    log_level: str
    log_format: str | None
    shutdown_grace: float
    port_is_set: bool

    @property
    def listens(self) -> bool:
        """Whether there is an HTTP listener: something needs it, or PORT asks for it."""
        needed = not self.slack.app_token or isinstance(self.tokens, PlatformSettings)
        return needed or self.port_is_set

    def secrets(self) -> tuple[str, ...]:
        """Return every secret among the settings, so that logs can be kept clean of them."""
        return _secrets(self.slack, self.tokens, self.database_url)


def _secrets(
    slack: SlackSettings | None, tokens: TokenSettings | None, database_url: str
) -> tuple[str, ...]:
    of_slack = slack.secrets() if slack else []
    of_tokens = secrets_of(tokens) if tokens else []
    return tuple(filter(None, [*of_slack, *_passwords(database_url), *of_tokens]))


def _pasted(read: Reader) -> Iterator[str]:
    """Yield what the settings for secrets hold, if it is no appid, and what looks like a secret in any other."""
    for name in NAMES:
        value = read.text(name)
        if value and not is_appid(value) and (name in _SECRETS or belongs(value)):
            yield value


def _passwords(database_url: str) -> list[str]:
    """Return the passwords in a database's address, as written and as the driver reads them.

    SQLAlchemy takes all up to the first `@`, where `urlsplit` would stop at a slash or raise; whoever left one in the
    password meant all up to the last. libpq takes one in the query.
    """
    found = [
        *re.findall(r"\A[\w+]+://[^:/]*:([^@]*)@", database_url),
        *re.findall(r"\A[\w+]+://[^:/]*:(.*)@", database_url),
        *re.findall(r"[?&]password=([^&]*)", database_url),
    ]
    return [*dict.fromkeys([*found, *map(unquote, found), *map(unquote_plus, found)])]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the bot listens for HTTP."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Parts:
    """The settings part by part, for whoever looks into what is wrong; None for what cannot be used.

    `problems` are those of `load`, but for the policy's failing tests. A token may still be of a wrong kind.
    """

    slack: SlackSettings | None
    tokens: TokenSettings | None
    policy: Tested | None
    database_url: str = field(repr=False)
    wechat_url: str | None
    listener: Address | None
    problems: tuple[str, ...]
    whole: Settings | None
    secrets: tuple[str, ...] = field(repr=False)
    """Every secret, also of what cannot be used, and what looks like one in a setting for something else."""


def load(environ: Mapping[str, str]) -> Settings | list[str]:
    """Return the Settings that `environ` describes, or one sentence for each thing wrong."""
    parts = read_parts(environ)
    return parts.whole or [*parts.problems, *(parts.policy.failed if parts.policy else ())]


def read_parts(environ: Mapping[str, str]) -> Parts:
    """Return what of the settings can be used, and what is wrong with the rest."""
    read = Reader(environ)
    slack = read_slack(read)
    before = len(read.problems)
    default_owner = _default_owner(read)
    tokens = read_tokens(read, default_owner)
    usable = tokens if len(read.problems) == before else None
    policy_file = file_of(read)
    tested = read_rules(read, policy_file, default_owner)
    if tested and tokens and (default_owner or not read.text("WECHAT_AUTHORIZER_APPID")):
        check_owners(read, tested.policy, tokens)
    database_url = read.text("DATABASE_URL") or DEFAULT_DATABASE
    before = len(read.problems)
    wechat_url = read.url("WECHAT_API_URL", "https://api.weixin.qq.com").rstrip("/")
    safe_url = wechat_url if len(read.problems) == before else None
    timeout = read.number("WECHAT_TIMEOUT", 10, 0.1, 60)
    language = _language(read)
    host = read.text("HOST") or "127.0.0.1"
    before = len(read.problems)
    port = int(read.number("PORT", 3000, 1, 65535, whole=True))
    port_is_set = read.text("PORT") is not None
    listens = port_is_set or isinstance(tokens, PlatformSettings) or (slack and not slack.app_token)
    listener = Address(host, port) if listens and len(read.problems) == before else None
    level = read.choice("LOG_LEVEL", "DEBUG", "INFO", "WARNING", "ERROR") or "INFO"
    log_format = read.choice("LOG_FORMAT", "text", "json")
    grace = read.number("SHUTDOWN_GRACE", 10, 0, 600)
    whole = None
    if slack and tokens and tested and not read.problems and not tested.failed:
        whole = Settings(
            slack,
            tokens,
            tested.policy,
            policy_file,
            database_url,
            wechat_url,
            timeout,
            language,
            host,
            port,
            level,
            log_format,
            grace,
            port_is_set,
        )
    problems = tuple(read.problems)
    secrets = (*_secrets(slack, tokens, database_url), *_pasted(read))
    return Parts(slack, usable, tested, database_url, safe_url, listener, problems, whole, secrets)


def policy_of(settings: Settings, path: Path, content: Content) -> Policy | list[str]:
    """Return the policy in what is in its file now, held to all that `load` holds it to, or a sentence for each thing wrong."""
    tested = read_content(path, content, settings.policy.default_owner)
    if isinstance(tested, list):
        return [*tested]
    read = Reader({})
    check_owners(read, tested.policy, settings.tokens)
    return [*read.problems, *tested.failed] or tested.policy


def _language(read: Reader) -> Language:
    """Return the language of channels; a desktop exports LANGUAGE too, for gettext, as in en_US:en."""
    word = read.text("LANGUAGE") or ""
    if ":" in word or "_" in word:
        return language_of(word.partition(":")[0])
    tag = read.choice("LANGUAGE", *(language.value for language in Language))
    return Language(tag) if tag else Language.ENGLISH


def _default_owner(read: Reader) -> str | None:
    appid = read.text("WECHAT_AUTHORIZER_APPID")
    if appid is None or is_appid(appid):
        return appid
    found = f"WECHAT_AUTHORIZER_APPID {told(appid)}, which is not an appid"
    read.problems.append(Problem(found, "Set it to wx and 16 digits or letters a to f."))
    return None
