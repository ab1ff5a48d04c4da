"""Take up changed secrets while the bot runs, on SIGHUP; if one of them is wrong, all old ones stay.

SIGHUP ──► read again ──► hidden in the log ──► checked ──► SecretsInForce ──► who reads them at each use
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.app.resources import Slack, warn_of_scopes
from bot.domain.finding import Problem
from bot.domain.link import Link
from bot.ledger.writer import LedgerDownError
from bot.policy.kinds import Policy, Tested
from bot.runtime.observers import no_op
from bot.runtime.tasks import in_daemon_thread
from bot.settings.environ import UnreadableError, fixed
from bot.settings.load import Settings, load, read_parts
from bot.settings.secrets import (
    RELOADABLE,
    Changes,
    Secrets,
    SecretsInForce,
    changes,
    secrets_of,
    with_reloadable,
)
from bot.settings.table import Table
from bot.slack.preflight import Ready, Unusable
from bot.wechat.api import NoAnswer

_WITHIN = 10.0  # seconds for one read; a network disk may hang
_ONE_APP = ("team_id", "enterprise_id", "user_id", "bot_id")
"""The fields of auth.test that stay the same as long as the token belongs to the same installation of the same app."""

_log = logging.getLogger(__name__)

_MISTAKE = Problem(
    "The secrets cannot be read again, by a mistake of the bot's own", "Restart the bot."
)


@dataclass(frozen=True, slots=True)
class Reread:
    """How a process lets its settings be read again: when `requested` is set, by `read`, which may hang.

    `environ` is the environment that it was started with, and `hide` hides secrets in its log.
    """

    requested: asyncio.Event
    read: Callable[[], Mapping[str, str]]
    environ: Mapping[str, str]
    hide: Callable[[Iterable[str]], None] = no_op


class SecretsReload:
    """Takes up the secrets that have changed, whenever `reread.requested` is set.

    `prove` is the token source's, `reloaded` is called with whether changed secrets were taken.
    """

    def __init__(  # noqa: PLR0913  # all that it puts together
        self,
        reread: Reread,
        in_force: SecretsInForce,
        policy: Callable[[], Policy],
        slack: Slack,
        prove: Callable[[str], Awaitable[NoAnswer | None]] | None,
        *,
        reloaded: Callable[[bool], None] = no_op,
    ) -> None:
        self._reread = reread
        self._environ = reread.environ
        self._in_force = in_force
        self._policy = policy
        self._slack = slack
        self._prove = prove
        self._reloaded = reloaded

    async def run(self) -> None:
        """Take up secrets until cancelled."""
        while True:
            await self._reread.requested.wait()
            self._reread.requested.clear()
            try:
                await self.reload()
            except Exception:  # noqa: BLE001  # later reloads must find somebody
                _log.exception("unforeseen error")
                self._refuse([_MISTAKE])

    async def reload(self) -> None:
        """Read the settings, and take up the secrets that have changed."""
        given = await self._read()
        if isinstance(given, list):
            self._refuse(given)
            return
        # The policy has a watcher of its own.
        known = Tested(self._policy())
        self._reread.hide(read_parts(given, known).secrets)
        if kept := fixed(RELOADABLE):
            _log.info(
                "the environment gives these secrets: only a restart changes them", extra=_of(kept)
            )
        loaded, changed = load(given, known), changes(self._environ, given)
        if isinstance(loaded, list):
            self._refuse(loaded)
            return
        environ = with_reloadable(self._environ, given)
        settings = _usable(environ, known, changed)
        taken, left = (changed.reloadable, changed.others) if settings else ((), changed.names)
        if left:
            _log.info("these settings have changed, and need a restart", extra=_of(left))
        if settings and taken:
            await self._take(environ, secrets_of(settings.slack, settings.tokens), taken)
        elif not left:
            _log.info("no secret has changed")

    async def _take(self, environ: Mapping[str, str], new: Secrets, names: Sequence[str]) -> None:
        """Put the secrets into force if they are good."""
        if problems := await self._problems(self._in_force.secrets, new):
            self._refuse(problems)
            return
        self._in_force.swap(new)
        self._environ = environ
        self._reloaded(True)  # noqa: FBT003  # a callback
        _log.info("secrets taken up", extra=_of(names))

    async def _read(self) -> Mapping[str, str] | list[Problem]:
        try:
            return await asyncio.wait_for(in_daemon_thread(self._reread.read), _WITHIN)
        except UnreadableError as error:
            return error.problems
        except TimeoutError:
            late = "The settings cannot be read again: it takes too long"
            return [Problem(late, "Look at the disk that they are on, then reload once more.")]

    async def _problems(self, old: Secrets, new: Secrets) -> Sequence[str]:
        """Return what is wrong with the secrets that can be tried; WeChat's last, since that makes a token."""
        if new.bot_token != old.bot_token:
            checked = await self._slack.check(new.bot_token)
            if problems := _of_bot(checked, self._slack.ready):
                return problems
        if new.appsecret != old.appsecret and self._prove:
            problem = await _of_appsecret(self._prove, new.appsecret)
            return [problem] if problem else []
        return []

    def _refuse(self, problems: Iterable[str]) -> None:
        self._reloaded(False)  # noqa: FBT003  # a callback
        for problem in problems:
            _log.error("secrets refused, the old ones stay in force", extra={"reason": problem})


def _usable(environ: Mapping[str, str], known: Tested, changed: Changes) -> Settings | None:
    """Return the settings in an environment that has the new secrets alone; None if they belong to what needs a restart."""
    if Table.WECHAT_COMPONENT_APPID.name in changed.others:  # another platform, or token source
        return None
    settings = load(environ, known)
    return settings if isinstance(settings, Settings) else None


def _of_bot(checked: Ready | Unusable, before: Ready) -> Sequence[str]:
    """Return what is wrong with a bot token that Slack was asked about."""
    if isinstance(checked, Unusable):
        return checked.problems
    if any(checked.field(name) != before.field(name) for name in _ONE_APP):
        other = f"{Table.SLACK_BOT_TOKEN.name} belongs to another app or workspace than before"
        fix = "Put the token of the same app there, or restart the bot to change the app."
        return [Problem(other, fix)]
    warn_of_scopes(checked)
    return []


async def _of_appsecret(
    prove: Callable[[str], Awaitable[NoAnswer | None]], appsecret: str
) -> Problem | None:
    """Return why WeChat gives no token with an AppSecret; None if it does, or if there is no ticket to try it with."""
    name = Table.WECHAT_COMPONENT_APPSECRET.name
    try:
        refusal = await prove(appsecret)
    except LedgerDownError as error:
        fix = "Reload once more when the ledger works."
        return Problem(f"{name} cannot be tried: the ledger is down ({error})", fix)
    if refusal is None:
        return None
    if refusal.link is Link.TICKET:
        _log.warning("an AppSecret is taken untried: there is no ticket", extra=refusal.facts)
        return None
    why = refusal.problem
    return Problem(f"WeChat gives no token with {name}: {why.found}", why.fix)


def _of(names: Iterable[str]) -> dict[str, str]:
    """Return the facts of a log line about settings."""
    return {"settings": ", ".join(names)}
