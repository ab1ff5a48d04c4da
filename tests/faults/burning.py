"""Many faults at once against one bot: each has its own owner and env, and occurs again when a token has expired."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bot.playground.faults import Code, Status
from bot.playground.faults import Fault as Trouble
from bot.playground.world import APPID
from tests.faults.bots import FINAL
from tests.faults.fire import REQUESTER, Fire, fire
from tests.faults.table import Fault

YES, NO, MAYBE = FINAL
OWNERS = 400
PATIENCE = 20.0  # seconds for an ack: twenty at once are slow on a busy machine
_RULE = f"""
[[rule]]
name = "whoever asks"
users = ["{REQUESTER}"]
effect = "allow"
"""


@dataclass(frozen=True, slots=True)
class Lit:
    """One fault for one owner: the answers of WeChat to its share, and of its token server; the last of each is repeated.

    With `expiring`, the bot's token is expired, so the answers meet the call after a renewal.
    """

    fault: Fault
    number: int
    answers: tuple[Trouble, ...] = ()
    token_answers: tuple[Trouble, ...] = ()
    expiring: bool = False

    @property
    def owner(self) -> str:
        """The owner of the env."""
        return owner_of(self.number)

    @property
    def env(self) -> str:
        """The env to share under the fault."""
        return f"burning-{self.number}-1"

    def command(self, time: int = 1) -> str:
        """Return the command for the first or a later time."""
        return f"{APPID} burning-{self.number}-{time}"

    def __str__(self) -> str:
        when = " while a token expires" if self.expiring else ""
        return f"{self.fault}{when}: {[*self.answers, *self.token_answers]!s:.200}"


def owner_of(number: int) -> str:
    """Return the owner of the envs with this number."""
    return f"wx{number:016x}"


def giving(token: str) -> Status:
    """Return a token server's response with this token."""
    body = {"authorizer_access_token": token, "expires_in": 7200}
    return Status(200, json.dumps(body).encode(), "application/json")


def policy(numbers: Iterable[int]) -> str:
    """Return a policy in which each owner has the envs with its number."""
    owned = (f'[[owner]]\nappid = "{owner_of(n)}"\nenvs = ["burning-{n}-*"]\n' for n in numbers)
    return "\n".join(owned) + _RULE


@asynccontextmanager
async def burning(folder: Path, owners: int = OWNERS, **more: str) -> AsyncIterator[Fire]:
    """Start a bot for this many owners."""
    file = folder / "policy.toml"
    file.write_text(policy(range(owners)), encoding="utf-8")
    settings = {"POLICY_FILE": str(file), "SHARE_ENV_ALLOWED_USERS": ""}
    async with fire(folder, PATIENCE, **settings | more) as burning:
        yield burning


def each_twice(
    fires: Mapping[Fault, Sequence[Trouble]], *, of_tokens: bool = False, first: int = 0
) -> list[Lit]:
    """Return each fault's answers twice: at once, and after a token has expired; numbered from `first`.

    They are WeChat's to the share or, with `of_tokens`, the token server's.
    """
    answers = [(fault, answer) for fault, answers in fires.items() for answer in answers]
    met = [(*each, expiring) for each in answers for expiring in (False, True)]
    return [
        Lit(fault, number, (), (answer,), expiring=expiring)
        if of_tokens
        else Lit(fault, number, (answer,), expiring=expiring)
        for number, (fault, answer, expiring) in enumerate(met, first)
    ]


async def light(burning: Fire, lit: Sequence[Lit]) -> list[str]:
    """Apply all of these faults at once; return what each requester is told."""
    for one in lit:
        _prepare(burning, one)
    return await burning.answers([one.command() for one in lit])


async def hold_true(burning: Fire, lit: Sequence[Lit], subtests: pytest.Subtests) -> None:
    """Apply all of these faults; check that the right and true answer came, and that the next command works."""
    told = await light(burning, lit)
    happened = {env for _, env, _ in burning.wechat.shared}
    for one in lit:
        put_out(burning, one)
    afterwards = await burning.answers([one.command(2) for one in lit])
    for one, text, after in zip(lit, told, afterwards, strict=True):
        with subtests.test(str(one)):
            assert one.fault.told in plain(text), text
            assert marks(text) == {one.fault.told[0]}, text
            assert marks(text) != {NO if one.env in happened else YES}, "untrue"
            assert marks(after) == {YES}, after
    await burning.stands()


def put_out(burning: Fire, one: Lit) -> None:
    """Remove a fault from WeChat and the token server."""
    burning.wechat.clear("shareenv", env=one.env)
    burning.wechat.clear("token", owner=one.owner)


def marks(text: str) -> set[str]:
    """Return the marks at the beginning of messages: success, failure, unknown."""
    return {line[0] for line in text.splitlines() if line.startswith(FINAL)}


def plain(text: str) -> str:
    """Return a text without markup."""
    return text.replace("*", "").replace("`", "")


def _prepare(burning: Fire, one: Lit) -> None:
    wechat, answers, token_answers = burning.wechat, one.answers, one.token_answers
    if one.expiring:
        old = wechat.issue(one.owner)
        (wechat.expire if one.number % 4 < 2 else wechat.supersede)(old)  # half of them each way
        answers = (Code(0), *answers)  # the first call is answered as usual: the token is dead
        token_answers = (giving(old), *(token_answers or (Code(0),)))
    last_stays(partial(wechat.fail, "shareenv", env=one.env), answers)
    last_stays(partial(wechat.fail, "token", owner=one.owner), token_answers)


def last_stays(plan: partial[None], answers: Sequence[Trouble]) -> None:
    """Plan these answers in order, and repeat the last one."""
    plan(*answers[:-1])
    plan(*answers[-1:], times=None)
