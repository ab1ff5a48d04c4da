"""The mistakes in a typed command, as a closed union; each is worded in `bot.messages`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnclosedQuote:
    """A quotation mark that is not closed."""


@dataclass(frozen=True, slots=True)
class NotAnAppid:
    """`word` is in the place of the appid but is not one."""

    word: str


@dataclass(frozen=True, slots=True)
class NotAnEnv:
    """`word` is in the place of the env but cannot be one; it may be the placeholder."""

    word: str


@dataclass(frozen=True, slots=True)
class Swapped:
    """The env came first, the appid second."""


@dataclass(frozen=True, slots=True)
class MissingAppid:
    """There is no appid, and possibly no env."""


@dataclass(frozen=True, slots=True)
class MissingEnv:
    """There is an appid but no env."""


@dataclass(frozen=True, slots=True)
class ExtraWords:
    """Words or options that the command does not take, or not twice."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WhichEnv:
    """Several words that could be the env."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnlyShares:
    """`word` asks for the opposite of a share, or that none is made."""

    word: str


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """`word` may ask for something else, so a corrected line must not leave it out."""

    word: str


@dataclass(frozen=True, slots=True)
class TooManyAppids:
    """More appids than a batch may have."""

    count: int
    limit: int


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """A single word that is similar to a subcommand."""

    word: str
    nearest: str


@dataclass(frozen=True, slots=True)
class UnknownOption:
    """An option that does not exist; `nearest` is the most similar one, if any."""

    option: str
    nearest: str | None


@dataclass(frozen=True, slots=True)
class MissingReason:
    """`--reason` without a value, or with a placeholder."""


@dataclass(frozen=True, slots=True)
class ReasonTooLong:
    """A reason longer than `limit` characters."""

    length: int
    limit: int


Mistake = (
    UnclosedQuote
    | NotAnAppid
    | NotAnEnv
    | Swapped
    | MissingAppid
    | MissingEnv
    | ExtraWords
    | WhichEnv
    | OnlyShares
    | NotUnderstood
    | TooManyAppids
    | UnknownWord
    | UnknownOption
    | MissingReason
    | ReasonTooLong
)


@dataclass(frozen=True, slots=True)
class Misread:
    """A mistake, the text as received, and a corrected line to copy, if there is one that does what was meant."""

    mistake: Mistake
    received: str
    instead: str | None
