"""The answer to a mistyped command: what is wrong, what was typed, and one corrected line to copy."""

from typing import assert_never

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
    OptionMistake,
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
from bot.messages.blocks import SECTION_LIMIT, Copied, Message, message, small
from bot.messages.words import Words, as_typed, code, escape, listed, sentences

_LINE_LIMIT = 500
_COPIED_LIMIT = SECTION_LIMIT - 100


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
    if wrong.instead and len(escape(wrong.instead)) <= _COPIED_LIMIT:
        return words("Try this instead:"), Copied(wrong.instead, _COPIED_LIMIT)
    match wrong.mistake:
        case OnlyShares():
            return (_taken_away(words),)
        case NotUnderstood() | NeverEnds():
            return (sentences(words, words("To share, leave it out."), _taken_away(words)),)
        case _:
            return ()


def _taken_away(words: Words) -> str:
    return words(
        "To take access away, the admin of the env's owner opens 云开发, 更多, 环境共享 in WeChat DevTools. In my App Home you can cancel what has not begun yet."
    )


def sentence(words: Words, mistake: Mistake) -> str:  # noqa: C901, PLR0912  # one case for each mistake
    """Return what is wrong, as mrkdwn."""
    match mistake:
        case UnclosedQuote():
            return words("A quotation mark is never closed.")
        case NotAnAppid(word, why):
            fault = _no_appid(words, word, why)
            return words("{word} is not an appid: {fault}", word=code(word), fault=fault)
        case NotAnEnv(word, blank):
            fault = _no_env(words, blank=blank)
            return words("{word} is not an env id: {fault}", word=code(word), fault=fault)
        case Swapped():
            return words("The appid comes first, then the env.")
        case Joined():
            return words("Write only the ids, with a space between them.")
        case MissingAppid():
            return words("The appid is missing: the mini program that is to receive access.")
        case MissingEnv():
            return words("The env is missing: the id of the cloud environment to share.")
        case ExtraWords(extra):
            there = listed(words, [code(word) for word in extra])
            return words("Extra words: {words}.", words=there)
        case WhichEnv(envs):
            found = listed(words, [code(word) for word in envs])
            return words(
                "One command takes one env, and here are several: {words}. Which one do you mean?",
                words=found,
            )
        case UnclearReceiver():
            return words(
                "I cannot tell which mini program is to receive access. Put only its appid there."
            )
        case OnlyShares(word):
            return words("I can only share, and {word} asks for something else.", word=code(word))
        case NeverEnds(said):
            return words(
                "A share does not end by itself, and {words} asks for one that does.",
                words=code(said),
            )
        case NotUnderstood(word):
            return words("I do not understand {word}.", word=code(word))
        case SeveralAppids(count):
            return words(
                "I take one appid at a time, and there are {count}. Send one line for each.",
                count=count,
            )
        case TooManyAppids(count, limit):
            return words(
                "One command takes up to {limit} appids, and there are {count}. Send them in several commands.",
                limit=limit,
                count=count,
            )
        case UnknownWord(word, nearest):
            guess = code(nearest)
            return words(
                "I do not know {word}. Did you mean {nearest}?", word=code(word), nearest=guess
            )
        case _:
            return _of_option(words, mistake)


def _of_option(words: Words, mistake: OptionMistake) -> str:
    match mistake:
        case UnknownOption(option, nearest, others):
            hint = (
                words("Did you mean {nearest}?", nearest=code(nearest))
                if nearest and not others
                else words("I know `--reason`, `--dry-run` and `--again`.")
            )
            options = listed(words, [code(each) for each in (option, *others)])
            no = (
                words("The options {options} do not exist.", options=options)
                if others
                else words("There is no option {option}.", option=options)
            )
            return sentences(words, no, hint)
        case OptionWithoutValue(option):
            return words(
                "The words after {option} are missing. Put them in quotation marks.",
                option=code(option),
            )
        case OptionTwice(option):
            return words("You typed {option} twice. Once is enough.", option=code(option))
        case OptionNotHere(option, first_word):
            return words(
                "{command} does not take {option}.", command=code(first_word), option=code(option)
            )
        case ReasonTooLong(length, limit):
            return words(
                "The reason has {length} characters. Up to {limit} fit.", length=length, limit=limit
            )
        case BlankReason(reason):
            return words(
                "{reason} is a placeholder. Put your own reason there.", reason=code(reason)
            )
        case _:
            assert_never(mistake)


def _no_env(words: Words, *, blank: bool) -> str:
    if blank:
        return words("that is a placeholder. Put the env's own id there.")
    return words("an env id has up to 64 letters, digits and dashes, and no dash at either end.")


def _no_appid(words: Words, word: str, fault: AppidFault) -> str:
    match fault:
        case AppidFault.BLANK:
            return words("that is a placeholder. Put the mini program's own appid there.")
        case AppidFault.CASE:
            return words("its letters must be lower case.")
        case AppidFault.PREFIX:
            return words("an appid begins with `wx`.")
        case AppidFault.LENGTH:
            return words("it has {count} characters, and an appid has 18.", count=len(word))
        case AppidFault.LETTERS:
            return words("after `wx` come only digits and the letters a to f.")
        case _:
            assert_never(fault)
