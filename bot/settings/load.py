"""Parse the environment into Settings, or into one sentence for each problem: the setting and the fix."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from bot.command.grammar import is_appid
from bot.domain.finding import Problem
from bot.domain.language import Language
from bot.domain.sentence import Sentence
from bot.policy.kinds import Policy, Tested
from bot.settings.access import (
    CollectorSettings,
    PlatformSettings,
    SlackSettings,
    TokenSettings,
    check_owners,
    read_collector,
    read_slack,
    read_tokens,
)
from bot.settings.environ import Reader, blamed
from bot.settings.pasted import belongs, described
from bot.settings.policy import Content, policy_path, read_content, read_rules
from bot.settings.table import NAMES, SETTINGS, Table

_CLOSE = 0.85  # similarity; 1 is equal
_OF_MANY = {"HOST", "PORT", "LANGUAGE", "LOG_LEVEL"}
"""Settings that may be set on a machine for other programs."""

_NOTHING_SET = Problem(
    Sentence("No settings found, neither in a .env here nor in the environment"),
    Sentence(
        "Run this where the bot runs: in its folder or container, or, with the unit, as share-env-bot without a path. If it has never run, copy .env.example to .env there and fill it in, or set its environment."
    ),
)
"""For a start in another folder, instead of a problem for each missing setting."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the bot listens for HTTP."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """All configuration of the bot; times in seconds."""

    slack: SlackSettings
    tokens: TokenSettings
    policy: Policy
    policy_file: Path | None
    database_url: str = field(repr=False)
    collector: CollectorSettings | None
    """Where events are sent; None for nowhere."""
    keep_days: int | None
    """Days for which requests are kept after they ended; None for ever."""
    wechat_url: str
    wechat_timeout: float
    language: Language
    listener: Address | None
    """None if no other setting needs a listener and PORT is not set."""
    log_level: str
    log_format: str | None
    shutdown_grace: float
    secrets: tuple[str, ...] = field(repr=False)
    """Every secret, also of settings that are not used, and values that look like secrets in other settings."""
    policy_text: str | None = field(default=None, repr=False)
    """The content of the policy file from which `policy` was read."""


def _secrets(read: Reader) -> Iterator[str]:
    """Yield the values of secret settings unless they are appids, values of others that look like secrets, and their parts."""
    for setting in SETTINGS:
        value = read.text(setting.name)
        if value and not is_appid(value) and (setting.secret or belongs(value)):
            yield value
    yield from read.words(Table.TOKEN_ENCRYPTION_KEY.name)
    for authorization in (Table.WECHAT_TOKEN_SERVER_AUTHORIZATION, Table.AUDIT_AUTHORIZATION):
        yield from (read.text(authorization.name) or "").split()[-1:]
    yield (read.text(Table.AUDIT_SECRET.name) or "").removeprefix("whsec_")
    # Each parameter by itself, because the one with {appid} differs in each call.
    for url in (Table.WECHAT_TOKEN_SERVER_URL, Table.AUDIT_URL):
        query = re.findall("[?&][^?&#]+", read.text(url.name) or "")
        yield from (part for part in query if "{appid}" not in part)
    yield from _passwords(read.text(Table.DATABASE_URL.name) or "")


def _passwords(database_url: str) -> list[str]:
    """Return the passwords in a database URL, as written and as the driver reads them.

    SQLAlchemy takes everything up to the first `@`, where `urlsplit` would stop at a slash or raise; with an unescaped `@` in
    the password, the user meant everything up to the last. libpq also accepts a password in the query.
    """
    found = [
        *re.findall(r"\A[\w+]+://[^:/]*:([^@]*)@", database_url),
        *re.findall(r"\A[\w+]+://[^:/]*:(.*)@", database_url),
        *re.findall(r"[?&]password=([^&]*)", database_url),
    ]
    return [*dict.fromkeys([*found, *map(unquote, found), *map(unquote_plus, found)])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The settings by part, for diagnosis; a part that cannot be used is None.

    `problems` are those of `load`, except failing tests of the policy. A token may still be of the wrong kind.
    """

    slack: SlackSettings | None
    tokens: TokenSettings | None
    tested: Tested | None
    database_url: str = field(repr=False)
    collector: CollectorSettings | None
    wechat_url: str | None
    listener: Address | None
    problems: tuple[str, ...]
    whole: Settings | None
    secrets: tuple[str, ...] = field(repr=False)
    """As in Settings, also of unusable parts."""

    @property
    def policy(self) -> Policy | None:
        """The policy, if it can be read; its tests may fail."""
        return self.tested.policy if self.tested else None


def load(environ: Mapping[str, str], known: Tested | None = None) -> Settings | list[str]:
    """Return the Settings in `environ`, or one sentence for each problem; a policy that is `known` is not read again."""
    parts = read_parts(environ, known)
    return parts.whole or [*parts.problems, *(parts.tested.failed if parts.tested else ())]


def read_parts(environ: Mapping[str, str], known: Tested | None = None) -> Parts:
    """Return the usable parts of the settings, and the problems of the rest; a policy that is `known` is not read again."""
    read = Reader(environ)
    slack = read_slack(read)
    before = len(read.problems)
    default_owner = _default_owner(read)
    tokens = read_tokens(read, default_owner)
    usable = tokens if len(read.problems) == before else None
    policy_file = policy_path(read)
    tested = known or read_rules(read, policy_file, default_owner)
    if tested and tokens and (default_owner or not Table.WECHAT_AUTHORIZER_APPID.value(read)):
        check_owners(read, tested.policy, tokens)
    database_url = Table.DATABASE_URL.value(read)
    collector = read_collector(read)
    keep_days = Table.AUDIT_KEEP_DAYS.value(read)
    wechat_url = read.unless_wrong(lambda: Table.WECHAT_API_URL.value(read).rstrip("/"))
    timeout = Table.WECHAT_TIMEOUT.value(read)
    language = Table.LANGUAGE.value(read)
    host = Table.HOST.value(read)
    address = read.unless_wrong(
        # An empty host would be every interface.
        lambda: Address(host.strip("[]") or host, int(Table.PORT.value(read)))
    )
    needed = isinstance(tokens, PlatformSettings) or (slack and not slack.app_token)
    listener = address if needed or read.text(Table.PORT.name) else None
    level = Table.LOG_LEVEL.value(read)
    log_format = Table.LOG_FORMAT.value(read) or None
    grace = Table.SHUTDOWN_GRACE.value(read)
    secrets = tuple(dict.fromkeys(filter(None, _secrets(read))))
    whole = None
    if slack and tokens and tested and wechat_url and not (read.problems or tested.failed):
        whole = Settings(
            slack=slack,
            tokens=tokens,
            policy=tested.policy,
            policy_file=policy_file,
            database_url=database_url,
            collector=collector,
            keep_days=keep_days,
            wechat_url=wechat_url,
            wechat_timeout=timeout,
            language=language,
            listener=listener,
            log_level=level,
            log_format=log_format,
            shutdown_grace=grace,
            secrets=secrets,
            policy_text=tested.text,
        )
    is_empty = not any(read.text(name) for name in NAMES if name not in _OF_MANY)
    problems = (_NOTHING_SET,) if is_empty else tuple(_with_misspelt(read.problems, environ))
    return Parts(
        slack=slack,
        tokens=usable,
        tested=tested,
        database_url=database_url,
        collector=collector,
        wechat_url=wechat_url,
        listener=listener,
        problems=problems,
        whole=whole,
        secrets=secrets,
    )


def nearest(name: str) -> str | None:
    """Return the setting that a name resembles, if any."""
    close = get_close_matches(name.upper(), NAMES, 1, _CLOSE)
    return close[0] if close else None


def _with_misspelt(problems: Iterable[Problem], environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the problems; where a setting is not set, and a name that resembles it is, the fix is to correct that."""
    unknown = set(environ) - set(NAMES)
    meant = {nearest(name): name for name in sorted(unknown, reverse=True)} if problems else {}
    for problem in problems:
        missing = blamed([problem], (each for each in meant if each and not environ.get(each)))
        if missing:
            name, setting = meant[missing[0]], missing[0]
            yield Problem(
                Sentence("{found}, and {name} is no setting", found=problem.found, name=name),
                Sentence("Call it {setting}.", setting=setting),
            )
        else:
            yield problem


def policy_of(
    path: Path, default_owner: str | None, tokens: TokenSettings, content: Content
) -> Policy | list[str]:
    """Return the policy in the file's new content, validated as `load` does, or one sentence for each problem."""
    tested = read_content(path, content, default_owner)
    if isinstance(tested, list):
        return [*tested]
    read = Reader({})
    check_owners(read, tested.policy, tokens)
    return [*read.problems, *tested.failed] or tested.policy


def _default_owner(read: Reader) -> str | None:
    appid = Table.WECHAT_AUTHORIZER_APPID.value(read)
    if not appid or is_appid(appid):
        return appid or None
    found = Sentence(
        "WECHAT_AUTHORIZER_APPID {predicate}, which is not an appid", predicate=described(appid)
    )
    read.wrong(found, Sentence("Set it to wx and 16 digits or letters a to f."))
    return None
