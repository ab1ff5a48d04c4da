"""`share-env-bot doctor`: look at everything the bot needs, change nothing, and name the fix for what is wrong."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import aiohttp
import httpx

from bot.ops.check_permissions import check_permissions
from bot.ops.doctor.chain import check_chain
from bot.ops.doctor.check import Finding, unchecked, wrong
from bot.ops.doctor.findings import tell
from bot.ops.doctor.ledger import KeptTokens, Looked, check_ledger
from bot.ops.doctor.listener import check_listener
from bot.ops.doctor.machine import check_clock, check_proxies
from bot.ops.doctor.policy import check_policy
from bot.ops.doctor.settings import check_settings
from bot.ops.doctor.slack import check_slack
from bot.ops.doctor.slack_calls import SlackAnswers, ask_slack
from bot.ops.doctor.transport import Heard, session
from bot.ops.doctor.wechat import check_wechat, reader
from bot.ops.logs.redaction import Redactor
from bot.runtime.clock import Runtime
from bot.settings.load import Parts, read_parts
from bot.settings.tokens import PlatformSettings
from bot.wechat.client import http_client

_INCOMPLETE = "the settings for WeChat, or for the policy, are incomplete"


def doctor(environ: Mapping[str, str], *, as_json: bool) -> bool:
    """Print one line for each check, or JSON; return whether nothing is wrong."""
    return tell(asyncio.run(examine(environ)), as_json=as_json)


async def examine(environ: Mapping[str, str], runtime: Runtime | None = None) -> list[Finding]:
    """Return what every check finds, always in the same order; none that fails keeps another from running."""
    runtime = runtime or Runtime()
    parts = read_parts(environ)
    heard = Heard(runtime.now)
    async with session(heard) as http:
        looking = asyncio.create_task(_ledger(parts))
        (told, of_slack), of_wechat, of_listener = await asyncio.gather(
            _slack(parts, http, heard), _wechat(parts, http, looking, runtime), _listener(parts)
        )
        looked = await looking
    policy = parts.policy.policy if parts.policy else None
    findings = [
        *_surely("settings", lambda: check_settings(environ, parts)),
        *of_slack,
        *_surely("slack-bot", lambda: check_slack(parts.slack, policy, told, looked.replicas)),
        *_surely("policy-reach", lambda: check_policy(parts.policy, told)),
        *looked.findings,
        *_surely("callback", lambda: _chain(parts, looked)),
        *of_wechat,
        *of_listener,
        *_surely("clock", lambda: [check_clock(parts, heard.ahead)]),
        *_surely("proxies", lambda: check_proxies(environ)),
    ]
    clean = Redactor(parts.secrets).clean  # a server or a driver may have said one
    return [_clean(finding, clean) for finding in findings]


async def _ledger(parts: Parts) -> Looked:
    try:
        return await asyncio.to_thread(check_ledger, parts.database_url, parts.tokens)
    except Exception as error:  # noqa: BLE001  # the other checks go on
        return Looked((_broken("ledger", error),))


async def _slack(
    parts: Parts, http: aiohttp.ClientSession, heard: Heard
) -> tuple[SlackAnswers, list[Finding]]:
    if parts.slack is None:
        return SlackAnswers(), []
    try:
        policy = parts.policy.policy if parts.policy else None
        return await ask_slack(parts.slack, policy, http, heard), []
    except Exception as error:  # noqa: BLE001  # likewise
        return SlackAnswers(), [_broken("slack-bot", error)]


async def _wechat(
    parts: Parts, http: aiohttp.ClientSession, looking: asyncio.Task[Looked], runtime: Runtime
) -> list[Finding]:
    if parts.tokens is None or parts.wechat_url is None or parts.policy is None:
        return [unchecked("wechat", _INCOMPLETE, "settings")]
    owners = parts.policy.policy.all_owners
    try:
        async with http_client(http) as client:
            # The other token sources need not wait for the ledger.
            in_ledger = isinstance(parts.tokens, PlatformSettings)
            kept = (await looking).kept if in_ledger else None
            read = reader(client, parts.tokens, kept, runtime)
            lacking = "ledger" if in_ledger and kept is None else "owner-token"
            tried, granted = await asyncio.gather(
                check_wechat(client, parts.wechat_url, owners, read, lacking),
                _permissions(client, parts, kept, owners),
            )
            return [*tried, *granted]
    except Exception as error:  # noqa: BLE001  # likewise
        return [_broken("wechat", error)]


async def _permissions(
    client: httpx.AsyncClient, parts: Parts, kept: KeptTokens | None, owners: Sequence[str]
) -> list[Finding]:
    if not isinstance(parts.tokens, PlatformSettings) or parts.wechat_url is None:
        return []
    try:
        return await check_permissions(client, parts.wechat_url, parts.tokens, kept, owners)
    except Exception as error:  # noqa: BLE001  # likewise
        return [_broken("permissions", error)]


async def _listener(parts: Parts) -> list[Finding]:
    try:
        return await check_listener(parts.listener)
    except Exception as error:  # noqa: BLE001  # likewise
        return [_broken("listener", error)]


def _chain(parts: Parts, looked: Looked) -> Iterable[Finding]:
    if not isinstance(parts.tokens, PlatformSettings):
        return []
    owners = parts.policy.policy.all_owners if parts.policy else ()
    return check_chain(looked.kept, owners)


def _surely(name: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return [*check()]
    except Exception as error:  # noqa: BLE001  # likewise
        return [_broken(name, error)]


def _broken(name: str, error: Exception) -> Finding:
    fix = "Tell the people who make this bot."
    return wrong(name, f"this check itself failed ({type(error).__name__})", fix)


def _clean(finding: Finding, clean: Callable[[str], str]) -> Finding:
    fix = finding.fix and clean(finding.fix)
    return replace(finding, found=clean(finding.found), fix=fix)
