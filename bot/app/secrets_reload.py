"""Take up changed secrets while the bot runs, on SIGHUP; if one of them is wrong, all old ones stay.

SIGHUP ──► read again ──► hidden in the log ──► checked ──► SecretsInForce ──► who reads them at each use
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from bot.app.resources import Resources, warn_of_scopes
from bot.domain.finding import Problem
from bot.domain.link import Link
from bot.ledger.writer import LedgerDownError
from bot.policy.kinds import Tested
from bot.settings.environ import UnreadableError, fixed
from bot.settings.load import load, read_parts
from bot.settings.secrets import (
    RELOADABLE,
    Reread,
    Secrets,
    changes,
    secrets_of,
    with_reloadable,
)
from bot.settings.table import Table
from bot.slack.preflight import Ready, Unusable
from bot.wechat.api import NoAnswer

_WITHIN = 10.0  # seconds for one read; a network disk may hang
_SAME = ("team_id", "user_id")
"""The fields of auth.test that a running bot relies on; a bot user belongs to one app."""

_MISTAKE = Problem("It cannot be done, by a mistake of the bot's own", "Restart the bot.")
_LATE = Problem(
    "The settings cannot be read again: it takes too long",
    "Look at the disk that they are on, then reload once more.",
)
_OTHER_APP = Problem(
    f"{Table.SLACK_BOT_TOKEN.name} belongs to another app or workspace than before",
    "Put the token of the same app there, or restart the bot to change the app.",
)

_Prove = Callable[[str], Awaitable[NoAnswer | None]]

_log = logging.getLogger(__name__)


class SecretsReload:
    """Takes up the secrets that have changed, whenever `reread.requested` is set; `prove` is the token source's."""

    def __init__(self, reread: Reread, resources: Resources, prove: _Prove | None) -> None:
        self._reread = reread
        self._environ = reread.environ
        self._in_force = resources.secrets
        self._policy = resources.in_force
        self._slack = resources.slack
        self._prove = prove
        self._took = resources.observers.took_secrets

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
        try:
            async with asyncio.timeout(_WITHIN):
                given = await self._reread.read()
        except UnreadableError as error:
            return self._refuse(error.problems)
        except TimeoutError:
            return self._refuse([_LATE])
        known = Tested(self._policy.policy)  # its file has a watcher of its own
        parts = read_parts(given, known)
        self._reread.hide(parts.secrets)
        if kept := fixed(RELOADABLE):
            _log.info("only a restart changes what the environment gives", extra=_of(kept))
        if not parts.whole:
            return self._refuse(parts.problems)
        changed, environ = changes(self._environ, given), with_reloadable(self._environ, given)
        secrets = _usable(environ, known, changed)
        taken = [name for name in changed if name in RELOADABLE and secrets]
        if left := [name for name in changed if name not in taken]:
            _log.info("these settings have changed, and need a restart", extra=_of(left))
        if not taken or not secrets:
            _log.info("there is no changed secret to take up")
        elif problems := await self._problems(secrets):
            self._refuse(problems, taken)
        else:
            self._in_force.secrets, self._environ = secrets, environ
            self._took(True)  # noqa: FBT003  # a callback
            _log.info("secrets taken up", extra=_of(taken))
        return None

    async def _problems(self, new: Secrets) -> Sequence[str]:
        """Return what is wrong with the secrets that can be tried; WeChat's last, since that renews a token."""
        old = self._in_force.secrets
        if new.bot_token != old.bot_token:
            checked = await self._slack.check(new.bot_token)
            if problems := _of_bot(checked, self._slack.ready):
                return problems
        if new.appsecret != old.appsecret and self._prove:
            problem = await _of_appsecret(self._prove, new.appsecret)
            return [problem] if problem else []
        return []

    def _refuse(self, problems: Iterable[str], names: Sequence[str] = ()) -> None:
        self._took(False)  # noqa: FBT003  # a callback
        which = _of(names) if names else {}
        for problem in problems:
            _log.error(
                "secrets refused, the old ones stay in force", extra={**which, "reason": problem}
            )


def _usable(environ: Mapping[str, str], known: Tested, changed: Sequence[str]) -> Secrets | None:
    """Return an environment's secrets; None if they can only be taken up with settings that need a restart."""
    if Table.WECHAT_COMPONENT_APPID.name in changed:  # another platform, or token source
        return None
    settings = load(environ, known)
    return None if isinstance(settings, list) else secrets_of(settings.slack, settings.tokens)


def _of_bot(checked: Ready | Unusable, before: Ready) -> Sequence[str]:
    """Return what is wrong with a bot token that Slack was asked about."""
    if isinstance(checked, Unusable):
        return checked.problems
    if any(checked.field(name) != before.field(name) for name in _SAME):
        return [_OTHER_APP]
    warn_of_scopes(checked)
    return []


async def _of_appsecret(prove: _Prove, appsecret: str) -> Problem | None:
    """Return why WeChat gives no token with an AppSecret; None if it does, or if there is no ticket to try it with."""
    name = Table.WECHAT_COMPONENT_APPSECRET.name
    try:
        refusal = await prove(appsecret)
    except LedgerDownError as error:
        fix = "Reload once more when the ledger works."
        return Problem(f"{name} cannot be tried: the ledger is down ({error})", fix)
    if refusal is None:
        return None
    why = refusal.problem
    if refusal.link is Link.TICKET:
        _log.warning("an AppSecret is taken untried", extra={"reason": why.found, "fix": why.fix})
        return None
    return Problem(f"WeChat gives no token with {name}: {why.found}", why.fix)


def _of(names: Iterable[str]) -> dict[str, str]:
    """Return the facts of a log line about settings."""
    return {"settings": ", ".join(names)}
