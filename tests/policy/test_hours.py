"""The hours of a rule: what a file may say, which moments are within, and when they begin and end."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.decide import (
    decide,
    depends_on_time,
    explain,
    may_share_later,
    may_share_somewhere,
    turns,
)
from bot.policy.hours import Hours, read_hours
from bot.policy.kinds import (
    Allow,
    Deny,
    Effect,
    Freeze,
    Miss,
    NoRule,
    Person,
    Policy,
    Rule,
    Verdict,
)
from tests import asking
from tests.policy.reading import read_policy

ANN = Person("T1", "U1")
A = "wx5fe6bb43205e9e70"
MONDAY = datetime(2026, 11, 30, tzinfo=UTC)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("hours", "within", "outside"),
    [
        (
            "Mon-Fri 09:00-18:00 Asia/Shanghai",
            ["2026-12-03T09:00:00+08:00", "2026-12-04T17:59:59+08:00", "2026-12-03T01:00:00Z"],
            ["2026-12-03T08:59:59+08:00", "2026-12-04T18:00:00+08:00", "2026-12-05T12:00:00+08:00"],
        ),
        (
            "mon-fri 09:00-12:00, 13:00-18:00, Sat 10:00-12:00 UTC",
            ["2026-12-04T11:59:00Z", "2026-12-04T13:00:00Z", "2026-12-05T10:00:00Z"],
            ["2026-12-04T12:30:00Z", "2026-12-05T13:30:00Z", "2026-12-06T10:00:00Z"],
        ),
        (
            "Mon, Wed-Thu 09:00-10:00 UTC",
            ["2026-11-30T09:30:00Z", "2026-12-02T09:30:00Z", "2026-12-03T09:30:00Z"],
            ["2026-12-01T09:30:00Z", "2026-12-04T09:30:00Z"],
        ),
        (
            "Sun 22:00-06:00 UTC",
            ["2026-12-06T22:00:00Z", "2026-12-07T05:59:00Z"],
            ["2026-12-06T05:00:00Z", "2026-12-07T22:30:00Z", "2026-12-07T06:00:00Z"],
        ),
        ("Sat-Mon 00:00-24:00 UTC", ["2026-12-07T23:59:00Z"], ["2026-12-08T00:00:00Z"]),
        ("00:00-24:00 UTC", ["2026-12-07T23:59:00Z", "2026-12-09T00:00:00Z"], []),
        (
            "09:00-18:00 Europe/Berlin",
            ["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"],  # the clocks go forward between
            ["2026-03-28T07:59:00Z", "2026-03-29T16:00:00Z"],
        ),
    ],
)
def test_a_moment_is_within_by_the_days_and_the_clock_of_the_zone(
    hours: str, within: list[str], outside: list[str]
) -> None:
    read = read_hours(hours)
    assert read.text == hours
    assert [read.hold(moment(each)) for each in within] == [True] * len(within)
    assert [read.hold(moment(each)) for each in outside] == [False] * len(outside)


SPANS = "Write it as in Mon-Fri 09:00-18:00, Sat 10:00-12:00 Asia/Shanghai."
ZONES = "End with one such as Asia/Shanghai, Europe/Berlin or UTC."


@pytest.mark.parametrize(
    ("hours", "found", "fix"),
    [
        ("", "“” has no time zone, or no span", SPANS),
        ("09:00-18:00", "“09:00-18:00” has no time zone, or no span", SPANS),
        ("9-18 UTC", "“9-18” is no span of time", SPANS),
        ("Mon-Fri 09:00-18:60 UTC", "“Mon-Fri 09:00-18:60” is no span of time", SPANS),
        ("09:00-10:00,, UTC", "“” is no span of time", SPANS),
        ("Mon 09:00-10:00, Tue UTC", "there is no span for its last days", SPANS),
        ("09:00-09:00 UTC", "“09:00-09:00” never occurs", "For a whole day, write 00:00-24:00."),
        ("24:00-06:00 UTC", "“24:00-06:00” never occurs", "For a whole day, write 00:00-24:00."),
        ("22:00-24:30 UTC", "“22:00-24:30” never occurs", "For a whole day, write 00:00-24:00."),
        ("09:00-18:00 Asia/Peking", "“Asia/Peking” is no time zone", ZONES),
        ("09:00-18:00 Europe", "“Europe” is no time zone", ZONES),
        ("09:00-18:00 ../UTC", "“../UTC” is no time zone", ZONES),
    ],
)
def test_hours_that_cannot_be_meant_are_refused(hours: str, found: str, fix: str) -> None:
    rule = f'[[rule]]\nusers = ["U1X"]\neffect = "allow"\nhours = "{hours}"\n'
    assert read_policy(rule, None) == [f"rule 1, hours: {found}. {fix}"]


def test_hours_are_text() -> None:
    rule = '[[rule]]\nusers = ["U1X"]\neffect = "allow"\nhours = 9\n'
    assert read_policy(rule, None) == ["rule 1, hours: it must be text. Put it in quotes."]


TIMES = st.sampled_from(("00:00-24:00", "09:00-18:00", "22:00-06:00", "00:00-00:01", "23:59-24:00"))
DAYS = st.sampled_from(("", "Mon ", "Mon-Fri ", "Sat-Sun ", "Fri-Mon ", "Wed, Sun "))
ZONED = st.sampled_from(("UTC", "Asia/Shanghai", "Europe/Berlin"))
HOURS = st.builds(
    lambda spans, zone: read_hours(f"{', '.join(spans)} {zone}"),
    st.lists(st.builds(str.__add__, DAYS, TIMES), min_size=1, max_size=3),
    ZONED,
)
MINUTES = st.integers(0, 7 * 24 * 60).map(lambda minute: MONDAY + timedelta(minutes=minute))


@given(st.lists(st.tuples(DAYS, TIMES), min_size=1, max_size=3), MINUTES)
def test_several_spans_hold_where_one_of_them_does(
    spans: list[tuple[str, str]], at: datetime
) -> None:
    named, alone = "", list[bool]()
    for days, times in spans:
        named = days or named
        alone.append(read_hours(f"{named}{times} UTC").hold(at.timestamp()))
    whole = ", ".join(days + times for days, times in spans)
    assert read_hours(f"{whole} UTC").hold(at.timestamp()) is any(alone)


@given(HOURS, MINUTES)
def test_hours_begin_and_end_at_their_turns_and_at_no_other_time(
    hours: Hours, at: datetime
) -> None:
    moments = [at.timestamp(), *hours.turns(at.timestamp())]
    assert moments == sorted(moments)
    held = [hours.hold(each) for each in moments]
    assert all(one is not other for one, other in pairwise(held))
    for one, other in pairwise(moments):
        assert hours.hold(other - 60) is hours.hold(one)


@given(HOURS, HOURS)
def test_hours_cover_others_only_if_they_hold_whenever_the_others_do(
    one: Hours, other: Hours
) -> None:
    assert one.cover(one)
    if one.cover(other):
        week = [(MONDAY + timedelta(minutes=10 * each)).timestamp() for each in range(7 * 144)]
        assert not [at for at in week if other.hold(at) and not one.hold(at)]


@pytest.mark.parametrize(
    ("hours", "at", "opens"),
    [
        ("02:15-02:45", "2026-03-28T12:00:00+01:00", "2026-03-30T02:15:00+02:00"),
        ("02:30-06:00", "2026-03-28T12:00:00+01:00", "2026-03-29T03:30:00+02:00"),
        ("02:15-02:45", "2026-10-24T12:00:00+02:00", "2026-10-25T02:15:00+02:00"),
        ("09:00-18:00", "2026-10-24T20:00:00+02:00", "2026-10-25T09:00:00+01:00"),
        ("Sun 02:15-02:45", "2026-03-28T12:00:00+01:00", "2026-04-05T02:15:00+02:00"),
    ],
)
def test_what_begins_in_an_hour_that_clocks_leave_out_or_repeat_is_not_told_too_early(
    hours: str, at: str, opens: str
) -> None:
    read = read_hours(f"{hours} Europe/Berlin")
    assert read.opens(moment(at)) == moment(opens)
    assert read.hold(moment(opens))


def rule(name: str, effect: Effect = Effect.ALLOW, hours: str | None = None) -> Rule:
    read = read_hours(hours) if hours else None
    return Rule(name, effect, users=frozenset({"U1"}), hours=read)


DAY, NIGHT = rule("day", hours="09:00-18:00 UTC"), rule("night", hours="18:00-09:00 UTC")


def test_outside_of_its_hours_a_rule_is_skipped_and_it_is_told_when_they_begin() -> None:
    by_day = asking.ask(ANN, "C1", A, "prod-1")
    by_night = asking.at(ANN, when=moment("2025-12-01T20:00:00Z")).about(A, "prod-1", None)
    assert decide(Policy((DAY, NIGHT)), by_day) == Allow(DAY)
    assert decide(Policy((DAY, NIGHT)), by_night) == Allow(NIGHT)
    missed = Verdict(DAY, frozenset({Miss.HOURS}), opens=moment("2025-12-02T09:00:00Z"))
    assert decide(Policy((DAY,)), by_night) == Deny(NoRule((missed,)))
    assert explain(Policy((DAY,)), by_day) == (Verdict(DAY, frozenset()),)


def test_hours_of_which_no_moment_comes_in_weeks_do_not_open() -> None:
    assert read_hours("00:00-24:00 UTC").opens(MONDAY.timestamp()) is None


@pytest.mark.parametrize(
    ("rules", "later"),
    [
        ((DAY,), True),
        ((rule("no", Effect.DENY, "00:00-12:00 UTC"), DAY), True),
        ((rule("no", Effect.DENY, "08:00-19:00 UTC"), DAY), False),
        ((rule("no", Effect.DENY, "09:00-12:00 UTC"), rule("x", hours="09:30-12:00 UTC")), False),
        (
            (
                rule("no", Effect.DENY, "09:00-12:00 UTC"),
                rule("noon", Effect.DENY, "12:00-17:30 UTC"),
                DAY,
            ),
            True,
        ),
    ],
)
def test_a_person_may_share_later_if_a_rule_lets_them_at_some_time(
    rules: tuple[Rule, ...], later: bool
) -> None:
    frozen = Freeze(0.0, moment("2999-01-01T00:00:00Z"), "for good")
    policy = Policy(rules, freezes=(frozen,))
    asked = asking.at(ANN, when=moment("2025-12-01T20:00:00Z")).about(A, "prod-1", None)
    assert may_share_later(policy, asked) is later
    assert may_share_somewhere(policy, asked, [A], "prod-1") is later


def test_the_turns_of_a_policy_are_those_of_its_hours_and_the_ends_of_its_freezes() -> None:
    now = moment("2025-12-01T20:00:00Z")
    past, coming = Freeze(0.0, now, "over"), Freeze(now - 1, now + 60, "on")
    policy = Policy((DAY, rule("also by day", hours="09:00-18:00 UTC")), freezes=(past, coming))
    (first, second, third, *_) = turns(policy, now)
    assert first == now + 60
    assert (second, third) == (moment("2025-12-02T09:00:00Z"), moment("2025-12-02T18:00:00Z"))


@pytest.mark.parametrize(
    ("policy", "depends"),
    [
        (Policy((rule("always"),)), False),
        (Policy((DAY,)), True),
        (Policy((Rule("d", Effect.DENY, envs=("test-*",), hours=DAY.hours),)), False),
        (Policy((), freezes=(Freeze(0.0, 1.0, "x", ("PROD-*",)),)), True),
        (Policy((), freezes=(Freeze(0.0, 1.0, "x", ("test-*",)),)), False),
    ],
)
def test_what_a_policy_says_of_an_env_depends_on_the_time_if_hours_or_freezes_are_about_it(
    policy: Policy, depends: bool
) -> None:
    assert depends_on_time(policy, "prod-1") is depends
