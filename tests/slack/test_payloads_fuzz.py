"""Payloads as Slack sends them, and then bent: fields gone, more of them, other types, nested, huge, odd."""

import copy
import logging
import re
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
from bot.playground.environments import environment
from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.server import Ack, LocalSlack
from bot.playground.slack.views import shown
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER, TEAM, seed
from tests.conftest import RELEASES, examples, rows, settings_of
from tests.scenes import APPROVALS, APPROVER

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUESTER, SECOND = "U0REQUESTER", "U0SECOND"
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

WHO_ASKED = 'SELECT DISTINCT "user" FROM requests'
WHAT_WAITS = "SELECT env, state FROM requests WHERE env IN ('sure-1', 'core-1') ORDER BY env"
"""What is to be confirmed and approved by others than those who try."""

ROOMS = Path(__file__).parent.parent.parent / "bot/slack"
READ = {
    name for room in ROOMS.glob("*.py") for name in re.findall(r'"(\w+)"', room.read_text("utf-8"))
}
"""What the bot may read of a payload: the words that stand in quotes in the rooms that Slack comes to."""
OF_THE_STAND_INS = {"aiohttp.server"}  # such as a URL that is too long for them
BEFORE_THE_ACK = {"bot.slack.listeners", "bot.slack.socket_mode"}
"""Who logs what a payload breaks while Slack waits; the ack is an apology then."""

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "x" * 50_000, "\0", "\ud800", "\u202e<!channel>", "[]", "{}", "null", "1e999"]
    ),
    st.sampled_from([[], {}, [[]], [None], [{}], {"id": None}, {"": ""}, [1, "a"]]),
)
BENDS = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from(["drop", "put", "add", "nest", "list"]), ODD),
    min_size=1,
    max_size=4,
)


class Late(logging.Handler):
    """Hears of what breaks once the ack is out, when nobody is told of it any more."""

    def __init__(self) -> None:
        super().__init__()
        self._heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exceptions of those who work behind the ack."""
        if record.exc_info and record.name not in {*BEFORE_THE_ACK, *OF_THE_STAND_INS}:
            self._heard.append(self.format(record))

    def heard(self) -> list[str]:
        """Return what was heard since this was last asked."""
        heard, self._heard = self._heard, []
        return heard


@dataclass(repr=False)  # it holds all payloads, and would bury the example that failed
class Stage:
    """A bot, and one payload of each kind."""

    slack: LocalSlack
    wechat: LocalWeChat
    database: Path
    late: Late
    payloads: dict[str, tuple[str, JsonObject]] = field(default_factory=dict)

    def keep(self, name: str, ack: Ack, by: str | None = None) -> None:
        """Keep what Slack sent, as if somebody else had done it."""
        payload = copy.deepcopy(ack.request)
        if by:
            payload |= {"user": {"id": by, "team_id": TEAM}, "team": {"id": TEAM}}
        self.payloads[name] = ack.kind, payload

    async def collect(self) -> None:
        """Have people do each thing once, without a share that has to be confirmed or approved."""
        slack, keep = self.slack, self.keep
        keep("allowed command", await slack.command(REQUESTER, RELEASES, f"{APPID} test-1"))
        keep("denied command", await slack.command(SECOND, RELEASES, f"{APPID} test-1"))
        keep("bare command", await slack.command(REQUESTER, RELEASES, ""))
        await slack.command(REQUESTER, RELEASES, f"{APPID} sure-1")
        question = slack.shown_to(REQUESTER)[-1]
        for button in ("confirm", "cancel"):
            ack = await slack.click(REQUESTER, question, button, team="T0ELSEWHERE")
            keep(f"{button} by somebody else", ack, SECOND)
        await slack.until(lambda slack: bool(slack.views(REQUESTER)))
        form = slack.views(REQUESTER)[-1]
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
        """Have the requester ask for an approval, and an approver look at it."""
        slack = self.slack
        await slack.command(REQUESTER, RELEASES, f"{APPID} core-1")
        await slack.until(lambda slack: bool(slack.parents(APPROVALS)))
        asked = slack.parents(APPROVALS)[-1]
        ack = await slack.click(APPROVER, asked, "approve")
        self.keep("approve by an approver", ack)
        self.keep("approve by somebody else", ack, SECOND)
        await slack.until(lambda slack: bool(slack.views(APPROVER)))
        decision = slack.views(APPROVER)[-1]
        sent: JsonObject = {**ack.request, "type": "view_submission"}
        sent["view"] = shown(slack, decision)
        self.keep("decision by somebody else", replace(ack, request=sent), SECOND)

    async def send(self, kind: str, payload: JsonObject) -> Json:
        """Send a payload past all that the stand-in Slack knows of it; raises TimeoutError without an ack."""
        return await self.slack.send(kind, payload, str(uuid4()))


def bent(payload: JsonObject, bends: list[tuple[int, str, Json]]) -> JsonObject:
    """Return a payload with something in it that Slack would not send."""
    whole = copy.deepcopy(payload)
    for number, how, drawn in bends:
        places, odd = [*every_place(whole)], copy.deepcopy(drawn)
        places += 3 * [place for place in places if place[1] in READ]  # these more often
        if not places:
            break
        holder, key = places[number % len(places)]
        match how:
            case "drop":
                del holder[key]
            case "put":
                holder[key] = odd
            case "add":
                holder[f"{key}_more" if isinstance(key, str) else key] = odd
            case "nest":
                holder[key] = {"id": holder[key], "value": odd}
            case _:
                holder[key] = [holder[key], odd]
    return whole


def every_place(value: Json) -> Iterator[tuple[Any, Any]]:
    """Yield each place in which something is held."""
    inside: Iterable[tuple[Any, Json]] = ()
    if isinstance(value, dict):
        inside = [*value.items()]
    elif isinstance(value, list):
        inside = [*enumerate(value)]
    for key, held in inside:
        yield value, key
        if key != "blocks":  # the bot's own, which nobody reads again
            yield from every_place(held)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "policy.toml").write_text(RULES, encoding="utf-8")
    late = Late()
    logging.getLogger().addHandler(late)
    async with LocalSlack(seed(), ack_timeout=10.0) as slack, LocalWeChat() as wechat:
        kept = {"DATABASE_URL": f"sqlite:///{folder}/ledger.db"}
        environ = environment(slack, wechat) | kept | {"POLICY_FILE": f"{folder}/policy.toml"}
        async with running(settings_of(environ | {"WECHAT_AUTHORIZER_APPID": OWNER})):
            stage = Stage(slack, wechat, folder / "ledger.db", late)
            await stage.collect()
            yield stage
    logging.getLogger().removeHandler(late)
    assert late.heard() == []  # nor in what was still under way


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=examples(60), suppress_health_check=[*HealthCheck])
@given(bends=BENDS)
async def test_whatever_is_sent_is_acked_and_shares_nothing_more_and_breaks_nothing_behind_it(
    stage: Stage, name: str, bends: list[tuple[int, str, Json]]
) -> None:
    kind, payload = stage.payloads[name]
    fresh = payload | {"trigger_id": stage.slack.next_trigger()}
    await stage.send(kind, bent(fresh, bends))
    ack = await stage.slack.command(REQUESTER, RELEASES, "whoami")
    assert "You are" in str(ack.payload)
    assert all(env.startswith("test-") for _, env, _ in stage.wechat.shared)
    assert stage.late.heard() == []
    assert rows(stage.database, WHO_ASKED) == [(REQUESTER,)]
    assert rows(stage.database, WHAT_WAITS) == [("core-1", "waiting"), ("sure-1", "confirming")]
