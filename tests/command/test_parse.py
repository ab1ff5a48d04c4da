import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot.command.grammar import (
    FIRST_WORDS,
    MOST_APPIDS,
    OPTIONS,
    REASON_LIMIT,
    Command,
    OpenForm,
    Query,
    Share,
    Verb,
    is_appid,
    is_env,
)
from bot.command.mistake import Misread, Mistake, Wrong
from bot.command.naming import is_like_an_id
from bot.command.parse import RECEIVED_LIMIT, parse
from tests.checking import checks
from tests.command.test_tokenizer import LOOK_BLANK

A = "wx5fe6bb43205e9e70"
B = "wx0123456789abcdef"
C = "wx00000000000000aa"
MANY = tuple(f"wx{number:016x}" for number in range(501))
UPPER = "WX5FE6BB43205E9E70"
WHY = '--reason "<reason>"'
LONG = "long " * 70

APPIDS = st.from_regex(r"wx[0-9a-f]{16}", fullmatch=True)
ENVS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?", fullmatch=True).filter(
    lambda word: is_env(word) and is_like_an_id(word)  # a word is not taken for an env
)
REASONS = (
    st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=REASON_LIMIT)
    .map(lambda text: " ".join(re.sub('["“”„<>&]', "", text).split()))
    .filter(bool)
)
SHARES = st.builds(
    Share, st.tuples(APPIDS), ENVS, st.none() | REASONS, st.booleans(), st.booleans()
)
SEVERAL = st.lists(APPIDS, min_size=2, max_size=6, unique=True)
BATCHES = st.builds(
    Share,
    SEVERAL.map(tuple),
    ENVS.filter(lambda env: not re.match("(?i)appid$|wx[^-]{10}", env)),
    st.none() | REASONS,
    st.booleans(),
    st.booleans(),
)
DAMAGED = (UPPER, A[:-1], f"&lt;{A}&gt;", "a_b", "-1", "appid", "&lt;appid&gt;", "&lt;env&gt;")
DASHED = (
    *("--reason=", "--dry-run=1", "—dry-run", "--resaon", "--dryrun", "--foo", "--reason=x"),
    *("--again=1", "—again", "--agian", "--help", "-h", "--dry"),
)
DECORATED = ('"', "“", "'", '""', "“a b”", "<@U1|ann>", "<http://a.b|a.b>", "&amp;quot;", "…", "、")
PIECES = st.sampled_from(
    (
        *(A, B, "prod-1", "test", *FIRST_WORDS, "wy", "hlep", "HELP", "who", "env", *OPTIONS),
        *("list", "unshare", "not", "please", "to", "from", "and", "取消", "给", "的"),
        *(*DAMAGED, *DASHED, *DECORATED, "\n", "\u200b", LONG, f'"{LONG}"'),
    )
)
STARTS = st.sampled_from(["", A, f"{A} prod-1", "why", f"why {A} prod-1", "help", "history"])
LINES = st.tuples(STARTS, st.lists(PIECES, max_size=6)).map(lambda p: " ".join([p[0], *p[1]]))
TEXTS = LINES | st.text() | st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join)


def rendered(command: Share) -> str:
    """Return the command as plain text."""
    appids = command.appids
    reason = [] if command.reason is None else [f'--reason "{command.reason}"']
    flags = ["--dry-run"] * command.dry_run + ["--again"] * command.again
    return " ".join([*appids, command.env, *reason, *flags])


def sent_by_slack(line: str | None) -> str:
    """Return what the bot receives when a corrected line is copied and sent; "" without one."""
    text = (line or "").removeprefix("/share-env").strip()
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_pasted_text_is_parsed_as_it_was_meant() -> None:
    with checks() as check:
        for text, expected in [
            ("", OpenForm()),
            (" \u3000\n", OpenForm()),
            ("…", OpenForm()),
            ("help", Query(Verb.HELP)),
            ("HELP", Query(Verb.HELP)),
            ("`help`", Query(Verb.HELP)),
            ('"help"', Query(Verb.HELP)),
            ("ｈｅｌｐ。", Query(Verb.HELP)),
            ("-h", Query(Verb.HELP)),
            ("--help", Query(Verb.HELP)),
            ("—HELP", Query(Verb.HELP)),
            ("？", Query(Verb.HELP)),
            ("whoami", Query(Verb.WHOAMI)),
            ("WhoAmI", Query(Verb.WHOAMI)),
            (f"why {A} prod-1", Query(Verb.WHY, (A, "prod-1"))),
            (f"Why, {A}, prod-1.", Query(Verb.WHY, (A, "prod-1"))),
            ("history", Query(Verb.HISTORY)),
            ("History.", Query(Verb.HISTORY)),
            ("history prod-1", Query(Verb.HISTORY, ("prod-1",))),
            (f"history, {A}", Query(Verb.HISTORY, (A,))),
            (f"ｈｉｓｔｏｒｙ　`{A}`", Query(Verb.HISTORY, (A,))),
            ("history “prod-1”", Query(Verb.HISTORY, ("prod-1",))),
            ("history help", Query(Verb.HISTORY, ("help",))),
            ("history history", Query(Verb.HISTORY, ("history",))),
            ("list", Query(Verb.HISTORY)),
            ("Status", Query(Verb.HISTORY)),
            ("列表", Query(Verb.HISTORY)),
            ("list prod-1", Query(Verb.HISTORY, ("prod-1",))),
            (f"status {A}", Query(Verb.HISTORY, (A,))),
            (f"{A} prod-1", Share((A,), "prod-1")),
            (f"  {A}\n\nprod-1  ", Share((A,), "prod-1")),
            (f"{A},prod-1", Share((A,), "prod-1")),
            (f"{A}，prod-1", Share((A,), "prod-1")),
            (f"{A}、prod-1", Share((A,), "prod-1")),
            (f"{A}\u3000prod-1", Share((A,), "prod-1")),
            (f"{A}\u00a0prod-1", Share((A,), "prod-1")),
            (f"\ufeff{A} prod\u200b-1", Share((A,), "prod-1")),
            (f"{A} prod\u20111", Share((A,), "prod-1")),
            (f"{A} prod\u22121 --reason fix—it", Share((A,), "prod-1", "fix—it")),
            (f"`{A}` `prod-1`", Share((A,), "prod-1")),
            (f"```{A} prod-1```", Share((A,), "prod-1")),
            (f'"{A}" "prod-1"', Share((A,), "prod-1")),
            (f"“{A}” 「prod-1」", Share((A,), "prod-1")),
            ("ｗｘ５ｆｅ６ｂｂ４３２０５ｅ９ｅ７０　ｐｒｏｄ－１", Share((A,), "prod-1")),
            (f"{A} Prod-1", Share((A,), "Prod-1")),
            (f"{A} 1", Share((A,), "1")),
            (f"{A} {'e1' * 32}", Share((A,), "e1" * 32)),
            (f"{A} prod-1 --dry-run", Share((A,), "prod-1", dry_run=True)),
            (f"--dry-run {A} prod-1", Share((A,), "prod-1", dry_run=True)),
            (f"{A} —dry-run prod-1", Share((A,), "prod-1", dry_run=True)),
            (f"{B} {A} {B} prod-1", Share((B, A), "prod-1")),
            (f"{A} prod-1 --again", Share((A,), "prod-1", again=True)),
            (f"—again {A} prod-1", Share((A,), "prod-1", again=True)),
            (f"{A} --again prod-1 --dry-run", Share((A,), "prod-1", dry_run=True, again=True)),
            (f"{A} prod-1 --again --reason QA", Share((A,), "prod-1", "QA", again=True)),
            (f'{A} prod-1 --reason "--again"', Share((A,), "prod-1", "--again")),
            (f"{A} prod-1 --reason again", Share((A,), "prod-1", "again")),
            (f"{A} env-1", Share((A,), "env-1")),
            (f"{A} prod-1 --reason test", Share((A,), "prod-1", "test")),
            (f"{A} prod-1 --reason=test", Share((A,), "prod-1", "test")),
            (f'{A} prod-1 --reason="for QA, now"', Share((A,), "prod-1", "for QA, now")),
            (f"{A} prod-1 —reason “for QA”", Share((A,), "prod-1", "for QA")),
            (f"{A} prod-1 —reason“for QA”", Share((A,), "prod-1", "for QA")),
            (f"{A} prod-1 --reason「为 QA」", Share((A,), "prod-1", "为 QA")),
            (
                f"{A} prod-1 --reason 「给 QA 用，谢谢。」",
                Share((A,), "prod-1", "给 QA 用，谢谢。"),
            ),
            (f'--reason "a b" {A} --dry-run prod-1', Share((A,), "prod-1", "a b", dry_run=True)),
            (f'{A} prod-1 --reason "--dry-run"', Share((A,), "prod-1", "--dry-run")),
            (f"{A} prod-1 --reason &lt;@U1|ann&gt;", Share((A,), "prod-1", "@U1")),
            (f"{A} prod-1 --reason <http://a.b/7|a.b/7>", Share((A,), "prod-1", "a.b/7")),
            (f"{A} prod-1 --reason {'x' * 300}", Share((A,), "prod-1", "x" * 300)),
            (f"{A} wxproduction1", Share((A,), "wxproduction1")),
            (f"{A} {B} prod-1", Share((A, B), "prod-1")),
            (f"{B} {A} prod-1", Share((B, A), "prod-1")),
            (f"{A},\n{B},\n{C}\nprod-1", Share((A, B, C), "prod-1")),
            (f"{A}、{B}，{C}；prod-1", Share((A, B, C), "prod-1")),
            (f"{A} {B} {A} prod-1", Share((A, B), "prod-1")),
            (f"{A} {A} prod-1", Share((A,), "prod-1")),
            (f"```{A} {B}``` prod-1", Share((A, B), "prod-1")),
            (f"{A} --dry-run {B} prod-1", Share((A, B), "prod-1", dry_run=True)),
            (
                f"—again {A} {B} prod-1 --reason “for QA”",
                Share((A, B), "prod-1", "for QA", again=True),
            ),
            (f"{A} prod-1 --reason {B}", Share((A,), "prod-1", B)),
            (f"{' '.join(MANY[:500])} prod-1", Share(MANY[:500], "prod-1")),
            (f"{' '.join(MANY[:500] * 2)} prod-1", Share(MANY[:500], "prod-1")),
        ]:
            with check(text):
                assert parse(text) == expected


MISTAKES: Sequence[tuple[str, Mistake, str | None]] = [
    (
        f'{A} prod-1 --reason "for QA',
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{A} prod-1 --reason "for QA"',
    ),
    (
        f'{A} --reason "for testing prod-1',
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{A} <env> --reason "for testing prod-1"',
    ),
    (
        f'{A} --reason "revert prod-1',
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{A} <env> --reason "revert prod-1"',
    ),
    (
        f'{A} prod-1 --reason "QA" unshare "',
        Mistake(Wrong.ONLY_SHARES, ("unshare",)),
        None,
    ),
    (
        f"{A} prod-1 --reason “测试” 取消 “现在",
        Mistake(Wrong.ONLY_SHARES, ("取消",)),
        None,
    ),
    (
        f'{A} prod-1 --reason "QA" --reason "QA" revoke "',
        Mistake(Wrong.ONLY_SHARES, ("revoke",)),
        None,
    ),
    (
        f'prod-1 --reason "replaces {A}',
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'<appid> prod-1 --reason "replaces {A}"',
    ),
    (
        f'{A} prod-1 --reason "QA --dry-run',
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{A} prod-1 --reason "QA" --dry-run',
    ),
    (
        f"{A} prod-1 --reason “QA —dry-run",
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{A} prod-1 --reason "QA" --dry-run',
    ),
    (
        f"{A} prod-1 --reason &quot;－－ｄｒｙ－ｒｕｎ",
        Mistake(Wrong.UNCLOSED_QUOTE),
        f"{A} prod-1 {WHY} --dry-run",
    ),
    (
        f"{A} prod-1 --reason \"it's urgent",
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{A} prod-1 --reason "it\'s urgent"',
    ),
    (f'{A} prod-1 --reason "--again', Mistake(Wrong.UNCLOSED_QUOTE), f"{A} prod-1 {WHY} --again"),
    *(
        (f'{A} prod-1 --reason "{blank}"', Mistake(Wrong.MISSING_REASON), f"{A} prod-1 {WHY}")
        for blank in LOOK_BLANK.values()
    ),
    (f"{A} prod-1 --reason=\u3164", Mistake(Wrong.MISSING_REASON), f"{A} prod-1 {WHY}"),
    (
        f'{A} --dry-run prod-1 --reason "QA —again',
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{A} prod-1 --reason "QA" --dry-run --again',
    ),
    (
        f'{A} prod-1 --reason "not again',
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{A} prod-1 --reason "not again"',
    ),
    (f'why {A} "prod-1', Mistake(Wrong.UNCLOSED_QUOTE), f"why {A} prod-1"),
    (f"history {A} “prod-1", Mistake(Wrong.UNCLOSED_QUOTE), f"history {A}"),
    ('history "prod-1', Mistake(Wrong.UNCLOSED_QUOTE), "history prod-1"),
    ("help “me", Mistake(Wrong.UNCLOSED_QUOTE), "help"),
    (f"„{A}", Mistake(Wrong.UNCLOSED_QUOTE), f"{A} <env>"),
    ("&lt;appid&gt; prod-1", Mistake(Wrong.MISSING_APPID), "<appid> prod-1"),
    ("appid", Mistake(Wrong.MISSING_APPID), "<appid> <env>"),
    ("AppID prod-1", Mistake(Wrong.MISSING_APPID), "<appid> prod-1"),
    ("env", Mistake(Wrong.MISSING_APPID), "<appid> <env>"),
    ("&lt;env&gt; prod-1", Mistake(Wrong.MISSING_APPID), "<appid> prod-1"),
    ("history appid", Mistake(Wrong.EXTRA_WORDS, ("appid",)), "history"),
    ("history &lt;appid&gt;", Mistake(Wrong.EXTRA_WORDS, ("<appid>",)), "history"),
    (f"history {UPPER}", Mistake(Wrong.NOT_AN_APPID, (UPPER,)), f"history {A}"),
    (f"history {A[:-1]}", Mistake(Wrong.NOT_AN_APPID, (A[:-1],)), "history"),
    (f"history {A[:-1]}g", Mistake(Wrong.NOT_AN_APPID, (f"{A[:-1]}g",)), "history"),
    (f"{UPPER} prod-1", Mistake(Wrong.NOT_AN_APPID, (UPPER,)), f"{A} prod-1"),
    (UPPER, Mistake(Wrong.NOT_AN_APPID, (UPPER,)), f"{A} <env>"),
    ("my_app prod-1", Mistake(Wrong.NOT_AN_APPID, ("my_app",)), "<appid> prod-1"),
    ("orders-app prod-1", Mistake(Wrong.NOT_AN_APPID, ("orders-app",)), "<appid> prod-1"),
    ("orders-app prod_1", Mistake(Wrong.NOT_AN_APPID, ("orders-app",)), "<appid> <env>"),
    (
        "wx5fe6 prod-1 --dry-run",
        Mistake(Wrong.NOT_AN_APPID, ("wx5fe6",)),
        "<appid> prod-1 --dry-run",
    ),
    ("why wx123 prod", Mistake(Wrong.NOT_AN_APPID, ("wx123",)), "why <appid> <env>"),
    (f"/share-env {A} prod-1", Mistake(Wrong.EXTRA_WORDS, ("/share-env",)), f"{A} prod-1"),
    (f"&lt;{A}&gt; [prod-1]", Mistake(Wrong.NOT_AN_APPID, (f"<{A}>",)), f"{A} prod-1"),
    (f"*{A}* _prod-1_", Mistake(Wrong.NOT_AN_APPID, (f"*{A}*",)), f"{A} prod-1"),
    (f"share {A} prod-1", Mistake(Wrong.EXTRA_WORDS, ("share",)), f"{A} prod-1"),
    (A[:-1], Mistake(Wrong.NOT_AN_APPID, (A[:-1],)), "<appid> <env>"),
    (f"{A}0 prod-1", Mistake(Wrong.NOT_AN_APPID, (f"{A}0",)), "<appid> prod-1"),
    (UPPER[:-2], Mistake(Wrong.NOT_AN_APPID, ("WX5FE6BB43205E9E",)), "<appid> <env>"),
    (f"{A[:-1]}o prod-1", Mistake(Wrong.NOT_AN_APPID, (f"{A[:-1]}o",)), "<appid> prod-1"),
    (f"why {UPPER} prod-1", Mistake(Wrong.NOT_AN_APPID, (UPPER,)), f"why {A} prod-1"),
    (f"<@U1> {A}", Mistake(Wrong.NOT_AN_ENV, ("@U1",)), f"{A} <env>"),
    (f"{A} prod_1", Mistake(Wrong.NOT_AN_ENV, ("prod_1",)), f"{A} <env>"),
    (f"{A} 环境", Mistake(Wrong.MISSING_ENV), f"{A} <env>"),
    (f"{A} 测试", Mistake(Wrong.NOT_AN_ENV, ("测试",)), f"{A} <env>"),
    (f"{A} &lt;env&gt;", Mistake(Wrong.MISSING_ENV), f"{A} <env>"),
    (f"{A} env", Mistake(Wrong.MISSING_ENV), f"{A} <env>"),
    (f"{A} ENV --again", Mistake(Wrong.MISSING_ENV), f"{A} <env> --again"),
    (f"{A} env prod-1", Mistake(Wrong.EXTRA_WORDS, ("env",)), f"{A} prod-1"),
    (f"why {A} env", Mistake(Wrong.MISSING_ENV), f"why {A} <env>"),
    (f"why {A} &lt;env&gt;", Mistake(Wrong.MISSING_ENV), f"why {A} <env>"),
    ("history env", Mistake(Wrong.EXTRA_WORDS, ("env",)), "history"),
    ("history &lt;env&gt;", Mistake(Wrong.EXTRA_WORDS, ("<env>",)), "history"),
    ("history prod_1", Mistake(Wrong.NOT_AN_ENV, ("prod_1",)), "history"),
    ("history [prod-1]", Mistake(Wrong.NOT_AN_ENV, ("[prod-1]",)), "history prod-1"),
    (f"history *{A}*", Mistake(Wrong.NOT_AN_APPID, (f"*{A}*",)), f"history {A}"),
    ('history ""', Mistake(Wrong.EXTRA_WORDS, ("",)), "history"),
    (f"{A} prod-1-", Mistake(Wrong.NOT_AN_ENV, ("prod-1-",)), f"{A} <env>"),
    # A long dash may have been two hyphens, and prod--1 is another env.
    (
        f"{A} prod—1 —dry—run --reason QA",
        Mistake(Wrong.NOT_AN_ENV, ("prod—1",)),
        f'{A} <env> --reason "QA" --dry-run',
    ),
    (f"{A} {B} prod–1 --again", Mistake(Wrong.NOT_AN_ENV, ("prod–1",)), f"{A} {B} <env> --again"),
    (f"why {A} prod―1", Mistake(Wrong.NOT_AN_ENV, ("prod―1",)), f"why {A} <env>"),
    ("history prod&mdash;1", Mistake(Wrong.NOT_AN_ENV, ("prod—1",)), "history"),
    (f"{A}/prod—1", Mistake(Wrong.NOT_AN_APPID, (f"{A}/prod—1",)), f"{A} <env>"),
    (f"—appid={A} —env=prod—1", Mistake(Wrong.NOT_AN_APPID, (f"--appid={A}",)), f"{A} <env>"),
    (f"prod—1 {A}", Mistake(Wrong.NOT_AN_ENV, ("prod—1",)), f"{A} <env>"),
    (f"{A} prod—1 “QA", Mistake(Wrong.UNCLOSED_QUOTE), f"{A} <env>"),
    (
        f"{A} prod—1- test",
        Mistake(Wrong.UNKNOWN_WORD, ("test",), "--dry-run"),
        f"{A} <env> --dry-run",
    ),
    (f"{A} dev— release", Mistake(Wrong.NOT_AN_ENV, ("dev—",)), f"{A} <env>"),
    (f"don’t—share {A} prod-1", Mistake(Wrong.ONLY_SHARES, ("don’t—share",)), None),
    (f"cancel—it {A} prod-1", Mistake(Wrong.ONLY_SHARES, ("cancel—it",)), None),
    (
        f"{A} prod-1 dry—run",
        Mistake(Wrong.UNKNOWN_WORD, ("dry—run",), "--dry-run"),
        f"{A} prod-1 --dry-run",
    ),
    (f"{A} {'e' * 65}", Mistake(Wrong.NOT_AN_ENV, ("e" * 65,)), f"{A} <env>"),
    (f"{A} prod_1 for release", Mistake(Wrong.NOT_AN_ENV, ("prod_1",)), f"{A} <env>"),
    (
        f"{A} prod.1 --resaon for QA",
        Mistake(Wrong.UNKNOWN_WORD, ("--resaon",), "--reason"),
        f'{A} <env> --reason "for"',
    ),
    (f"{A} -prod-1 test", Mistake(Wrong.UNKNOWN_OPTION, ("-prod-1",)), None),
    (
        f"{A} test for v1.2",
        Mistake(Wrong.UNKNOWN_WORD, ("test",), "--dry-run"),
        f"{A} <env> --dry-run",
    ),
    (f"{A} prod_1 prod-1", Mistake(Wrong.NOT_AN_ENV, ("prod_1",)), f"{A} <env>"),
    (f"{A} prod_1 --dry-run", Mistake(Wrong.NOT_AN_ENV, ("prod_1",)), f"{A} <env> --dry-run"),
    (f"why {A} prod.1", Mistake(Wrong.NOT_AN_ENV, ("prod.1",)), f"why {A} <env>"),
    (f"{A}/prod-1", Mistake(Wrong.NOT_AN_APPID, (f"{A}/prod-1",)), f"{A} prod-1"),
    (f"{A}-&gt;prod-1", Mistake(Wrong.NOT_AN_APPID, (f"{A}->prod-1",)), f"{A} prod-1"),
    (f"{A}-&gt;{B} prod-1", Mistake(Wrong.NOT_AN_APPID, (f"{A}->{B}",)), "<appid> prod-1"),
    (f"prod-1 {A}", Mistake(Wrong.SWAPPED), f"{A} prod-1"),
    (f"prod-1 {UPPER}", Mistake(Wrong.NOT_AN_APPID, (UPPER,)), f"{A} prod-1"),
    (f"prod-1 {A} --again", Mistake(Wrong.SWAPPED), f"{A} prod-1 --again"),
    (
        f"--again prod-1 {A} --reason QA --dry-run",
        Mistake(Wrong.SWAPPED),
        f'{A} prod-1 --reason "QA" --dry-run --again',
    ),
    (
        f"prod-1 {A} --reason QA --dry-run",
        Mistake(Wrong.SWAPPED),
        f'{A} prod-1 --reason "QA" --dry-run',
    ),
    (f"why prod-1 {A}", Mistake(Wrong.SWAPPED), f"why {A} prod-1"),
    ("prod-1", Mistake(Wrong.MISSING_APPID), "<appid> prod-1"),
    ("--dry-run", Mistake(Wrong.MISSING_APPID), "<appid> <env> --dry-run"),
    ("--again", Mistake(Wrong.MISSING_APPID), "<appid> <env> --again"),
    ("--dry-run --again", Mistake(Wrong.MISSING_APPID), "<appid> <env> --dry-run --again"),
    ("why", Mistake(Wrong.MISSING_APPID), "why <appid> <env>"),
    ("why prod-1", Mistake(Wrong.MISSING_APPID), "why <appid> prod-1"),
    (A, Mistake(Wrong.MISSING_ENV), f"{A} <env>"),
    (f"{A} --again", Mistake(Wrong.MISSING_ENV), f"{A} <env> --again"),
    (f"{A} --reason QA", Mistake(Wrong.MISSING_ENV), f'{A} <env> --reason "QA"'),
    (f"why {A}", Mistake(Wrong.MISSING_ENV), f"why {A} <env>"),
    (f"{A} prod-1 for QA", Mistake(Wrong.NOT_UNDERSTOOD, ("QA",)), None),
    (
        f"{A} prod-1 --reason for QA",
        Mistake(Wrong.EXTRA_WORDS, ("QA",)),
        f'{A} prod-1 --reason "for QA"',
    ),
    (f"{A} prod-1 --reason QA --reason for QA", Mistake(Wrong.EXTRA_WORDS, ("--reason",)), None),
    (f'{A} prod-1 say"yes"', Mistake(Wrong.NOT_UNDERSTOOD, ('say"yes"',)), None),
    (f'{A} prod-1 ""', Mistake(Wrong.EXTRA_WORDS, ("",)), f"{A} prod-1"),
    (f"{A} test not-now", Mistake(Wrong.ONLY_SHARES, ("not-now",)), None),
    (f"{A} prod-1 3天", Mistake(Wrong.LIMITED, ("天",)), None),
    (f"{A} prod-1 quick", Mistake(Wrong.NOT_UNDERSTOOD, ("quick",)), None),
    (f"why {A} prod-1 now", Mistake(Wrong.EXTRA_WORDS, ("now",)), f"why {A} prod-1"),
    ("help me now", Mistake(Wrong.EXTRA_WORDS, ("me", "now")), "help"),
    ("WHOAMI really", Mistake(Wrong.EXTRA_WORDS, ("really",)), "whoami"),
    (f"{A} prod-1 asap --again", Mistake(Wrong.EXTRA_WORDS, ("asap",)), f"{A} prod-1 --again"),
    ("history HISTORY prod-1", Mistake(Wrong.EXTRA_WORDS, ("HISTORY",)), "history prod-1"),
    (f"history prod-1 {A}", Mistake(Wrong.EXTRA_WORDS, ("prod-1",)), f"history {A}"),
    ("history Prod-1 a_b", Mistake(Wrong.EXTRA_WORDS, ("a_b",)), "history Prod-1"),
    (f"{A} t1 prod-1", Mistake(Wrong.NOT_UNDERSTOOD, ("t1",)), None),
    (f"{A} {B} prod-1 a_b", Mistake(Wrong.NOT_UNDERSTOOD, ("a_b",)), None),
    (f"{A} prod-1\n{B} prod-1", Mistake(Wrong.SWAPPED), f"{A} {B} prod-1"),
    (f"“{A} prod-1”", Mistake(Wrong.NOT_AN_APPID, (f"{A} prod-1",)), f"{A} prod-1"),
    (f"{A} prod-1 --reason“for QA", Mistake(Wrong.UNCLOSED_QUOTE), f'{A} prod-1 --reason "for QA"'),
    (f"给{A}开通prod-1", Mistake(Wrong.EXTRA_WORDS, ("给", "开通")), f"{A} prod-1"),
    (f"{A}/prod-1 {A}/prod-1", Mistake(Wrong.NOT_AN_APPID, (f"{A}/prod-1",)), f"{A} prod-1"),
    ("history prod-1 test", Mistake(Wrong.EXTRA_WORDS, ("test",)), "history prod-1"),
    ("history prod-1 prod-1", Mistake(Wrong.EXTRA_WORDS, ("prod-1",)), "history prod-1"),
    ("history of prod_1", Mistake(Wrong.NOT_AN_ENV, ("prod_1",)), "history"),
    ("history of prod-1", Mistake(Wrong.EXTRA_WORDS, ("of",)), "history prod-1"),
    ("history prod-1 prod-2", Mistake(Wrong.WHICH_ENV, ("prod-1", "prod-2")), "history"),
    (f"prod-1 is shared with {A}", Mistake(Wrong.UNKNOWN_WORD, ("is",), "history"), f"history {A}"),
    (f"share prod-1 from {A} to {B}", Mistake(Wrong.NOT_UNDERSTOOD, ("from",)), None),
    (f"{A} {B}", Mistake(Wrong.MISSING_ENV), f"{A} {B} <env>"),
    (f"{A} {B} --dry-run", Mistake(Wrong.MISSING_ENV), f"{A} {B} <env> --dry-run"),
    (f"{A} {B} prod_1", Mistake(Wrong.NOT_AN_ENV, ("prod_1",)), f"{A} {B} <env>"),
    (f"{A} {B} env", Mistake(Wrong.MISSING_ENV), f"{A} {B} <env>"),
    (f"{A} {B} [prod-1]", Mistake(Wrong.NOT_AN_ENV, ("[prod-1]",)), f"{A} {B} prod-1"),
    (f"prod-1 {A} {B}", Mistake(Wrong.SWAPPED), f"{A} {B} prod-1"),
    (
        f"{A} prod-1 {B} {A} --again",
        Mistake(Wrong.WHICH_APPIDS, (A, B)),
        None,
    ),
    (f"{A} {B} prod-1 for QA", Mistake(Wrong.NOT_UNDERSTOOD, ("QA",)), None),
    (f"{A} {B} prod-1 prod-2", Mistake(Wrong.WHICH_ENV, ("prod-1", "prod-2")), f"{A} {B} <env>"),
    (f"share {A} {B} prod-1", Mistake(Wrong.EXTRA_WORDS, ("share",)), f"{A} {B} prod-1"),
    (f"{A} {B} a_b c_d", Mistake(Wrong.NOT_AN_ENV, ("a_b",)), f"{A} {B} <env>"),
    (f"{B} {UPPER}", Mistake(Wrong.NOT_AN_APPID, (UPPER,)), f"{B} {A} <env>"),
    (f"{UPPER} {B} prod-1", Mistake(Wrong.NOT_AN_APPID, (UPPER,)), f"{A} {B} prod-1"),
    (f"{A} {B[:-1]} prod-1", Mistake(Wrong.NOT_AN_APPID, (B[:-1],)), f"{A} prod-1"),
    (f"{A} {B[:-1]}x {C} prod-1", Mistake(Wrong.NOT_AN_APPID, (f"{B[:-1]}x",)), f"{A} {C} prod-1"),
    (f"{A} *{B}* {C} prod-1", Mistake(Wrong.NOT_AN_APPID, (f"*{B}*",)), f"{A} {B} {C} prod-1"),
    (f"{A[:-1]} {B[:-1]} prod-1", Mistake(Wrong.NOT_AN_APPID, (A[:-1],)), "<appid> prod-1"),
    (f"{A} &lt;appid&gt; prod-1", Mistake(Wrong.EXTRA_WORDS, ("<appid>",)), f"{A} prod-1"),
    (
        f'{A} {B} prod-1 --reason "QA',
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{A} {B} prod-1 --reason "QA"',
    ),
    (f"{A} {B} prod-1 --reason", Mistake(Wrong.MISSING_REASON), f"{A} {B} prod-1 {WHY}"),
    (
        f"{A} {B} prod-1 --reason {'x' * 301}",
        Mistake(Wrong.REASON_TOO_LONG, ("x" * 301,), most=300),
        f'{A} {B} prod-1 --reason "{"x" * 299}…"',
    ),
    (
        f"{' '.join(MANY)} prod-1 --again",
        Mistake(Wrong.TOO_MANY_APPIDS, MANY, most=500),
        f"{' '.join(MANY[:500])} prod-1 --again",
    ),
    (f"why {A} {B} prod-1", Mistake(Wrong.EXTRA_WORDS, (B,)), f"why {A} prod-1"),
    (f"why {B} {UPPER} {A} prod-1", Mistake(Wrong.EXTRA_WORDS, (A,)), f"why {B} prod-1"),
    (f"why {A} {B}", Mistake(Wrong.EXTRA_WORDS, (B,)), f"why {A} <env>"),
    ("hepl", Mistake(Wrong.UNKNOWN_WORD, ("hepl",), "help"), "help"),
    ("Who-Am-I", Mistake(Wrong.UNKNOWN_WORD, ("Who-Am-I",), "whoami"), "whoami"),
    ("who", Mistake(Wrong.UNKNOWN_WORD, ("who",), "whoami"), "whoami"),
    ("WHO", Mistake(Wrong.UNKNOWN_WORD, ("WHO",), "whoami"), "whoami"),
    ("hist", Mistake(Wrong.UNKNOWN_WORD, ("hist",), "history"), "history"),
    ("histroy", Mistake(Wrong.UNKNOWN_WORD, ("histroy",), "history"), "history"),
    ("hel", Mistake(Wrong.UNKNOWN_WORD, ("hel",), "help"), "help"),
    ("wh", Mistake(Wrong.UNKNOWN_WORD, ("wh",), "why"), "why <appid> <env>"),
    ("whyy", Mistake(Wrong.UNKNOWN_WORD, ("whyy",), "why"), "why <appid> <env>"),
    ("wy --dry-run", Mistake(Wrong.UNKNOWN_WORD, ("wy",), "why"), "why <appid> <env>"),
    (f"{A} prod-1 --foo", Mistake(Wrong.UNKNOWN_OPTION, ("--foo",)), None),
    (" ".join(MANY[:500]), Mistake(Wrong.MISSING_ENV), f"{' '.join(MANY[:500])} <env>"),
    (
        f"history {A} prod-1 prod-2",
        Mistake(Wrong.EXTRA_WORDS, ("prod-1", "prod-2")),
        f"history {A}",
    ),
    (f"history {UPPER} prod-1", Mistake(Wrong.NOT_AN_APPID, (UPPER,)), f"history {A}"),
    (f"{A} — prod-1", Mistake(Wrong.EXTRA_WORDS, ("--",)), f"{A} prod-1"),
    (
        f"{A} prod-1 --DryRun",
        Mistake(Wrong.UNKNOWN_WORD, ("--DryRun",), "--dry-run"),
        f"{A} prod-1 --dry-run",
    ),
    (
        f"{A} prod-1 --dry-run=1",
        Mistake(Wrong.UNKNOWN_WORD, ("--dry-run=1",), "--dry-run"),
        f"{A} prod-1 --dry-run",
    ),
    (
        f"{A} prod-1 --dry",
        Mistake(Wrong.UNKNOWN_WORD, ("--dry",), "--dry-run"),
        f"{A} prod-1 --dry-run",
    ),
    (
        f"{A} prod-1 --agian",
        Mistake(Wrong.UNKNOWN_WORD, ("--agian",), "--again"),
        f"{A} prod-1 --again",
    ),
    (
        f"{A} --foo prod-1 --dryrun --foo --agian",
        Mistake(Wrong.UNKNOWN_OPTION, ("--foo",)),
        None,
    ),
    (
        f'{A} prod-1 --force --reason "QA" --again',
        Mistake(Wrong.UNKNOWN_OPTION, ("--force",)),
        None,
    ),
    (
        f"{A} prod-1 -again",
        Mistake(Wrong.UNKNOWN_WORD, ("-again",), "--again"),
        f"{A} prod-1 --again",
    ),
    (
        f"{A} prod-1 --Again",
        Mistake(Wrong.UNKNOWN_WORD, ("--Again",), "--again"),
        f"{A} prod-1 --again",
    ),
    (f"{A} prod-1 --again=1", Mistake(Wrong.UNKNOWN_OPTION, ("--again=1",)), None),
    (
        f"{A} —again --dryrun prod-1",
        Mistake(Wrong.UNKNOWN_WORD, ("--dryrun",), "--dry-run"),
        f"{A} prod-1 --dry-run --again",
    ),
    (f"{A} prod-1 -r stop sharing", Mistake(Wrong.ONLY_SHARES, ("stop",)), None),
    (f"{A} prod-1 --cancl", Mistake(Wrong.UNKNOWN_OPTION, ("--cancl",)), None),
    (f"{A} prod-1 --replace {B}", Mistake(Wrong.UNKNOWN_OPTION, ("--replace",)), None),
    (
        f"{A} --again {B} --appid {C} prod-1 --foo",
        Mistake(Wrong.UNKNOWN_OPTION, ("--foo",)),
        None,
    ),
    (f"{A} prod-1 --not-again", Mistake(Wrong.UNKNOWN_OPTION, ("--not-again",)), None),
    (f"--receiver {A} prod-1", Mistake(Wrong.UNKNOWN_OPTION, ("--receiver",)), None),
    (f"history {A} --foo", Mistake(Wrong.UNKNOWN_OPTION, ("--foo",)), f"history {A}"),
    (
        f"{A} prod-1 -reason qa-2",
        Mistake(Wrong.UNKNOWN_WORD, ("-reason",), "--reason"),
        f'{A} prod-1 --reason "qa-2"',
    ),
    (
        f"{A} prod-1 --resaon=a=b",
        Mistake(Wrong.UNKNOWN_WORD, ("--resaon=a=b",), "--reason"),
        f'{A} prod-1 --reason "a=b"',
    ),
    (
        f"{A} prod-1 --resaon --again",
        Mistake(Wrong.UNKNOWN_WORD, ("--resaon",), "--reason"),
        f"{A} prod-1 {WHY} --again",
    ),
    (
        f"{A} prod-1 --resaon",
        Mistake(Wrong.UNKNOWN_WORD, ("--resaon",), "--reason"),
        f"{A} prod-1 {WHY}",
    ),
    (
        f'{A} prod-1 --Reason "it is not in QA yet"',
        Mistake(Wrong.UNKNOWN_WORD, ("--Reason",), "--reason"),
        f'{A} prod-1 --reason "it is not in QA yet"',
    ),
    (
        f"{A} --dry-run --resaon QA prod-1",
        Mistake(Wrong.UNKNOWN_WORD, ("--resaon",), "--reason"),
        f'{A} prod-1 --reason "QA" --dry-run',
    ),
    (
        f"{A} prod-1 -reason fix for qa-2 --dry-run",
        Mistake(Wrong.UNKNOWN_WORD, ("-reason",), "--reason"),
        f'{A} prod-1 --reason "fix for qa-2" --dry-run',
    ),
    (
        f"{A} prod-1 --reason:“a b”",
        Mistake(Wrong.UNKNOWN_WORD, ("--reason:",), "--reason"),
        f'{A} prod-1 --reason "a b"',
    ),
    (f"{A} prod-1 --again=false", Mistake(Wrong.UNKNOWN_OPTION, ("--again=false",)), None),
    (f"{A} prod-1 --no-again", Mistake(Wrong.UNKNOWN_OPTION, ("--no-again",)), None),
    (
        f"{A} prod-1 --dry-run=false",
        Mistake(Wrong.UNKNOWN_WORD, ("--dry-run=false",), "--dry-run"),
        f"{A} prod-1 --dry-run",
    ),
    (f"why {A} prod-1 --foo", Mistake(Wrong.UNKNOWN_OPTION, ("--foo",)), f"why {A} prod-1"),
    (
        f"why {A} prod-1 --dryrun",
        Mistake(Wrong.UNKNOWN_WORD, ("--dryrun",), "--dry-run"),
        f"why {A} prod-1",
    ),
    ("help --all", Mistake(Wrong.UNKNOWN_OPTION, ("--all",)), "help"),
    ("history prod -1", Mistake(Wrong.UNKNOWN_OPTION, ("-1",)), "history prod"),
    (f"helper-1 {A}", Mistake(Wrong.SWAPPED), f"{A} helper-1"),
    ("help-1 prod-1", Mistake(Wrong.NOT_AN_APPID, ("help-1",)), "<appid> <env>"),
    (f"histry {A}", Mistake(Wrong.UNKNOWN_WORD, ("histry",), "history"), f"history {A}"),
    (f"wy {A} prod-1", Mistake(Wrong.UNKNOWN_WORD, ("wy",), "why"), f"why {A} prod-1"),
    (f"{A} {B} {A[:-1]}", Mistake(Wrong.NOT_AN_APPID, (A[:-1],)), f"{A} {B} <env>"),
    ("help revok", Mistake(Wrong.EXTRA_WORDS, ("revok",)), "help"),
    (f"{A}的prod-1", Mistake(Wrong.NOT_UNDERSTOOD, ("的",)), None),
    (f"向{A}申请prod-1", Mistake(Wrong.NOT_UNDERSTOOD, ("申请",)), None),
    (f"→ {A} → {B} prod-1", Mistake(Wrong.NOT_UNDERSTOOD, ("→",)), None),
    (f"给{A}申请prod-1", Mistake(Wrong.NOT_UNDERSTOOD, ("申请",)), None),
    (f"--{A}/prod-1", Mistake(Wrong.UNKNOWN_OPTION, (f"--{A}/prod-1",)), None),
    (f'{A} --reason="not yet"', Mistake(Wrong.MISSING_ENV), f'{A} <env> --reason "not yet"'),
    (f"{A} --reason QA not prod-1", Mistake(Wrong.ONLY_SHARES, ("not",)), None),
    (
        f'{A} prod-1 -reason "-x-" y --again',
        Mistake(Wrong.UNKNOWN_WORD, ("-reason",), "--reason"),
        None,
    ),
    (
        f"{A} prod-1 --again --again --dry-run --dry-run --reason",
        Mistake(Wrong.EXTRA_WORDS, ("--again",)),
        f'{A} prod-1 --reason "<reason>" --dry-run --again',
    ),
    (f"why {A} prod-1 dry run", Mistake(Wrong.EXTRA_WORDS, ("dry", "run")), f"why {A} prod-1"),
    (f"{A} prod-1 --reason", Mistake(Wrong.MISSING_REASON), f"{A} prod-1 {WHY}"),
    (f"{A} prod-1 --reason=", Mistake(Wrong.MISSING_REASON), f"{A} prod-1 {WHY}"),
    (f'{A} --reason " " prod-1', Mistake(Wrong.MISSING_REASON), f"{A} prod-1 {WHY}"),
    (f"{A} prod-1 --reason ...", Mistake(Wrong.MISSING_REASON), f"{A} prod-1 {WHY}"),
    (
        f"{A} prod-1 --reason --dry-run",
        Mistake(Wrong.MISSING_REASON),
        f"{A} prod-1 {WHY} --dry-run",
    ),
    (
        f"{A} prod-1 --reason --again",
        Mistake(Wrong.MISSING_REASON),
        f"{A} prod-1 {WHY} --again",
    ),
    (
        f"{A} --reason a prod-1 --reason b",
        Mistake(Wrong.EXTRA_WORDS, ("--reason",)),
        f'{A} prod-1 --reason "a"',
    ),
    (
        f"{A} prod-1 --reason {'x' * 301} --reason b",
        Mistake(Wrong.EXTRA_WORDS, ("--reason",)),
        f'{A} prod-1 --reason "{"x" * 299}…"',
    ),
    (
        f"{A} prod-1 {'x' * 301}",
        Mistake(Wrong.NOT_UNDERSTOOD, ("x" * 301,)),
        None,
    ),
    (
        f"{A} prod-1 --dry-run —dry-run",
        Mistake(Wrong.EXTRA_WORDS, ("--dry-run",)),
        f"{A} prod-1 --dry-run",
    ),
    (f"why {A} prod-1 --again", Mistake(Wrong.EXTRA_WORDS, ("--again",)), f"why {A} prod-1"),
    ("history --again", Mistake(Wrong.EXTRA_WORDS, ("--again",)), "history"),
    (f"history --reason QA {A}", Mistake(Wrong.EXTRA_WORDS, ("--reason",)), f"history {A}"),
    ("help --dry-run", Mistake(Wrong.EXTRA_WORDS, ("--dry-run",)), "help"),
    ("whoami --reason me", Mistake(Wrong.EXTRA_WORDS, ("--reason",)), "whoami"),
    (
        f"{A} prod-1 --reason {'x' * 301} --dry-run",
        Mistake(Wrong.REASON_TOO_LONG, ("x" * 301,), most=300),
        f'{A} prod-1 --reason "{"x" * 299}…" --dry-run',
    ),
    (
        f"--again {A} prod-1 --reason {'x' * 301}",
        Mistake(Wrong.REASON_TOO_LONG, ("x" * 301,), most=300),
        f'{A} prod-1 --reason "{"x" * 299}…" --again',
    ),
    (
        f'{A} prod-1 --reason "{"x" * 298} yz"',
        Mistake(Wrong.REASON_TOO_LONG, (f"{'x' * 298} yz",), most=300),
        f'{A} prod-1 --reason "{"x" * 298}…"',
    ),
    (f"{A} prod-1 {WHY}", Mistake(Wrong.MISSING_REASON), f"{A} prod-1 {WHY}"),
    (
        f"{A} prod-1 --reason=&lt;REASON&gt; --dry-run",
        Mistake(Wrong.MISSING_REASON),
        f"{A} prod-1 {WHY} --dry-run",
    ),
    (f"{A} {B} prod-1 {WHY}", Mistake(Wrong.MISSING_REASON), f"{A} {B} prod-1 {WHY}"),
    (
        f'prod-1 {A} --reason "why it is needed"',
        Mistake(Wrong.MISSING_REASON),
        f"{A} prod-1 {WHY}",
    ),
    (f'{A} prod-1 --reason "…"', Mistake(Wrong.MISSING_REASON), f"{A} prod-1 {WHY}"),
    (f'{A} prod-1 --reason "..."', Mistake(Wrong.MISSING_REASON), f"{A} prod-1 {WHY}"),
    (f"unshare {A} prod-1 {WHY}", Mistake(Wrong.ONLY_SHARES, ("unshare",)), None),
    (f"{A} help", Mistake(Wrong.UNLIKE_AN_ENV, ("help",)), f"{A} <env>"),
    (f"{A} {B} history", Mistake(Wrong.UNLIKE_AN_ENV, ("history",)), f"{A} {B} <env>"),
    (f"{A} prod-1…", Mistake(Wrong.CUT_OFF, ("prod-1…",)), f"{A} <env>"),
    (f"{A}... prod-1", Mistake(Wrong.CUT_OFF, (f"{A}...",)), "<appid> prod-1"),
    (f"{A} prod-1 until 3", Mistake(Wrong.LIMITED, ("until",)), None),
    (f"can I share prod-1 with {A}?", Mistake(Wrong.QUESTION, (), "why"), f"why {A} prod-1"),
    ("retry 7kq2mhx4", Mistake(Wrong.RETRY), "history 7kq2mhx4"),
]


def test_each_mistake_is_recognised_and_corrected() -> None:
    with checks() as check:
        for text, mistake, instead in MISTAKES:
            with check(text):
                received = text.strip()[:RECEIVED_LIMIT]
                wrong = parse(text)
                assert isinstance(wrong, Misread)
                line = instead and f"/share-env {instead}"
                assert (wrong.mistake, wrong.received, wrong.instead) == (mistake, received, line)


def test_the_table_has_every_kind_of_mistake() -> None:
    assert {mistake.wrong for _, mistake, _ in MISTAKES} == {*Wrong} - {Wrong.NOT_APPIDS}


def test_very_long_text_is_quoted_back_in_part_only() -> None:
    wrong = parse(f" {A} {'prod_1 ' * 100}")
    assert isinstance(wrong, Misread)
    assert wrong.received == f"{A} {'prod_1 ' * 100}"[:RECEIVED_LIMIT]


@pytest.mark.parametrize("text", ["ab " * 1001, "ab --reason a b " * 600, "“ab " * 1001])
def test_more_words_than_any_command_has_are_not_looked_through(text: str) -> None:
    wrong = parse(text)
    assert isinstance(wrong, Misread)
    assert wrong.mistake.wrong is Wrong.EXTRA_WORDS
    assert wrong.instead == "/share-env <appid> <env>"


def test_a_number_that_is_too_long_for_python_is_a_mistake_not_an_error() -> None:
    assert isinstance(parse(f"{A} &#{'1' * 5000};"), Misread)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (A, True),
        ("wx" + "f" * 16, True),
        (UPPER, False),
        (A[:-1], False),
        (A + "0", False),
        (A[:-1] + "g", False),
        ("wy" + A[2:], False),
        (A + "\n", False),
        ("wx" + "٣" * 16, False),
        ("", False),
    ],
)
def test_an_appid_is_wx_and_sixteen_lower_case_hex_digits(word: str, expected: bool) -> None:
    assert is_appid(word) is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("prod-1", True),
        ("a", True),
        ("ENV-7", True),
        ("e" * 64, True),
        ("e" * 65, False),
        ("-a", False),
        ("a-", False),
        ("a b", False),
        ("a_b", False),
        ("a\n", False),
        ("é", False),
        ("", False),
        (A, False),
        (UPPER, False),
        (A[:-1], True),
        ("env", False),
        ("Env", False),
        ("<env>", False),
        ("env-1", True),
        ("my-env", True),
    ],
)
def test_an_env_is_letters_digits_and_dashes_and_no_appid_and_no_placeholder(
    word: str, expected: bool
) -> None:
    assert is_env(word) is expected


@given(TEXTS)
@example("&#" + "1" * 5000)
def test_any_text_is_parsed_and_the_result_is_well_formed(text: str) -> None:
    check_form(parse(text))


LONGEST = 12_000
"""A little more than 500 appids."""
REPEATED = PIECES | st.sampled_from(
    (
        *("<", "<@", "<http://", "<mailto:a|", "&", "&#", "&amp;", '"', "“", "—", "--", "``"),
        *("*", "."),
        *("--reason ", "-- ", "--dry-rn ", "\ufdfa", "ab ", f"{A} ", "wx", "histor "),
        *("--reason a b ", "1 ", "a=b:", "共享 a"),
    )
)


@pytest.mark.timeout(60)
@given(STARTS, REPEATED, st.text(max_size=3))
@example("", "ab " * 2000 + "--reason a b " * 500, "")
def test_the_longest_text_is_parsed_in_time(start: str, piece: str, end: str) -> None:
    read = parse(f"{start} {piece * LONGEST}"[: LONGEST - 3] + end)
    check_form(read)
    if isinstance(read, Misread):
        assert len(read.received) <= RECEIVED_LIMIT


def check_form(read: Command | Misread) -> None:
    match read:
        case Share(appids, env, reason):
            assert 0 < len(appids) == len(set(appids)) <= MOST_APPIDS
            assert all(re.fullmatch("wx[0-9a-f]{16}", appid) for appid in appids)
            assert re.fullmatch("[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?", env)
            assert reason is None or 0 < len(reason) <= REASON_LIMIT
        case Query(Verb.WHY, about):
            appid, env = about
            assert re.fullmatch("wx[0-9a-f]{16}", appid)
            assert re.fullmatch("[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?", env)
        case Query(Verb.HISTORY, about):
            assert len(about) < 2
            assert all(is_appid(each) or is_env(each) for each in about)
        case Misread(mistake):
            assert ("{words}" in mistake.wrong.value) <= bool(mistake.words)
            assert ("{nearest}" in mistake.wrong.value) == (mistake.nearest is not None)
        case Query(_, about):
            assert not about
        case OpenForm():
            pass
        case _:
            assert_never(read)


@given(TEXTS)
@example(f"{A} prod-1 “&amp;quot;")
def test_a_corrected_line_is_valid_once_its_placeholders_are_filled(text: str) -> None:
    wrong = parse(text)
    assume(isinstance(wrong, Misread) and wrong.instead)
    assert isinstance(wrong, Misread)
    assert wrong.instead
    assert wrong.instead.split()[0] == "/share-env"
    again = parse(sent_by_slack(wrong.instead))
    line, *reason = wrong.instead.partition(" --reason ")  # a reason may hold anything
    if WHY in wrong.instead:
        reason = [' --reason "QA"']
    has_placeholders = WHY in wrong.instead or "<appid>" in line or "<env>" in line
    assert isinstance(again, Misread) == has_placeholders
    filled = line.replace("<appid>", A).replace("<env>", "prod-1")
    assert not isinstance(parse(sent_by_slack("".join([filled, *reason]))), Misread)


@given(TEXTS, st.sampled_from(["--dry-run", "—dry-run"]))
def test_a_dry_run_is_never_corrected_into_a_share(text: str, option: str) -> None:
    # The option comes first, so that no quote contains it.
    wrong = parse(f"{option} {text}")
    if isinstance(wrong, Misread) and isinstance(parse(sent_by_slack(wrong.instead)), Share):
        assert re.search(" --dry-run( --again)?$", wrong.instead or "")
    else:
        assert not isinstance(wrong, Share) or wrong.dry_run


@given(TEXTS, st.sampled_from(["--again", "—again"]))
def test_a_corrected_line_keeps_the_option_again(text: str, option: str) -> None:
    wrong = parse(f"{option} {text}")
    if isinstance(wrong, Misread) and isinstance(parse(sent_by_slack(wrong.instead)), Share):
        assert (wrong.instead or "").endswith(" --again")
    else:
        assert not isinstance(wrong, Share) or wrong.again


@given(TEXTS)
@example("--help --agian")
def test_a_corrected_line_has_the_option_again_only_if_it_was_typed(text: str) -> None:
    wrong = parse(text)
    assume(isinstance(wrong, Misread))
    assert isinstance(wrong, Misread)
    if wrong.instead and wrong.instead.endswith(" --again"):
        assert re.search("again|agian", unicodedata.normalize("NFKC", text))


@given(TEXTS, TEXTS, st.sampled_from(["--dry-run", "—dry-run"]))
@example(f"{A} prod-1 “QA", "", "—dry-run")
@example(f'{A} prod-1 " &amp;quot;', "", "--dry-run")
def test_a_dry_run_within_an_unclosed_quote_is_never_corrected_into_a_share(
    before: str, after: str, option: str
) -> None:
    wrong = parse(f"{before} {option} {after}")
    if isinstance(wrong, Misread) and wrong.mistake.wrong is Wrong.UNCLOSED_QUOTE:
        corrected = parse(sent_by_slack(wrong.instead))
        assert not isinstance(corrected, Share) or corrected.dry_run


@given(st.sampled_from([*FIRST_WORDS, "list", "status"]), TEXTS)
def test_a_subcommand_is_never_corrected_into_a_share(first: str, text: str) -> None:
    wrong = parse(f"{first} {text}")
    assert not isinstance(wrong, Share)
    if isinstance(wrong, Misread):
        assert not isinstance(parse(sent_by_slack(wrong.instead)), Share)


@given(APPIDS | ENVS.filter(lambda env: env.lower() != "history" and not re.match("(?i)wx", env)))
def test_a_history_takes_any_appid_or_env(word: str) -> None:
    assert parse(f"history {word}") == Query(Verb.HISTORY, (word,))


@given(st.lists(PIECES, max_size=4))
def test_a_history_is_only_corrected_into_a_history(words: list[str]) -> None:
    wrong = parse(" ".join(["history", *words]))
    assume(wrong != Query(Verb.HELP))  # by `--help`
    if isinstance(wrong, Misread):
        wrong = parse(sent_by_slack(wrong.instead))
    assert isinstance(wrong, Query)
    assert wrong.verb is Verb.HISTORY


@given(SHARES)
def test_a_share_survives_being_written_as_text_and_parsed(share: Share) -> None:
    assert parse(sent_by_slack(rendered(share))) == share
    assert parse(rendered(share)) == share


@given(SHARES, st.sampled_from("\u200b\u200d\u2060\ufeff\u00ad\u200e"), st.data())
def test_invisible_characters_anywhere_change_nothing(
    share: Share, char: str, data: st.DataObject
) -> None:
    line = rendered(share)
    at = data.draw(st.integers(0, len(line)))
    assert parse(line[:at] + char + line[at:]) == share


@given(SHARES)
def test_full_width_letters_change_nothing(share: Share) -> None:
    wide: dict[int, str | int] = {
        ord(" "): "\u3000",
        **{code: code + 0xFEE0 for code in range(0x21, 0x7F)},
    }
    pair = f"{share.appids[0]} {share.env}"
    assert parse(rendered(share).replace(pair, pair.translate(wide), 1)) == share


@given(SHARES, st.sampled_from(["`", "``", "```"]))
def test_backticks_around_the_words_change_nothing(share: Share, ticks: str) -> None:
    pair = f"{share.appids[0]} {share.env}"
    one_by_one = f"{ticks}{share.appids[0]}{ticks} {ticks}{share.env}{ticks}"
    assert parse(rendered(share).replace(pair, f"{ticks}{pair}{ticks}", 1)) == share
    assert parse(rendered(share).replace(pair, one_by_one, 1)) == share


# Several appids.


@given(BATCHES)
def test_a_batch_survives_being_written_as_text_and_parsed(batch: Share) -> None:
    assert parse(sent_by_slack(rendered(batch))) == batch
    assert parse(rendered(batch)) == batch


@given(BATCHES, st.data())
def test_a_repeated_appid_counts_once_at_its_first_position(
    batch: Share, data: st.DataObject
) -> None:
    again = data.draw(st.sampled_from(batch.appids))
    first = batch.appids.index(again)
    at = data.draw(st.integers(first + 1, len(batch.appids)))
    twice = (*batch.appids[:at], again, *batch.appids[at:])
    assert parse(rendered(replace(batch, appids=twice))) == batch


@given(BATCHES, st.sampled_from([UPPER, A[:-1], f"{A}0", f"{A[:-1]}g", f"*{A}*"]), st.data())
def test_one_damaged_appid_is_named_and_the_corrected_line_keeps_the_good_ones(
    batch: Share, damaged: str, data: st.DataObject
) -> None:
    assume(A not in batch.appids)
    at = data.draw(st.integers(0, len(batch.appids)))
    line = rendered(replace(batch, appids=(*batch.appids[:at], damaged, *batch.appids[at:])))
    wrong = parse(line)
    assert isinstance(wrong, Misread)
    assert wrong.mistake == Mistake(Wrong.NOT_AN_APPID, (damaged,))
    known = [A] if A in (wrong.instead or "") else []  # the intended appid is known
    right = (*batch.appids[:at], *known, *batch.appids[at:])
    assert parse(sent_by_slack(wrong.instead)) == replace(batch, appids=right)


@given(
    SEVERAL,
    st.lists(
        st.sampled_from(["prod-1", "a_b", "--foo=1", "—again", '"x']), max_size=4, unique=True
    ),
    st.data(),
)
def test_a_corrected_line_keeps_every_valid_appid(
    appids: list[str], others: list[str], data: st.DataObject
) -> None:
    words = data.draw(st.permutations([*appids, *others]))
    wrong = parse(" ".join(words))
    if isinstance(wrong, Misread) and wrong.instead:
        named = [word for word in sent_by_slack(wrong.instead).split() if is_appid(word)]
        assert named == [word for word in words if word in appids]


@given(SEVERAL, ENVS)
def test_a_batch_in_another_order_is_corrected_but_not_accepted(
    appids: list[str], env: str
) -> None:
    assume(not re.match("(?i)wx[^-]{10}", env))
    wrong = parse(" ".join([env, *appids]))
    assert isinstance(wrong, Misread)
    assert wrong.mistake == Mistake(Wrong.SWAPPED)
    assert isinstance(parse(sent_by_slack(wrong.instead)), Share)


@given(SEVERAL, ENVS, st.data())
def test_of_appids_on_both_sides_of_the_env_one_may_be_its_owner(
    appids: list[str], env: str, data: st.DataObject
) -> None:
    assume(not re.match("(?i)wx[^-]{10}", env))
    at = data.draw(st.integers(1, len(appids) - 1))
    wrong = parse(" ".join([*appids[:at], env, *appids[at:]]))
    assert isinstance(wrong, Misread)
    assert wrong.mistake == Mistake(Wrong.WHICH_APPIDS, tuple(appids))
    assert wrong.instead is None
