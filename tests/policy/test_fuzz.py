"""Any policy file is either a policy or has problems, each a sentence that begins with its place."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.policy.file import read_question
from bot.policy.kinds import Effect, Person, Policy
from bot.policy.shapes import (
    AgreedEntry,
    ApproversEntry,
    EscalateEntry,
    File,
    FreezeEntry,
    NamedEntry,
    OwnerEntry,
    Question,
    RuleEntry,
    TrialEntry,
)
from bot.settings.environ import Reader
from bot.settings.policy import read_rules
from tests.checking import checks
from tests.policy.reading import read_policy

A = "wx5fe6bb43205e9e70"
PLACES = ("contact", "operators", "owner", "rule", "freeze", "test")
LONGEST = 600  # characters of a sentence

Table = dict[str, object]


@dataclass(frozen=True)
class Raw:
    """A TOML literal that no Python value is written as."""

    text: str


ENDLESS = Raw("0x" + "f" * 5000)


def toml(value: object) -> str:
    """Return `value` as an inline value of TOML."""
    match value:
        case dict():
            return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case date():
            return value.isoformat()
        case Raw():
            return value.text
        case _:  # The rest is as in JSON, except 0x7f, which JSON leaves as it is, and characters that JSON writes as surrogates.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def file_of(tables: Mapping[str, object]) -> str:
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in tables.items())


WORDS = st.sampled_from(
    ("U012ABCDEF", "S1X", "C1X", "*", A, "allow", "approve", "deny", "24h", "", "test-*", "[!")
) | st.text(max_size=5)
TABLES = (
    *(File, NamedEntry, OwnerEntry, RuleEntry, ApproversEntry, FreezeEntry),
    *(EscalateEntry, AgreedEntry, TrialEntry),
)
NAMES = {field.alias or key for table in TABLES for key, field in table.model_fields.items()}
KEYS = st.sampled_from(sorted(NAMES))
HUGE: tuple[object, ...] = (
    "x" * 10_000,
    "\n" * 500,
    ENDLESS,
    1e300,
    ["U1X"] * 500,
    {"a" * 500: 1},
)
LEAVES = (
    *(WORDS, st.booleans(), st.integers(), st.dates(), st.sampled_from(HUGE)),
    st.floats(allow_nan=False, allow_infinity=False),
)
VALUES = st.recursive(
    st.one_of(*LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | WORDS, inner, max_size=6),
    max_leaves=20,
)
IDS = {
    "users": ["U012ABCDEF", "*"],
    "groups": ["S1X", "T1X/S1X"],
    "workspaces": ["T1X"],
    "channels": ["C1X"],
}
LIKELY: dict[str, st.SearchStrategy[object]] = {
    **{key: st.lists(st.sampled_from(ids), max_size=2) for key, ids in IDS.items()},
    "appids": st.lists(WORDS, max_size=2),
    "envs": st.lists(WORDS, max_size=2),
    "confirm": st.booleans(),
    "guests": st.booleans(),
    "self_approval": st.booleans(),
    "require_reason": st.booleans(),
    "reason_pattern": WORDS,
    "reason_url": WORDS | st.just("https://t.example/{reason}"),
    "name": WORDS,
    "approvers": st.just({"users": ["U1X"], "channel": "C1X"}),
    "break_glass": st.just({"users": ["U1X"]}),
    "hours": WORDS | st.just("Mon-Fri 09:00-18:00 Asia/Shanghai"),
}
EFFECTS = st.sampled_from(("allow", "approve", "deny"))
LIKELY_RULES = st.fixed_dictionaries(
    {"effect": EFFECTS}, optional={**LIKELY, "chanel": st.one_of(*LEAVES)}
)
LIKELY_TESTS = st.fixed_dictionaries(
    {
        "user": st.just("U012ABCDEF"),
        "appid": st.just(A),
        "env": WORDS,
        "expect": st.sampled_from(("allow", "approve", "deny")),
    }
)
LIKELY_FILES = st.fixed_dictionaries(
    {"rule": st.lists(LIKELY_RULES, max_size=4)},
    optional={"test": st.lists(LIKELY_TESTS, max_size=2), "contact": WORDS},
)
GOOD: Table = {
    "contact": "Ann",
    "operators": {"users": ["U012ABCDEF"], "groups": ["S012ABCDEF"]},
    "owner": [{"appid": A, "envs": ["prod-*"]}],
    "rule": [
        {
            "name": "core",
            "users": ["U012ABCDEF"],
            "groups": ["S012ABCDEF"],
            "workspaces": ["T012ABCDEF"],
            "channels": ["C012ABCDEF"],
            "appids": ["wx*"],
            "envs": ["prod-*"],
            "effect": "approve",
            "confirm": True,
            "guests": True,
            "self_approval": True,
            "require_reason": True,
            "reason_pattern": "[A-Z]+-[0-9]+",
            "reason_url": "https://t.example/{reason}",
            "hours": "Mon-Fri 09:00-18:00 Asia/Shanghai",
            "approvers": {"users": ["U1X"], "groups": ["S1X"], "channel": "C1X", "expires": "3h"},
        },
        {
            "name": "two",
            "users": ["U012ABCDEF"],
            "break_glass": {"users": ["U1X"], "groups": ["S2X"]},
            "effect": "approve",
            "approvers": {
                "groups": ["S1X"],
                "approvals": 2,
                "channel": "C1X",
                "notify": {"users": ["U1X"], "groups": ["S2X"]},
                "escalate": {
                    "after": "30m",
                    "users": ["U1X"],
                    "groups": ["S2X"],
                    "channel": "C2X",
                },
            },
        },
        {
            "name": "both",
            "users": ["U012ABCDEF"],
            "effect": "approve",
            "approvers": {"all_of": [{"groups": ["S1X"]}, {"users": ["U1X"]}], "channel": "C1X"},
        },
        {"effect": "deny"},
    ],
    "freeze": [
        {
            "from": datetime(2026, 12, 24, tzinfo=UTC),
            "until": datetime(2027, 1, 4, tzinfo=UTC),
            "envs": ["prod-*"],
            "reason": "end of the year",
            "except": {"users": ["U1X"], "groups": ["S1X"]},
        }
    ],
    "test": [
        {
            "user": "U012ABCDEF",
            "groups": ["S012ABCDEF"],
            "workspace": "T012ABCDEF",
            "channel": "C012ABCDEF",
            "guest": True,
            "appid": A,
            "env": "prod-1",
            "reason": "OPS-12",
            "agreed": [{"user": "U0NOBODY", "groups": ["S2X"]}],
            "waited": "1h",
            "break_glass": False,
            "at": datetime(2026, 12, 1, 9, tzinfo=UTC),
            "expect": "approve",
        }
    ],
}


def check(read: Policy | list[str]) -> None:
    """Check that this is a policy with rules, or problems that are sentences with their places."""
    if isinstance(read, Policy):
        assert len(read.rules) > 0
        return
    assert read
    internals = "pydantic|Input should|Traceback|validation|recursion|int_|Error"
    for problem in read:
        assert problem.endswith((".", "?"))
        assert problem.isprintable()
        assert len(problem) <= LONGEST
        assert not re.search(internals, problem)
        assert is_placed(problem)


def is_placed(problem: str) -> bool:
    """Return whether a sentence begins with a place that this file has."""
    place = rf"({'|'.join(PLACES)})( \d+)?( \(“.*”\))?(, .+)?: "
    return bool(re.match(rf"{place}|It is not valid TOML: |.*: there is no such key\. ", problem))


@given(st.text())
@example("a = 1979-13-01")
@example('a = "\ud800"')
@example('[[rule]]\neffect = "\ud800"')
@example("a = " + "1" * 5000)
@example("a = " + "[" * 5000)
def test_any_text_is_a_policy_or_has_problems(text: str) -> None:
    check(read_policy(text, None))


@given(st.dictionaries(KEYS | WORDS, VALUES, max_size=4) | LIKELY_FILES)
@example({"rule": [{"effect": ENDLESS}]})
@example({"rule": [{"effect": "allow\n", "users": ["U1X\n"]}]})
def test_any_tables_are_a_policy_or_have_problems(tables: Table) -> None:
    read = read_policy(file_of(tables), None)
    check(read)
    assert isinstance(read, Policy) or "It is not valid TOML" not in read[0]


@pytest.mark.parametrize(
    "key", ["effect", "users", "approvers", "approvers.expires", "approvers.users", "other"]
)
@pytest.mark.parametrize("value", ["1", '"\\n"', "[[[[{}]]]]", "0x" + "f" * 5000])
def test_tables_within_a_thousand_tables_have_problems(key: str, value: str) -> None:
    read = read_policy(f"[[rule]]\n{key}{'.a' * 1000} = {value}\n", None)
    assert isinstance(read, list)
    check(read)


def spots(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each value within `value`."""
    if path:
        yield path
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in inner:
            yield from spots(each, (*path, key))


def changed(tables: Table, path: tuple[str | int, ...], change: object) -> Table:
    """Return a copy with this value at `path`; without the path if the value is None."""
    whole: Table = deepcopy(tables)
    within: object = whole
    for key in path[:-1]:
        within = within[key]  # type: ignore[index]  # the path leads through tables and lists
    if change is None:
        del within[path[-1]]  # type: ignore[attr-defined]  # it ends in one of them
    else:
        within[path[-1]] = change  # type: ignore[index]  # it ends in one of them
    return whole


def test_the_good_file_is_good_and_has_every_key() -> None:
    assert isinstance(read_policy(file_of(GOOD), None), Policy)
    held = {key for path in spots(GOOD) for key in path if isinstance(key, str)}
    assert held == NAMES


def test_no_key_of_the_file_is_read_for_nothing() -> None:
    good = read_policy(file_of(GOOD), None)
    with checks() as at:
        for path in spots(GOOD):
            if path[0] != "test" and isinstance(path[-1], str):
                with at(str(path)):
                    assert read_policy(file_of(changed(GOOD, path, None)), None) != good


def test_no_part_of_a_question_is_read_for_nothing() -> None:
    asked = {"user": "U1X", "groups": ["S1X"], "guest": True}
    asked |= {"workspace": "T1X", "channel": "C1X"}
    asked |= {"appid": A, "env": "prod-1", "reason": "OPS-12"}
    asked |= {"at": "2026-12-24T18:00:00+08:00"}
    whole = read_question(asked)
    assert asked.keys() == Question.model_fields.keys()
    assert isinstance(whole, Question)
    with checks() as at:
        for part in asked:
            with at(part):
                rest = read_question({key: value for key, value in asked.items() if key != part})
                assert isinstance(rest, list) or rest.ask(0.0) != whole.ask(0.0)


def test_a_question_says_all_about_a_person_that_a_condition_depends_on() -> None:
    whole = read_question({"user": "U1X", "groups": ["S1X"], "guest": True, "appid": A, "env": "e"})
    assert isinstance(whole, Question)
    person, unsaid = whole.ask(0.0).person, Person("", "")
    same = [e.name for e in fields(Person) if getattr(person, e.name) == getattr(unsaid, e.name)]
    assert same == ["team_id", "unreadable", "language"]  # no condition may


@pytest.mark.parametrize(
    "change",
    [
        None,
        True,
        1,
        -0.5,
        "",
        "x" * 1000,
        "a\nb",
        ENDLESS,
        [],
        [[]],
        {},
        {"a": {}},
        date(2026, 1, 1),
    ],
    ids=lambda change: repr(change)[:8],
)
def test_one_wrong_value_anywhere_has_problems(change: object) -> None:
    with checks() as at:
        for path in spots(GOOD):
            with at(str(path)):
                check(read_policy(file_of(changed(GOOD, path, change)), None))


def test_one_unknown_key_anywhere_is_named() -> None:
    with checks() as at:
        for path in spots(GOOD):
            if isinstance(path[-1], str):
                extra = (*path[:-1], f"{path[-1]}x")
                with at(str(extra)):
                    (problem,) = as_problems(read_policy(file_of(changed(GOOD, extra, 1)), None))
                    assert problem.endswith(
                        f"{extra[-1]}: there is no such key. Did you mean {path[-1]}?"
                    )


def as_problems(read: Policy | list[str]) -> list[str]:
    check(read)
    assert isinstance(read, list)
    return read


@given(st.data())
def test_a_damaged_file_is_a_policy_or_has_problems(data: st.DataObject) -> None:
    text = file_of(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at, to = sorted(data.draw(st.tuples(*(st.integers(0, len(text)),) * 2)))
        text = text[:at] + data.draw(WORDS | st.just("[") | st.just("=")) + text[min(to, at + 9) :]
    check(read_policy(text, None))


@given(
    st.binary() | st.builds(lambda a, b: a + file_of(GOOD).encode() + b, st.binary(), st.binary())
)
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf" + file_of(GOOD).encode())
def test_a_file_of_any_bytes_is_a_policy_or_has_problems(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        read = Reader({"POLICY_FILE": file.name})
        tested = read_rules(read, Path(file.name), None)
        assert (tested is None) == bool(read.problems)
        for problem in read.problems:
            assert file.name in problem
            if "UTF-8" not in problem:
                check([problem.removeprefix(f"{file.name}: ")])


@given(st.lists(LIKELY_RULES, min_size=1, max_size=4))
def test_every_accepted_rule_names_somebody_unless_it_denies(rules: list[object]) -> None:
    read = read_policy(f"rule = {toml(rules)}", None)
    if isinstance(read, Policy):
        assert [
            rule
            for rule in read.rules
            if rule.effect is not Effect.DENY and not rule.users | rule.groups
        ] == []


@given(st.lists(LIKELY_RULES, min_size=1, max_size=6))
def test_every_accepted_rule_has_its_own_name(rules: list[object]) -> None:
    read = read_policy(f"rule = {toml(rules)}", None)
    if isinstance(read, Policy):
        assert len({rule.name for rule in read.rules}) == len(read.rules)


OPTIONS = "|".join(field.removesuffix("s") for field in Question.model_fields)


@given(st.dictionaries(st.sampled_from([*Question.model_fields]), VALUES, min_size=1))
def test_a_question_with_any_values_is_valid_or_has_problems(asked: Table) -> None:
    read = read_question(asked)
    if isinstance(read, list):
        assert read
        for problem in read:
            assert re.match(rf"--({OPTIONS}): .+\.\Z", problem)
            assert problem.isprintable()
    else:
        assert read.ask(0.0).env == asked["env"]
