"""Any bytes in place of Slack's answer are read as one of a closed set of results, without invented content."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st

from bot.messages.blocks import message
from bot.playground.world import BOT, TEAM
from bot.policy.kinds import Person, Standing, Unreadable
from bot.slack.api import Answered, Doubtful, Refused, SlackApi
from bot.slack.directory import Directory
from bot.slack.payloads import Posted
from bot.slack.posts import Posts
from bot.slack.preflight import Ready, Unusable, preflight
from bot.workflow.ports import AwayError
from tests.conftest import RELEASES, REQUESTER, Sleep, served, web_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARK, GROUP = "request1", "S0PLATFORM"
HELLO = message(f"hello `{MARK}`")


@dataclass
class Stage:
    """A server that gives one answer to every call, and the readers that call it."""

    api: SlackApi
    origin: str
    status: int = 200
    body: bytes = b""
    retry_after: str = ""


Ask = Callable[[Stage], Awaitable[object]]


def person(stage: Stage) -> Awaitable[object]:
    directory = Directory(stage.api, TEAM, lambda: 0.0, deadline=60.0)
    return directory.person(TEAM, REQUESTER, frozenset({GROUP}))


def post(stage: Stage) -> Awaitable[object]:
    """Post a message that may exist already, so that it is looked for first."""
    posts = Posts(stage.api, BOT, Sleep())
    return posts.post(RELEASES, HELLO, MARK, thread_ts="1.0", look_since=1.0)


ASKS: tuple[tuple[Ask, type | tuple[type, ...]], ...] = (
    (lambda it: it.api.read("users.info", 10.0, user=REQUESTER), Answered),
    (lambda it: it.api.write("chat.postMessage", 10.0, text="hello"), Answered),
    (lambda it: it.api.respond(f"{it.origin}/commands/1", 10.0, {"text": "hello"}), Answered),
    (lambda it: preflight(it.api, it.api), (Ready, Unusable)),
    (person, (Person, Unreadable)),
    (post, Posted),
)
"""The readers, and their result for a good answer; for all others they report trouble."""
NAMES = ("read", "write", "respond", "preflight", "person", "post")

USER: dict[str, object] = {
    "id": REQUESTER,
    "team_id": TEAM,
    "locale": "en-US",
    "is_restricted": False,
}
STANDS: dict[str, object] = {
    "user": BOT,
    "ts": "1.000001",
    "text": MARK,
    "metadata": {"event_payload": {"request": MARK}},
}
GOOD: dict[str, object] = {
    "ok": True,
    "url": "wss://127.0.0.1/",
    "user": USER,
    "users": [REQUESTER],
    "channel": RELEASES,
    "ts": "1.000001",
    "messages": [STANDS],
    "response_metadata": {"next_cursor": ""},
}
"""An answer that every reader accepts."""
ERRORS = ("ratelimited", "fatal_error", "user_not_found", "missing_scope", "not_in_channel", "")
FIELDS = st.sampled_from([*GOOD, *USER, *STANDS, "error", "deleted", "is_bot", "next_cursor"])

texts = st.text(max_size=20) | st.sampled_from(ERRORS) | st.just("\ud800")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | texts, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def bent(draw: st.DrawFn, good: dict[str, object]) -> dict[str, object]:
    """Draw a good object with some members missing, added, or of a wrong type."""
    missing = draw(st.sets(st.sampled_from([*good]), max_size=2))
    changed = draw(st.dictionaries(st.sampled_from([*good]) | FIELDS, anything, max_size=2))
    return {name: good[name] for name in good if name not in missing} | changed


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a body: JSON of any shape in any encoding, perhaps cut off, or anything but JSON."""
    whole = {**GOOD, "user": draw(bent(USER)), "messages": draw(st.lists(bent(STANDS) | anything))}
    text = json.dumps(draw(bent(whole) | bent(whole) | anything))
    text = draw(st.sampled_from([*[text] * 12, "ok", "<html>", "[" * 5_000]))
    body = text.encode(draw(st.sampled_from([*["utf-8"] * 8, "utf-8-sig", "utf-16"])))
    cut = draw(st.sampled_from([*[False] * 8, True]))
    return body[: draw(st.integers(0, len(body)))] if cut else body


def object_in(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body, or an empty one."""
    try:
        said = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", "Retry-After": it.retry_after}
        return web.Response(status=it.status, body=it.body, headers=headers)

    async with served(answer) as origin, aiohttp.ClientSession() as http:
        client = web_client("xoxb-made-up", f"{origin}/api/", http)
        it = Stage(SlackApi(client, Sleep()), origin)
        yield it


@pytest.mark.parametrize(("ask", "found"), ASKS, ids=NAMES)
@example(200, b"[" * 5_000, "")
@example(200, b'{"ok": true, "messages": [null]}', "")
@example(200, b"\x1c", "")  # bytes.strip() does not remove it
@given(
    st.sampled_from([200] * 6 + [204, 301, 403, 429, 500, 503]),
    bodies() | st.binary(max_size=20),
    st.sampled_from(["", "30", "130", "-1", "nan", "inf", "1e999", "soon", "٣"]),
)
async def test_each_reader_returns_its_result_or_an_error_for_any_body(
    stage: Stage,
    ask: Ask,
    found: type | tuple[type, ...],
    status: int,
    body: bytes,
    retry_after: str,
) -> None:
    stage.status, stage.body, stage.retry_after = status, body, retry_after
    try:
        told = await ask(stage)
    except AwayError as away:
        told = Doubtful(str(away))
    said = object_in(body)
    good = status == 200 and (bool(said.get("ok")) or body.strip() in {b"", b"ok"})
    match told:
        case Refused(error) | Doubtful(error):
            assert error
        case Answered() | Ready():
            assert good
        case Person(standing=Standing.MEMBER):
            assert good
            assert said["user"]["team_id"] == TEAM
        case Posted(channel, ts):
            assert good
            assert channel in (RELEASES, said.get("channel"))
            assert json.dumps(ts) in json.dumps(said)
        case _:
            assert isinstance(told, found)


@pytest.mark.parametrize(("ask", "found"), ASKS, ids=NAMES)
async def test_each_reader_accepts_a_good_answer(
    stage: Stage, ask: Ask, found: type | tuple[type, ...]
) -> None:
    stage.status, stage.body = 200, json.dumps(GOOD).encode()
    told = await ask(stage)
    assert isinstance(told, found)
    assert not isinstance(told, Unreadable | Unusable)
