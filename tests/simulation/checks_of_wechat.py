"""What must hold of the calls of /tcb/shareenv: how often and when one is made again, and what is told of WeChat's answers.

The rules are those of bot/guidance/README.md and bot/workflow/README.md, told without the bot's code. What a call met is
the errcode that came back, or one of the words below.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bot.ledger.events import Event
from tests.simulation.checks_of_words import answers_in, mark_of
from tests.simulation.loop import PROCESS

if TYPE_CHECKING:
    from tests.simulation.facts import Attempt
    from tests.simulation.network import Reply
    from tests.simulation.world import World

NOT_SENT, NOTHING, GATEWAY = "not sent", "nothing", "gateway"
_DONE = "0"
_TIMES: Final = {
    3: {"-1", NOT_SENT, NOTHING},
    1: {"-1000"},
}
"""How often a call that met one of these may be made again, in all."""
_TOKEN = {"40001", "40014", "42001", "42006"}
"""After which it may be made once more, with another token."""
_DOUBT = {"-1", "-1000", NOTHING, GATEWAY}
"""After which the share may have happened."""
_SECONDS = 15.0
_PAUSES: Final = {"45009": 3600.0, "45011": 60.0}
"""Seconds for which a batch pauses at WeChat's limits."""
_MOST_DEATHS = 5
"""How many replicas may die over one request before it is given up."""
_TO_ASK = 1.0
"""Seconds within which a call of a batch is on its way that began before a limit was known."""
_READY_FOR, _TO_TELL = 300.0, 200.0
"""Seconds for which it is believed that an env is ready, and within which an answer stands."""
_FIRST = 1.0
"""When somebody asks for something, at the earliest."""
_TOLD_READY = re.compile(r"`cloudbase_auth` is active|`cloudbase_auth` 已生效")
_TOLD_LACKING = re.compile(r"[Nn]ot usable yet|还不能使用")


def met_by(reply: "Reply | None") -> str:
    """Return what a call met."""
    if reply is None:
        return NOTHING
    if reply.status == 0:
        return NOT_SENT
    code = re.search(rb'"errcode": ?"?(-?\d+)', reply.body)
    return code[1].decode() if reply.status == 200 and code else GATEWAY  # OK


# Of each call, as it begins.


def of_attempt(world: "World", attempt: "Attempt") -> Iterator[str]:
    """Yield what is wrong with calling WeChat now, after the calls before."""
    share = attempt.share
    earlier = [each for each in world.attempts if each.share.request == share.request]
    run = [*_of_this_run(world, earlier, attempt)]
    if run and (why := _no_more(run)):
        yield f"no oftener than the rules say: {share.replica} asks for {share.request} again, {why}"
    if run and not {each.met for each in run} & _TOKEN:
        took = share.at - run[0].share.at
        if took > _SECONDS:
            yield f"no oftener than the rules say: {share.replica} still asks for {share.request} after {took:.1f} s"
    died = {each.share.holder for each in earlier} & world.died
    if len(died) > _MOST_DEATHS:
        yield f"no oftener than the rules say: {share.request} is asked for though {len(died)} replicas died over it"
    yield from _before_a_pause_is_over(world, attempt)


def _of_this_run(
    world: "World", earlier: Sequence["Attempt"], attempt: "Attempt"
) -> Iterator["Attempt"]:
    """Yield the earlier calls since the replica that makes this one last had a reason to begin anew.

    It has one if it took the request over, put it back for a pause, or may have lost its lease meanwhile.
    """
    run = list["Attempt"]()
    for each, following in pairwise([*earlier, attempt]):
        run.append(each)
        one, other = each.share, following.share
        took_over = (one.holder, one.fence) != (other.holder, other.fence)
        put_back = one.at <= world.put_back.get(one.request, -1.0) <= other.at
        hampered = world.slowed.get(one.replica, -1.0) >= one.at - _SECONDS
        if took_over or put_back or hampered or each.freezes != following.freezes:
            run.clear()
    yield from run


def _no_more(run: Sequence["Attempt"]) -> str:
    """Return why there may be no further call in a run; empty if there may be."""
    met = [each.met for each in run]
    if met[-1] in _TOKEN:
        return "" if sum(each in _TOKEN for each in met) == 1 else "with a third token"
    for most, kinds in _TIMES.items():
        if met[-1] in kinds:
            times = sum(each in kinds for each in met)
            return "" if times <= most else f"after {times} times {', '.join(sorted(kinds))}"
    return f"which met {met[-1] or 'nothing so far'}"


def _before_a_pause_is_over(world: "World", attempt: "Attempt") -> Iterator[str]:
    """Yield an error if an item is asked for by the replica that was told to wait with its batch, unless a clock jumped."""
    share = attempt.share
    batch = share.request.rpartition("-")[0]
    if not batch or world.machines_ahead:
        return
    for earlier in reversed(world.attempts):
        same = earlier.share.request.rpartition("-")[0] == batch
        pause = _PAUSES.get(earlier.met, 0.0)
        waited = share.at - earlier.over
        if (
            same
            and earlier.share.holder == share.holder
            and earlier.share.fence == share.fence
            and _TO_ASK < waited < pause - 1
        ):
            yield f"a batch waits at a limit: {share.request} is asked for {waited:.0f} s after {earlier.met}"
            return


def tried_again(world: "World") -> float:
    """Return when all that met a limit has been tried again, in seconds since the beginning."""
    return max((each.over + _PAUSES.get(each.met, 0.0) for each in world.attempts), default=0.0)


# Of each outcome, as it is committed.


def of_outcome(world: "World", event: Event) -> Iterator[str]:
    """Yield an error if what is recorded of a request is not what its replica was told by WeChat."""
    request, outcome = str(event.facts.get("request")), str(event.facts.get("outcome"))
    if event.kind == "call":
        world.put_back[request] = world.seconds()
    if event.kind != "answered" or outcome not in {"shared", "failed", "unknown"}:
        return
    calls = [each for each in world.attempts if each.share.request == request]
    # What the last one met may be lost with a lease or a replica; then it is as if nothing had come.
    name, frozen = PROCESS.get().name, PROCESS.get().freezes
    ledger = world.replicas[name].ledger
    by = {(each.share.holder, each.freezes) for each in calls}
    if ledger is None or by != {(ledger.replica.holder, frozen)}:
        return
    if world.slowed.get(name, -1.0) >= calls[0].share.at - _SECONDS:
        return
    met = [each.met for each in calls]
    wanted = "unknown" if _DOUBT.intersection(met) else "failed"
    if met[-1] == _DONE:
        wanted = "shared"
    if outcome != wanted:
        yield f"recorded as WeChat said: {request} is {outcome}, and its calls met {', '.join(met)}"


# At the end.


def what_wechat_said_is_told(world: "World") -> Iterator[str]:
    """The answer to a request that WeChat refused at last has the code that it said."""
    answers = answers_in(world)
    delivered = {e.facts.get("request") for _, e in world.events if e.kind == "delivered"}
    last = {each.share.request: each.met for each in world.attempts}
    for id_, outcome in world.database.rows(
        "SELECT id, outcome FROM requests WHERE state = 'ended' AND batch IS NULL AND appid <> ''"
    ):
        code = last.get(id_, "")
        refused = outcome == "failed" and code.lstrip("-").isdigit() and code != _DONE
        for said in answers.get(id_, ()) if refused and id_ in delivered else ():
            if code not in said.text:
                yield f"{id_} met {code}, and its answer says “{said.text.splitlines()[0]}”"


def an_env_is_told_as_it_is(world: "World") -> Iterator[str]:
    """Whether a shared env can be used is told as it was when it was looked up."""
    envs = dict(world.database.rows("SELECT id, env FROM requests"))
    for message in world.slack.messages:
        env = envs.get(mark_of(message).removesuffix("-answer").partition("-")[0])
        at = float(message.ts) - world.born
        frozen = sum(each.process.seconds_frozen for each in world.replicas.values())
        if env is None or message.deleted or not message.thread_ts:
            continue
        for told, is_ready, seconds in (
            (_TOLD_READY, True, _READY_FOR + _TO_TELL),
            (_TOLD_LACKING, False, _TO_TELL),
        ):
            if told.search(message.text):
                known = world.ready[env].within(max(_FIRST, at - seconds - frozen), at)
                if is_ready not in known:
                    yield f"{env} was never so: {message.text.splitlines()[0]}"


AT_THE_END = (what_wechat_said_is_told, an_env_is_told_as_it_is)
