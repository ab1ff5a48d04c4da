"""The Chinese page tells what README's sections tell: the same code and names, in the catalogue's words."""

import re
from pathlib import Path

import pytest

from tests.messages.test_chinese import CATALOGUE, TERMS, faults_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "bot/ops/README.zh-CN.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
SECTIONS = {
    "Try it": "试一试",
    "Install": "安装",
    "Commands": "命令",
    "Run it for good": "长期运行",
    "At 3 am": "半夜出事时",
}


def sections(text: str) -> dict[str, str]:
    """Return a page's sections by their headings."""
    parts = [part.partition("\n") for part in f"\n{text}".split("\n## ")[1:]]
    return {heading: part for heading, _, part in parts}


ENGLISH, CHINESE = sections((ROOT / "README.md").read_text(encoding="utf-8")), sections(PAGE)
each_section = pytest.mark.parametrize(
    ("english", "chinese"),
    [(ENGLISH.get(heading, ""), CHINESE.get(word, "")) for heading, word in SECTIONS.items()],
    ids=SECTIONS,
)


def test_the_chinese_page_has_its_sections_in_readmes_order() -> None:
    assert [heading for heading in ENGLISH if heading in SECTIONS] == [*SECTIONS]
    assert [*CHINESE] == [*SECTIONS.values()]


@each_section
def test_a_section_has_the_same_code_blocks_in_chinese(english: str, chinese: str) -> None:
    assert BLOCK.findall(chinese) == BLOCK.findall(english)


@each_section
def test_a_section_names_the_same_variables_in_chinese(english: str, chinese: str) -> None:
    variable = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")
    assert variable.findall(chinese) == variable.findall(english)


@each_section
def test_a_section_has_the_same_code_in_its_chinese_sentences(english: str, chinese: str) -> None:
    """In any order, since sentences differ in theirs."""
    assert sorted(code_in(chinese)) == sorted(code_in(english))


@each_section
def test_a_section_quotes_the_same_english_in_chinese(english: str, chinese: str) -> None:
    quoted = re.compile(r"“([A-Za-z][^”]*)”")
    assert quoted.findall(chinese) == quoted.findall(english)


@each_section
def test_a_section_is_written_as_the_bots_chinese_sentences_are(english: str, chinese: str) -> None:
    sentences = re.sub(r"\*\*.*?\*\*", "", english)  # Slack's own names are bold
    assert list(faults_of(prose(sentences), prose(chinese), TERMS)) == []


def test_what_the_bot_says_is_quoted_as_it_says_it_in_chinese() -> None:
    quotes = re.findall(r"“([^”]+)”（“([^”]+)”）", PAGE)
    assert len(quotes) == 4
    for english, chinese in quotes:
        beginning = english.removesuffix(" …").split(": ")[-1]
        said = [str(message.string) for message in CATALOGUE if beginning in str(message.id)]
        assert [each for each in said if re.search(chinese.replace("……", ".*"), each)], chinese


def code_in(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))


def prose(text: str) -> str:
    """Return what is read of a section, each line and cell of a table by itself, without markup."""
    plain = re.sub(r"<img [^>]*>|\[([^\]]*)\]\([^)]*\)", r"\1", BLOCK.sub("", text))
    pieces = re.split(r"\n|(?: |^)\|(?: |$)", plain.replace("*", ""), flags=re.MULTILINE)
    return "\n".join(re.sub(r"^(?:-|\d+\.) ", "", piece.strip()) for piece in pieces)
