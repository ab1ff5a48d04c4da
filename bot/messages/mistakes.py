"""The answer to a mistyped command: what is wrong, what was typed, and one corrected line to copy."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from bot.command.grammar import is_placeholder
from bot.command.mistake import (
    AppidFault,
    BlankReason,
    ExtraWords,
    Joined,
    Misread,
    MissingAppid,
    MissingEnv,
    Mistake,
    NeverEnds,
    NotAnAppid,
    NotAnEnv,
    NotUnderstood,
    OnlyShares,
    OptionNotHere,
    OptionTwice,
    OptionWithoutValue,
    ReasonTooLong,
    SeveralAppids,
    Swapped,
    TooManyAppids,
    UnclearReceiver,
    UnclosedQuote,
    UnknownOption,
    UnknownWord,
    WhichEnv,
)
from bot.messages.blocks import COPIED_LIMIT, Copied, Message, message, small
from bot.messages.words import Mrkdwn, Words, as_typed, code, escape, listed, msgid, sentences

_LINE_LIMIT = 500

SENTENCES: Final[Mapping[type[Mistake], str]] = {
    UnclosedQuote: msgid("A quotation mark is never closed."),
    NotAnAppid: msgid("{word} is not an appid: {fault}"),
    NotAnEnv: msgid("{word} is not an env id: {fault}"),
    Swapped: msgid("The appid comes first, then the env."),
    Joined: msgid("Write only the ids, with a space between them."),
    MissingAppid: msgid("The appid is missing: the mini program that is to receive access."),
    MissingEnv: msgid("The env is missing: the id of the cloud environment to share."),
    ExtraWords: msgid("Extra words: {words}."),
    WhichEnv: msgid(
        "One command takes one env, and here are several: {words}. Which one do you mean?"
    ),
    UnclearReceiver: msgid(
        "I cannot tell which mini program is to receive access. Put only its appid there."
    ),
    OnlyShares: msgid("I can only share, and {word} asks for something else."),
    NeverEnds: msgid("A share does not end by itself, and {words} asks for one that does."),
    NotUnderstood: msgid("I do not understand {word}."),
    SeveralAppids: msgid(
        "I take one appid at a time, and there are {count}. Send one line for each."
    ),
    TooManyAppids: msgid(
        "One command takes up to {limit} appids, and there are {count}. Send them in several commands."
    ),
    UnknownWord: msgid("I do not know {word}. Did you mean {nearest}?"),
    UnknownOption: msgid("There is no option {option}."),
    OptionWithoutValue: msgid("The words after {option} are missing. Put them in quotation marks."),
    OptionTwice: msgid("You typed {option} twice. Once is enough."),
    OptionNotHere: msgid("{first_word} does not take {option}."),
    ReasonTooLong: msgid("The reason has {length} characters. Up to {limit} fit."),
    BlankReason: msgid("{reason} is a placeholder. Put your own reason there."),
}
"""What is wrong. The placeholders are the fields of the mistake; `fault` says why a word is not an id."""

_FAULTS: Final[Mapping[AppidFault, str]] = {
    AppidFault.BLANK: msgid("that is a placeholder. Put the mini program's own appid there."),
    AppidFault.CASE: msgid("its letters must be lower case."),
    AppidFault.PREFIX: msgid("an appid begins with `wx`."),
    AppidFault.LENGTH: msgid("it has {count} characters, and an appid has 18."),
    AppidFault.LETTERS: msgid("after `wx` come only digits and the letters a to f."),
}


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


def _way_on(words: Words, wrong: Misread) -> tuple[str | Copied, ...]:
    """Return the line to copy if it fits as a whole; without such a command, who can do it."""
    if wrong.instead and len(escape(wrong.instead)) <= COPIED_LIMIT:
        return words("Try this instead:"), Copied(wrong.instead)
    match wrong.mistake:
        case OnlyShares():
            return (_taken_away(words),)
        case NotUnderstood() | NeverEnds():
            return (sentences(words, words("To share, leave it out."), _taken_away(words)),)
        case _:
            return ()


def _taken_away(words: Words) -> str:
    return words(
        "To take access away, the admin of the env's owner opens 云开发, 更多, 环境共享 in WeChat DevTools. What has not begun yet, you can cancel with the button on its message; `/share-env history` lists your requests."
    )


def sentence(words: Words, mistake: Mistake) -> Mrkdwn:
    """Return what is wrong, as mrkdwn."""
    shown = {each.name: _shown(words, getattr(mistake, each.name)) for each in fields(mistake)}
    match mistake:
        case UnknownOption():
            return _unknown_option(words, mistake)
        case NotAnAppid(word, fault):
            shown["fault"] = words(_FAULTS[fault], count=len(word))
        case NotAnEnv(word):
            shown["fault"] = (
                words("that is a placeholder. Put the env's own id there.")
                if is_placeholder(word)
                else words(
                    "an env id has up to 64 letters, digits and dashes (-), and no dash at either end."
                )
            )
        case _:
            pass
    return words(SENTENCES[type(mistake)], **shown)


def _shown(words: Words, value: object) -> str | int:
    match value:
        case int():
            return value
        case tuple():
            return listed(words, [code(each) for each in value])
        case _:
            return code(str(value))


def _unknown_option(words: Words, mistake: UnknownOption) -> Mrkdwn:
    options = listed(words, [code(each) for each in (mistake.option, *mistake.others)])
    if mistake.others:
        no, nearest = words("The options {options} do not exist.", options=options), None
    else:
        no, nearest = words(SENTENCES[UnknownOption], option=options), mistake.nearest
    if nearest:
        return sentences(words, no, words("Did you mean {nearest}?", nearest=code(nearest)))
    return sentences(words, no, words("I know `--reason`, `--dry-run` and `--again`."))
