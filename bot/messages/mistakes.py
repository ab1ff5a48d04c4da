"""A mistyped command, answered: what is wrong, the text as it came, and one corrected line to copy."""

from typing import assert_never

from bot.command.mistake import (
    AppidFault,
    ExtraWords,
    Misread,
    MissingAppid,
    MissingEnv,
    Mistake,
    NotAnAppid,
    NotAnEnv,
    OptionNotHere,
    OptionTwice,
    OptionWithoutValue,
    ReasonTooLong,
    SeveralAppids,
    Swapped,
    UnclosedQuote,
    UnknownOption,
    UnknownWord,
)
from bot.messages.blocks import Message, as_typed, code, listed, message, small

_LINE_LIMIT = 500


def misread(wrong: Misread) -> Message:
    """Say what is wrong, what arrived, and a line to copy; nothing was done."""
    received = code(f"/share-env {as_typed(wrong.received)}", _LINE_LIMIT)
    return message(
        f"{_sentence(wrong.mistake)} Nothing was done.",
        f"Try this instead:\n{code(wrong.instead, _LINE_LIMIT)}",
        small(f"You typed {received} · `/share-env help` shows what you may do."),
    )


def _sentence(mistake: Mistake) -> str:  # noqa: C901, PLR0911, PLR0912  # one case for each mistake
    match mistake:
        case UnclosedQuote():
            return "A quotation mark opens and never closes."
        case NotAnAppid(word, fault):
            return f"{code(word)} is not an appid: {_fault(word, fault)}"
        case NotAnEnv(word, blank=True):
            return (
                f"{code(word)} is not an env id: it only marks the place. Put the env's own there."
            )
        case NotAnEnv(word):
            return f"{code(word)} is not an env id. It may have up to 64 letters, digits and dashes, and no dash at either end."
        case Swapped():
            return "The appid comes first, then the env."
        case MissingAppid():
            return "The appid is missing: the mini program that is to receive access."
        case MissingEnv():
            return "The env is missing: the id of the cloud environment to share."
        case ExtraWords(words):
            return f"There is more here than I need: {listed([code(word) for word in words])}."
        case SeveralAppids(count):
            return f"I take one appid at a time, and there are {count}. Send one line for each."
        case UnknownWord(word, nearest):
            return f"I do not know {code(word)}. Did you mean {code(nearest)}?"
        case UnknownOption(option, nearest):
            hint = (
                f"Did you mean {code(nearest)}?"
                if nearest
                else "I know `--reason`, `--dry-run` and `--again`."
            )
            return f"There is no option {code(option)}. {hint}"
        case OptionWithoutValue(option):
            return f"The words after {code(option)} are missing. Put them in quotation marks."
        case OptionTwice(option):
            return f"{code(option)} is here twice. Once is enough."
        case OptionNotHere(option, first_word):
            return f"{code(first_word)} does not take {code(option)}."
        case ReasonTooLong(length, limit):
            return f"The reason has {length} characters. Up to {limit} fit."
        case _:
            assert_never(mistake)


def _fault(word: str, fault: AppidFault) -> str:
    match fault:
        case AppidFault.BLANK:
            return "it only marks the place. Put the mini program's own there."
        case AppidFault.CASE:
            return "its letters must be lower case."
        case AppidFault.PREFIX:
            return "an appid begins with `wx`."
        case AppidFault.LENGTH:
            return f"it has {len(word)} characters, and an appid has 18."
        case AppidFault.LETTERS:
            return "after `wx` come only digits and the letters a to f."
        case _:
            assert_never(fault)
