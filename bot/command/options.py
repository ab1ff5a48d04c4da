"""Split the options of a command from its words. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from bot.command.correction import corrected_line, wrong_reason
from bot.command.grammar import BLANK_REASON, FLAGS, OPTIONS, Options, is_env
from bot.command.mistake import MistakeError, OptionTwice, OptionWithoutValue, UnknownOption
from bot.command.tokenizer import Word, plain_dashes
from bot.command.vocabulary import named_in, names_reason, nearest_option, subcommand

_UNDASHED = re.compile(r"(?<![\w-])dry[ -]?run(?![\w-])|试运行|试跑", re.IGNORECASE)
_REFUSED = re.compile("-+no|.*=(?:false|no|off|0)$", re.IGNORECASE)
_A_PAIR = 2
_GUESSED = 5

Split = tuple[list[str], Options] | MistakeError
"""The words without the options, and the options; or the mistake in the options."""


def split_options(words: Sequence[Word]) -> Split:
    """Separate words and options."""
    plain = [word.text for word in words]
    if (undashed := _undashed_dry_run(words)) and not subcommand(plain[0]):
        return undashed
    options = Options()
    rest = iter(words)
    found: list[str] = []
    unknown: list[str] = []
    wrong: MistakeError | None = None
    for word in rest:
        if word.quoted or not word.text.startswith("-"):
            found.append(word.text)
            continue
        name, _, value = word.text.partition("=")
        if _is_unknown(word.text):
            unknown.append(word.text)
        elif name in options.given():
            wrong = wrong or MistakeError(OptionTwice(name), corrected_line(plain, options))
        elif name == "--dry-run":
            options = replace(options, dry_run=True)
        elif name == "--again":
            options = replace(options, again=True)
        elif reason := value or _value_behind(rest):
            options = replace(options, reason=reason)
        else:
            guess = replace(options, reason=BLANK_REASON)
            wrong = wrong or MistakeError(OptionWithoutValue(name), corrected_line(plain, guess))
    if not wrong and options.reason and (fault := wrong_reason(options.reason)):
        wrong = MistakeError(fault, corrected_line(found, options))
    return _unknown(unknown, words, options) if unknown else wrong or (found, options)


def _is_unknown(word: str) -> bool:
    """Return whether `word` is an option that does not exist, or a flag with a value."""
    name, _, value = word.partition("=")
    return word.startswith("-") and (name not in OPTIONS or (name in FLAGS and bool(value)))


def _unknown(unknown: list[str], words: Sequence[Word], options: Options) -> MistakeError:
    """Return the mistake of options that do not exist; the line has what the first few most likely mean."""
    unknown = list(dict.fromkeys(unknown))
    near = [_meant(word) for word in unknown[:_GUESSED]]
    reason, plain = _misspelt_reason(words)
    guess = Options(
        options.reason or (reason if "reason" in near else None),
        options.dry_run or "dry-run" in near,
        options.again or "again" in near,
    )
    # `prod -1` is `prod-1`, and not `prod`.
    part = any(word.lstrip("-")[:1].isdigit() for word in unknown) and not subcommand(plain[0])
    right = corrected_line([each for each in plain if not (part and is_env(each))], guess)
    first, *others = unknown
    return MistakeError(UnknownOption(first, near[0] and f"--{near[0]}", tuple(others)), right)


def _meant(word: str) -> str | None:
    """Return the option that a word most likely means; `--again=false` means none, but a dry run stays one."""
    near = nearest_option(word.partition("=")[0])
    return None if near != "dry-run" and _REFUSED.match(word) else near


def _misspelt_reason(words: Sequence[Word]) -> tuple[str, list[str]]:
    """Return what stands behind a misspelt `--reason` after appid and env, or the placeholder; and the words without it."""
    plain = [word.text for word in words]
    for at, word in enumerate(words):
        if word.quoted or not names_reason(word.text):
            continue
        option, *joined = word.text.split("=", 1)
        if not (option.strip("-:").isalpha() and all(named_in(plain[:at]))):
            break
        behind = [*takewhile(lambda each: each.quoted or each.text[0] != "-", words[at + 1 :])]
        reason = " ".join([*joined, *(each.text for each in behind)])
        return reason or BLANK_REASON, plain[:at] + plain[at + 1 + len(behind) :]
    return BLANK_REASON, plain


def _value_behind(rest: Iterator[Word]) -> str | None:
    """Take the word after an option, if it can be the option's value."""
    word = next(rest, None)
    return word.text if word and (word.quoted or word.text not in OPTIONS) else None


def _undashed_dry_run(words: Sequence[Word]) -> MistakeError | None:
    """Return the mistake of a dry run that is asked for without dashes, beside appid and env and before a reason."""
    if len(words) <= _A_PAIR:
        return None
    before = takewhile(lambda word: word.quoted or not names_reason(word.text), words)
    said = [word.text for word in before if not word.quoted]
    text = " ".join(said)
    found = _UNDASHED.search(plain_dashes(text))
    if found is None or len(said) <= _A_PAIR:
        return None
    others = f"{text[: found.start()]} {text[found.end() :]}".split()
    unknown = UnknownOption(found[0], "--dry-run", tuple(filter(_is_unknown, others)))
    return MistakeError(unknown, corrected_line(others, Options(dry_run=True)))
