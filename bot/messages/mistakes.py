"""The answer to a mistyped command: what is wrong, what was typed, and one corrected line to copy."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Final

from bot.command.grammar import BLANK_APPID, BLANK_ENV, BLANK_REASON
from bot.command.mistake import (
    ExtraWords,
    Misread,
    MissingAppid,
    MissingEnv,
    MissingReason,
    Mistake,
    NotAnAppid,
    NotAnEnv,
    NotUnderstood,
    OnlyShares,
    ReasonTooLong,
    Swapped,
    TooManyAppids,
    UnclosedQuote,
    UnknownOption,
    UnknownWord,
    WhichEnv,
)
from bot.messages.blocks import COPIED_LIMIT, Copied, Message, Part, message, small
from bot.messages.request import FOR_GOOD
from bot.messages.words import Mrkdwn, Words, as_typed, code, escape, listed, msgid, sentences

_LINE_LIMIT = 500
_APPID_LENGTH = 18

SENTENCES: Final[Mapping[type[Mistake], str]] = {
    UnclosedQuote: msgid("A quotation mark is never closed."),
    NotAnAppid: msgid(
        "{word} is not an appid: that is `wx` and 16 of the characters 0-9 and a-f, in lower case."
    ),
    NotAnEnv: msgid(
        "{word} is not an env id: that has up to 64 letters, digits and dashes (-), no dash at either end, and is neither an appid nor `env`."
    ),
    Swapped: msgid("The appid comes first, then the env."),
    MissingAppid: msgid("The appid is missing: the mini program that is to receive access."),
    MissingEnv: msgid("The env is missing: the id of the cloud environment to share."),
    ExtraWords: msgid("Extra words: {words}."),
    WhichEnv: msgid(
        "One command takes one env, and here are several: {words}. Which one do you mean?"
    ),
    OnlyShares: msgid("I can only share, and {word} asks for something else."),
    NotUnderstood: msgid("I do not understand {word}."),
    TooManyAppids: msgid(
        "Up to {limit} appids go together, and there are {count}. Send them in parts."
    ),
    UnknownWord: msgid("I do not know {word}. Did you mean {nearest}?"),
    UnknownOption: msgid("There is no option {option}."),
    MissingReason: msgid("The reason is missing. Put your own words there."),
    ReasonTooLong: msgid("The reason has {length} characters. Up to {limit} fit."),
}
"""What is wrong. The placeholders are the fields of the mistake."""


def misread(words: Words, wrong: Misread) -> Message:
    """Say what is wrong, what was typed, and what to do instead."""
    received = code(f"/share-env {as_typed(wrong.received)}", _LINE_LIMIT)
    return message(
        sentences(words, sentence(words, wrong.mistake), words("Nothing was done.")),
        *_way_on(words, wrong),
        small(
            words(
                "You typed {received} · `/share-env help` shows what you may do.", received=received
            )
        ),
    )


def _way_on(words: Words, wrong: Misread) -> Iterator[str | Part | Copied]:
    """Yield the line to copy if it fits as a whole, and for what no command does, who can do it."""
    mistake, line = wrong.mistake, wrong.instead
    unknown = isinstance(mistake, UnknownOption) and mistake.nearest is None
    if line and len(escape(line)) <= COPIED_LIMIT:
        yield _instead(words, line)
        yield Copied(line)
        if BLANK_REASON in line:  # the words that it stands for may have been `for two days`
            yield small(words(FOR_GOOD))
    elif unknown or isinstance(mistake, NotUnderstood):
        # Not only without that word: what is left of `from A to B` would be shared with both.
        yield words("To share, send only each receiver's appid, then the env.")
    if isinstance(mistake, OnlyShares | NotUnderstood):
        yield words(
            "To take access away, the admin of the env's owner opens 云开发, 更多, 环境共享 in WeChat DevTools. What has not begun yet, you can cancel with the button on its message; `/share-env history` lists your requests."
        )


def _instead(words: Words, line: str) -> Mrkdwn:
    """Introduce the line to copy; sent with its placeholders, it would be answered by the same line."""
    if BLANK_REASON in line:
        return words("Try this instead, with your own reason or without `--reason`:")
    if blanks := [code(blank) for blank in (BLANK_APPID, BLANK_ENV) if blank in line]:
        named = listed(words, blanks)
        return words("Try this instead, with {blanks} filled in:", blanks=named)
    return words("Try this instead:")


def sentence(words: Words, mistake: Mistake) -> Mrkdwn:
    """Return what is wrong, as mrkdwn."""
    shown = {each.name: _shown(words, getattr(mistake, each.name)) for each in fields(mistake)}
    said = words(SENTENCES[type(mistake)], **shown)
    match mistake:
        case NotAnAppid(word) if len(word) != _APPID_LENGTH:
            count = words("An appid has 18 characters, and this has {count}.", count=len(word))
            return sentences(words, said, count)
        case UnknownOption(nearest=None):
            return sentences(words, said, words("I know `--reason`, `--dry-run` and `--again`."))
        case UnknownOption():
            near = words("Did you mean {nearest}?", nearest=shown["nearest"])
            return sentences(words, said, near)
        case _:
            return said


def _shown(words: Words, value: object) -> str | int:
    match value:
        case int():
            return value
        case tuple():
            return listed(words, [code(each) for each in value])
        case _:
            return code(str(value))
