"""A score for every answer: does it say who acts, what they do, whether a retry helps and whom to contact, and is it short."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from syrupy.assertion import SnapshotAssertion

from bot.domain.link import Link
from bot.domain.outcome import Called, Failed, Said, Shared, retry_may_help
from bot.domain.request import Act
from bot.guidance import Guidance, all_guidance
from bot.messages import Message, conversation
from bot.messages.blocks import Buttons, Part
from tests.languages import ENGLISH
from tests.messages.samples import CONTACT, RID, answers, request, sent_to

_AT_MOST = {"failed": 90, "steps": 80, "shared": 25}
_WHO = re.compile(
    r"\*?(Nothing for you to fix(?::\* [^.]+\.|\.\*)|You can fix this\.\*|What is left to do|In a mini program)"
)
_CONCRETE = re.compile(
    r"[A-Z]+_[A-Z_]+|access_token|/[a-z][\w/-]+|\w+\.(qq\.com|Cloud)|[\u4e00-\u9fff]{2,}|share-env-bot (?:doctor|request)"
    r"|compare|copy|policy file|clock|proxy|rid|one command|admin|wait|cloudbase_auth|send this message"
    r"|WeChat said below|appid|\btokens?\b|address|server|cache|channel|phone number|the log|pays for|what is left|users:read",
    re.IGNORECASE,
)
_AGAIN = re.compile(r"[Tt]ry again|would fail again|Once it is fixed|Ask again only if")


@dataclass(frozen=True)
class Score:
    """The score of one answer; an empty string is a lost point."""

    name: str
    who: str
    steps: str
    again: str
    contact: str
    words: int
    most: int

    @property
    def points(self) -> int:
        """The number of points, of five."""
        return sum(map(bool, (self.who, self.steps, self.again, self.contact))) + (
            self.words <= self.most
        )

    def __str__(self) -> str:
        cells = (self.name, self.who, self.steps, self.again, self.contact, self.words, self.points)
        return " | ".join(map(str, cells))


def scored() -> Iterator[Score]:
    named = sent_to(ENGLISH, CONTACT)
    for name, ended, said in answers(named):
        yield _scored(name, ended, said)


def _scored(name: str, ended: Called, said: Message) -> Score:
    text, happy = said.text, isinstance(ended, Shared)
    labels = [each.label for part in said.parts if isinstance(part, Buttons) for each in part.row]
    who = _WHO.search("\n".join([text, *labels]))
    kind = ("steps" if "\n1. " in text else "shared") if happy else "failed"
    steps = _steps(said)
    return Score(
        name,
        who[1].strip("*") if who else "",
        f"{len(steps)}" if steps and all(map(_CONCRETE.search, steps)) else "",
        "done" if happy else _again(ended, said),
        "done" if happy else ("named" if CONTACT in text else ""),
        words_of(text),
        _AT_MOST[kind],
    )


def _steps(said: Message) -> list[str]:
    """Return the numbered lines or, if there is only one step, its line."""
    lines = said.text.split("\n")
    numbered = [line for line in lines if re.match(r"\d+\. ", line)]
    small = [part.text for part in said.parts if isinstance(part, Part) and part.small]
    (*_, last) = [line for line in lines if line not in small]
    buttons = [each.label for part in said.parts if isinstance(part, Buttons) for each in part.row]
    return numbered or ([last] if buttons != ["What is left to do"] else buttons)


def _again(ended: Called, said: Message) -> str:
    """Return the sentence about a retry; "" if the retry button contradicts it."""
    sentence = _AGAIN.search(said.text)
    acts = [each.act for part in said.parts if isinstance(part, Buttons) for each in part.row]
    agree = (Act.RETRY in acts) == retry_may_help(ended)
    return sentence[0] if sentence and agree else ""


def words_of(text: str) -> int:
    """Return the number of words, without WeChat's own, list numbers, and signs."""
    own = re.sub(r"(WeChat said -?\d+) `[^`]*`", r"\1", text)
    plain = re.sub(r"^\d+\. ", "", own, flags=re.MULTILINE)
    return sum(bool(re.search(r"\w", word)) for word in plain.split())


_OF_THE_CHAIN = {
    "40125",
    "41002",
    "42006",
    "45009",
    "61003",
    "61004",
    "61005",
    "61011",
    "61023",
    "unknown",
}


@pytest.mark.parametrize("row", all_guidance(), ids=lambda row: row.key)
def test_a_failure_is_short_whatever_else_its_answer_has_to_say(row: Guidance) -> None:
    said = Said(40001, "api unauthorized", RID)
    ends = [Failed(row), Failed(row, said)]
    if row.key in _OF_THE_CHAIN | {"no-ticket", "no-token-answer"}:
        ends += [Failed(row, said, 0, link) for link in Link]
    if row.key in {"token-server-refused", "token-server-answer"}:
        ends.append(Failed(row, said, status=503))
    named = sent_to(ENGLISH, CONTACT)
    lengths = [words_of(conversation.answer(named, request(), end).text) for end in ends]
    assert max(lengths) <= _AT_MOST["failed"]


def test_every_answer_has_all_points(snapshot: SnapshotAssertion) -> None:
    rows = list(scored())
    table = "\n".join(["answer | who | steps | again | contact | words | points", *map(str, rows)])
    assert table == snapshot
    assert [row for row in rows if row.points < 5] == []
