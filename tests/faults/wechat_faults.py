"""Many faults at once against one bot: each has its own owner and env, and occurs again when a token has expired."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bot.playground.faults import Code, Status
from bot.playground.faults import Fault as Injected
from bot.playground.world import APPID
from tests.conftest import REQUESTER
from tests.faults.bots import FINAL
from tests.faults.rig import ProcessRig, start_rig
from tests.faults.table import Fault

YES, NO, MAYBE = FINAL
OWNERS = 400
ACK_WITHIN = 20.0  # seconds for an ack: twenty at once are slow on a busy machine
_RULE = f"""
[[rule]]
name = "the requester"
users = ["{REQUESTER}"]
effect = "allow"
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One fault for one owner: the answers of WeChat to its share, and of its token server; the last of each is repeated.

    With `expiring`, the bot's token is expired, so the answers meet the call after a renewal.
    """

    fault: Fault
    number: int
    answers: tuple[Injected, ...] = ()
    token_answers: tuple[Injected, ...] = ()
    expiring: bool = False

    @property
    def owner(self) -> str:
        """The owner of the env."""
        return owner_of(self.number)

    @property
    def env(self) -> str:
        """The env to share under the fault."""
        return f"faulty-{self.number}-1"

    def command(self, time: int = 1) -> str:
        """Return the command for the first or a later time."""
        return f"{APPID} faulty-{self.number}-{time}"

    def __str__(self) -> str:
        when = " while a token expires" if self.expiring else ""
        return f"{self.fault}{when}: {[*self.answers, *self.token_answers]!s:.200}"


def owner_of(number: int) -> str:
    """Return the owner of the envs with this number."""
    return f"wx{number:016x}"


def token_response(token: str) -> Status:
    """Return a token server's response with this token."""
    body = {"authorizer_access_token": token, "expires_in": 7200}
    return Status(200, json.dumps(body).encode(), "application/json")


def policy(numbers: Iterable[int]) -> str:
    """Return a policy in which each owner has the envs with its number."""
    owned = (f'[[owner]]\nappid = "{owner_of(n)}"\nenvs = ["faulty-{n}-*"]\n' for n in numbers)
    return "\n".join(owned) + _RULE


@asynccontextmanager
async def rig_with_owners(
    folder: Path, owners: int = OWNERS, **more: str
) -> AsyncIterator[ProcessRig]:
    """Start a bot for this many owners."""
    file = folder / "policy.toml"
    file.write_text(policy(range(owners)), encoding="utf-8")
    settings = {"POLICY_FILE": str(file), "SHARE_ENV_ALLOWED_USERS": ""}
    async with start_rig(folder, ACK_WITHIN, **settings | more) as rig:
        yield rig


def with_and_without_expiry(
    faults: Mapping[Fault, Sequence[Injected]], *, of_tokens: bool = False, first: int = 0
) -> list[Case]:
    """Return each fault's answers twice: at once, and after a token has expired; numbered from `first`.

    They are WeChat's to the share or, with `of_tokens`, the token server's.
    """
    answers = [(fault, answer) for fault, answers in faults.items() for answer in answers]
    met = [(*each, expiring) for each in answers for expiring in (False, True)]
    return [
        Case(fault, number, (), (answer,), expiring=expiring)
        if of_tokens
        else Case(fault, number, (answer,), expiring=expiring)
        for number, (fault, answer, expiring) in enumerate(met, first)
    ]


async def assert_truthful(
    rig: ProcessRig, cases: Sequence[Case], subtests: pytest.Subtests
) -> None:
    """Apply all of these faults; check that the right and true answer came, and that the next command works."""
    for case in cases:
        _inject(rig, case)
    told = await rig.answers([case.command() for case in cases])
    happened = {env for _, env, _ in rig.wechat.shared}
    for case in cases:
        rig.wechat.clear("shareenv", env=case.env)
        rig.wechat.clear("token", owner=case.owner)
    afterwards = await rig.answers([case.command(2) for case in cases])
    for case, text, after in zip(cases, told, afterwards, strict=True):
        with subtests.test(str(case)):
            assert case.fault.told in plain(text), text
            assert marks(text) == {case.fault.told[0]}, text
            assert marks(text) != {NO if case.env in happened else YES}, "untrue"
            assert marks(after) == {YES}, after
    await rig.check_healthy()


def marks(text: str) -> set[str]:
    """Return the marks at the beginning of messages: success, failure, unknown."""
    return {line[0] for line in text.splitlines() if line.startswith(FINAL)}


def plain(text: str) -> str:
    """Return a text without markup."""
    return text.replace("*", "").replace("`", "")


def _inject(rig: ProcessRig, case: Case) -> None:
    wechat, answers, token_answers = rig.wechat, case.answers, case.token_answers
    if case.expiring:
        old = wechat.issue(case.owner)
        (wechat.expire if case.number % 4 < 2 else wechat.supersede)(old)  # half of them each way
        answers = (Code(0), *answers)  # the first call is answered as usual: the token is dead
        token_answers = (token_response(old), *(token_answers or (Code(0),)))
    plan_and_repeat_last(partial(wechat.fail, "shareenv", env=case.env), answers)
    plan_and_repeat_last(partial(wechat.fail, "token", owner=case.owner), token_answers)


def plan_and_repeat_last(plan: partial[None], answers: Sequence[Injected]) -> None:
    """Plan these answers in order, and repeat the last one."""
    plan(*answers[:-1])
    plan(*answers[-1:], times=None)
