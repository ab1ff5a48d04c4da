"""`share-env-bot doctor --real`: test on the real Slack and WeChat what the bot assumes about them."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator, Mapping, Sequence

import aiohttp

from bot import __version__
from bot.locale import languages
from bot.ops.doctor.ledger import LedgerLook, inspect_ledger
from bot.ops.doctor.real_blocks import try_blocks
from bot.ops.doctor.real_channel import BEGINNING, RealChannel
from bot.ops.doctor.real_slack import Tried, completed, table, try_slack, verdict
from bot.ops.doctor.slack_calls import web_api
from bot.ops.doctor.transport import DEADLINE, each, promptly, session
from bot.ops.doctor.wechat import reader
from bot.ops.output import FAILED, FINE, complain
from bot.runtime.clock import Runtime
from bot.runtime.signals import cancel_on
from bot.settings.access import PlatformSettings
from bot.settings.load import Settings, load, read_parts
from bot.wechat.api import (
    Functions,
    NoAnswer,
    get_env_info,
    list_functions,
    read_envs,
    read_functions,
)
from bot.wechat.client import NEEDED
from bot.wechat.tokens import NoToken
from bot.wechat.transport import Transport, WeChatApi

_INTRODUCTION = (
    "This posts some messages in the channel that you named, edits, answers and deletes them, shows you two that only "
    "you see, in the channel and in a thread (look for them), lets Slack look at one message of each kind without "
    "showing it, and asks WeChat for each owner's envs and their functions. It shares nothing."
)
_ENVS, _FUNCTIONS = "owner-envs", "owner-functions"
_SETUP = frozenset({40001, 40014, 42001, 61003, 61007, 85088})
"""Errcodes about the token or the permissions, which say nothing about WeChat's behaviour."""
_AT_ONCE = 5
_WITHIN = 60.0


def real(environ: Mapping[str, str], channel: str | None, user: str | None) -> int:
    """Print the result of each test, and return the exit code."""
    if not channel or not user:
        return complain(["Write it as doctor --real --channel C… --user U…."])
    settings = load(environ)
    if not isinstance(settings, Settings):
        return complain(settings, read_parts(environ).secrets)
    held = promptly(_until_sigterm(try_all(settings, channel, user)))
    if held is None:
        raise KeyboardInterrupt  # as on Ctrl-C
    return FINE if held else FAILED


async def _until_sigterm(work: Coroutine[None, None, bool]) -> bool | None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    return await cancel_on(told, work)


async def try_all(
    settings: Settings, channel: str, user: str, runtime: Runtime | None = None
) -> bool:
    """Print the result of each test; return whether all held and nothing is left in the channel."""
    print(_INTRODUCTION, flush=True)
    runtime = runtime or Runtime()
    tried: list[Tried] = []
    async with session() as http:
        api = web_api(settings.slack, settings.slack.bot_token, http)
        there = RealChannel(api, channel, runtime.new_id(), runtime.sleep)
        try:
            await try_slack(there, user, tried.append)
        finally:  # also after Ctrl-C
            cleared = await _clear(there)
        blocks = await try_blocks(api, languages(settings.language).channel)
        tried += await _wechat(settings, http, runtime)
    if isinstance(blocks, str):
        print(blocks)
    else:
        tried += blocks
    found = completed(tried)
    lines = (f"\nshare-env-bot {__version__}, doctor --real\n", *table(found), "", verdict(found))
    print(*lines, sep="\n")
    return cleared and all(each.held == "yes" for each in found)


async def _clear(channel: RealChannel) -> bool:
    left = await channel.clear()
    if left:
        print(
            f"Messages that may still be in the channel: {left}. Delete those that begin with “{BEGINNING}”."
        )
    else:
        print("What it had posted is deleted.")
    return not left


async def _wechat(settings: Settings, http: aiohttp.ClientSession, runtime: Runtime) -> list[Tried]:
    """Return the results of the calls with each owner's token; owners are numbered, not named."""
    ledger = LedgerLook()
    if isinstance(settings.tokens, PlatformSettings):
        ledger = await asyncio.to_thread(inspect_ledger, settings.database_url, settings.tokens)
    transport = Transport(http)
    read = reader(transport, settings.tokens, ledger, runtime)
    wechat = WeChatApi(transport, settings.wechat_url)
    numbers = {owner: f"owner {n}" for n, owner in enumerate(settings.policy.all_owners, 1)}

    async def one(owner: str) -> list[Tried]:
        return await _of(wechat, numbers[owner], await read(owner))

    found = await each(numbers, one, _AT_ONCE, _WITHIN)
    late = {o: [Tried(_ENVS, "not tried", f"{who}: no turn in time")] for o, who in numbers.items()}
    return [tried for owner in numbers for tried in (late | found)[owner]]


async def _of(wechat: WeChatApi, who: str, token: str | NoToken | None) -> list[Tried]:
    if token is None:
        return [Tried(_ENVS, "not tried", f"{who}: no good token in the ledger")]
    if isinstance(token, NoToken):
        return [Tried(_ENVS, "not tried", f"{who}: no token ({token.guidance.key})")]
    envs = await wechat.post(get_env_info(token), DEADLINE, read_envs)
    if isinstance(envs, NoAnswer):
        return [_no(_ENVS, who, envs)]
    listed = Tried(_ENVS, "yes", f"{who}: envs in service: {len(envs)}")
    if not envs:
        return [listed, Tried(_FUNCTIONS, "not tried", f"{who}: no env in service")]
    answers = [
        await wechat.post(list_functions(token, env), DEADLINE, read_functions) for env in envs
    ]
    return [listed, *_functions(who, answers)]


def _functions(who: str, answers: Sequence[Functions | NoAnswer]) -> Iterator[Tried]:
    good = [answer for answer in answers if isinstance(answer, Functions)]
    yield from (_no(_FUNCTIONS, who, no) for no in answers if not isinstance(no, Functions))
    if good:
        having = sum(NEEDED in answer.statuses for answer in good)
        many = sum(answer.total for answer in good)
        seen = f"{who}: functions of {len(good)} envs: {many}; `{NEEDED}` in {having} of them"
        yield Tried(_FUNCTIONS, "yes", seen)


def _no(behaviour: str, who: str, no: NoAnswer) -> Tried:
    """Return the result for a failed call: WeChat's own refusal contradicts the assumption, any other failure does not."""
    if no.said:
        code = no.said.errcode
        return Tried(behaviour, "not tried" if code in _SETUP else "no", f"{who}: errcode {code}")
    return Tried(behaviour, "not tried", f"{who}: no answer of WeChat's ({no.guidance.key})")
