"""`share-env-bot doctor --real`: test on the real Slack and WeChat what the bot assumes about them."""

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import replace
from urllib.request import getproxies

import aiohttp

from bot import __version__
from bot.domain.outcome import Readiness
from bot.domain.sentence import Sentence
from bot.locale import languages
from bot.observe.output import FAILED, FINE, complain, speaking
from bot.ops.doctor.ledger import LedgerLook, inspect_ledger
from bot.ops.doctor.real_blocks import try_blocks
from bot.ops.doctor.real_slack import BEGINNING, RealChannel, Tried, completed, table
from bot.ops.doctor.slack_calls import web_api
from bot.ops.doctor.transport import DEADLINE, each, promptly, session
from bot.ops.doctor.wechat import reader
from bot.runtime.clock import Runtime
from bot.settings.access import PlatformSettings
from bot.settings.load import Settings, load, read_parts
from bot.wechat.api import (
    NEEDED,
    NoAnswer,
    get_env_info,
    in_service,
    list_functions,
    read_envs,
    read_readiness,
)
from bot.wechat.transport import WeChatApi, client_over

_INTRODUCTION = Sentence(
    "This posts some messages in the channel that you named, edits, answers and deletes them, shows you two that only you see, in the channel and in a thread (look for them), lets Slack look at one message of each kind without showing it, and asks WeChat for each owner's envs and their functions. It shares nothing."
)
_ENVS, _FUNCTIONS = "owner-envs", "owner-functions"
_SETUP = frozenset({40001, 40014, 42001, 61003, 61007, 85088})
"""Errcodes about the token or the permissions, which say nothing about WeChat's behaviour."""
_AT_ONCE = 5
_WITHIN = 60.0


def real(environ: Mapping[str, str], channel: str | None, user: str | None) -> int:
    """Print the result of each test, and return the exit code; SIGTERM ends it as Ctrl-C does."""
    if not channel or not user:
        return complain(
            [Sentence("Write it as doctor --real --channel C… --user U….")],
            words=speaking(environ),
        )
    settings = load(environ)
    if not isinstance(settings, Settings):
        return complain(settings, read_parts(environ).secrets, speaking(environ))
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    return FINE if promptly(try_all(settings, channel, user)) else FAILED


async def try_all(
    settings: Settings, channel: str, user: str, runtime: Runtime | None = None
) -> bool:
    """Print the result of each test; return whether all held and nothing is left in the channel.

    The table is English, to paste into an issue.
    """
    runtime, words = runtime or Runtime(), languages(settings.language).channel
    print(words.told(_INTRODUCTION), flush=True)
    async with session() as http:
        api = web_api(settings.slack, settings.slack.bot_token, http)
        there = RealChannel(api, channel, user=user, mark=runtime.new_id(), sleep=runtime.sleep)
        try:
            tried = await there.try_all()
        finally:  # also after Ctrl-C
            cleared = await there.clear()
            left = Sentence(
                "Messages may still be in the channel: delete those that begin with “{beginning}”.",
                beginning=BEGINNING,
            )
            gone = Sentence("What it had posted is deleted.")
            print(words.told(gone if cleared else left))
        blocks = await try_blocks(api, words)
        if isinstance(blocks, str):
            print(words.told(blocks))
        else:
            tried += blocks
        tried += await _wechat(settings, http, runtime)
    found = completed(tried)
    held = sum(each.held == "yes" for each in found)
    print(f"\nshare-env-bot {__version__}, doctor --real: {held} of {len(found)} held\n")
    print(*table(found), sep="\n")
    return cleared and held == len(found)


async def _wechat(settings: Settings, http: aiohttp.ClientSession, runtime: Runtime) -> list[Tried]:
    """Return the results of the calls with each owner's token; owners are numbered, not named."""
    ledger = LedgerLook()
    if isinstance(settings.tokens, PlatformSettings):
        ledger = await asyncio.to_thread(inspect_ledger, settings.database_url, settings.tokens)
    client = client_over(http, getproxies())
    read = reader(client, settings.tokens, ledger, runtime)
    wechat = WeChatApi(client, settings.wechat_url, runtime.clock)

    async def one(owner: str) -> list[Tried]:
        return await _of(wechat, await read(owner))

    owners = settings.policy.all_owners
    found = await each(owners, one, _AT_ONCE, _WITHIN)
    late = [Tried(_ENVS, "not tried", "no turn in time")]
    return [
        replace(tried, seen=f"owner {number}: {tried.seen}")
        for number, owner in enumerate(owners, 1)
        for tried in dict.fromkeys(found.get(owner, late))
    ]


async def _of(wechat: WeChatApi, token: str | NoAnswer | None) -> list[Tried]:
    if token is None:
        return [Tried(_ENVS, "not tried", "no good token in the ledger")]
    if isinstance(token, NoAnswer):
        return [Tried(_ENVS, "not tried", f"no token ({token.guidance.key})")]
    envs = await wechat.post(get_env_info(token), DEADLINE, read_envs)
    if isinstance(envs, NoAnswer):
        return [_no(_ENVS, envs)]
    served = in_service(envs)
    tried = [Tried(_ENVS, "yes", f"envs in service: {len(served)}")]
    for env in served:
        found = await wechat.post(list_functions(token, env), DEADLINE, read_readiness)
        if isinstance(found, NoAnswer):
            tried.append(_no(_FUNCTIONS, found))
        elif isinstance(found, int):
            tried.append(Tried(_FUNCTIONS, "yes", f"listed in part: the first {found}"))
        else:
            has = "with" if found is Readiness.READY else "without"
            tried.append(Tried(_FUNCTIONS, "yes", f"listed, {has} `{NEEDED}` in service"))
    return tried


def _no(behaviour: str, no: NoAnswer) -> Tried:
    """Return the result for a failed call: WeChat's own refusal contradicts the assumption, any other failure does not."""
    held = no.said is None or no.said.errcode in _SETUP
    return Tried(behaviour, "not tried" if held else "no", f"failed ({no.label})")
