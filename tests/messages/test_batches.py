"""Messages about batches: their wording in both languages, the progress bar, and that Slack accepts them."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from bot.domain.batch import AtLimit, InDoubt, finished_of, groups_of
from bot.domain.outcome import (
    ERRMSG_LIMIT,
    NOTHING_KNOWN,
    AfterCall,
    Cancelled,
    Failed,
    Finished,
    Group,
    Outcome,
    Readiness,
    Said,
    Shared,
    Skipped,
    SkipReason,
    Stopped,
    Tally,
    Unknown,
    retry_may_help,
)
from bot.domain.request import Act, Origin, Request
from bot.guidance import EnvFine, Guidance, Trouble, all_guidance, explained, for_code
from bot.messages import Message, conversation
from bot.messages import click_replies as say
from bot.messages.answers import accepted
from bot.messages.batches import denied_some, progress, several_rules, too_many_batches
from bot.messages.blocks import TEXT_LIMIT, Part
from bot.messages.endings import counts
from bot.messages.history import Line, history
from bot.messages.notices import NoThread, only_you
from bot.messages.words import Words, code
from tests.checking import checks
from tests.languages import CHINESE, ENGLISH, in_each_language
from tests.messages.checks import CHINESE_TYPOGRAPHY
from tests.messages.golden import goldens
from tests.messages.hostile import (
    HOSTILE,
    MENTION,
    check_that_nobody_is_mentioned,
    check_that_slack_accepts,
)
from tests.messages.samples import RID

ORIGIN = Origin(
    team_id="T1",
    user_id="U1REQUESTER",
    channel_id="C1RELEASES",
    channel_name="releases",
    trigger_id="1.1",
    response_url="",
)
APPIDS = tuple(f"wx{number:016x}" for number in range(1, 501))
BATCH = Request(
    id="k7m2p9qx",
    origin=ORIGIN,
    appid="",
    env="prod-1",
    owner="wx0123456789abcdef",
    rule="platform team",
    reason="for the launch",
    appids=APPIDS,
)
MIDNIGHT = 1_764_086_700.0
PAUSED = AtLimit(MIDNIGHT)
BUSY, NOT_ENABLED = for_code(-1), for_code(85088)
LOST = Trouble.LOST.value
BEFORE, UNDER_WAY = Skipped(SkipReason.SHARED_BEFORE), Skipped(SkipReason.UNDER_WAY)
EVERY_WAY: list[Outcome] = [
    Shared(),
    Failed(NOT_ENABLED, Said(85088, "no", "rid")),
    Unknown(LOST),
    BEFORE,
    UNDER_WAY,
    Cancelled("U1REQUESTER"),
    Stopped(),
]


def finished(*outcomes: Outcome) -> Finished:
    """Return a batch whose items ended in these ways, in turn."""
    ends: list[Outcome] = [outcomes[at % len(outcomes)] for at in range(len(APPIDS))]
    return finished_of([*zip(APPIDS, ends, strict=True)])


FINISHED = {
    "all shared": finished(Shared()),
    "all cancelled": finished(Cancelled("U1REQUESTER")),
    "every way": finished(*EVERY_WAY),
    "cancelled by two": Finished(
        Tally(4, shared=1, cancelled=3),
        (Group(Cancelled("U0OPERATOR"), APPIDS[1:3]), Group(Cancelled("U1REQUESTER"), APPIDS[3:4])),
    ),
    "stopped midway": Finished(
        Tally(100, shared=40, stopped=60), groups_of([(appid, Stopped()) for appid in APPIDS[:60]])
    ),
    "left to another": finished(BEFORE, UNDER_WAY),
    "one failed": Finished(Tally(2, shared=1, failed=1), (Group(Failed(BUSY), APPIDS[:1]),)),
    "called again": replace(finished(Shared()), called_again=APPIDS[:20]),
    "many kinds": finished(*(Failed(row) for row in all_guidance()[:7])),
}


def messages(words: Words, request: Request) -> dict[str, Message]:
    """Return every message about a batch, by name."""
    return {
        "accepted": accepted(words, request),
        "begun": conversation.parent(words, request, None),
        "at 0": progress(words, request, Tally(500), None),
        "half way": progress(words, request, Tally(500, shared=240, failed=10), None),
        "paused": progress(words, request, Tally(500, shared=240), PAUSED),
        "in doubt": progress(words, request, Tally(500, shared=240), InDoubt()),
        **{
            f"parent: {name}": conversation.parent(words, request, end)
            for name, end in FINISHED.items()
        },
        **{
            f"answer: {name}": conversation.answer(words, request, end)
            for name, end in FINISHED.items()
        },
        **{
            f"answer: told before, {state.value}": conversation.answer(
                words, request, FINISHED["one failed"], after=AfterCall(state, told_before=True)
            )
            for state in Readiness
        },
        "denied": denied_some(words, "prod-1", APPIDS[:21], 500),
        "denied, all": denied_some(words, "prod-1", APPIDS[:2], 2),
        "denied, two": denied_some(words, "prod-1", APPIDS[:2], 3),
        "denied, one": denied_some(words, "prod-1", APPIDS[:1], 2),
        "too many": too_many_batches(words, request, 5),
        "several rules": several_rules(words, {"ones": APPIDS[:30], "others": APPIDS[30:32]}),
        "rest cancelled": say.rest_cancelled(words, request, 230),
        "history": history(
            words,
            [
                Line(request, None, MIDNIGHT, "https://x.slack.com/archives/C1/p1"),
                Line(request, FINISHED["every way"], MIDNIGHT),
                Line(replace(request, appid=APPIDS[0], appids=()), BEFORE, MIDNIGHT),
            ],
            None,
        ),
    }


def elements(said: Message) -> list[dict[str, Any]]:
    blocks = json.loads(json.dumps(said.blocks))
    return [each for block in blocks if block["type"] == "actions" for each in block["elements"]]


def acts(said: Message) -> list[object]:
    return [each["action_id"] for each in elements(said)]


@in_each_language
def test_the_messages_about_a_batch_are_worded_as_agreed(
    words: Words, snapshot: SnapshotAssertion
) -> None:
    assert goldens(messages(words, BATCH)) == snapshot


def test_messages_about_a_batch_follow_chinese_typography() -> None:
    with checks() as check:
        for name, said in messages(CHINESE, BATCH).items():
            for rule in CHINESE_TYPOGRAPHY:
                with check(f"{name}: {rule.__name__}"):
                    rule(said)


@in_each_language
def test_messages_about_five_hundred_appids_are_valid_for_slack(words: Words) -> None:
    for said in messages(words, BATCH).values():
        check_that_slack_accepts(said)


@in_each_language
@given(
    rows=st.lists(st.sampled_from(all_guidance()), min_size=1, max_size=9),
    kind=st.sampled_from([Failed, Unknown]),
)
def test_every_summary_is_valid_for_slack(
    words: Words, rows: list[Guidance], kind: type[Failed | Unknown]
) -> None:
    end = finished(Shared(), BEFORE, UNDER_WAY, *(kind(row) for row in rows))
    said = conversation.answer(words, BATCH, end)
    for each in (said, *conversation.lists(words, end, NOTHING_KNOWN)):
        check_that_slack_accepts(each)
    # Others were shared, so the env and its owner are right.
    helps = any(retry_may_help(kind(explained(row, EnvFine()))) for row in rows)
    assert acts(said) == ([Act.RETRY.value] if helps else [])


@in_each_language
@given(text=HOSTILE)
def test_messages_about_a_batch_with_hostile_texts_are_valid_for_slack(
    words: Words, text: str
) -> None:
    for said in messages(words, replace(BATCH, reason=text, rule=text)).values():
        check_that_slack_accepts(said)
    check_that_slack_accepts(several_rules(words, {text: APPIDS, f"{text}!": APPIDS}))


@in_each_language
@given(rules=st.integers(1, 500))
def test_a_denial_by_many_rules_is_valid_for_slack(words: Words, rules: int) -> None:
    check_that_slack_accepts(
        several_rules(words, {f"rule {at}" * 20: APPIDS for at in range(rules)})
    )


@in_each_language
def test_no_mention_comes_from_peoples_texts(words: Words) -> None:
    hostile = replace(BATCH, reason=MENTION, rule=MENTION, env=MENTION)
    said = [*messages(words, hostile).values(), several_rules(words, {MENTION: APPIDS})]
    for each in said:
        check_that_nobody_is_mentioned(each)


@in_each_language
def test_each_appid_of_many_failures_is_listed_under_its_cause(words: Words) -> None:
    busy, off = Failed(BUSY, Said(-1, "busy", "rid")), Failed(NOT_ENABLED, Said(85088, "no", "rid"))
    ends = [Shared() if at < 40 else off if at < 100 else busy for at in range(245)]
    outcome = finished_of([*zip(APPIDS, ends, strict=False)])
    told = conversation.lists(words, outcome, NOTHING_KNOWN)
    parts = [part.text for each in told for part in each.parts]
    of_each = {appid: text for text in parts for appid in re.findall("wx[0-9a-f]{16}", text)}
    wrong = (conversation.answer(words, BATCH, outcome).text, *(each.text for each in told))
    assert len(of_each) == 205
    assert {of_each[appid].split("\n")[0] for appid in APPIDS[100:245]} == {words(BUSY.title)}
    of_off = {of_each[appid].split("\n")[0] for appid in APPIDS[40:100]}
    assert of_off == {words(explained(NOT_ENABLED, EnvFine()).title)}
    assert [text for text in wrong if len(text) >= TEXT_LIMIT] == []
    few = replace(outcome, groups=(replace(outcome.groups[0], appids=APPIDS[:20]),))
    assert conversation.lists(words, few, NOTHING_KNOWN) == []


def test_one_share_is_enough_to_clear_the_env_and_its_owner_of_blame() -> None:
    wrong = [Failed(for_code(40097))] * (len(APPIDS) - 1)
    cleared = "The env and its owner are right"
    assert cleared in conversation.answer(ENGLISH, BATCH, finished(Shared(), *wrong)).text
    assert cleared not in conversation.answer(ENGLISH, BATCH, finished(UNDER_WAY, *wrong)).text


@in_each_language
def test_an_answer_with_a_failure_names_the_env_and_its_owner_first(words: Words) -> None:
    for end in (Failed(for_code(40164)), Unknown(for_code(-1))):
        said = conversation.answer(words, BATCH, finished(Shared(), end)).parts[0].text
        assert f"`{BATCH.env}`" in said
        assert f"`{BATCH.owner}`" in said


# The bar.


def test_the_bar_is_left_out_where_it_would_stand_still() -> None:
    begun = conversation.begun(ENGLISH, BATCH, waiting=False)
    assert "░" in str(begun.blocks)
    assert "░" not in str(only_you(ENGLISH, begun, NoThread.NOT_INVITED).blocks)


def bar(tally: Tally) -> str:
    """Return the progress bar of a message."""
    said = progress(ENGLISH, BATCH, tally, None)
    assert not set("░█") & set(said.text)  # a screen reader reads the numbers
    (line,) = [part.drawn for part in said.parts if isinstance(part, Part) and part.drawn]
    return line.strip("` ")


@pytest.mark.parametrize(
    ("done", "full"), [(0, 0), (24, 0), (25, 1), (250, 10), (499, 19), (500, 20)]
)
def test_the_bar_shows_the_progress_and_is_full_only_at_the_end(done: int, full: int) -> None:
    assert bar(Tally(500, shared=done)) == "█" * full + "░" * (20 - full)


@given(st.data())
def test_the_bar_counts_every_finished_item(data: st.DataObject) -> None:
    total = data.draw(st.integers(1, 500))
    ways = ("shared", "skipped", "failed", "unknown", "cancelled")
    left, tally = total, {}
    for way in ways:
        tally[way] = data.draw(st.integers(0, left))
        left -= tally[way]
    shown = bar(Tally(total, **tally))
    assert len(shown) == 20
    assert shown.count("█") == 20 * (total - left) // total
    assert shown == "".join(sorted(shown, key="█░".index))


def test_the_bar_of_an_empty_batch_is_empty() -> None:
    assert bar(Tally(0)) == "░" * 20


# Buttons.


@in_each_language
def test_a_running_batch_has_a_cancel_button_and_a_finished_one_does_not(words: Words) -> None:
    assert acts(progress(words, BATCH, Tally(500), None)) == [Act.CANCEL.value]
    assert acts(progress(words, BATCH, Tally(500), PAUSED)) == [Act.CANCEL.value]
    assert acts(progress(words, BATCH, Tally(500, shared=20, cancelled=460), None)) == []
    assert acts(progress(words, BATCH, Tally(500, shared=20, stopped=460), None)) == []
    for end in FINISHED.values():
        assert acts(conversation.parent(words, BATCH, end)) == []


@in_each_language
@pytest.mark.parametrize(
    ("outcomes", "helps"),
    [
        ([Shared()], False),
        ([Shared(), BEFORE, UNDER_WAY], False),
        ([Shared(), Cancelled("U1")], False),
        ([Shared(), Stopped()], False),
        ([Shared(), Failed(NOT_ENABLED)], True),
        ([Shared(), Unknown(LOST)], True),
    ],
)
def test_a_summary_has_a_retry_button_if_items_failed(
    words: Words, outcomes: list[Outcome], *, helps: bool
) -> None:
    said = conversation.answer(words, BATCH, finished(*outcomes))
    assert acts(said) == ([Act.RETRY.value] if helps else [])
    assert all(each["value"] == BATCH.id for each in elements(said))


@in_each_language
def test_the_counts_name_only_outcomes_that_occurred(words: Words) -> None:
    whole = counts(words, Tally(15, 1, 2, 3, 4, 5))
    for number in range(1, 6):
        assert str(number) in whole
    assert "0" not in counts(words, Tally(3, shared=3))
    assert counts(words, Tally(3)) == words("nothing was done")
    assert counts(words, Tally(0)) == words("nothing was done")


@pytest.mark.parametrize(
    ("ended", "mark"),
    [
        ({"shared": 3}, "✅"),
        ({"shared": 2, "skipped": 1}, "✅"),
        ({"skipped": 3}, "✅"),
        ({"shared": 2, "failed": 1}, "❌"),
        ({"failed": 1, "unknown": 1, "cancelled": 1}, "❌"),
        ({"shared": 2, "unknown": 1}, "❔"),
        ({"unknown": 3}, "❔"),
        ({"cancelled": 3}, "🚫"),
        ({"stopped": 2, "cancelled": 1}, "🚫"),
        ({"shared": 2, "cancelled": 1}, "❌"),
    ],
)
def test_a_batch_has_the_mark_of_its_worst_outcome(ended: dict[str, int], mark: str) -> None:
    end = Finished(Tally(3, **ended))
    for said in (
        conversation.parent(ENGLISH, BATCH, end),
        conversation.answer(ENGLISH, BATCH, end),
    ):
        assert said.text.startswith(mark)


def test_a_batch_of_which_others_share_everything_does_not_look_shared() -> None:
    for outcomes, mark in [
        ((UNDER_WAY,), "🚫"),
        ((BEFORE, UNDER_WAY), "🚫"),
        ((BEFORE,), "✅"),
        ((Shared(), UNDER_WAY), "✅"),
    ]:
        end = finished(*outcomes)
        assert conversation.parent(ENGLISH, BATCH, end).text.startswith(mark)
        assert conversation.answer(ENGLISH, BATCH, end).text.startswith(mark)
        kept = replace(end, groups=())  # by the ledger
        assert f" · {mark} " in history(ENGLISH, [Line(BATCH, kept, 1.0)], None).text


@in_each_language
@pytest.mark.parametrize("kind", [Failed, Unknown])
def test_each_group_of_failures_has_what_wechat_said_and_the_rid_to_post(
    words: Words, kind: type[Failed | Unknown]
) -> None:
    errmsg = "&" * ERRMSG_LIMIT
    with checks() as check:
        for row in all_guidance():
            with check(row.key):
                end = finished(kind(row, Said(41002, errmsg, RID)))
                (group,) = [
                    part
                    for part in conversation.answer(words, BATCH, end).parts
                    if RID in part.text
                ]
                assert f"41002 {code(errmsg, ERRMSG_LIMIT)} · rid `{RID}`" in group.text
                for step in row.steps_with(errmsg):
                    assert words.about(BATCH)(step) in group.text
                assert f"`{APPIDS[19]}`" in str(group.block())


@in_each_language
@pytest.mark.parametrize("why", [Trouble.NO_APPROVER, Trouble.RULE_CHANGED])
def test_a_batch_whose_approvers_are_not_asked_says_how_many_it_was_for(
    words: Words, why: Trouble
) -> None:
    failed = Failed(why.value, tries=0)
    for said in (
        conversation.parent(words, BATCH, failed),
        conversation.answer(words, BATCH, failed),
    ):
        assert words.about(BATCH)("{receivers}") in said.text
        assert "` `" not in said.text


@pytest.mark.parametrize("kinds", [4, 5])
def test_only_groups_that_are_not_shown_are_said_to_be_others(kinds: int) -> None:
    said = conversation.answer(ENGLISH, BATCH, finished(*map(Failed, all_guidance()[:kinds]))).text
    assert ("Others ended in other ways" in said) is (kinds > 4)


def test_an_appid_is_listed_in_its_group_only() -> None:
    said = conversation.answer(ENGLISH, BATCH, finished(Shared(), Failed(BUSY), Unknown(LOST))).text
    (busy,) = [part for part in said.split("❌") if BUSY.title in part]
    assert APPIDS[1] in busy.split("❔")[0]
    assert APPIDS[0] not in said
    assert "and 147 more" in said  # 167 that failed, of which 20 are named
