"""`doctor --real`, which tries the real Slack and WeChat; here it tries the stand-ins."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from pkgutil import iter_modules
from types import CodeType
from typing import get_type_hints

import pytest
from aiohttp import web

from bot import messages
from bot.messages.blocks import Announcement, Block, Message
from bot.ops.doctor.real import try_all
from bot.ops.doctor.real_blocks import kinds_of
from bot.ops.doctor.real_slack import BEHAVIOURS
from bot.playground.environments import chain_environment
from bot.playground.faults import Code, Drop, Fault, RateLimited, Slow, Status
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.slack.workspace import Orphans
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import OWNER
from bot.runtime.clock import Runtime
from tests.conftest import serving, settings_of
from tests.end_to_end.conftest import STARTUP, finished, spawn
from tests.languages import ENGLISH
from tests.ops.chinese import english_in
from tests.playground.sources import rows

CHANNEL, USER = "C0RELEASES", "U0REQUESTER"
REAL = ("doctor", "--real", "--channel", CHANNEL, "--user", USER)
IDS = re.compile(r"[CDTUB]0|wx[0-9a-f]|xox|xapp|prod-1|test-1|made-up|\d{10}\.")
LINE = re.compile(r"^\| `([a-z-]+)` \| (yes|no|not tried) \| (.*) \|$", re.MULTILINE)

LEFT = (
    "Messages may still be in the channel: delete those that begin with “share-env-bot doctor:”.\n"
)

Lines = list[tuple[str, str, str]]


@dataclass(frozen=True)
class Tried:
    """Whether everything held, and what was printed."""

    held: bool
    out: str

    @property
    def lines(self) -> Lines:
        """The lines of the printed table."""
        return lines_of(self.out)


Try = Callable[..., Coroutine[None, None, Tried]]


@pytest.fixture
def attempt(environ: dict[str, str], runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> Try:
    """A function that runs the whole check; it takes changes of the settings."""

    async def attempt(channel: str = CHANNEL, user: str = USER, **changes: str) -> Tried:
        held = await try_all(settings_of(environ | changes), channel, user, runtime)
        return Tried(held, capsys.readouterr().out)

    return attempt


def lines_of(out: str) -> Lines:
    """Return the lines of the printed table, which must contain no id and no secret."""
    assert IDS.search(out) is None, out
    lines = LINE.findall(out)
    assert {name for name, _, _ in lines} <= {row.name for row in rows()}
    return lines


def left(slack: LocalSlack) -> list[str]:
    """Return the texts of the messages that everybody can still see."""
    return [m.text for m in slack.messages if not m.deleted and m.ephemeral_to is None]


def test_every_printed_name_is_a_row_of_the_stand_ins_readme() -> None:
    assert set(BEHAVIOURS) <= {row.name for row in rows()}


async def test_on_the_stand_ins_everything_holds_and_nothing_is_left_or_shared(
    attempt: Try, slack: LocalSlack, wechat: LocalWeChat
) -> None:
    tried = await attempt()
    assert tried.held
    assert {name for name, _, _ in tried.lines} == set(BEHAVIOURS)
    assert {held for _, held, _ in tried.lines} == {"yes"}
    assert f"doctor --real: {len(tried.lines)} of {len(tried.lines)} held\n" in tried.out
    assert "What it had posted is deleted." in tried.out
    assert left(slack) == []
    assert [m.thread_ts is None for m in slack.shown_to(USER)] == [True, False]
    assert slack.violations == []
    assert not any(call.method.startswith("views.") for call in slack.calls)
    assert wechat.calls == []


async def test_with_language_all_but_the_table_is_chinese(attempt: Try) -> None:
    english, chinese = await attempt(), await attempt(LANGUAGE="zh-CN")
    assert chinese.lines == english.lines
    said, _, _ = chinese.out.partition("\nshare-env-bot ")
    assert english_in(said) == ""
    assert said.endswith("所发的消息已删除。\n")


@pytest.mark.parametrize(
    ("orphans", "seen"),
    [
        ("refused", "refused, thread_not_found"),
        ("top level", "ok, and the reply stands top level"),
    ],
)
async def test_it_is_reported_how_slack_treats_a_reply_to_a_deleted_message(
    attempt: Try, slack: LocalSlack, orphans: Orphans, seen: str
) -> None:
    slack.orphans = orphans
    tried = await attempt()
    assert tried.held
    assert [line for line in tried.lines if line[0] == "reply-to-deleted"] == [
        ("reply-to-deleted", "yes", f"one that had a reply: {seen}"),
        ("reply-to-deleted", "yes", f"one without replies: {seen}"),
    ]
    assert left(slack) == []


@pytest.mark.parametrize(
    ("method", "fault", "name", "line"),
    [
        ("chat.postMessage", Code("no_text"), "post-message", "refused: no_text"),
        (
            "chat.update",
            Code("cant_update_message"),
            "update-message",
            "refused: cant_update_message",
        ),
        (
            "chat.postEphemeral",
            Status(200, b'{"ok": true}', "application/json"),
            "ephemeral",
            "not answered with message_ts",
        ),
        (
            "chat.delete",
            Code("Ask IT, xoxb-1"),
            "delete-message",
            "refused: with words that are none of Slack's",
        ),
    ],
)
async def test_a_deviation_of_slack_is_reported_as_not_held(
    attempt: Try, slack: LocalSlack, method: str, fault: Fault, name: str, line: str
) -> None:
    slack.fail(method, fault)
    tried = await attempt()
    assert not tried.held
    assert (name, "no", line) in tried.lines
    assert left(slack) == []


async def test_metadata_that_cannot_be_read_back_is_reported_and_everything_is_deleted(
    attempt: Try, slack: LocalSlack
) -> None:
    nothing = Status(200, b'{"ok": true, "messages": [], "has_more": false}', "application/json")
    slack.fail("conversations.history", *(nothing,) * 3)
    tried = await attempt()
    assert not tried.held
    assert ("metadata-read-back", "no", "not found by conversations.history") in tried.lines
    assert left(slack) == []


CUT = (Drop(), Drop(after_effect=True))  # the HTTP client itself repeats a read once


@pytest.mark.parametrize(
    ("method", "name", "fault"),
    [
        ("conversations.history", "metadata-read-back", Status(503)),
        ("conversations.replies", "reply-in-thread", Status(503)),
        ("chat.postMessage", "post-message", RateLimited(3600)),
        ("chat.update", "update-message", RateLimited(3600)),
        ("chat.postEphemeral", "ephemeral", Drop()),
        ("chat.delete", "delete-message", Drop(after_effect=True)),
    ],
)
async def test_a_failed_call_is_reported_as_not_tried_and_everything_is_deleted(
    attempt: Try, slack: LocalSlack, method: str, name: str, fault: Fault
) -> None:
    slack.fail(method, fault)
    tried = await attempt()
    assert not tried.held
    assert (name, "not tried") in [line[:2] for line in tried.lines]
    assert "What it had posted is deleted." in tried.out
    assert left(slack) == []


@pytest.mark.parametrize(
    ("after", "thread", "name"),
    [("posted", None, "reply-in-thread"), ("deleted", "1.2", "reply-to-deleted")],
)
async def test_a_reply_that_stands_elsewhere_is_reported(
    attempt: Try, slack: LocalSlack, after: str, thread: str | None, name: str
) -> None:
    reply = {"ok": True, "ts": "1.2", "message": {"thread_ts": thread}}

    def answer(_message: PostedMessage, change: str) -> None:
        if change == after:
            slack.on_change = None
            slack.fail("chat.postMessage", Status(200, json.dumps(reply).encode(), "text/json"))

    slack.on_change = answer
    tried = await attempt()
    assert (name, "no") in [line[:2] for line in tried.lines]
    assert left(slack) == []


async def test_a_reply_is_deleted_before_its_parent_of_which_slack_would_keep_a_trace(
    attempt: Try, slack: LocalSlack
) -> None:
    slack.fail("chat.delete", Status(503))
    await attempt()
    ended = [call for call in slack.calls if call.method == "chat.delete" and call.error is None]
    deleted = [str(call.args["ts"]) for call in ended]
    assert len(deleted) > 1
    assert deleted == sorted(deleted, reverse=True)


async def test_it_is_described_which_messages_could_not_be_deleted(
    attempt: Try, slack: LocalSlack
) -> None:
    slack.fail("chat.delete", *(Status(503),) * 20)
    tried = await attempt()
    assert not tried.held
    assert tried.lines
    assert len(left(slack)) == 2
    assert LEFT in tried.out


@pytest.mark.parametrize("fault", [Status(503), *CUT])
async def test_after_a_post_without_an_answer_it_says_that_a_message_may_be_left(
    attempt: Try, slack: LocalSlack, fault: Fault
) -> None:
    slack.fail("chat.postMessage", fault)
    tried = await attempt()
    assert not tried.held
    assert tried.lines[0] == ("post-message", "not tried", "Slack is away or busy")
    assert LEFT in tried.out


async def test_a_kind_of_message_that_slack_would_refuse_is_reported_with_the_place(
    attempt: Try, slack: LocalSlack
) -> None:
    errors = (
        '{"ok": false, "error": "%s", "errors": [{"pointer": "/blocks/2/text", "code": "x"}, 7]}'
    )
    no = (errors % error for error in ("invalid_message", "invalid_view"))
    slack.fail("blocks.validate", *(Status(200, each.encode(), "application/json") for each in no))
    tried = await attempt()
    assert not tried.held
    assert [line for line in tried.lines if line[0] == "blocks-validate"] == [
        ("blocks-validate", "no", "`accepted`: invalid_message (/blocks/2/text)"),
        ("blocks-validate", "no", "`mistake`: invalid_view (/blocks/2/text)"),
    ]


async def test_an_app_that_may_not_validate_messages_is_reported_and_everything_else_holds(
    attempt: Try, slack: LocalSlack
) -> None:
    slack.fail("blocks.validate", Code("missing_scope"))
    tried = await attempt()
    assert tried.held
    assert "Slack does not let this app use blocks.validate (missing_scope)" in tried.out
    assert "blocks-validate" not in {name for name, _, _ in tried.lines}
    assert sum(call.method == "blocks.validate" for call in slack.calls) == 1


async def test_no_further_message_is_validated_while_slack_is_down(
    attempt: Try, slack: LocalSlack
) -> None:
    slack.fail("blocks.validate", Status(503))
    tried = await attempt()
    assert not tried.held
    assert ("blocks-validate", "not tried") in [line[:2] for line in tried.lines]
    assert sum(call.method == "blocks.validate" for call in slack.calls) == 1


async def test_in_a_channel_without_the_bot_slacks_behaviour_cannot_be_tried(
    attempt: Try, slack: LocalSlack
) -> None:
    tried = await attempt("C0LOUNGE")
    assert not tried.held
    assert tried.lines[0] == ("post-message", "not tried", "refused: not_in_channel")
    assert ("reply-to-deleted", "not tried", "it never came to that") in tried.lines
    assert ("owner-envs", "yes", "owner 1: envs in service: 2") in tried.lines
    assert slack.messages == []


async def test_a_user_who_is_not_in_the_channel_is_shown_nothing(attempt: Try) -> None:
    tried = await attempt(user="U0ELSEWHERE")
    assert not tried.held
    assert ("ephemeral", "not tried", "refused: user_not_in_channel") in tried.lines


async def test_nonsense_from_every_server_does_not_crash_the_check(attempt: Try) -> None:
    async def nonsense(request: web.BaseRequest) -> web.Response:
        odd = '{"ok": true, "ts": 7, "messages": [3, {"metadata": 7}], "info_list": 7, "functions": 7}'
        strange = '{"ok": true, "ts": "7", "message": "yes", "messages": 7}'
        return web.json_response(text=strange if "chat." in request.path else odd)

    async with serving(nonsense) as origin:
        tried = await attempt(
            SLACK_API_URL=f"{origin}/api/",
            WECHAT_API_URL=origin,
            WECHAT_TOKEN_SERVER_URL=f"{origin}/{{appid}}",
        )
    assert not tried.held
    assert tried.lines


@pytest.mark.parametrize(
    ("envs", "functions", "line"),
    [
        ((), (Code(40097),), ("owner-functions", "no", "owner 1: failed (40097)")),
        ((), (Status(502),), ("owner-functions", "not tried", "owner 1: failed (gateway-broken)")),
        ((Code(47001),), (), ("owner-envs", "no", "owner 1: failed (47001)")),
        ((Code(61007),), (), ("owner-envs", "not tried", "owner 1: failed (61007)")),
    ],
)  # fmt: skip
async def test_other_answers_of_wechat_are_reported(
    attempt: Try,
    wechat: LocalWeChat,
    envs: tuple[Fault, ...],
    functions: tuple[Fault, ...],
    line: tuple[str, str, str],
) -> None:
    wechat.fail("getenvinfo", *envs)
    wechat.fail("listfunctions", *functions)
    tried = await attempt()
    assert not tried.held
    assert line in tried.lines


async def test_it_is_reported_whether_envs_have_the_function_that_others_need(
    attempt: Try, wechat: LocalWeChat
) -> None:
    wechat.functions["test-1"] = {}
    tried = await attempt()
    assert tried.held
    assert [line for line in tried.lines if line[0] == "owner-functions"] == [
        ("owner-functions", "yes", "owner 1: listed, with `cloudbase_auth` in service"),
        ("owner-functions", "yes", "owner 1: listed, without `cloudbase_auth` in service"),
    ]


async def test_of_an_env_with_many_functions_it_is_reported_that_they_are_listed_in_part(
    attempt: Try, wechat: LocalWeChat
) -> None:
    many = {f"f{number}": "Active" for number in range(100)}
    wechat.functions["test-1"] = many | {"cloudbase_auth": "Active"}
    tried = await attempt()
    assert tried.held
    assert ("owner-functions", "yes", "owner 1: listed in part: the first 100") in tried.lines


async def test_an_owner_without_envs_and_one_without_a_token_cannot_be_tried(
    attempt: Try, wechat: LocalWeChat
) -> None:
    wechat.envs[OWNER] = {"old": "HALTED"}
    wrong = {"WECHAT_TOKEN_SERVER_AUTHORIZATION": "Bearer no"}
    chain = {"WECHAT_TOKEN_SERVER_URL": "", "WECHAT_TOKEN_SERVER_AUTHORIZATION": ""}
    seen = []
    for changes in ({}, wrong, chain | chain_environment(wechat, free_port())):
        tried = await attempt(**changes)
        assert not tried.held
        seen += [line[2] for line in tried.lines if line[1] == "not tried"]
    assert seen == [
        "it never came to that",
        "owner 1: no token (token-server-refused)",
        "it never came to that",
        "owner 1: no good token in the ledger",
        "it never came to that",
    ]


async def test_the_command_exits_with_0_if_everything_held_and_with_1_otherwise(
    environ: dict[str, str], slack: LocalSlack, tmp_path: Path
) -> None:
    code, out, err = await finished(environ, tmp_path, *REAL)
    assert (code, err) == (0, "")
    assert lines_of(out)
    slack.fail("chat.update", Code("update_failed"))
    code, out, err = await finished(environ, tmp_path, *REAL)
    assert (code, err) == (1, "")
    assert lines_of(out)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--real",),
        ("--real", "--channel", CHANNEL),
        ("--channel", CHANNEL, "--user", USER),
    ],
)
async def test_without_a_channel_and_a_user_the_usage_is_printed(
    environ: dict[str, str], slack: LocalSlack, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    code, out, err = await finished(environ, tmp_path, "doctor", *arguments)
    assert (code, out) == (2, "")
    assert err == "Write it as doctor --real --channel C… --user U….\n"
    assert slack.calls == []


async def test_wrong_settings_are_reported_first(
    environ: dict[str, str], slack: LocalSlack, tmp_path: Path
) -> None:
    code, out, err = await finished(environ | {"PORT": "no"}, tmp_path, *REAL)
    assert (code, out) == (2, "")
    assert err.startswith("PORT ")
    assert slack.calls == []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_during_the_check_deletes_all_posted_messages(
    environ: dict[str, str], slack: LocalSlack, tmp_path: Path, sign: signal.Signals
) -> None:
    slack.fail("chat.update", Slow(60))
    process = await spawn(environ, tmp_path, *REAL)
    await slack.until(lambda s: any(c.method == "chat.update" for c in s.calls), STARTUP)
    process.send_signal(sign)
    out, err = await asyncio.wait_for(process.communicate(), STARTUP)
    assert (process.returncode, err) == (130, b"")
    assert "What it had posted is deleted." in out.decode()
    assert len(slack.messages) == 1
    assert left(slack) == []


async def test_ctrl_c_before_slacks_answer_says_that_a_message_may_be_left(
    attempt: Try, slack: LocalSlack, capsys: pytest.CaptureFixture[str]
) -> None:
    trying = asyncio.ensure_future(attempt())

    def cancel(_message: PostedMessage, _change: str) -> None:
        slack.on_change = None
        trying.cancel()

    slack.on_change = cancel
    with pytest.raises(asyncio.CancelledError):
        await trying
    assert LEFT in capsys.readouterr().out


# Every kind of message.


def message_makers() -> dict[CodeType, str]:
    """Return all functions of the messages that make a message or a view, by their code, with their names."""
    made = {Message, Announcement, list[Message], Block}
    names = [each.name for each in iter_modules(messages.__path__) if each.name != "blocks"]
    rooms = [import_module(f"{messages.__name__}.{name}") for name in names]
    return {
        made_by.__code__: f"{room.__name__}.{name}"
        for room in rooms
        for name, made_by in vars(room).items()
        if isfunction(made_by) and made_by.__module__ == room.__name__ and name[0] != "_"
        if get_type_hints(made_by)["return"] in made
    }


def called_while(work: Callable[[], object]) -> set[CodeType]:
    """Return the code of every function that is called meanwhile."""
    seen = set[CodeType]()
    before = sys.getprofile()
    sys.setprofile(lambda frame, *_: seen.add(frame.f_code))
    try:
        work()
    finally:
        sys.setprofile(before)
    return seen


def test_every_kind_of_message_and_view_that_the_bot_can_send_is_tried() -> None:
    makers = message_makers()
    assert len(makers) > 30
    called = called_while(lambda: kinds_of(ENGLISH))
    assert [name for made_by, name in makers.items() if made_by not in called] == []


def test_each_kind_that_is_tried_is_another_one() -> None:
    kinds = kinds_of(ENGLISH)
    assert len({*map(str, kinds.values())}) == len(kinds)
