"""Anything that is posted as a push of WeChat is understood or refused, and never an error in the bot."""

import asyncio
import math
import time
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.command.grammar import is_appid
from bot.playground.wechat.pushes import Push as Posted
from bot.playground.wechat.pushes import Stamp, event, sealed, xml
from bot.runtime.tasks import Tasks
from bot.wechat.callback import Callback
from bot.wechat.push import (
    RANDOM_BYTES,
    Authorized,
    Push,
    PushRefusal,
    Ticket,
    Unauthorized,
    encrypt,
)
from tests.conftest import examples
from tests.wechat.conftest import OTHER, OWNER
from tests.wechat.replicas import served
from tests.wechat.test_callback import PushListener
from tests.wechat.test_push import (
    COMPONENT,
    KEY,
    NOW,
    OF_CODE,
    PLATFORM,
    SEAL,
    containing,
    read,
    signed,
)

OFTEN = settings(max_examples=examples(200))
FIELDS = event(
    COMPONENT, "authorized", NOW, **OF_CODE, ComponentVerifyTicket="ticket@@@made-up"
) | {"AuthorizationCodeExpiredTime": NOW + 1800}
"""The members of all kinds of push together."""
KINDS = ["component_verify_ticket", "authorized", "updateauthorized", "unauthorized", "another"]

texts = st.text(st.characters(exclude_characters="<&]\r", exclude_categories=["Cc", "Cs"]))
values = (
    st.sampled_from([*KINDS, COMPONENT, OWNER, OTHER, "", "0", "-1", str(NOW)])
    | texts
    | st.integers()
)
names = st.sampled_from([*FIELDS, "Encrypt", "x"])


@st.composite
def members(draw: st.DrawFn) -> dict[str, str | int]:
    """Draw a push of any kind that lacks some members, and has others that are wrong or not documented."""
    missing = draw(st.sets(st.sampled_from([*FIELDS])))
    kept = {name: FIELDS[name] for name in FIELDS if name not in missing}
    kind = {"InfoType": draw(st.sampled_from(KINDS))}
    return kept | kind | draw(st.dictionaries(names, values, max_size=3))


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw these bytes with a part changed, left out, inserted, doubled, or cut off."""
    body = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(body))), draw(st.integers(0, 40))
        piece = draw(
            st.binary(max_size=4) | st.just(bytes(body[at : at + length])) | st.just(b"<x>")
        )
        body[at : at + draw(st.integers(0, length))] = piece
    return bytes(body[: draw(st.none() | st.integers(0, len(body)))])


def assert_understood_or_refused(found: Push | PushRefusal | None) -> None:
    """Check that a push has valid values, or is a refusal, and that its repr has no secret."""
    match found:
        case Ticket(created, ticket):
            assert ticket.strip() == ticket != ""
            assert math.isfinite(created)
        case Authorized(created, owner, code):
            assert is_appid(owner)
            assert code.strip() == code != ""
            assert math.isfinite(created)
        case Unauthorized(created, owner):
            assert is_appid(owner)
            assert math.isfinite(created)
        case _:
            assert found is None or isinstance(found, PushRefusal)
    assert "made-up" not in repr(found)


@given(members())
@settings(max_examples=examples(300))
def test_a_genuine_push_with_any_members_is_understood_or_refused(
    fields: Mapping[str, str | int],
) -> None:
    assert_understood_or_refused(read(containing(xml(fields))))


@given(members().map(xml).flatmap(damaged))
@settings(max_examples=examples(300))
def test_a_genuine_push_of_damaged_xml_is_understood_or_refused(message: bytes) -> None:
    assert_understood_or_refused(read(containing(message)))


@given(members().map(xml).flatmap(lambda message: damaged(encrypted(message).encode())))
@OFTEN
def test_a_message_that_was_damaged_after_encryption_is_understood_or_refused_even_if_signed(
    text: bytes,
) -> None:
    odd = text.decode("utf-8", "replace")
    posted = signed(odd, b"<xml><Encrypt>%s</Encrypt></xml>" % text)
    assert_understood_or_refused(read(posted))


def encrypted(message: bytes) -> str:
    return encrypt(KEY, message, COMPONENT, b"r" * RANDOM_BYTES)


@st.composite
def envelopes(draw: st.DrawFn) -> tuple[Posted, bool]:
    """Draw a push and whether it is genuine: as WeChat sends it, or damaged on the way."""
    stamp = Stamp(int(time.time()), "17", b"r" * RANDOM_BYTES)
    push = sealed(FIELDS | {"InfoType": draw(st.sampled_from(KINDS))}, SEAL, stamp)
    query = push.query | draw(
        st.dictionaries(st.sampled_from([*push.query]) | texts, values.map(str), max_size=2)
    )
    body = draw(st.just(push.body) | damaged(push.body) | st.binary() | names.map(str.encode))
    return Posted("", query, body), (query, body) == (push.query, push.body)


heads = st.lists(
    st.sampled_from(
        [
            *("Content-Type: application/json", "Content-Type: multipart/form-data"),
            *("Content-Type: \xff", "Content-Encoding: gzip", "Content-Encoding: br"),
            *("Expect: 100-continue", "Cookie: \x80=;", "X-Forwarded-For: '; --"),
            "Accept: */*;q=nan",
        ]
    ),
    max_size=2,
    unique_by=lambda head: head.split(":")[0],
)
methods = st.sampled_from(["POST"] * 7 + ["GET", "PUT"])


@given(st.lists(st.tuples(methods, envelopes(), heads), min_size=10, max_size=20))
# Over sockets, shrinking would take minutes.
@settings(max_examples=examples(15), phases=[Phase.generate])
async def test_genuine_pushes_are_answered_with_success_and_all_others_with_4xx(
    posts: list[tuple[str, tuple[Posted, bool], list[str]]],
) -> None:
    tasks = Tasks()
    callback = Callback(lambda: PLATFORM, PushListener().handle, time.time, tasks.start)
    async with served(callback) as url:
        for method, (push, genuine), head in posts:
            answer = await posted(url, method, push, head)
            status = int(answer.split()[1])
            assert 400 <= status < 500 or (status == 200 and answer.endswith(b"success")), answer
            plain = method == "POST" and not any("Content-Encoding" in line for line in head)
            assert status == 200 or not (genuine and plain), answer
    await tasks.drain(0)


async def posted(url: str, method: str, push: Posted, head: list[str]) -> bytes:
    """Send a push unchanged, and return the whole response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    target = f"/wechat/events?{urlencode(push.query, errors='surrogatepass')}"
    lines = [f"{method} {target} HTTP/1.1", "Host: bot", "Connection: close", *head]
    lines += [f"Content-Length: {len(push.body)}", "", ""]
    writer.write("\r\n".join(lines).encode("latin-1") + push.body)
    answer = await reader.read()
    writer.close()
    return answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
