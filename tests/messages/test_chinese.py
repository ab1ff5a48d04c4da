"""Every Chinese sentence follows Chinese typography and uses the terms listed at the top of the catalogue."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from bot.domain.language import Language
from tests.checking import checks
from tests.translations import read

HAN: Final = r"[\u4e00-\u9fff]"
FULL: Final = r"[，。；：？！、（）“”→]"
CODE: Final = re.compile(r"`[^`]*`")
PLACE: Final = re.compile(r"\{\w+\}")
QUOTED: Final = re.compile(r"“[^”]*”")
VERBATIM: Final = re.compile(r"\w+_\w+|\[\[\w+\]\]|\.env\b|policy\.toml|“[^”]*”")
"""What stands in English for what it names: settings, tables and files of the bot, pages of Slack."""
NAME: Final = re.compile(rf"{HAN}+")  # in an English sentence, only WeChat's own names
CATALOGUE: Final = read(Language.CHINESE)
TERMS: Final = dict(re.findall(r"^# ([A-Za-z ]+): (.+)$", CATALOGUE.header_comment, re.MULTILINE))
FILLED_IN: Final = {"owner": "{owner}"}
"""Terms that may be replaced by the value itself."""


def faults_of(source: str, chinese: str, terms: Mapping[str, str]) -> Iterator[str]:
    """Return the mistakes in a sentence's typography and terms."""
    plain = PLACE.sub(
        "…", CODE.sub("`x`", chinese)
    )  # a placeholder's value may be of either script
    prose = QUOTED.sub("“甲”", plain)
    if re.search(r"您|贵|亲|授权方", plain):
        yield "says 您 or its like, or 授权方"
    if re.search(rf"{HAN}[,.;:?!()]|[,;:?!(]{HAN}", prose):
        yield "has a half-width sign beside a Chinese one"
    if re.search(rf"{HAN} +{HAN}|  |^ | $", plain):
        yield "has a stray blank"
    if re.search(rf"(?<!\*) {FULL}|{FULL} (?!\*)", plain):  # bold text has blanks around it
        yield "has a blank beside a full-width sign"
    if re.search(rf"{HAN}[A-Za-z0-9]|[A-Za-z0-9]{HAN}", prose):
        yield "has no blank between Chinese and Latin letters"
    english = CODE.sub("", source)
    for name in NAME.findall(english):
        if name not in chinese:
            yield f"lacks {name}, as WeChat calls it"
    bare = VERBATIM.sub("", PLACE.sub("", english))
    for term, word in terms.items():
        said = re.search(rf"(?i)(?<![\w-]){term}(?:s|es)?(?![\w-])", bare)
        if said and word not in chinese and FILLED_IN.get(term, word) not in chinese:
            yield f"calls {term} something else than {word}"


def test_the_catalogue_lists_a_term_for_each_thing() -> None:
    assert len(TERMS) > 30
    assert TERMS["owner"] == "所属小程序"
    assert TERMS["receiver"] == "调用方"


def test_every_sentence_follows_chinese_typography_and_uses_the_terms() -> None:
    with checks() as check:
        for message in CATALOGUE:
            if not message.id:
                continue
            sources = [message.id] if isinstance(message.id, str) else message.id
            string = message.string
            strings = [string] if isinstance(string, str) else string or ()
            for said in strings:
                with check(said):
                    assert list(faults_of(sources[-1], said, TERMS)) == []
