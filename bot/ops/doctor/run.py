"""`share-env-bot doctor`: run all checks, change nothing, and name the fix for what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.request import getproxies

from bot.domain.finding import Finding, wrong
from bot.domain.sentence import Sentence, cleaned
from bot.observe.logs.redaction import Redactor
from bot.observe.output import speaking
from bot.ops.doctor.chain import check_chain, check_permissions
from bot.ops.doctor.collector import check_collector
from bot.ops.doctor.findings import print_as_json, print_by_cause, with_true_causes
from bot.ops.doctor.ledger import LedgerLook, inspect_ledger
from bot.ops.doctor.listener import check_deliveries, check_listener
from bot.ops.doctor.machine import check_clock, check_proxies
from bot.ops.doctor.policy import check_policy
from bot.ops.doctor.settings import OVERRIDDEN, check_settings
from bot.ops.doctor.setup import Setup, read_counts
from bot.ops.doctor.slack import check_slack
from bot.ops.doctor.slack_calls import SlackAnswers, call_slack
from bot.ops.doctor.transport import DEADLINE, Traffic, promptly, session
from bot.ops.doctor.wechat import check_wechat
from bot.runtime.clock import Runtime
from bot.settings.environ import blamed, overridden
from bot.settings.load import read_parts
from bot.wechat.transport import client_over

T = TypeVar("T")
Check = Callable[[Setup], Coroutine[Any, Any, Sequence[Finding]]]

_LONGEST = 4 * DEADLINE
"""Seconds for all calls to Slack, for the ledger, and for a check: more than the sum of the deadlines within."""


async def _ledger(setup: Setup) -> Sequence[Finding]:
    return setup.ledger.findings


_CHECKS: Mapping[str, Check] = {
    "settings": check_settings,
    "slack-bot": check_slack,
    "policy-reach": check_policy,
    "ledger": _ledger,
    "deliveries": check_deliveries,
    "callback": check_chain,
    "wechat": check_wechat,
    "permissions": check_permissions,
    "listener": check_listener,
    "collector": check_collector,
}
"""The checks in the order of their findings, by the name of the finding if the check itself fails."""

# These use the Date headers of the responses to the others.
_AFTER: Mapping[str, Check] = {"clock": check_clock, "proxies": check_proxies}


def doctor(environ: Mapping[str, str], *, as_json: bool) -> bool:
    """Print the findings by cause, or as JSON; return whether none is wrong."""
    findings = promptly(examine(environ))
    return print_as_json(findings) if as_json else print_by_cause(findings, speaking(environ).told)


async def examine(
    environ: Mapping[str, str], runtime: Runtime | None = None, longest: float = _LONGEST
) -> list[Finding]:
    """Return the findings of all checks, always in the same order; a check that fails does not stop the others.

    Slack and the ledger have at most `longest` seconds, and then each check.
    """
    runtime = runtime or Runtime()
    parts = read_parts(environ)
    audit_url = parts.collector.url if parts.collector else None
    traffic = Traffic(runtime.now)
    async with session(traffic) as http:
        looking = asyncio.ensure_future(
            _guarded(
                "ledger",
                asyncio.to_thread(inspect_ledger, parts.database_url, parts.tokens, audit_url),
                longest,
                lambda failed: LedgerLook((failed,)),
            )
        )

        async def is_alone() -> bool:
            return (await asyncio.shield(looking)).replicas == 0

        calls = call_slack(parts.slack, parts.policy, http, is_alone)
        slack, ledger, bot = await asyncio.gather(
            _guarded("slack-bot", calls, longest, lambda failed: SlackAnswers(failed=failed)),
            looking,
            # Another program's page may be anything.
            _guarded("deliveries", read_counts(parts.listener), longest, lambda _: None),
        )
        setup = Setup(
            environ=environ,
            parts=parts,
            http=client_over(http, getproxies()),
            runtime=runtime,
            traffic=traffic,
            slack=slack,
            ledger=ledger,
            running=bot,
        )
        findings = list[Finding]()
        for checks in (_CHECKS, _AFTER):
            made = (
                _guarded(name, check(setup), longest, lambda failed: [failed])
                for name, check in checks.items()
            )
            for found in await asyncio.gather(*made):
                findings += found
    findings = _with_overridden(findings, overridden(environ))
    clean = Redactor(parts.secrets).clean  # a server's or driver's text may contain one
    return [_clean(finding, clean) for finding in with_true_causes(findings)]


def _with_overridden(findings: Iterable[Finding], names: frozenset[str]) -> list[Finding]:
    """Return the findings; one that blames a setting which the environment overrides has that as its cause."""
    return [
        replace(each, causes=(OVERRIDDEN, *each.causes))
        if each.level == "wrong" and blamed((each.found, each.fix or ""), names)
        else each
        for each in findings
    ]


async def _guarded(
    name: str, work: Awaitable[T], longest: float, otherwise: Callable[[Finding], T]
) -> T:
    """Return the result of `work`; if it fails or times out, return `otherwise` applied to a finding about that."""
    try:
        async with asyncio.timeout(longest):
            return await work
    except TimeoutError:
        late = Sentence(
            "not checked: it did not end within {seconds} seconds", seconds=f"{longest:g}"
        )
        fix = Sentence(
            "See whether the database, its disk or the network hangs, then run the doctor again."
        )
        return otherwise(wrong(name, late, fix))
    except Exception as error:  # noqa: BLE001  # the other checks have to go on
        found = Sentence("this check itself failed ({error})", error=type(error).__name__)
        return otherwise(wrong(name, found, Sentence("Tell the people who make this bot.")))


def _clean(finding: Finding, clean: Callable[[str], str]) -> Finding:
    fix = finding.fix and cleaned(finding.fix, clean)
    return replace(finding, found=cleaned(finding.found, clean), fix=fix)
