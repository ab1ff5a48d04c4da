"""The mistakes in a typed command: a closed set, each with the sentence that says it."""

from dataclasses import dataclass
from enum import Enum


class Wrong(Enum):
    """What is wrong; the value is the sentence for it.

    Its placeholders: `words`, their number `count`, the `length` of the first one in characters, `nearest`, and `most`.
    """

    UNCLOSED_QUOTE = "A quotation mark is never closed."
    NOT_AN_APPID = (
        "{words} is not an appid: that is `wx` and 16 of the characters 0-9 and a-f, in lower case."
    )
    """In the place of an appid, or with one in it."""
    NOT_APPIDS = (
        "Not appids: {words}. An appid is `wx` and 16 of the characters 0-9 and a-f, in lower case."
    )
    """Several of a form's."""
    NOT_AN_ENV = "{words} is not an env id. An env id has up to 64 letters, digits and dashes, such as `prod-1`."
    UNLIKE_AN_ENV = "I know no env {words} that you may share, and it does not look like an env id, such as `prod-1`."
    """A word in the place of an env."""
    CUT_OFF = "{words} is cut off. Send the whole id."
    SWAPPED = "The appid comes first, then the env."
    MISSING_APPID = "The appid is missing: the app that is to receive access."
    MISSING_ENV = "The env is missing: the id of the cloud environment to share."
    EXTRA_WORDS = "Extra words: {words}."
    """Also options that the command does not take, or not twice."""
    WHICH_ENV = "One command takes one env, and here are several: {words}. Which one do you mean?"
    WHICH_APPIDS = (
        "I cannot tell which of {words} are to receive access: one may be the env's owner."
    )
    ONLY_SHARES = "I cannot undo a share, and {words} seems to ask for that."
    """The opposite of a share, or that none is made."""
    RETRY = "A failed request is tried again with the button below its answer."
    LIMITED = "I cannot share for a limited time, later or only to read, and {words} asks for that: a share is for good."
    QUESTION = "That is a question, and {nearest} answers it."
    NOT_UNDERSTOOD = "I do not understand {words}."
    """It may ask for something else, so a corrected line must not leave it out."""
    TOO_MANY_APPIDS = "Up to {most} appids go together, and there are {count}. Send them in parts."
    UNKNOWN_WORD = "I do not know {words}. Did you mean {nearest}?"
    """Similar to a subcommand or an option."""
    UNKNOWN_OPTION = "There is no option {words}. I know `--reason`, `--dry-run` and `--again`."
    MISSING_REASON = "The reason is missing. Put your own words there."
    """Also where a placeholder stands for it."""
    REASON_TOO_LONG = "The reason has {length} characters. Up to {most} fit."

    @property
    def label(self) -> str:
        """Its name in the ledger and the metrics, such as `NotAnAppid`."""
        return self.name.title().replace("_", "")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, with the words that it is about; the nearest word that the command knows, or the limit, if any."""

    wrong: Wrong
    words: tuple[str, ...] = ()
    nearest: str | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Misread:
    """A mistake, the text as received, and a corrected line to copy, if there is one that does what was meant."""

    mistake: Mistake
    received: str
    instead: str | None
    doubtful: str | None = None
    """A word in the place of the env; if an env has that name, the line is a share after all."""
    request: str | None = None
    """The only id in a line without an appid; if a request has it, the line asks for that."""
