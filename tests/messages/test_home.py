"""The App Home: its wording, and that it is valid for Slack with any names of people and rules."""

import json
import re
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from syrupy.assertion import SnapshotAssertion

from bot.domain.outcome import Failed, Shared, Unknown
from bot.domain.request import Request
from bot.guidance import for_code
from bot.messages import Message
from bot.messages.history import Line
from bot.messages.home import LISTED, Records, home, view
from bot.messages.people import is_well
from bot.messages.words import Words
from bot.playground.loopback import JsonObject
from bot.playground.slack.views import MAX_BYTES, view_errors
from bot.policy.kinds import Person, Rule, Unreadable
from tests.languages import ENGLISH, in_each_language
from tests.messages.golden import goldens
from tests.messages.samples import (
    APPROVAL,
    CHAINS,
    HOSTILE,
    LINK,
    MEMBER,
    NOW,
    ORIGIN,
    PLATFORM,
    RELEASES,
    STRANGER,
    blocks,
    line_of,
    mrkdwn,
    named,
    request,
    sent_to,
    texts,
    unescaped,
)

NOTHING = Records((), ())
PAST = [
    line_of(0, None),
    line_of(2, Shared()),
    line_of(4, Failed(for_code(85088))),
    line_of(6, Unknown(for_code(-1)), None),
]
WAITING = [
    Line(request('release 12 & "hotfix" <3'), None, NOW, LINK),
    Line(request(), None, NOW + 3600, None),
]
ALL = Records(PAST, WAITING, CHAINS["fresh"])


def page(
    person: Person | Unreadable = MEMBER,
    rules: tuple[Rule, ...] = (PLATFORM, RELEASES),
    records: Records | None = NOTHING,
) -> Message:
    return home(ENGLISH, person, rules, records, "1.2.3")


def health(records: Records | None, person: Person | Unreadable = MEMBER) -> str:
    return page(person, records=records).text.split("\n")[0]


def shown(page: Message) -> JsonObject:
    return cast("JsonObject", view(page))


def batch(many: int) -> Request:
    return replace(request(), id=f"batch{many}", appid="", appids=("wx5fe6bb43205e9e70",) * many)


PAGES = {
    "all there is": page(records=ALL),
    "nothing yet": page(),
    "batches wait": page(
        records=Records(
            (),
            [
                Line(batch(10), None, NOW, LINK),
                Line(batch(11), None, NOW, LINK),
                Line(batch(12), None, NOW, None),
            ],
        )
    ),
    "what an operator can cancel": page(
        STRANGER, (), Records((), (), (), [line_of(0, None), line_of(2, None, None)])
    ),
    "no rights": page(STRANGER, ()),
    "an approver without rights": page(STRANGER, (), Records((), WAITING)),
    "rights after an approval": page(rules=(APPROVAL,)),
    "the ledger is down": page(records=None),
    "the person is unreadable": page(Unreadable.SLACK_DOWN, (), Records(PAST, ())),
}


FULL = page(
    records=Records(
        [line_of(2 * n, Shared()) for n in range(11)],
        [Line(request(), None, NOW, LINK)] * 12,
        stoppable=[line_of(2 * n, None) for n in range(12)],
    )
)


def test_the_pages_are_worded_as_agreed(snapshot: SnapshotAssertion) -> None:
    assert goldens(PAGES) == snapshot


@pytest.mark.parametrize("said", [*PAGES.values(), FULL], ids=[*PAGES, "full"])
def test_the_page_is_valid_for_slack_which_makes_no_links_of_words(said: Message) -> None:
    assert view_errors(shown(said), "home") == []
    assert all(each["verbatim"] is True for each in mrkdwn(blocks(said)))


def test_each_waiting_request_has_buttons_with_its_id() -> None:
    rows = [block for block in page(records=ALL).blocks if block["type"] == "actions"]
    assert len(rows) == len(WAITING)
    for row in rows:
        elements = cast("list[JsonObject]", row["elements"])
        assert [button["action_id"] for button in elements] == ["approve", "reject"]
        assert {button["value"] for button in elements} == {"7kq2m9xc"}


def test_the_page_says_how_many_requests_are_left_out() -> None:
    text = "\n".join(texts(FULL))
    assert "and 2 more" in text
    assert "There are older ones." in text
    assert " more" not in page(records=Records((), WAITING[:1] * LISTED)).text
    assert len(re.findall("Without a decision the request expires", text)) == LISTED


def test_one_line_shows_the_bots_health(snapshot: SnapshotAssertion) -> None:
    lines = (f"{name}: {health(Records((), (), links))}" for name, links in CHAINS.items())
    assert "\n".join(lines) == snapshot


def test_without_a_problem_the_page_says_that_the_bot_knows_of_none() -> None:
    assert health(NOTHING) == (
        "✅ I know of no trouble with Slack, my database or WeChat's tokens · share-env-bot 1.2.3"
    )


def test_every_problem_is_named() -> None:
    assert health(None) == (
        "⚠️ Problem: my database does not answer. If this keeps happening, tell the people who run this bot. "
        "· share-env-bot 1.2.3"
    )
    both = health(Records((), (), CHAINS["no ticket"]), Unreadable.SLACK_DOWN)
    assert both.startswith("⚠️ Problem: I could not find out who you are")
    assert "trouble with the platform's ticket" in both


def test_the_page_names_an_owner_with_trouble_only_to_whoever_may_share_anything() -> None:
    for name, links in CHAINS.items():
        trouble = any(link.owner and not is_well(link) for link in links)
        records = Records((), (), links)
        assert bool(re.search("wx[0-9a-f]{16}", health(records))) is trouble, name
        others = page(rules=(), records=records).text
        assert not re.search("wx[0-9a-f]{16}", others), name


@in_each_language
@given(HOSTILE)
def test_hostile_texts_are_escaped_and_fit(words: Words, text: str) -> None:
    rule, _ = named(text)
    asked = Request(
        id="7kq2m9xc", origin=ORIGIN, appid=text, env=text, owner=text, rule=text, reason=text
    )
    many = replace(asked, appid="", appids=(text,) * 50)
    records = Records(
        [Line(asked, None, NOW, LINK)] * 11,
        [Line(asked, None, NOW, LINK), Line(many, None, NOW, LINK)] * 20,
        CHAINS["many owners"],
    )
    for rules in ((rule,) * 12, ()):
        said = home(sent_to(words, text), MEMBER, rules, records, "1.2.3")
        body = shown(said)
        assert view_errors(body, "home") == []
        assert len(json.dumps(body, ensure_ascii=False).encode(errors="replace")) <= MAX_BYTES
        assert not any(map(unescaped, texts(said)))
