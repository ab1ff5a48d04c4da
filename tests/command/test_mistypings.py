"""What people type by mistake, and the answer: never a share, and a corrected line only if it does what was meant."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.command.grammar import Command, Query, Share, Verb
from bot.command.mistake import Misread, Mistake, Wrong
from bot.command.parse import parse
from bot.command.vocabulary import SENSES, is_understood, sense

A = "wx5fe6bb43205e9e70"
B = "wx0123456789abcdef"

# A and B stand for two appids. The second column is the corrected line after `/share-env`, or `nothing` if there is none.
MISTYPINGS = """
typed                                      | offered                    | mistake

-- the opposite of a share
unshare A prod-1                           | nothing                    | OnlyShares
un-share A prod-1                          | nothing                    | OnlyShares
un share A prod-1                          | nothing                    | OnlyShares
A un-share                                 | nothing                    | OnlyShares
UNSHARE A prod-1                           | nothing                    | OnlyShares
unshared A prod-1                          | nothing                    | OnlyShares
unsahre A prod-1                           | nothing                    | NotUnderstood
unshre A prod-1                            | nothing                    | NotUnderstood
undo A prod-1                              | nothing                    | OnlyShares
undo                                       | nothing                    | OnlyShares
revoke A prod-1                            | nothing                    | OnlyShares
revok A prod-1                             | nothing                    | NotUnderstood
remove A prod-1                            | nothing                    | OnlyShares
remvoe A prod-1                            | nothing                    | NotUnderstood
remove A from prod-1                       | nothing                    | OnlyShares
delete A prod-1                            | nothing                    | OnlyShares
delte A prod-1                             | nothing                    | NotUnderstood
rm A prod-1                                | nothing                    | OnlyShares
stop A prod-1                              | nothing                    | OnlyShares
stop: A, prod-1                            | nothing                    | OnlyShares
stop sharing prod-1 with A                 | nothing                    | OnlyShares
stop-sharing A prod-1                      | nothing                    | OnlyShares
stopp A prod-1                             | nothing                    | NotUnderstood
unlink A prod-1                            | nothing                    | OnlyShares
cancel A prod-1                            | nothing                    | OnlyShares
cancle A prod-1                            | nothing                    | NotUnderstood
cancel                                     | nothing                    | OnlyShares
withdraw A prod-1                          | nothing                    | OnlyShares
disable A prod-1                           | nothing                    | OnlyShares
take prod-1 from A                         | nothing                    | OnlyShares
don't share prod-1 with A                  | nothing                    | OnlyShares
don’t share prod-1 with A                  | nothing                    | OnlyShares
don't share prod-1 with A "                | nothing                    | OnlyShares
“don’t share prod-1 with A                 | nothing                    | OnlyShares
A prod-1 don't "                           | nothing                    | OnlyShares
dont share A prod-1                        | nothing                    | OnlyShares
do not share A prod-1                      | nothing                    | OnlyShares
please do not share A prod-1               | nothing                    | OnlyShares
never share prod-1 with A                  | nothing                    | OnlyShares
A prod-1 no                                | nothing                    | OnlyShares
A prod-1 not-now                           | nothing                    | OnlyShares
A delete                                   | nothing                    | OnlyShares
A prod-1 undo                              | nothing                    | OnlyShares
A undo prod-1                              | nothing                    | OnlyShares
A prod-1 --undo                            | nothing                    | OnlyShares
A prod-1 --remove                          | nothing                    | OnlyShares
A prod-1 --reason QA --unshare             | nothing                    | OnlyShares
--delete A prod-1                          | nothing                    | OnlyShares
unshare A B prod-1                         | nothing                    | OnlyShares
unshare A prod-1 --dry-run                 | nothing                    | OnlyShares
unshare A prod-1 --foo                     | nothing                    | OnlyShares
unshare A prod-1 --reason "QA              | nothing                    | OnlyShares
"unshare" A prod-1                         | nothing                    | OnlyShares
"do not share" A prod-1                    | nothing                    | OnlyShares
"unshare A prod-1                          | nothing                    | OnlyShares
A prod-1 "not yet                          | nothing                    | OnlyShares
share prod-1 with A but not with B         | nothing                    | OnlyShares
show how to unshare A prod-1               | nothing                    | OnlyShares
取消共享 A prod-1                          | nothing                    | OnlyShares
取消 A prod-1                              | nothing                    | OnlyShares
撤销 A prod-1                              | nothing                    | OnlyShares
撤回共享 A prod-1                          | nothing                    | OnlyShares
删除 A prod-1                              | nothing                    | OnlyShares
停止共享 A prod-1                          | nothing                    | OnlyShares
移除 prod-1 A                              | nothing                    | OnlyShares
解除 A prod-1                              | nothing                    | OnlyShares
不要共享 A prod-1                          | nothing                    | OnlyShares
不要把 prod-1 共享给 A                     | nothing                    | OnlyShares
不要把prod-1共享给A                        | nothing                    | OnlyShares
请勿把prod-1共享给A                        | nothing                    | OnlyShares
别把prod-1给A                              | nothing                    | OnlyShares
請不要將prod-1給A                          | nothing                    | OnlyShares
A 不共享 prod-1                            | nothing                    | OnlyShares
kick A prod-1                              | nothing                    | OnlyShares
kick A out of prod-1                       | nothing                    | OnlyShares
ungrant A prod-1                           | nothing                    | NotUnderstood
un-grant A prod-1                          | nothing                    | OnlyShares
deshare A prod-1                           | nothing                    | NotUnderstood
de-share A prod-1                          | nothing                    | OnlyShares
disallow A prod-1                          | nothing                    | OnlyShares
unauthorize A prod-1                       | nothing                    | NotUnderstood
unassign A prod-1                          | nothing                    | NotUnderstood
cut A off from prod-1                      | nothing                    | OnlyShares
get A off prod-1                           | nothing                    | OnlyShares
A prod-1 off                               | nothing                    | OnlyShares
suspend A prod-1                           | nothing                    | OnlyShares
pause A prod-1                             | nothing                    | OnlyShares
evict A prod-1                             | nothing                    | OnlyShares
exclude A prod-1                           | nothing                    | OnlyShares
踢出 A prod-1                                | nothing                    | OnlyShares
把 A 从 prod-1 移出                            | nothing                    | OnlyShares
回收 A prod-1                                | nothing                    | OnlyShares
退出共享 A prod-1                              | nothing                    | OnlyShares
注销 A prod-1                                | nothing                    | OnlyShares
剔除 A prod-1                                | nothing                    | OnlyShares
拉黑A prod-1                                 | nothing                    | OnlyShares
关掉 A prod-1                                | nothing                    | OnlyShares
A prod-1 isn't needed                      | nothing                    | OnlyShares
A hasn’t prod-1                            | nothing                    | OnlyShares
appid=A env=prod-1 action=unshare          | nothing                    | OnlyShares
env=prod-1&action=delete A                 | nothing                    | OnlyShares
env=prod-1 appid=A share=no                | nothing                    | OnlyShares
A prod-1:off                               | nothing                    | OnlyShares
🚫 A prod-1                                 | nothing                    | OnlyShares
A prod-1 ❌                                 | nothing                    | OnlyShares
A ≠ prod-1                                 | nothing                    | OnlyShares

-- a share that ends by itself
A prod-1 temporarily                       | nothing                    | Limited
temporarily share prod-1 with A            | nothing                    | Limited
A prod-1 until friday                      | nothing                    | Limited
A until friday prod-1                      | nothing                    | Limited
share prod-1 with A until friday           | nothing                    | Limited
A prod-1 for two days                      | nothing                    | Limited
A prod-1 for today please                  | nothing                    | Limited
A prod-1 for now                           | nothing                    | NotUnderstood
A prod-1 2h                                | nothing                    | Limited
A prod-1 --for 2h                          | nothing                    | Limited
A prod-1 --until friday                    | nothing                    | Limited
A prod-1 --ttl=3d                          | nothing                    | Limited
A prod-1 --dry-run for two days            | nothing                    | Limited
A prod-1 "for two days"                    | nothing                    | Limited
A prod-1 临时                                | nothing                    | Limited
临时共享 A prod-1                              | nothing                    | Limited
请把prod-1临时共享给A，谢谢                          | nothing                    | Limited
A prod-1 到周五                               | nothing                    | Limited
把prod-1共享给A到周五吧                            | nothing                    | Limited
A prod-1 共享三天就行                            | nothing                    | Limited
请把prod-1共享给A，两个小时                          | nothing                    | Limited
A prod-1 until undone                      | nothing                    | OnlyShares
why A prod-1 until friday                  | why A prod-1               | ExtraWords
is prod-1 shared with A until friday       | history A                  | ExtraWords
A prod-1 --reason until friday             | A prod-1 --reason "until friday" | ExtraWords
A prod-1 for the friday release            | nothing                    | Limited
A! 2h                                      | nothing                    | Limited

-- a word in front that may ask for anything
relinquish A prod-1                        | nothing                    | NotUnderstood
discontinue A prod-1                       | nothing                    | NotUnderstood
roll back A prod-1                         | nothing                    | NotUnderstood
pull A prod-1                              | nothing                    | NotUnderstood
transfer prod-1 to A                       | nothing                    | NotUnderstood
replace A prod-1                           | nothing                    | NotUnderstood
swap A B prod-1                            | nothing                    | NotUnderstood
test A prod-1                              | A prod-1 --dry-run         | UnknownWord
preview A prod-1                           | A prod-1 --dry-run         | UnknownWord
if approved, A prod-1                      | nothing                    | NotUnderstood
lose A prod-1                              | nothing                    | OnlyShares
A 用完了 prod-1                               | nothing                    | OnlyShares
grant A read access to prod-1              | nothing                    | Limited
释放 A prod-1                                | nothing                    | OnlyShares
转让 prod-1 给 A                              | nothing                    | OnlyShares
等等再共享 A prod-1                             | nothing                    | OnlyShares
make A lose prod-1                         | nothing                    | OnlyShares
A leaves prod-1                            | nothing                    | OnlyShares
A prod-1 wait                              | nothing                    | OnlyShares
模拟共享 A prod-1                              | A prod-1 --dry-run         | UnknownWord

-- sentences
please share A prod-1                      | A prod-1                   | ExtraWords
share prod-1 with A                        | A prod-1                   | Swapped
please share prod-1 with A                 | A prod-1                   | Swapped
Please, share prod-1 with A, thanks!       | A prod-1                   | Swapped
share prod-1 to A                          | A prod-1                   | Swapped
share prod-1 with A!                       | A prod-1                   | NotAnAppid
could you share the env prod-1 with A      | A prod-1                   | Swapped
give A access to prod-1                    | A prod-1                   | ExtraWords
A to prod-1                                | A prod-1                   | ExtraWords
A with prod-1                              | A prod-1                   | ExtraWords
A and prod-1                               | A prod-1                   | ExtraWords
A the env prod-1                           | A prod-1                   | ExtraWords
A -> prod-1                                | A prod-1                   | ExtraWords
A → prod-1                                 | A prod-1                   | ExtraWords
prod-1 A please                            | A prod-1                   | Swapped
share prod-1 with A --dry-run              | A prod-1 --dry-run         | Swapped
share prod-1 with A --dryrun               | A prod-1 --dry-run         | UnknownWord
share prod-1 with A --reason QA            | A prod-1 --reason "QA"     | Swapped
share prod-1 with A and B                  | A B prod-1                 | Swapped
share prod-1 with A, B                     | A B prod-1                 | Swapped
A and B prod-1                             | A B prod-1                 | ExtraWords
A AND B prod-1                             | A B prod-1                 | ExtraWords
share A & B prod-1                         | A B prod-1                 | ExtraWords
请共享 A prod-1                            | A prod-1                   | ExtraWords
把 prod-1 共享给 A                         | A prod-1                   | Swapped
请把prod-1共享给A                          | A prod-1                   | Swapped
请把环境prod-1共享给小程序A，谢谢          | A prod-1                   | Swapped
能不能把prod-1共享给A                             | why A prod-1               | Question
把prod-1共享给A和B                         | A B prod-1                 | Swapped
请将 prod-1 分享给 A。                     | A prod-1                   | Swapped
請將prod-1共用給A                          | A prod-1                   | Swapped
share prod-1 between A and B               | A B prod-1                 | Swapped
give A full access to prod-1               | A prod-1                   | ExtraWords
帮我把 prod-1 开放给 A                           | A prod-1                   | Swapped
share all envs with A                      | A <env>                    | MissingEnv
sorry, share prod-1 with A                 | A prod-1                   | Swapped
不好意思，请把prod-1共享给A                          | A prod-1                   | Swapped
A prod-1 给不同团队测试                           | nothing                    | NotUnderstood
把测试环境prod-1共享给A                            | A prod-1                   | Swapped
authorize A prod-1                         | A prod-1                   | ExtraWords
assign prod-1 to A                         | A prod-1                   | Swapped
A 2 prod-1                                 | nothing                    | NotUnderstood
> A > B prod-1                             | nothing                    | NotUnderstood

-- ids that are joined or named
A:prod-1                                   | A prod-1                   | NotAnAppid
A=>prod-1                                  | A prod-1                   | NotAnAppid
A prod-1"                                  | A prod-1                   | NotAnEnv
A=prod-1 --dry-run                         | A prod-1 --dry-run         | NotAnAppid
A：prod-1                                  | A prod-1                   | NotAnAppid
A/prod-1 for QA                            | nothing                    | NotUnderstood
A:prod-1 B:prod-2                          | A B <env>                  | NotAnAppid
why A/prod-1                               | why A prod-1               | NotAnAppid
history env=prod-1                         | history prod-1             | NotAnEnv
please share A/prod-1                      | A prod-1                   | NotAnAppid
unshare A/prod-1                           | nothing                    | OnlyShares
A/prod-1 undo                              | nothing                    | OnlyShares
A/prod-1 until friday                      | nothing                    | Limited
expire A/prod-1                            | nothing                    | NotUnderstood
prod-1/A                                   | A prod-1                   | NotAnAppid
A/B prod-1                                 | <appid> prod-1             | NotAnAppid
A/wx0123456789abcde                        | <appid> <env>              | NotAnAppid
from=A to=B env=prod-1                     | nothing                    | NotUnderstood
A/remove                                   | <appid> <env>              | NotAnAppid
--foo=A prod-1                             | nothing                    | UnknownOption

-- words that are no env and no reason
A please                                   | A <env>                    | MissingEnv
A to                                       | A <env>                    | MissingEnv
A with the env                             | A <env>                    | MissingEnv
share A                                    | A <env>                    | MissingEnv
把环境共享给A                              | A <env>                    | MissingEnv
please                                     | <appid> <env>              | MissingAppid
share prod-1                               | <appid> prod-1             | MissingAppid
A prod-1 please                            | A prod-1                   | ExtraWords
A prod-1 asap                              | A prod-1                   | ExtraWords
now share A prod-1                         | nothing                    | NotUnderstood
A prod-1 to release prod-1                 | nothing                    | NotUnderstood
A prod-1 谢谢                              | A prod-1                   | ExtraWords
A prod-1 给测试用                              | nothing                    | NotUnderstood
A prod-1 --reason it is not ready          | A prod-1 --reason "it is not ready" | ExtraWords

-- which env
A prod-1 prod-2                            | A <env>                    | WhichEnv
prod-1 A prod-2                            | A <env>                    | WhichEnv
A prod-1 or prod-2                         | A <env>                    | WhichEnv
share prod-1 and prod-2 with A             | A <env>                    | WhichEnv
A test staging                             | A <env> --dry-run          | UnknownWord
why A prod-1 prod-2                        | why A <env>                | WhichEnv
A nice prod-1                              | nothing                    | NotUnderstood
A prod-1 nice                              | nothing                    | NotUnderstood
A prod-1 prod-1                            | A prod-1                   | ExtraWords

-- which appid
share prod-1 from A                        | nothing                    | NotUnderstood
share A's prod-1 with B                    | B prod-1                   | NotAnAppid
A to B prod-1                              | nothing                    | NotUnderstood
replace A with B prod-1                    | nothing                    | NotUnderstood
A replaces B prod-1                        | nothing                    | NotUnderstood
owner: A env: prod-1 receiver: B           | nothing                    | NotUnderstood
把A的prod-1共享给B                         | nothing                    | NotUnderstood
从A共享prod-1                              | nothing                    | NotUnderstood
B prod-1 -> A                              | nothing                    | NotUnderstood
A -> B prod-1                              | nothing                    | NotUnderstood
A → B prod-1                               | nothing                    | NotUnderstood
A > B prod-1                               | nothing                    | NotUnderstood
A to B                                     | nothing                    | NotUnderstood
share from A to B                          | nothing                    | NotUnderstood
A or B                                     | nothing                    | NotUnderstood
把A的环境共享给B                                  | nothing                    | NotUnderstood
A and B                                    | A B <env>                  | MissingEnv
A ~B~ prod-1                               | nothing                    | NotUnderstood
A prod-1 ~B~                               | nothing                    | NotUnderstood

-- questions about what was shared
list A prod-1                              | history A                  | ExtraWords
list the envs                              | history                    | ExtraWords
status of prod-1                           | history prod-1             | ExtraWords
show status of A                           | history A                  | ExtraWords
list prod-1 --all                          | history prod-1             | UnknownOption
A status                                   | history A                  | UnknownWord
is prod-1 shared with A                    | history A                  | ExtraWords
who shared prod-1                          | history prod-1             | ExtraWords
prod-1已经共享给A了吗                      | history A                  | UnknownWord
please help                                | help                       | ExtraWords
who am I                                   | whoami                     | UnknownWord
how do I share                             | help                       | ExtraWords
histroy prod-1                             | history prod-1             | UnknownWord
show my history                            | history                    | ExtraWords
why can't I share A prod-1                 | why A prod-1               | ExtraWords
为什么 prod-1 A                            | why A prod-1               | Swapped

-- options
A prod-1 -n                                | A prod-1 --dry-run         | UnknownWord
A prod-1 --preview                         | A prod-1 --dry-run         | UnknownWord
A prod-1 --dry-run=no                      | A prod-1 --dry-run         | UnknownWord
A prod-1 --again=no                        | nothing                    | UnknownOption
A prod-1 https://jira/remove/1             | nothing                    | NotUnderstood
A prod-1 dry-run                           | A prod-1 --dry-run         | UnknownWord
A prod-1 dry run please                    | A prod-1 --dry-run         | UnknownWord
dry-run A prod-1                           | A prod-1 --dry-run         | UnknownWord
just a dry run: A prod-1                   | A prod-1 --dry-run         | UnknownWord
A prod-1 试运行                               | A prod-1 --dry-run         | UnknownWord
试运行 A prod-1                               | A prod-1 --dry-run         | UnknownWord
A prod -1                                  | nothing                    | UnknownOption
"""


def rows() -> Iterator[tuple[str, str, str]]:
    for line in MISTYPINGS.split("\n")[3:]:
        if line and not line.startswith("-- "):
            typed, offered, mistake = (cell.strip() for cell in line.split("|"))
            yield typed, offered, mistake


def with_appids(text: str) -> str:
    """Replace A and B by appids where they stand alone or between Chinese characters."""
    return re.sub(
        r"(?<![\w-])[AB](?![\w-])", lambda found: {"A": A, "B": B}[found[0]], text, flags=re.ASCII
    )


@pytest.mark.parametrize(("typed", "offered", "mistake"), [*rows()])
def test_a_mistyped_command_gets_this_correction_and_mistake(
    typed: str, offered: str, mistake: str
) -> None:
    wrong = parse(with_appids(typed))
    assert isinstance(wrong, Misread)
    line = None if offered == "nothing" else with_appids(f"/share-env {offered}")
    assert (wrong.instead, wrong.mistake.wrong.label) == (line, mistake)


def test_the_table_has_at_least_120_mistypings() -> None:
    assert len({typed for typed, *_ in rows()}) >= 120


# Sentences.

APPIDS = st.from_regex(r"wx[0-9a-f]{16}", fullmatch=True)
ENVS = st.from_regex(r"[a-z]{2,9}-[a-z0-9]{0,15}[0-9]|[a-z]{4,9}[0-9]", fullmatch=True).filter(
    lambda word: not sense(word) and not word.startswith("wx")
)
POLITE = st.sampled_from(["", "please ", "Please, ", "could you ", "hi, I want to ", "we need to "])
SHARING = st.sampled_from(
    ["share {X} with {Y}", "share {X} to {Y}", "share env {X} with the app {Y}"]
)
REVERSED = st.sampled_from(
    ["share with {Y} the env {X}", "give {Y} access to {X}", "{Y} to {X}", "share {Y}, {X}"]
)
CHINESE = st.sampled_from(
    [
        "请把{X}共享给{Y}",
        "把 {X} 分享给 {Y}",
        "麻烦将环境{X}共享给小程序{Y}",
        "给{Y}共享{X}",
        "请给 {Y} 授权，{X}",
    ]
)
ENDS = st.sampled_from(["", " please", ", thanks!", "，谢谢", "。", " asap"])
WISHES = st.builds("{}{}{}".format, POLITE, SHARING | REVERSED, ENDS) | st.builds(
    "{}{}".format, CHINESE, ENDS
)
AND = st.sampled_from([" and ", ", ", ",", " ", "、", " & ", "和"])
NEGATED = (
    *("don't share", "don’t share", "do not share", "never share", "stop sharing"),
    *("please don't give", "unshare", "undo", "revoke", "remove"),
    *("不要共享", "不要把", "取消共享", "请勿共享", "停止共享", "别给"),
)
EVERYDAY = st.sampled_from(sorted(SENSES))


def shared_by(line: str | None) -> tuple[tuple[str, ...], str] | None:
    """Return the appids and the env that a line shares, or None if it is not a share."""
    read = parse((line or "").removeprefix("/share-env"))
    match read:
        case Share(appids, env):
            return appids, env
        case _:
            return None


@given(WISHES, ENVS, st.lists(APPIDS, min_size=1, max_size=3, unique=True), AND)
def test_a_sentence_is_not_a_share_but_its_corrected_line_shares_what_the_sentence_says(
    wish: str, env: str, appids: list[str], joint: str
) -> None:
    parsed = parse(wish.format(X=env, Y=joint.join(appids)))
    assert isinstance(parsed, Misread)
    assert shared_by(parsed.instead) == (tuple(appids), env)


@given(st.sampled_from(NEGATED), WISHES, ENVS, APPIDS, st.booleans())
def test_a_negated_sentence_gets_no_corrected_line(
    negated: str, wish: str, env: str, appid: str, in_front: bool
) -> None:
    whole = wish.format(X=env, Y=appid)
    parsed = parse(f"{negated} {whole}" if in_front else f"{whole} {negated}")
    assert isinstance(parsed, Misread)
    assert parsed.mistake.wrong is Wrong.ONLY_SHARES
    assert parsed.instead is None


@given(st.sampled_from(NEGATED), ENVS, APPIDS, st.permutations(range(3)))
def test_an_appid_and_an_env_with_a_negation_anywhere_get_no_corrected_line(
    negated: str, env: str, appid: str, order: list[int]
) -> None:
    parts = [negated, env, appid]
    parsed = parse(" ".join(parts[place] for place in order))
    assert isinstance(parsed, Misread)
    assert parsed.mistake.wrong is Wrong.ONLY_SHARES
    assert parsed.instead is None


@pytest.mark.parametrize(
    "wish", ["share {X} from {Z} with {Y}", "把{Z}的{X}共享给{Y}", "从{Z}把{X}共享给{Y}"]
)
@given(env=ENVS, owner=APPIDS, appid=APPIDS)
def test_a_sentence_that_names_the_owner_gets_no_corrected_line_that_shares(
    wish: str, env: str, owner: str, appid: str
) -> None:
    parsed = parse(wish.format(X=env, Y=appid, Z=owner))
    assert isinstance(parsed, Misread)
    assert shared_by(parsed.instead) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("帮助", Query(Verb.HELP)),
        ("怎么用", Query(Verb.HELP)),
        ("我是谁", Query(Verb.WHOAMI)),
        (f"为什么不能共享 {A} prod-1", Query(Verb.WHY, (A, "prod-1"))),
        ("show history", Query(Verb.HISTORY)),
        ("list history prod-1", Query(Verb.HISTORY, ("prod-1",))),
        ("history: prod-1", Query(Verb.HISTORY, ("prod-1",))),
        (f"why? {A} prod-1", Query(Verb.WHY, (A, "prod-1"))),
    ],
)
def test_a_subcommand_in_other_words_is_understood(typed: str, meant: Command) -> None:
    assert parse(typed) == meant


@given(st.lists(ENVS, min_size=2, max_size=3, unique=True), APPIDS, WISHES)
@example(["awhy1", "aa-0"], A, "share {X} with {Y}")
def test_of_several_envs_none_is_offered(envs: list[str], appid: str, wish: str) -> None:
    parsed = parse(wish.format(X=" ".join(envs), Y=appid))
    assert isinstance(parsed, Misread)
    assert shared_by((parsed.instead or "").replace("<reason>", "QA")) is None


@given(st.lists(EVERYDAY, min_size=1, max_size=5), ENVS, APPIDS, st.data())
def test_everyday_words_are_never_taken_for_a_share_an_env_or_a_reason(
    everyday: list[str], env: str, appid: str, data: st.DataObject
) -> None:
    parsed: Command | Misread = parse(" ".join(data.draw(st.permutations([env, appid, *everyday]))))
    assert not isinstance(parsed, Share)
    if isinstance(parsed, Misread) and (shared := shared_by(parsed.instead)):
        assert shared == ((appid,), env)
        assert all(map(is_understood, everyday))
        assert "--reason" not in str(parsed.instead)


def test_a_word_is_called_extra_once() -> None:
    wrong = parse(f'{A} prod-1 "for us" please please')
    assert isinstance(wrong, Misread)
    assert wrong.mistake == Mistake(Wrong.EXTRA_WORDS, ("for us", "please"))


def test_these_words_and_signs_may_join_two_receivers() -> None:
    for joint in ("and", "also", "plus", "appid", "--", "以及", *"&+•·・*-—和与及與"):
        wrong = parse(f"{A} {joint} {B} prod-1")
        assert isinstance(wrong, Misread)
        assert wrong.instead == f"/share-env {A} {B} prod-1", joint


@pytest.mark.parametrize("reason", ["until friday, for QA", "temporarily", "2h", "临时，三天"])
@pytest.mark.parametrize("line", ["A prod-1 --reason {}", "--reason={} A prod-1"])
def test_a_quoted_reason_may_mention_a_time_limit(line: str, reason: str) -> None:
    asked = parse(with_appids(line.format(f'"{reason}"')))
    assert asked == Share((A,), "prod-1", reason)


@pytest.mark.parametrize("reason", ["--unshare", "--revert", "-undo"])
def test_an_option_that_asks_to_undo_a_share_is_not_taken_for_a_reason(reason: str) -> None:
    parsed = parse(f"{A} prod-1 --reason {reason}")
    assert isinstance(parsed, Misread)
    assert parsed.mistake.wrong is Wrong.ONLY_SHARES
