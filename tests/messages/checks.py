"""Checks that every message passes; each is reported by its name if it fails."""

import re
from collections.abc import Callable
from typing import Final

from bot.messages import Message
from bot.messages.words import as_typed
from bot.playground.slack.block_kit import block_errors
from tests.messages.samples import (
    CONTACT,
    OWN_MARKUP,
    REASON,
    blocks,
    longest,
    mrkdwn,
    texts,
    unescaped,
    words_of_cells,
)


def slack_accepts_the_message(said: Message) -> None:
    for each in (said, said.without_table):
        assert block_errors(blocks(each)) == []
        assert 0 < len(each.text) <= longest(each)


def the_text_has_everything_that_the_blocks_have(said: Message) -> None:
    assert said.without_table.text == "\n".join(texts(said.without_table))
    assert [word for word in words_of_cells(said) if word not in as_typed(said.text)] == []


def slack_makes_no_links_or_mentions_of_words(said: Message) -> None:
    assert all(each["verbatim"] is True for each in mrkdwn(blocks(said)))


def only_the_bots_own_mentions_are_markup(said: Message) -> None:
    assert not unescaped(said.text)


# In English.


def the_message_reads_as_written_by_a_person(said: Message) -> None:
    text = OWN_MARKUP.sub("then", re.sub(r"`[^`\n]+`", "`x`", said.text))
    wrong = r"  | $|^ |\bNone\b|\bTrue\b|\bFalse\b| [.,;:?)]|\.\.|,,|::|\( |“”|\*\*|``"
    assert not re.search(wrong, text, re.MULTILINE)
    assert not re.search(r"\b(\w+) \1\b", text)
    assert not re.search(
        r"(?i)\b(a [aeio]\w+|an [bcdfgjklmpqrstvwz]\w+)", text.replace("a one", "")
    )
    assert text.count("“") == text.count("”")
    assert text.count("(") == text.count(")")
    assert text.count("*") % 2 == text.count("`") % 2 == 0


def each_paragraph_ends_with_punctuation(said: Message) -> None:
    for part in filter(lambda part: part.text, said.parts):
        last = part.text.split("\n")[-1]
        item = last.startswith("• ")
        assert item or part.text.startswith("Reason: ") or last[-1] in ".?:`"
    assert said.text[-1] not in ":,;· "


def the_message_blames_nobody_and_refers_to_no_logs(said: Message) -> None:
    words = (
        r"(?i)\b(invalid input|illegal|simply|just|obviously|your fault|see the logs?|traceback)\b"
    )
    assert not re.search(words, re.sub(r"`[^`]+`", "", said.text))


# In Chinese.


def prose(said: Message) -> str:
    """Return the bot's own words, without code, dates, links, mentions, and quoted names."""
    text = said.text.replace("’", "'")
    for typed in (CONTACT, REASON.replace("&", "&amp;").replace("<", "&lt;")):
        text = text.replace(typed, "乙")
    text = re.sub(r"“[^”]*”", "“甲”", OWN_MARKUP.sub("`x`", text))
    return re.sub(r"`[^`\n]+`|<[@#!][^>]+>", "`x`", text)


def no_english_sentence_is_left(said: Message) -> None:
    left = re.findall(r"\b[A-Za-z']{2,} [a-z']{2,} [a-z']{2,}", prose(said))
    assert set(left) <= {"env not exists"}  # as CloudBase words it


def the_message_follows_chinese_typography(said: Message) -> None:
    text = prose(said)
    han = r"[\u4e00-\u9fff]"
    assert not re.search(rf"  | $|^ | \n|{han} {han}", text, re.MULTILINE)
    assert not re.search(rf"{han}[,.;:?!()]|[,;?!]{han}", text)  # half-width punctuation
    assert not re.search(r" [，。；：？！、）]|[，。；：？！、（] ", text)
    assert not re.search(rf"{han}[A-Za-z0-9]|[A-Za-z0-9]{han}", text)
    assert not re.search(r"。。|，，|：：|、、|；；|。，|，。|：。", text)
    for opening, closing in ("“”", "（）"):
        assert text.count(opening) == text.count(closing)


def slack_sees_where_code_and_bold_text_begin_and_end(said: Message) -> None:
    # Slack does not interpret ` and * between letters, which includes Chinese characters.
    text = OWN_MARKUP.sub("then", said.text)
    for span in re.finditer(r"(?<!\S)\*[^*\n]+\*(?!\S)|`[^`\n]+`|\*", text):
        before, after = text[: span.start()][-1:], text[span.end() :][:1]
        assert span[0] != "*"
        assert not any(each.isalnum() for each in (before, after))


CHINESE_TYPOGRAPHY: Final = (
    the_message_follows_chinese_typography,
    slack_sees_where_code_and_bold_text_begin_and_end,
)
IN_BOTH: Final[tuple[Callable[[Message], None], ...]] = (
    slack_accepts_the_message,
    the_text_has_everything_that_the_blocks_have,
    slack_makes_no_links_or_mentions_of_words,
    only_the_bots_own_mentions_are_markup,
)
IN_ENGLISH: Final = (
    *IN_BOTH,
    the_message_reads_as_written_by_a_person,
    each_paragraph_ends_with_punctuation,
    the_message_blames_nobody_and_refers_to_no_logs,
)
IN_CHINESE: Final = (
    *IN_BOTH,
    no_english_sentence_is_left,
    *CHINESE_TYPOGRAPHY,
)
