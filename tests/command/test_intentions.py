"""What a line asks for: only a wish to share, at once and for good, gets a complete line; a plain list of ids is run."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.command.grammar import Command, Query, Share, Verb
from bot.command.mistake import Misread, Wrong
from bot.command.parse import parse

A = "wx5fe6bb43205e9e70"
B = "wx0123456789abcdef"
SHARED = Share((A,), "prod-1")

OPPOSITES = [
    "unshare",
    "unsharing",
    "undo",
    "undoing",
    "revoke",
    "revoked",
    "revoking",
    "remove",
    "removed",
    "delete",
    "deleted",
    "stop",
    "stopped",
    "cancel",
    "cancelled",
    "end",
    "ends",
    "ended",
    "ending",
    "terminate",
    "terminated",
    "expire",
    "expired",
    "expires",
    "expiry",
    "rollback",
    "roll-back",
    "revert",
    "reverted",
    "retract",
    "retracted",
    "recall",
    "rescind",
    "withdraw",
    "withdrawn",
    "decommission",
    "decommissioned",
    "offboard",
    "offboarded",
    "obsolete",
    "deprecated",
    "retire",
    "retired",
    "deactivate",
    "deactivated",
    "disable",
    "disabled",
    "unlink",
    "unbind",
    "detach",
    "disconnect",
    "disconnected",
    "drop",
    "dropped",
    "kill",
    "purge",
    "wipe",
    "clean",
    "clear",
    "reset",
    "release",
    "released",
    "relinquish",
    "surrender",
    "return",
    "returned",
    "give-back",
    "reclaim",
    "suspend",
    "suspended",
    "pause",
    "paused",
    "freeze",
    "frozen",
    "lock",
    "locked",
    "block",
    "blocked",
    "ban",
    "banned",
    "evict",
    "evicted",
    "eject",
    "kick",
    "kicked",
    "oust",
    "expel",
    "exclude",
    "excluded",
    "deny",
    "denied",
    "disallow",
    "forbid",
    "forbidden",
    "reject",
    "rejected",
    "refuse",
    "refused",
    "abort",
    "aborted",
    "nevermind",
    "never",
    "no",
    "nope",
    "not",
    "dont",
    "mistake",
    "mistaken",
    "wrong",
    "wrongly",
    "oops",
    "error",
    "accidental",
    "accidentally",
    "stale",
    "dead",
    "gone",
    "over",
    "finished",
    "done",
    "closed",
    "close",
    "leave",
    "leaves",
    "left",
    "quit",
    "leaving",
    "out",
    "off",
    "obsolescent",
    "redundant",
    "unneeded",
    "unused",
    "unwanted",
    "invalid",
    "void",
    "voided",
    "null",
    "archive",
    "archived",
    "sunset",
    "discontinue",
    "discontinued",
    "取消",
    "取消共享",
    "撤销",
    "撤回",
    "收回",
    "删除",
    "移除",
    "停止",
    "停用",
    "终止",
    "解除",
    "解绑",
    "关闭",
    "断开",
    "禁止",
    "下线",
    "结束",
    "结束共享",
    "回滚",
    "到期",
    "过期",
    "用完了",
    "归还",
    "失效",
    "发错了",
    "算了",
    "作废",
    "释放",
    "转让",
    "搞错了",
    "误操作",
    "不用了",
    "不需要了",
    "废弃",
    "弃用",
    "退役",
    "离职",
    "退租",
    "停服",
    "关停",
    "注销",
    "清退",
    "卸载",
    "收工",
    "完结",
    "完事了",
    "撤下",
    "下架",
    "撤出",
    "除名",
    "移交",
    "冻结",
    "拉黑",
    "踢掉",
    "打错了",
    "错了",
    "白搞了",
    "没用了",
    "停掉",
    "拆除",
    "拆掉",
    "关了",
    "撤了",
    "拿走",
    "拿回",
    "要回",
    "退回",
]
WISHES = [
    *("tomorrow", "today", "tonight", "later", "next week", "on friday", "at 5pm", "in two hours"),
    *("for a week", "for two days", "for 2h", "for 30 minutes", "for now", "for a while", "2h"),
    *("until friday", "until further notice", "till 2026-12-31", "til monday", "by sunday", "3d"),
    *("temporarily", "temporary", "as a trial", "once", "during the release", "this month only"),
    *("--until friday", "--for 2h", "--ttl=3d", "--expires 2026-12-31", "2026-12-31", "12/31"),
    *(
        "两天",
        "一周",
        "一个月",
        "三天就行",
        "到周五",
        "明天",
        "下周",
        "临时",
        "暂时",
        "今晚",
        "稍后",
    ),
    *("三小时", "半天", "到月底", "12月31日", "本周内", "readonly", "read-only", "只读", "仅查看"),
    *("view only", "readable", "--readonly", "for reading"),
]
QUESTIONS = [
    "can I share {E} with {A}?",
    "can I share {E} with {A}",
    "hi, can we share {E} with {A}?",
    "may I share {E} with {A}",
    "could I give {A} access to {E}",
    "should I share {E} with {A}?",
    "should {A} have access to {E}",
    "do I need to share {E} with {A}?",
    "am I allowed to share {E} with {A}",
    "is {A} allowed to use {E}",
    "can {A} use {E}?",
    "{A} {E} ?",
    "{A} {E}?",
    "{A} {E} ok?",
    "could you share {E} with {A}?",
    "would it be ok to share {E} with {A}",
    "who may share {E} with {A}",
    "能不能把{E}共享给{A}",
    "可不可以把{E}共享给{A}？",
    "{A}可不可以用{E}",
    "能否将 {E} 共享给 {A}",
    "我能把{E}共享给{A}吗",
    "我能共享{E}给{A}么",
    "我可以共享 {E} 给 {A} 吗？",
    "需不需要把{E}共享给{A}",
    "{E} 给 {A} 可以吗",
    "{A} 能用 {E} 吗",
]
PLACES = ["{0} {A} {E}", "{A} {0} {E}", "{A} {E} {0}", "{0} {E} {A}", "{E} {0} {A}", "{E} {A} {0}"]
PLACES += [
    "{0}: {A}, {E}",
    "share {E} with {A} {0}",
    "please {0} share {E} with {A}",
    "{A}/{E} {0}",
]
PLACES += ["把{E}共享给{A}{0}", "{0}把{E}给{A}", "{A} {E} please {0}", "appid={A} env={E} {0}"]
PLACES += ["{A} {B} {E} {0}", '"{0}" {A} {E}', "{A} {E} ({0})", "1. {A} {E} {0}"]
ENVS = st.from_regex(r"[a-z]{2,9}-[a-z0-9]{0,9}[0-9]", fullmatch=True)
APPIDS = st.from_regex(r"wx[0-9a-f]{16}", fullmatch=True)


def is_complete(read: Command | Misread) -> bool:
    """Tell whether a line was run as a share, or is one to copy, perhaps with a reason to fill in."""
    if isinstance(read, Misread) and read.instead:
        read = parse(read.instead.removeprefix("/share-env").replace("<reason>", "QA"))
    return isinstance(read, Share)


@settings(max_examples=1000)
@given(
    st.sampled_from(PLACES).flatmap(
        lambda place: st.sampled_from(OPPOSITES + WISHES).map(
            lambda word: place.replace("{0}", word)
        )
    )
    | st.sampled_from(QUESTIONS),
    APPIDS,
    APPIDS,
    ENVS,
    st.sampled_from(["", " --again", ' --reason "QA"', " please", " 谢谢"]),
)
def test_no_opposite_no_question_and_no_wish_for_a_time_gets_a_complete_line(
    line: str, appid: str, other: str, env: str, end: str
) -> None:
    assert not is_complete(parse(line.format(A=appid, B=other, E=env) + end))


@pytest.mark.parametrize("place", PLACES)
def test_no_word_of_the_lists_gets_a_complete_line_in_any_place(place: str) -> None:
    lines = [place.replace("{0}", word).format(A=A, B=B, E="prod-1") for word in OPPOSITES + WISHES]
    assert [line for line in lines if is_complete(parse(line))] == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_by_why(question: str) -> None:
    read = parse(question.format(A=A, E="prod-1"))
    if isinstance(read, Misread):
        assert read.instead
        read = parse(read.instead.removeprefix("/share-env"))
    assert read == Query(Verb.WHY, (A, "prod-1"))


@pytest.mark.parametrize("word", [each for each in OPPOSITES + WISHES if each.isascii()])
def test_a_word_in_the_place_of_the_env_is_asked_back_unless_an_env_has_that_name(
    word: str,
) -> None:
    wrong = parse(f"{A} {word}")
    assert isinstance(wrong, Misread)
    assert not is_complete(wrong)
    if wrong.doubtful is not None:
        assert parse(f"{A} {word}", known={word}) == Share((A,), word)


@pytest.mark.parametrize("word", ["staging", "rollback", "tomorrow", "delete", "help", "please"])
def test_the_word_in_doubt_is_told_so_that_it_can_be_looked_up(word: str) -> None:
    wrong = parse(f"{A} {B} {word}")
    assert isinstance(wrong, Misread)
    assert wrong.doubtful == word


@pytest.mark.parametrize("text", ["rollback", f"{A} prod-1 rollback", f"{A} please rollback", ""])
def test_no_other_word_is_in_doubt(text: str) -> None:
    read = parse(text)
    assert not isinstance(read, Misread) or read.doubtful is None


@pytest.mark.parametrize(
    "text",
    [
        "AppID：{A} 环境ID：prod-1",
        "AppID: {A} 环境 ID: prod-1",
        "小程序ID：{A}，环境ID：prod-1",
        "小程序 AppID：{A}\n云环境 ID：prod-1",
        "环境ID：prod-1 AppID：{A}",
        "Env ID: prod-1, App ID: {A}",
        "appid={A} env=prod-1",
        "appid={A}&env=prod-1",
        "appId: {A} envId: prod-1",
        "app_id={A} env_id=prod-1",
        "--appid={A} --env-id=prod-1",
        "--appid {A} --env prod-1",
        '{{"appid":"{A}","env":"prod-1"}}',
        '{{"appid": "{A}", "env": "prod-1"}}',
        '{{\n  "env": "prod-1",\n  "appid": "{A}"\n}}',
        "{{'appid': '{A}', 'env': 'prod-1'}}",
        "{A} env: prod-1",
        "1. {A} prod-1",
        "1、{A} prod-1",
        "(1) {A} prod-1",
        "（1）{A} prod-1",
        "①{A} prod-1",
        "1.{A} prod-1",
        "• {A} prod-1",
        "商城 {A} prod-1",
        "商城：{A} prod-1",
        "{A}（商城） prod-1",
        "{A} (shop) prod-1",
        "{A} 商城 prod-1",
        "1. 商城 {A} prod-1",
    ],
)
def test_labels_numbers_and_names_beside_the_ids_are_left_out(text: str) -> None:
    assert parse(text.format(A=A)) == SHARED


@pytest.mark.parametrize(
    "text",
    [
        "1. {A} 2. {B} prod-1",
        "(1) {A}\n(2) {B}\nprod-1",
        "① {A} ② {B} prod-1",
        "• {A}\n• {B}\nprod-1",
        "appid={A} appid={B} env=prod-1",
        "AppID：{A}、{B} 环境ID：prod-1",
        '{{"appid":"{A}"}} {{"appid":"{B}"}} prod-1',
        "商城 {A} 门店 {B} prod-1",
    ],
)
def test_so_they_are_of_several_appids(text: str) -> None:
    assert parse(text.format(A=A, B=B)) == Share((A, B), "prod-1")


@pytest.mark.parametrize(
    "text",
    [
        *("{A} !{B} prod-1", "{B}/prod-1 {A}", "{B}: prod-1 {A}", "{B}:prod-1 {A}"),
        *("prod-1 ({B}) {A}", "{A} ({B}) prod-1", "{A} [{B}] prod-1", "{A}（{B}） prod-1"),
        *("{A}? {B} prod-1", "{A} prod-1 和 {B} 一样", "{A} prod-1 ({B})", "{A} prod-1 {B}?"),
        *("{B} prod-1 {A}", "{A} prod-1 {B}", "{B}的prod-1 {A}", "{A} ( {B} ) prod-1"),
        *("owner: {B} appid: {A} env: prod-1", "appid: {A} env: prod-1 {B}", "{B}! {A} prod-1"),
        *("{B} appid: {A} env: prod-1", "{B} appid {A} prod-1", "env: prod-1 {B} appid: {A}"),
        *("prod-1 {A} ({B})", "{B} prod-1 给 {A}", "prod-1 {A}, {B}?"),
    ],
)
def test_of_two_appids_of_which_one_may_be_the_owner_both_are_never_shared_with(text: str) -> None:
    assert not is_complete(parse(text.format(A=A, B=B)))


@pytest.mark.parametrize(
    "text",
    [
        *("{A} prod-1…", "{A} prod-1...", "{A} prod-1..", "{A} prod-1……"),
        *(
            "{A} …prod-1",
            "{A} ...prod-1",
            "{A} prod…1",
            "{A} pr...",
            "{A}… prod-1",
            "{A}... prod-1",
        ),
        *("{A} …{B} prod-1", "history prod-1…", "why {A} prod-1..."),
    ],
)
def test_an_id_that_was_cut_off_is_asked_for(text: str) -> None:
    wrong = parse(text.format(A=A, B=B))
    assert isinstance(wrong, Misread)
    assert wrong.mistake.wrong is Wrong.CUT_OFF
    assert not is_complete(wrong)


@pytest.mark.parametrize("text", ["{A} prod-1 …", "{A} prod-1.", "{A}, prod-1。", "{A} prod-1 ..."])
def test_a_full_stop_and_dots_alone_cut_nothing_off(text: str) -> None:
    assert parse(text.format(A=A)) == SHARED


WANTED = {
    "preview {A} prod-1": "{A} prod-1 --dry-run",
    "simulate {A} prod-1": "{A} prod-1 --dry-run",
    "test {A} prod-1": "{A} prod-1 --dry-run",
    "模拟共享 {A} prod-1": "{A} prod-1 --dry-run",
    "{A} prod-1 --preview": "{A} prod-1 --dry-run",
    "{A} prod-1 --simulate": "{A} prod-1 --dry-run",
    "{A} prod-1 --test": "{A} prod-1 --dry-run",
    "{A} prod-1 -n": "{A} prod-1 --dry-run",
    "{A} prod-1 again": "{A} prod-1 --again",
    "share prod-1 with {A} again": "{A} prod-1 --again",
    "{A} prod-1 再次": "{A} prod-1 --again",
    "重新共享 {A} prod-1": "{A} prod-1 --again",
    "王府井旗舰店 {A} prod-1": "{A} prod-1",
    "{A}（王府井商城） prod-1": "{A} prod-1",
    "请把 prod-1 共享给奶茶店 {A}": "{A} prod-1",
    "my requests": "history",
    "show my requests": "history",
    "what can I share": "help",
    "what may I share?": "help",
    "which envs can I share": "help",
    "我能共享什么": "help",
    "我可以共享哪些环境": "help",
    "有哪些环境": "help",
    "who may share prod-1": "why <appid> prod-1",
    "who can share prod-1?": "why <appid> prod-1",
    "谁能共享 prod-1": "why <appid> prod-1",
    "谁可以共享prod-1": "why <appid> prod-1",
    "can {B} share prod-1 with {A}?": "why <appid> prod-1",
    "can I share prod-1": "why <appid> prod-1",
    "retry": "history",
    "please retry 7kq2mhx4": "history 7kq2mhx4",
    "重试 rqtgkmpx": "history rqtgkmpx",
    "{A} prod-1 retry": "history {A}",
}


@pytest.mark.parametrize(("text", "line"), WANTED.items())
def test_what_is_understood_but_guessed_is_offered_as_the_one_line(text: str, line: str) -> None:
    wrong = parse(text.format(A=A, B=B))
    assert isinstance(wrong, Misread)
    assert wrong.instead == f"/share-env {line.format(A=A, B=B)}"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("{A} prod-1 --help", Query(Verb.HELP)),
        ("{A} prod-1 -h", Query(Verb.HELP)),
        ("--help {A} prod-1", Query(Verb.HELP)),
        ("history --help", Query(Verb.HELP)),
        ("我的请求", Query(Verb.HISTORY)),
        ("history 7kq2mhx4", Query(Verb.HISTORY, ("7kq2mhx4",))),
    ],
)
def test_what_shares_nothing_is_run(text: str, query: Query) -> None:
    assert parse(text.format(A=A)) == query


@pytest.mark.parametrize(
    "word", ["tomorrow", "until friday", "for a week", "两天", "--until 3", "readonly"]
)
def test_a_wish_for_a_time_is_told_that_a_share_is_for_good(word: str) -> None:
    for line in (f"{A} prod-1 {word}", f"share prod-1 with {A} {word}"):
        wrong = parse(line)
        assert isinstance(wrong, Misread)
        assert (wrong.mistake.wrong, wrong.instead) == (Wrong.LIMITED, None)


@pytest.mark.parametrize(
    "text", ["{A} prod-1 王府井商城", "停用商城 {A} prod-1", "拆店：{A} prod-1 拆店"]
)
def test_a_name_is_one_only_beside_an_appid_and_without_an_opposite(text: str) -> None:
    assert not is_complete(parse(text.format(A=A)))


def test_the_lists_are_long_enough_for_a_thousand_lines() -> None:
    assert len(OPPOSITES) >= 141
    lines = itertools.product(PLACES, OPPOSITES + WISHES)
    assert sum(1 for _ in lines) + len(QUESTIONS) >= 1000
