"""Damaged payloads: fields missing, added, of other types, nested or huge."""

import copy
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.app.running import running
from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.server import Ack, LocalSlack
from bot.playground.slack.views import shown
from bot.playground.world import APPID, OWNER, TEAM, World
from tests.conftest import RELEASES, REQUESTER, examples, opened, rows, settings_of
from tests.playground.shapes import words_in
from tests.rig import APPROVALS, APPROVER, SECOND
from tests.token_server import TokenWeChat, environment

pytestmark = pytest.mark.asyncio(loop_scope="module")

ON_MESSAGE = "share_env_from_message"
RULES = """
[[rule]]
name = "sure"
users = ["U0REQUESTER"]
envs = ["sure-*"]
effect = "allow"
confirm = true

[[rule]]
name = "core"
users = ["U0REQUESTER"]
envs = ["core-*"]
effect = "approve"
approvers = { groups = ["S0APPROVERS"], channel = "C0APPROVALS", expires = "24h" }

[[rule]]
name = "tests"
users = ["U0REQUESTER"]
envs = ["test-*"]
effect = "allow"
"""
KINDS = (
    "allowed command",
    "denied command",
    "bare command",
    "confirm by somebody else",
    "cancel by somebody else",
    "approve by an approver",
    "approve by somebody else",
    "decision by somebody else",
    "form",
    "form of somebody else",
    "options",
    "shortcut",
    "shortcut on a message",
    "home",
)

REQUESTERS = 'SELECT DISTINCT "user" FROM requests'
WAITING = "SELECT env, state FROM requests WHERE env IN ('sure-1', 'core-1') ORDER BY env"
"""Requests that only people other than the senders may confirm and approve."""

READ = words_in("slack")
"""The keys that the bot may read: the quoted words in the rooms that handle payloads."""
OF_THE_STAND_INS = {"aiohttp.server"}  # such as a URL that is too long for them
BEFORE_THE_ACK = {"bot.slack.listeners", "bot.slack.socket_mode"}
"""The loggers of errors while Slack waits; then the ack is an apology."""

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["", "x" * 50_000, "\0", "\u202e<!channel>", "[]", "{}", "null", "1e999"]),
    st.sampled_from(["\ud800", "a\udfffb"]),
    st.sampled_from([[], {}, [[]], [None], [{}], {"id": None}, {"": ""}, [1, "a"]]),
)
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 10_000), st.sampled_from(["drop", "put", "add", "nest", "list"]), VALUES
    ),
    min_size=1,
    max_size=4,
)


class LateErrors(logging.Handler):
    """Records errors after the ack, when the person is no longer told."""

    def __init__(self) -> None:
        super().__init__()
        self._errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an exception that was raised after the ack."""
        if record.exc_info and record.name not in {*BEFORE_THE_ACK, *OF_THE_STAND_INS}:
            self._errors.append(self.format(record))

    def take(self) -> list[str]:
        """Return the exceptions since the last call."""
        errors, self._errors = self._errors, []
        return errors


@dataclass(repr=False)  # its repr has all payloads, and would hide the failing example
class FuzzedBot:
    """A bot, and one payload of each kind."""

    slack: LocalSlack
    wechat: TokenWeChat
    database: Path
    late: LateErrors
    payloads: dict[str, tuple[str, JsonObject]] = field(default_factory=dict)

    def keep(self, name: str, ack: Ack, by: str | None = None) -> None:
        """Keep a payload that Slack sent, as if another person had caused it."""
        payload = copy.deepcopy(ack.request)
        if by:
            payload |= {"user": {"id": by, "team_id": TEAM}, "team": {"id": TEAM}}
        self.payloads[name] = ack.kind, payload

    async def collect(self) -> None:
        """Let people do each thing once, without confirming or approving a share."""
        slack, keep = self.slack, self.keep
        keep("allowed command", await slack.command(REQUESTER, RELEASES, f"{APPID} test-1"))
        keep("denied command", await slack.command(SECOND, RELEASES, f"{APPID} test-1"))
        keep("bare command", await slack.command(REQUESTER, RELEASES, ""))
        await slack.command(REQUESTER, RELEASES, f"{APPID} sure-1")
        question = slack.shown_to(REQUESTER)[-1]
        for button in ("confirm", "cancel"):
            ack = await slack.click(REQUESTER, question, button, team="T0ELSEWHERE")
            keep(f"{button} by somebody else", ack, SECOND)
        form = await opened(slack)
        await slack.options(REQUESTER, form, "env", "test-2")
        ack = await slack.submit(REQUESTER, form, {"env": "test-2", "appids": APPID})
        keep("form", ack)
        keep("form of somebody else", ack, SECOND)
        suggestion: JsonObject = {"type": "block_suggestion", "action_id": "env", "block_id": "env"}
        keep("options", replace(ack, request={**ack.request, **suggestion, "value": "test"}))
        await self.ask_for_approval()
        keep("shortcut", await slack.shortcut(REQUESTER, "share_env"))
        ack = await slack.message_shortcut(REQUESTER, ON_MESSAGE, slack.parents(RELEASES)[0])
        keep("shortcut on a message", ack)
        keep("home", await slack.open_home(REQUESTER))

    async def ask_for_approval(self) -> None:
        """Let the requester ask for an approval, and an approver open its modal."""
        slack = self.slack
        await slack.command(REQUESTER, RELEASES, f"{APPID} core-1")
        await slack.until(lambda slack: bool(slack.parents(APPROVALS)))
        asked = slack.parents(APPROVALS)[-1]
        ack = await slack.click(APPROVER, asked, "approve")
        self.keep("approve by an approver", ack)
        self.keep("approve by somebody else", ack, SECOND)
        decision = await opened(slack, APPROVER)
        sent: JsonObject = {**ack.request, "type": "view_submission"}
        sent["view"] = shown(slack, decision)
        self.keep("decision by somebody else", replace(ack, request=sent), SECOND)

    async def send(self, kind: str, payload: JsonObject) -> Json:
        """Send a payload past the stand-in's own checks; raises TimeoutError without an ack."""
        return await self.slack.send(kind, payload, str(uuid4()))


def damaged(payload: JsonObject, changes: list[tuple[int, str, Json]]) -> JsonObject:
    """Return a payload with a change that Slack would not make."""
    whole = copy.deepcopy(payload)
    for number, how, drawn in changes:
        places, value = [*every_place(whole)], copy.deepcopy(drawn)
        places += 3 * [place for place in places if place[1] in READ]  # these more often
        if not places:
            break
        holder, key = places[number % len(places)]
        match how:
            case "drop":
                del holder[key]
            case "put":
                holder[key] = value
            case "add":
                holder[f"{key}_more" if isinstance(key, str) else key] = value
            case "nest":
                holder[key] = {"id": holder[key], "value": value}
            case _:
                holder[key] = [holder[key], value]
    return whole


def every_place(value: Json) -> Iterator[tuple[Any, Any]]:
    """Yield the path of each value in a payload."""
    inside: Iterable[tuple[Any, Json]] = ()
    if isinstance(value, dict):
        inside = [*value.items()]
    elif isinstance(value, list):
        inside = [*enumerate(value)]
    for key, held in inside:
        yield value, key
        if key != "blocks":  # the bot's own, which is not read again
            yield from every_place(held)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FuzzedBot]:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "policy.toml").write_text(RULES, encoding="utf-8")
    late = LateErrors()
    logging.getLogger().addHandler(late)
    async with LocalSlack(World(), ack_timeout=10.0) as slack, TokenWeChat() as wechat:
        kept = {"DATABASE_URL": f"sqlite:///{folder}/ledger.db"}
        environ = environment(slack, wechat) | kept | {"POLICY_FILE": f"{folder}/policy.toml"}
        async with running(settings_of(environ | {"WECHAT_AUTHORIZER_APPID": OWNER})):
            fuzzed = FuzzedBot(slack, wechat, folder / "ledger.db", late)
            await fuzzed.collect()
            yield fuzzed
    logging.getLogger().removeHandler(late)
    assert late.take() == []  # nor in work that was still in progress


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=examples(60), suppress_health_check=[*HealthCheck])
@given(changes=CHANGES)
async def test_any_damaged_payload_is_acked_shares_nothing_and_raises_nothing_after_the_ack(
    fuzzed: FuzzedBot, name: str, changes: list[tuple[int, str, Json]]
) -> None:
    kind, payload = fuzzed.payloads[name]
    fresh = payload | {"trigger_id": fuzzed.slack.next_trigger()}
    await fuzzed.send(kind, damaged(fresh, changes))
    ack = await fuzzed.slack.command(REQUESTER, RELEASES, "whoami")
    assert "You are" in str(ack.payload)
    assert all(env.startswith("test-") for _, env, _ in fuzzed.wechat.shared)
    assert fuzzed.late.take() == []
    assert rows(fuzzed.database, REQUESTERS) == [(REQUESTER,)]
    assert rows(fuzzed.database, WAITING) == [("core-1", "waiting"), ("sure-1", "confirming")]
