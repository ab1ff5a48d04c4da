"""Summaries of outcomes: the counts of a batch, its groups, and whether a retry can help."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.batch import groups_of, tally_of
from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Failed,
    Finished,
    Ground,
    Group,
    Outcome,
    Rejected,
    Said,
    Shared,
    Skipped,
    SkipReason,
    Stopped,
    Tally,
    Unknown,
    doubted,
    retry_may_help,
)
from bot.guidance import Fixer, Trouble, all_guidance, for_code

BUSY, NOT_ENABLED = for_code(-1), for_code(85088)
SLOW = Trouble.TIMEOUT.value
BEFORE, UNDER_WAY = Skipped(SkipReason.SHARED_BEFORE), Skipped(SkipReason.UNDER_WAY)

guidance = st.sampled_from(all_guidance())
endings: st.SearchStrategy[Outcome | None] = st.one_of(
    st.none(),
    st.builds(Shared),
    st.builds(Failed, guidance),
    st.builds(Unknown, guidance),
    st.builds(Cancelled, st.just("U1")),
    st.builds(Skipped, st.sampled_from(SkipReason)),
    st.builds(Stopped),
)
batches = st.lists(endings).map(lambda all_: [(f"wx{at}", end) for at, end in enumerate(all_)])


def kinds(outcomes: Sequence[Outcome | None]) -> Counter[type]:
    return Counter(map(type, outcomes))


def test_items_are_counted_by_outcome_and_open_ones_count_in_the_total_only() -> None:
    outcomes = [
        *(Shared(), Shared(3), Failed(BUSY), Unknown(SLOW), Cancelled("U1")),
        *(BEFORE, UNDER_WAY, Stopped(), None, None),
    ]
    tally = tally_of(kinds(outcomes))
    assert tally == Tally(10, shared=2, skipped=2, failed=1, unknown=1, cancelled=1, stopped=1)
    assert tally.done == 8


def test_a_batch_without_items_counts_nothing() -> None:
    assert tally_of(kinds([])) == Tally(0)
    assert groups_of([]) == ()


@given(st.lists(endings))
def test_every_item_that_ended_is_counted_once(outcomes: list[Outcome | None]) -> None:
    tally = tally_of(kinds(outcomes))
    assert tally.total == len(outcomes)
    assert tally.done == sum(outcome is not None for outcome in outcomes)


def test_items_with_the_same_outcome_are_one_group_whatever_text_wechat_added() -> None:
    first, second = Said(85088, "no rid: a", "a"), Said(85088, "no rid: b", "b")
    items: list[tuple[str, Outcome | None]] = [
        ("wx1", Failed(NOT_ENABLED, first)),
        ("wx2", Shared()),
        ("wx3", Failed(NOT_ENABLED, second, tries=3)),
    ]
    assert groups_of(items) == (Group(Failed(NOT_ENABLED, first), ("wx1", "wx3")),)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(Failed(NOT_ENABLED), Failed(BUSY), id="other advice"),
        pytest.param(Failed(SLOW), Unknown(SLOW), id="failed and unknown"),
        pytest.param(BEFORE, UNDER_WAY, id="other reasons to be left out"),
    ],
)
def test_items_that_need_different_words_are_different_groups(one: Outcome, other: Outcome) -> None:
    assert [group.appids for group in groups_of([("wx1", one), ("wx2", other)])] == [
        ("wx1",),
        ("wx2",),
    ]


def test_the_largest_group_comes_first_and_items_that_were_not_tried_come_last() -> None:
    items: list[tuple[str, Outcome | None]] = [
        *((f"left{n}", BEFORE) for n in range(5)),
        ("one", Failed(BUSY)),
        *((f"two{n}", Unknown(SLOW)) for n in range(2)),
    ]
    assert [len(group.appids) for group in groups_of(items)] == [2, 1, 5]


def test_groups_of_the_same_size_keep_the_order_of_the_request() -> None:
    ends: list[Outcome] = [Failed(BUSY), Failed(NOT_ENABLED), Unknown(SLOW)]
    items = [(f"wx{at}", end) for at, end in enumerate(ends)]
    assert [group.outcome for group in groups_of(items)] == ends


@given(batches)
def test_each_item_that_was_not_shared_is_in_exactly_one_group_in_the_order_of_the_request(
    items: list[tuple[str, Outcome | None]],
) -> None:
    groups, tally = groups_of(items), tally_of(kinds([end for _, end in items]))
    grouped = Counter(appid for group in groups for appid in group.appids)
    listed = Failed | Unknown | Skipped | Stopped | Cancelled
    assert grouped == Counter(appid for appid, end in items if isinstance(end, listed))
    counted = tally.failed + tally.unknown + tally.skipped + tally.stopped + tally.cancelled
    assert sum(grouped.values()) == counted
    order = [appid for appid, _ in items]
    for group in groups:
        assert list(group.appids) == sorted(group.appids, key=order.index)
        assert group.outcome == dict(items)[group.appids[0]]


def kind_of(outcome: Outcome) -> tuple[type, object]:
    """Return what the words about an outcome depend on."""
    match outcome:
        case Skipped(why):
            return Skipped, why
        case Cancelled(by):
            return Cancelled, by
        case Stopped():
            return Stopped, None
        case Failed(guidance) | Unknown(guidance):
            return type(outcome), guidance.key
        case _:
            raise AssertionError(outcome)


@given(batches)
def test_no_two_groups_are_of_one_kind_and_items_that_the_policy_stopped_come_first(
    items: list[tuple[str, Outcome | None]],
) -> None:
    groups = groups_of(items)
    kinds = [kind_of(group.outcome) for group in groups]
    assert len(set(kinds)) == len(kinds)
    order = {Stopped: 0, Cancelled: 2, Skipped: 2}
    ranks = [(order.get(type(group.outcome), 1), -len(group.appids)) for group in groups]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("kind", [Failed, Unknown])
def test_a_retry_helps_unless_the_requester_has_to_correct_something(
    kind: type[Failed | Unknown],
) -> None:
    helps = {row.key for row in all_guidance() if retry_may_help(kind(row))}
    assert helps == {row.key for row in all_guidance() if row.fixer is not Fixer.REQUESTER}


@pytest.mark.parametrize(
    ("outcome", "helps"),
    [
        (Shared(), False),
        (Rejected("U1"), False),
        (Cancelled("U1"), False),
        (Denied(), False),
        (Denied(Ground.OTHER_OWNER), False),
        (Stopped(), False),
        (BEFORE, False),
        (UNDER_WAY, False),
        (Expired("approval"), True),
        (Expired("confirmation"), True),
        (Finished(Tally(9, shared=4, skipped=2, cancelled=2, stopped=1)), False),
        (Finished(Tally(2, shared=1, failed=1)), True),
        (Finished(Tally(2, shared=1, unknown=1)), True),
        (Finished(Tally(0)), False),
    ],
)
def test_a_retry_helps_after_an_expiry_and_where_items_failed_or_are_unknown(
    outcome: Outcome, *, helps: bool
) -> None:
    assert retry_may_help(outcome) is helps


def test_a_failure_after_a_call_that_may_have_succeeded_is_unknown() -> None:
    said = Said(85088, "no", "rid")
    assert doubted(Failed(NOT_ENABLED, said, 2, status=502)) == Unknown(NOT_ENABLED, said, 2, 502)
    for outcome in (Shared(2), Unknown(SLOW, tries=2)):
        assert doubted(outcome) is outcome


def test_there_is_a_count_for_every_outcome() -> None:
    kinds = (Shared, Skipped, Failed, Unknown, Cancelled, Stopped)
    names = {kind.__name__.lower() for kind in kinds}
    assert {field.name for field in fields(Tally)} == {"total"} | names


@pytest.mark.parametrize(
    ("errmsg", "address"),
    [
        ("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist", "203.0.113.7"),
        ("invalid ip 2001:db8::7, not in whitelist", "2001:db8::7"),
        ("access clientip is not registered requestip: 203.0.113.7", "203.0.113.7"),
        ("api unauthorized", None),
        ("invalid credential, version 1.2.3.4", None),
    ],
)
def test_the_address_that_wechat_saw_is_read_from_its_words(
    errmsg: str, address: str | None
) -> None:
    assert Said(40164, errmsg, None).address == address
