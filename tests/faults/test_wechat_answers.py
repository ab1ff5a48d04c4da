"""All answers that WeChat, or something in front of it, can give."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bot.guidance import Trouble, for_code
from bot.playground.faults import Code, Drop, Status
from bot.playground.faults import Fault as Injected
from bot.playground.loopback import Loopback
from tests.faults.table import Fault
from tests.faults.wechat_faults import (
    MAYBE,
    NO,
    assert_truthful,
    rig_with_owners,
    with_and_without_expiry,
)
from tests.gzip_bomb import GZIP_BOMB

pytestmark = pytest.mark.slow

WECHAT = "WeChat"
NOT_WECHATS = f"{MAYBE} {Trouble.NOT_JSON.value.title}"
NEITHER = f"{MAYBE} {Trouble.NO_ERRCODE.value.title}"
BROKEN = f"{MAYBE} {Trouble.GATEWAY_BROKEN.value.title}"
LOST = f"{MAYBE} {Trouble.LOST.value.title}"
YES = "✅ Shared"


def body(content: str | bytes) -> Status:
    """Return a body for a share that had its effect, whatever the body says."""
    sent = content if isinstance(content, bytes) else content.encode()
    return Status(200, sent, "application/json", after_effect=True)


def bodies(*contents: str | bytes) -> tuple[Status, ...]:
    return tuple(map(body, contents))


def statuses(*codes: int, after_effect: bool = False) -> tuple[Status, ...]:
    return tuple(Status(code, after_effect=after_effect) for code in codes)


def faults(elsewhere: str) -> Mapping[Fault, Sequence[Injected]]:
    """Return every fault with the answers that cause it; `elsewhere` is the target of redirects."""
    early, switched = (
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: close\r\n\r\n",
    )
    answer = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\n{"errcode":0}'
    moved = f"{NO} {Trouble.REDIRECTED.value.title}"
    return {
        Fault(WECHAT, "HTTP 100 or 103, and no more", LOST): (
            Drop(sent=b"HTTP/1.1 100 Continue\r\n\r\n"),
            Drop(after_effect=True, sent=early),
        ),
        Fault(WECHAT, "HTTP 103, then the answer", YES): (
            Drop(after_effect=True, sent=early + answer),
        ),
        Fault(WECHAT, "HTTP 101", NOT_WECHATS): (Drop(after_effect=True, sent=switched),),
        Fault(WECHAT, "HTTP 201, 204 or 206, done or not", NOT_WECHATS): (
            *(Status(201, b'{"errcode":0}'), Status(204, b"", after_effect=True)),
            *statuses(206, after_effect=True),
        ),
        Fault(WECHAT, "HTTP 301, 302, 307 or 308; the token follows none of them", moved): tuple(
            Status(status, headers={"Location": f"{elsewhere}/tcb/shareenv"})
            for status in (301, 302, 307, 308)
        ),
        Fault(WECHAT, "HTTP 303; the token does not follow it", NOT_WECHATS): (
            Status(303, headers={"Location": f"{elsewhere}/tcb/shareenv"}),
        ),
        Fault(WECHAT, "HTTP 300 or 304", moved): (Status(300), Status(304, b"")),
        Fault(
            WECHAT,
            "HTTP 400, 404, 413, 429 or 451",
            f"{NO} {Trouble.GATEWAY_REFUSED.value.title}",
        ): statuses(400, 404, 413, 429, 451),
        Fault(
            WECHAT,
            "HTTP 401, 403 or 407",
            f"{NO} {Trouble.GATEWAY_CLOSED.value.title}",
        ): statuses(401, 403, 407),
        Fault(WECHAT, "HTTP 411 or 412", f"{NO} {Trouble.GATEWAY_LENGTH.value.title}"): statuses(
            411, 412
        ),
        Fault(WECHAT, "HTTP 408, 424, 499, 500, 502, 503, 504 or 599, done or not", BROKEN): (
            *statuses(408, 424, 499, 500, 502, 503, 504, 599),
            *statuses(408, 500, 504, after_effect=True),
            Status(502, b'{"errcode":0}', "application/json"),
        ),
        Fault(WECHAT, "a web page", NOT_WECHATS): (Status(200),),
        Fault(WECHAT, "an empty or truncated body, with HTTP 200", NOT_WECHATS): bodies(
            *("", " ", "{", '{"errcode":0', '{"errcode":0,"errmsg":"ok', '{"errcode":0}}'),
        ),
        Fault(WECHAT, "JSON that is a list, a number, a text, true or null", NOT_WECHATS): bodies(
            *("[]", '[{"errcode":0}]', "0", '"ok"', "true", "null", "NaN"),
        ),
        Fault(WECHAT, "JSON that is nested too deeply, or a number too long", NOT_WECHATS): bodies(
            *("[" * 100_000, '{"errcode":' + "9" * 5000 + "}"),
        ),
        Fault(WECHAT, "an object without errcode, or with one that is no number", NEITHER): bodies(
            *("{}", '{"errmsg":"ok"}', '{"Errcode":0}', '{"result":{"errcode":0}}'),
            *('{"errcode":null}', '{"errcode":false}', '{"errcode":0.0}', '{"errcode":NaN}'),
            *('{"errcode":1e400}', '{"errcode":[0]}', '{"errcode":{"errcode":0}}'),
            *('{"errcode":""}', '{"errcode":"ok"}', '{"errcode":"0x0"}', '{"errcode":"０"}'),
        ),
        Fault(WECHAT, "errcode as a text, or more members than documented", YES): bodies(
            *('{"errcode":"0"}', '{"errcode":0,"more":[{"errcode":1}],"NaN":NaN}'),
        ),
        Fault(WECHAT, "a yes in GBK, with a byte order mark, or in broken UTF-8", YES): bodies(
            '{"errcode":0,"errmsg":"成功"}'.encode("gbk"),
            b'\xef\xbb\xbf{"errcode":0}',
            b'{"errcode":0,"errmsg":"\xff\xfe\xed\xa0\x80"}',
        ),
        Fault(WECHAT, "a no in GBK", f"{NO} {for_code(85088).title}"): (
            Status(200, '{"errcode":85088,"errmsg":"未开通"}'.encode("gbk"), "application/json"),
        ),
        Fault(
            WECHAT,
            "a no that repeats the token",
            "❌ WeChat rejected the appid or the env, without saying which",
        ): (Code(40097, "invalid args made-up-token-1-of-wx0123456789abcdef"),),
        Fault(WECHAT, "an answer in UTF-16", NOT_WECHATS): bodies('{"errcode":0}'.encode("utf-16")),
        Fault(WECHAT, "a gzip bomb", NOT_WECHATS): (GZIP_BOMB,),
        Fault(WECHAT, "a body of 100 MB", NOT_WECHATS): (Status(200, bytes(100_000_000)),),
        Fault(WECHAT, "an answer that is no HTTP", LOST): (
            Drop(sent=b"220 mail.example.org ESMTP\r\n"),
            Drop(after_effect=True, sent=b"\x16\x03\x01\x02\x00"),
        ),
    }


FAULTS = tuple(faults(""))


async def test_whatever_wechat_answers_the_requester_is_told_the_truth(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    elsewhere, came = Loopback(), list[str]()

    async def note(request: object) -> None:  # redirects must not be followed
        came.append(repr(request))

    await elsewhere.start(note)  # type: ignore[arg-type]
    try:
        async with rig_with_owners(tmp_path) as rig:
            rig.wechat.fail("getenvinfo", Code(48001), times=None)  # so that no cause is looked up
            await assert_truthful(rig, with_and_without_expiry(faults(elsewhere.origin)), subtests)
    finally:
        await elsewhere.stop()
    assert came == []
