"""Whatever Slack answers is read as one of a closed set of results, without invented content."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st

from bot.messages.blocks import Posted, message
from bot.playground.world import BOT, TEAM
from bot.policy.kinds import Person, Standing, Unreadable
from bot.slack.api import Answered, Doubtful, Refused, SlackApi
from bot.slack.directory import Directory
from bot.slack.posts import Posts
from bot.slack.preflight import Ready, Unusable, preflight
from bot.workflow.ports import AwayError
from tests.conftest import RELEASES, REQUESTER, Sleep, serving, web_client
from tests.languages import ENGLISH

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARK, GROUP = "request1", "S0PLATFORM"
HELLO = message(f"hello `{MARK}`")


@dataclass
class FixedSlack:
    """A server that gives one answer to every call, and a client of fixed."""

    api: SlackApi
    origin: str
    status: int = 200
    body: bytes = b""
    retry_after: str = ""


Reader = Callable[[FixedSlack], Awaitable[object]]


def person(fixed: FixedSlack) -> Awaitable[object]:
    directory = Directory(fixed.api, TEAM, lambda: 0.0, deadline=60.0)
    return directory.person(TEAM, REQUESTER, frozenset({GROUP}))


def post(fixed: FixedSlack) -> Awaitable[object]:
    """Post a message that may exist already, so that it is looked for first."""
    posts = Posts(fixed.api, BOT, Sleep(), time.time)
    return posts.post(ENGLISH, RELEASES, HELLO, MARK, thread_ts="1.0", look_since=1.0)


READERS: tuple[tuple[Reader, type | tuple[type, ...]], ...] = (
    (lambda it: it.api.read("users.info", 10.0, user=REQUESTER), Answered),
    (lambda it: it.api.write("chat.postMessage", 10.0, text="hello"), Answered),
    (
        lambda it: it.api.respond(f"{it.origin}/commands/1", 10.0, message("hello")),
        Answered,
    ),
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
POSTED: dict[str, object] = {
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
    "messages": [POSTED],
    "response_metadata": {"next_cursor": ""},
}
"""An answer that every reader accepts."""
ERRORS = ("ratelimited", "fatal_error", "user_not_found", "missing_scope", "not_in_channel", "")
FIELDS = st.sampled_from([*GOOD, *USER, *POSTED, "error", "deleted", "is_bot", "next_cursor"])

texts = st.text(max_size=20) | st.sampled_from(ERRORS) | st.just("\ud800")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | texts, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def distorted(draw: st.DrawFn, good: dict[str, object]) -> dict[str, object]:
    """Draw a good object with some members missing, added, or of a wrong type."""
    missing = draw(st.sets(st.sampled_from([*good]), max_size=2))
    changed = draw(st.dictionaries(st.sampled_from([*good]) | FIELDS, anything, max_size=2))
    return {name: good[name] for name in good if name not in missing} | changed


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a body: JSON of any shape in any encoding, perhaps cut off, or anything but JSON."""
    whole = {
        **GOOD,
        "user": draw(distorted(USER)),
        "messages": draw(st.lists(distorted(POSTED) | anything)),
    }
    text = json.dumps(draw(distorted(whole) | distorted(whole) | anything))
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
async def fixed() -> AsyncIterator[FixedSlack]:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", "Retry-After": slack.retry_after}
        return web.Response(status=slack.status, body=slack.body, headers=headers)

    async with serving(answer) as origin, aiohttp.ClientSession() as http:
        client = web_client("xoxb-made-up", f"{origin}/api/", http)
        slack = FixedSlack(SlackApi(client, Sleep()), origin)
        yield slack


@pytest.mark.parametrize(("read", "good"), READERS, ids=NAMES)
@example(200, b"[" * 5_000, "")
@example(200, b'{"ok": true, "messages": [null]}', "")
@example(200, b"\x1c", "")  # bytes.strip() does not remove it
@given(
    st.sampled_from([200] * 6 + [204, 301, 403, 429, 500, 503]),
    bodies() | st.binary(max_size=20),
    st.sampled_from(["", "30", "130", "-1", "nan", "inf", "1e999", "soon", "٣"]),
)
async def test_each_reader_returns_its_result_or_an_error_for_any_body(
    fixed: FixedSlack,
    read: Reader,
    good: type | tuple[type, ...],
    status: int,
    body: bytes,
    retry_after: str,
) -> None:
    fixed.status, fixed.body, fixed.retry_after = status, body, retry_after
    try:
        told = await read(fixed)
    except AwayError as away:
        told = Doubtful(str(away))
    said = object_in(body)
    answered = status == 200 and (bool(said.get("ok")) or body.strip() in {b"", b"ok"})
    match told:
        case Refused(error) | Doubtful(error):
            assert error
        case Answered() | Ready():
            assert answered
        case Person(standing=Standing.MEMBER):
            assert answered
            assert said["user"]["team_id"] == TEAM
        case Posted(channel, ts):
            assert answered
            sent = (channel, channel.replace("\ufffd", "\ud800"))  # half a character becomes U+FFFD
            assert channel == RELEASES or said.get("channel") in sent
            assert json.dumps(ts) in json.dumps(said)
        case _:
            assert isinstance(told, good)


@pytest.mark.parametrize(("read", "good"), READERS, ids=NAMES)
async def test_each_reader_accepts_a_good_answer(
    fixed: FixedSlack, read: Reader, good: type | tuple[type, ...]
) -> None:
    fixed.status, fixed.body = 200, json.dumps(GOOD).encode()
    told = await read(fixed)
    assert isinstance(told, good)
    assert not isinstance(told, Unreadable | Unusable)
