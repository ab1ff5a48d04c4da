"""What can be wrong with a typed command: a closed set of values, each worded in `bot.messages`."""

from dataclasses import dataclass
from enum import Enum


class AppidFault(Enum):
    """What keeps a word from being an appid."""

    BLANK = "the placeholder itself"
    CASE = "capital letters"
    PREFIX = "does not begin with wx"
    LENGTH = "not 18 characters"
    LETTERS = "other characters than 0-9 and a-f"


@dataclass(frozen=True, slots=True)
class UnclosedQuote:
    """A quotation mark that opens and never closes."""


@dataclass(frozen=True, slots=True)
class NotAnAppid:
    """`word` stands where the appid belongs and is none."""

    word: str
    fault: AppidFault


@dataclass(frozen=True, slots=True)
class NotAnEnv:
    """`word` stands where the env belongs and cannot be one; `blank` when it is the placeholder itself."""

    word: str
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Swapped:
    """The env came first and the appid second."""


@dataclass(frozen=True, slots=True)
class MissingAppid:
    """There is no appid; perhaps no env either."""


@dataclass(frozen=True, slots=True)
class MissingEnv:
    """There is an appid but no env."""


@dataclass(frozen=True, slots=True)
class ExtraWords:
    """More words than the command takes."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WhichEnv:
    """Several words that can be the env."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnclearReceiver:
    """An appid that may be the owner's, or not meant to receive access."""


@dataclass(frozen=True, slots=True)
class OnlyShares:
    """`word` asks for the opposite of a share, or for none."""

    word: str


@dataclass(frozen=True, slots=True)
class SeveralAppids:
    """More than one appid where only one can be asked about."""

    count: int


@dataclass(frozen=True, slots=True)
class TooManyAppids:
    """More appids than one batch takes."""

    count: int
    limit: int


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """One word that is no command, but close to one."""

    word: str
    nearest: str


@dataclass(frozen=True, slots=True)
class UnknownOption:
    """An option that does not exist; `nearest` is the likely one, if any."""

    option: str
    nearest: str | None


@dataclass(frozen=True, slots=True)
class OptionWithoutValue:
    """`--reason` with nothing behind it."""

    option: str


@dataclass(frozen=True, slots=True)
class OptionTwice:
    """The same option given twice."""

    option: str


@dataclass(frozen=True, slots=True)
class OptionNotHere:
    """An option that this first word does not take."""

    option: str
    first_word: str


@dataclass(frozen=True, slots=True)
class ReasonTooLong:
    """A reason longer than `limit` characters."""

    length: int
    limit: int


OptionMistake = UnknownOption | OptionWithoutValue | OptionTwice | OptionNotHere | ReasonTooLong

Mistake = (
    UnclosedQuote
    | NotAnAppid
    | NotAnEnv
    | Swapped
    | MissingAppid
    | MissingEnv
    | ExtraWords
    | WhichEnv
    | UnclearReceiver
    | OnlyShares
    | SeveralAppids
    | TooManyAppids
    | UnknownWord
    | OptionMistake
)


@dataclass(frozen=True, slots=True)
class Misread:
    """A Mistake, the text as it came, and one corrected line to copy, where one does what was meant."""

    mistake: Mistake
    received: str
    instead: str | None


class MistakeError(Exception):
    """Carries a mistake and its corrected line from where it is seen to `parse`, which never raises it."""

    def __init__(self, mistake: Mistake, instead: str | None) -> None:
        super().__init__()
        self.mistake = mistake
        self.instead = instead
