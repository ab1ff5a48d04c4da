"""What the words of a command name, what is wrong with them, and the corrected line. Pure.

A line that shares is offered only if every word is understood.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from bot.command.grammar import (
    BLANK_APPID,
    BLANK_ENV,
    BLANK_REASON,
    FLAGS,
    REASON_LIMIT,
    SLASH_COMMAND,
    Options,
    Share,
    Subcommand,
    is_appid,
    is_blank_reason,
    is_env,
)
from bot.command.mistake import Mistake, Wrong
from bot.command.naming import (
    first_with,
    is_aside,
    is_damaged_appid,
    is_labelled,
    is_like_an_id,
    may_be_env,
    parts,
)
from bot.command.question import first_word, subcommand
from bot.command.tokenizer import plain_dashes
from bot.command.vocabulary import JOINING, Sense, is_understood, sense

_LIKE_AN_ENV = re.compile(r"\w+[-_.–—]\w")
# Else the env may stand between the owner and the receiver.
_RECEIVERS = re.compile("e*a+e*|(ae)+|(ea)+")


class Reading:
    """Words, and what they name: `appids`, the words that can be the env (`envs`), and the `env` if it is clear.

    For a share, a mere word is no env.
    """

    def __init__(self, words: Sequence[str], *, share: bool = False) -> None:
        self.words = words
        self._parts = [(part, word) for word in words for part in parts(word)]
        named = [part for part, _ in self._parts]
        self.appids = list(dict.fromkeys(filter(is_appid, named)))
        envs = [part for part in dict.fromkeys(named) if may_be_env(part)]
        envs = [part for part in envs if is_like_an_id(part) or not share]
        # Envs usually have a dash: if any word has one, only such a word is meant.
        self.envs = [word for word in envs if "-" in plain_dashes(word)] or envs
        self._positions = {each: named.index(each) for each in (*self.appids, *self.envs)}
        self._end = max(self._positions.values(), default=-1) + 1

    @cached_property
    def env(self) -> str | None:
        """The env, if exactly one word can be it; None in `<appid> prod_1 for release`, where `prod_1` was meant."""
        clear = len(self.envs) == 1 and is_env(self.envs[0])
        damaged = self.appids and _LIKE_AN_ENV.match(self._unclear(self._end) or "")
        return self.envs[0] if clear and not damaged else None

    @property
    def ids(self) -> list[str]:
        """The appids, and the env."""
        return [*self.appids, *([self.env] if self.env else [])]

    @property
    def is_share(self) -> bool:
        """Whether an appid and an env are named."""
        return bool(self.appids and self.env)

    @property
    def swapped(self) -> bool:
        """Whether the env stands before an appid."""
        return self.env is not None and self._positions[self.env] + 1 < self._end

    @property
    def others(self) -> list[str]:
        """The words that may be meant as the env or the appid that is missing."""
        return [part for part, _ in self._parts if not is_appid(part) and not sense(part)]

    @property
    def extra(self) -> list[str]:
        """The words that name nothing, or nothing new."""
        positions = self._positions.values()
        return [word for at, (_, word) in enumerate(self._parts) if at not in positions]

    @cached_property
    def unclear(self) -> str | None:
        """The first word that may ask for something else than to share with these appids.

        One appid without an env shares nothing yet, nor do several; but what stands before the last of these may be its owner.
        """
        if self.is_share:
            return self._unclear(len(self._parts))
        return self._unclear(self._positions[self.appids[-1]]) if len(self.appids) > 1 else None

    def _unclear(self, end: int) -> str | None:
        receivers = [self._positions[appid] for appid in self.appids]
        for at, (part, word) in enumerate(self._parts[:end]):
            if part in self._positions or is_damaged_appid(part):
                continue
            between = receivers and receivers[0] < at < receivers[-1]
            unjoined = between and part.lower() not in JOINING
            alone = sense(part) is Sense.NAME and not self._is_beside_an_appid(at)
            if not is_understood(part) or unjoined or alone:
                return word
        return None

    def _is_beside_an_appid(self, at: int) -> bool:
        return any(is_appid(part) for part, _ in self._parts[max(at - 1, 0) : at + 2])

    @property
    def is_mixed(self) -> bool:
        """Whether one of several appids may be the owner or an aside: the env stands between, or only one has signs or a label."""
        named = [(part, word) for part, word in self._parts if part in self._positions]
        order = "".join("a" if is_appid(part) else "e" for part, _ in named)
        of_appids = [word for part, word in named if is_appid(part)]
        aside = any(map(is_aside, of_appids)) or len(set(map(is_labelled, of_appids))) > 1
        return len(self.appids) > 1 and (aside or not _RECEIVERS.fullmatch(order))

    @property
    def damaged(self) -> Mistake | None:
        """The mistake in the first id that is damaged, decorated, named or joined to another."""
        for word in self.words:
            found = parts(word)
            damaged = any(map(is_damaged_appid, found))
            if damaged or (found != [word] and not self._positions.keys().isdisjoint(found)):
                appid = damaged or any(map(is_appid, found))
                return Mistake(Wrong.NOT_AN_APPID if appid else Wrong.NOT_AN_ENV, (word,))
        return None


def corrected_line(words: Sequence[str], options: Options, most: int) -> str | None:
    """Return a complete line to copy, with placeholders for what is missing; None if a word may ask for something else.

    It shares with the first `most` appids.

    The options are kept, and a subcommand remains that subcommand.
    """
    meant = first_word(words)
    if sub := subcommand(meant):
        named = following(sub, meant, words)
        pair = [*(named.appids[:1] or [BLANK_APPID]), named.env or BLANK_ENV]
        ids = pair if sub.takes > 1 else named.ids[: sub.takes]
        return " ".join([SLASH_COMMAND, sub.verb, *ids])
    named = Reading(words, share=True)
    if named.unclear or named.is_mixed:
        return None
    options = replace(
        options,
        dry_run=options.dry_run or first_with(Sense.DRY_RUN, named.extra) is not None,
        again=options.again or first_with(Sense.AGAIN, named.extra) is not None,
    )
    ids = [*(named.appids[:most] or [BLANK_APPID]), named.env or BLANK_ENV]
    return " ".join([SLASH_COMMAND, *ids, *_as_typed(options)])


def with_reason(share: Share) -> str:
    """Return the line that asks for the same share, with a placeholder in front of the reason, or for it."""
    flags = replace(Options(), dry_run=share.dry_run, again=share.again)
    said = " ".join([BLANK_REASON, *([share.reason] if share.reason else [])])
    ids = [*share.appids, share.env]
    return " ".join([SLASH_COMMAND, *ids, *_as_typed(replace(flags, reason=said))])


def following(sub: Subcommand, first: str, words: Sequence[str]) -> Reading:
    """Return what the words after `first` name; in `show history`, the subcommand's own word names nothing."""
    stands_for, after = first.lower() != sub.verb, words[words.index(first) + 1 :]
    return Reading([word for word in after if not (stands_for and word.lower() == sub.verb)])


def _as_typed(options: Options) -> list[str]:
    flags = [flag for flag in FLAGS if flag in options.given()]
    if options.reason is None:
        return flags
    said = BLANK_REASON if is_blank_reason(options.reason) else options.reason
    quiet = said.translate({ord(quote): "'" for quote in '"“”„'})
    if len(quiet) > REASON_LIMIT:
        quiet = quiet[: REASON_LIMIT - 1].rstrip() + "…"
    return [f'--reason "{quiet}"', *flags]


def wrong_reason(reason: str) -> Mistake | None:
    """Return why `reason` cannot be one; an empty one is none."""
    if is_blank_reason(reason):
        return Mistake(Wrong.MISSING_REASON)
    if len(reason) > REASON_LIMIT:
        return Mistake(Wrong.REASON_TOO_LONG, (reason,), most=REASON_LIMIT)
    return None


def wrong_share(named: Reading, most: int) -> Mistake:
    """Return what is wrong with words that are not exactly up to `most` appids and an env."""
    if named.unclear:
        return Mistake(Wrong.NOT_UNDERSTOOD, (named.unclear,))
    if named.is_mixed:
        return Mistake(Wrong.WHICH_APPIDS, tuple(named.appids))
    if len(named.appids) > most and not named.damaged:
        return Mistake(Wrong.TOO_MANY_APPIDS, tuple(named.appids), most=most)
    return wrong_pair(named)


def wrong_pair(named: Reading) -> Mistake:
    """Return what is wrong with words that should be an appid and an env."""
    if wrong := named.damaged:
        return wrong
    if not named.appids:
        # A word that is offered as the env is not called a wrong appid.
        missing = named.others[:1] == named.envs
        kind = Wrong.MISSING_APPID if missing else Wrong.NOT_AN_APPID
        return Mistake(kind, () if missing else tuple(named.others[:1]))
    if len(named.envs) > 1:
        return Mistake(Wrong.WHICH_ENV, tuple(named.envs))
    if not named.env:
        return _wrong_env(next(iter(named.others), None))
    if named.swapped:
        return Mistake(Wrong.SWAPPED)
    return Mistake(Wrong.EXTRA_WORDS, tuple(dict.fromkeys(named.extra)))


def _wrong_env(word: str | None) -> Mistake:
    """Return what is wrong with a word in the place of the env, if there is one."""
    if word is None:
        return Mistake(Wrong.MISSING_ENV)
    return Mistake(Wrong.UNLIKE_AN_ENV if is_env(word) else Wrong.NOT_AN_ENV, (word,))


def wrong_name(named: Reading) -> Mistake:
    """Return what is wrong with words that should be one appid or one env."""
    if wrong := named.damaged:
        return wrong
    if len(named.envs) > 1 and not named.appids:
        return Mistake(Wrong.WHICH_ENV, tuple(named.envs))
    if named.others and not named.ids:
        return Mistake(Wrong.NOT_AN_ENV, tuple(named.others[:1]))
    extra = [word for word in named.words if word not in named.ids[:1]]
    return Mistake(Wrong.EXTRA_WORDS, tuple(extra or named.words[1:]))
