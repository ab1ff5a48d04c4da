"""Try what the bot assumes of WeChat with calls that change nothing: each owner's envs, and the functions of each."""

from collections.abc import Iterator, Sequence

import httpx

from bot.ops.doctor.real_tried import Tried, failed, held, untried
from bot.ops.doctor.transport import DEADLINE, each
from bot.ops.doctor.wechat import Read
from bot.wechat.api import Declined, Troubled
from bot.wechat.envs import (
    NEEDED,
    Functions,
    get_env_info,
    list_functions,
    read_envs,
    read_functions,
)
from bot.wechat.tokens import NoToken
from bot.wechat.transport import post

_ENVS, _FUNCTIONS = "owner-envs", "owner-functions"
_SETUP = frozenset({40001, 40014, 42001, 61003, 61007, 85088})
"""What WeChat refuses because of the token or what was granted, and that says nothing of how it behaves."""
_AT_ONCE = 5
_WITHIN = 60.0


async def try_wechat(
    http: httpx.AsyncClient, url: str, owners: Sequence[str], read: Read, within: float = _WITHIN
) -> list[Tried]:
    """Return what each owner's token is told; owners are counted, not named."""
    numbers = {owner: f"owner {number}" for number, owner in enumerate(owners, 1)}

    async def one(owner: str) -> list[Tried]:
        return await _of(http, url, numbers[owner], await read(owner))

    found = await each(owners, one, _AT_ONCE, within)
    late = [
        untried(_ENVS, f"{numbers[owner]}: no turn in time")
        for owner in owners
        if owner not in found
    ]
    return [*(tried for owner in owners for tried in found.get(owner, ())), *late]


async def _of(
    http: httpx.AsyncClient, url: str, who: str, token: str | NoToken | None
) -> list[Tried]:
    if token is None:
        return [untried(_ENVS, f"{who}: no good token in the ledger")]
    if isinstance(token, NoToken):
        return [untried(_ENVS, f"{who}: no token ({token.guidance.key})")]
    envs = await post(http, url, get_env_info(token), DEADLINE, read_envs)
    if isinstance(envs, Declined | Troubled):
        return [_no(_ENVS, who, envs)]
    listed = held(_ENVS, f"{who}: envs in service: {len(envs)}")
    if not envs:
        return [listed, untried(_FUNCTIONS, f"{who}: no env in service")]
    answers = [
        await post(http, url, list_functions(token, env), DEADLINE, read_functions) for env in envs
    ]
    return [listed, *_functions(who, answers)]


def _functions(who: str, answers: Sequence[Functions | Declined | Troubled]) -> Iterator[Tried]:
    good = [answer for answer in answers if isinstance(answer, Functions)]
    yield from (_no(_FUNCTIONS, who, no) for no in answers if not isinstance(no, Functions))
    if good:
        having = sum(NEEDED in answer.statuses for answer in good)
        many = sum(answer.total for answer in good)
        seen = f"{who}: functions of {len(good)} envs: {many}; `{NEEDED}` in {having} of them"
        yield held(_FUNCTIONS, seen)


def _no(behaviour: str, who: str, no: Declined | Troubled) -> Tried:
    """Return what is no list: WeChat's own no is one to the assumption, anything else none."""
    if isinstance(no, Declined):
        no_to = untried if no.said.errcode in _SETUP else failed
        return no_to(behaviour, f"{who}: errcode {no.said.errcode}")
    return untried(behaviour, f"{who}: no answer of WeChat's ({no.trouble.value})")
