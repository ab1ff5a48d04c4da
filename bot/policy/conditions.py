"""The conditions of a rule, one value for each: whether a question meets it, and how it compares to another rule's. Pure.

All evaluation goes through CONDITIONS: decisions, the lint, the envs that the form offers. A question that has no appid
and env yet meets only conditions on its circumstances; the types see to that. The words are in `bot.messages.rules`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from string import ascii_letters, ascii_lowercase, digits
from typing import Generic, TypeVar

from bot.command.grammar import is_appid, is_env
from bot.policy.kinds import (
    ANYONE,
    Ask,
    Circumstances,
    Effect,
    Freeze,
    Miss,
    Person,
    Rule,
    Standing,
    Unreadable,
    Verdict,
)

Asked_contra = TypeVar("Asked_contra", bound=Circumstances, contravariant=True)

# As in fnmatch, a `]` directly after `[` or `[!` is a member of the set.
_PIECE = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition(Generic[Asked_contra]):
    """One condition of a rule."""

    miss: Miss

    met: Callable[[Rule, Asked_contra], bool | None]
    """Whether the question meets the condition; None if that depends on a group that could not be read."""

    covers: Callable[[Rule, Rule], bool]
    """Whether the first rule accepts everything that the second accepts; False if in doubt."""


def _met_who(rule: Rule, ask: Circumstances) -> bool | None:
    person = ask.person
    if for_anyone(rule) or person.user_id in rule.users or person.groups & rule.groups:
        return True
    return False if rule.groups.isdisjoint(person.unreadable) else None


def trouble(rule: Rule, person: Person) -> Unreadable:
    """Return why Slack did not list the members of one of the rule's groups; raises ValueError if it listed all."""
    return person.unreadable[min(rule.groups & set(person.unreadable))]


def for_anyone(rule: Rule) -> bool:
    """Return whether a rule is for everybody (guests are a condition of their own)."""
    return not (rule.users or rule.groups) or ANYONE in rule.users


def _covers_who(wider: Rule, rule: Rule) -> bool:
    named = rule.users <= wider.users and rule.groups <= wider.groups
    return for_anyone(wider) or (named and not for_anyone(rule))


def _lets_guests_in(rule: Rule) -> bool:
    return rule.guests or rule.effect is Effect.DENY


def _met_guests(rule: Rule, ask: Circumstances) -> bool:
    standing = ask.person.standing
    is_guest = standing is Standing.GUEST or standing is Standing.OUTSIDER
    return _lets_guests_in(rule) or not is_guest


def _covers_guests(wider: Rule, rule: Rule) -> bool:
    return _lets_guests_in(wider) or not _lets_guests_in(rule)


def _met_workspace(rule: Rule, ask: Circumstances) -> bool:
    return not rule.workspaces or ask.workspace in rule.workspaces


def _covers_workspaces(wider: Rule, rule: Rule) -> bool:
    return not wider.workspaces or bool(rule.workspaces and rule.workspaces <= wider.workspaces)


def _met_channel(rule: Rule, ask: Circumstances) -> bool:
    return not rule.channels or ask.channel in rule.channels


def _covers_channels(wider: Rule, rule: Rule) -> bool:
    return not wider.channels or bool(rule.channels and rule.channels <= wider.channels)


def _met_hours(rule: Rule, ask: Circumstances) -> bool:
    return rule.hours is None or rule.hours.hold(ask.at)


def _covers_hours(wider: Rule, rule: Rule) -> bool:
    return wider.hours is None or (rule.hours is not None and wider.hours.cover(rule.hours))


def _fits_one(word: str, globs: tuple[str, ...], fits: Callable[[str, str], bool]) -> bool:
    return ANYONE in globs or any(fits(word, glob) for glob in globs)


def _met_appid(rule: Rule, ask: Ask) -> bool:
    return _fits_one(ask.appid, rule.appids, fnmatchcase)


def _covers_appids(wider: Rule, rule: Rule) -> bool:
    return all(any(covers(glob, each) for glob in wider.appids) for each in rule.appids)


def any_case(rule: Rule) -> bool:
    """Return whether a rule's envs match in any letter case, so that capital letters do not evade a restriction."""
    return rule.effect is not Effect.ALLOW


def names_env(rule: Rule, env: str) -> bool:
    """Return whether a rule is about this env."""
    return _fits_one(env, rule.envs, fits_any_case if any_case(rule) else fnmatchcase)


def freezes_env(freeze: Freeze, env: str) -> bool:
    """Return whether a freeze is about this env, in any letter case."""
    return _fits_one(env, freeze.envs, fits_any_case)


def _met_env(rule: Rule, ask: Ask) -> bool:
    return names_env(rule, ask.env)


def _covers_envs(wider: Rule, rule: Rule) -> bool:
    return all(any(_covers_env(wider, glob, rule, env) for glob in wider.envs) for env in rule.envs)


def _covers_env(wider: Rule, glob: str, rule: Rule, env: str) -> bool:
    if any_case(wider):
        return covers(_lower(glob), _lower(env))
    return covers(glob, env) and (not any_case(rule) or glob.lower() == glob.upper())


GUESTS: Condition[Circumstances] = Condition(Miss.GUEST, _met_guests, _covers_guests)
WHO: tuple[Condition[Circumstances], ...] = (Condition(Miss.WHO, _met_who, _covers_who), GUESTS)
WHERE: tuple[Condition[Circumstances], ...] = (
    Condition(Miss.WORKSPACE, _met_workspace, _covers_workspaces),
    Condition(Miss.CHANNEL, _met_channel, _covers_channels),
)
HOURS: Condition[Circumstances] = Condition(Miss.HOURS, _met_hours, _covers_hours)
ENVS: Condition[Ask] = Condition(Miss.ENV, _met_env, _covers_envs)
WHAT: tuple[Condition[Ask], ...] = (Condition(Miss.APPID, _met_appid, _covers_appids), ENVS)
CONDITIONS: tuple[Condition[Ask], ...] = (*WHO, *WHERE, HOURS, *WHAT)


def misses(
    rule: Rule, ask: Asked_contra, conditions: Iterable[Condition[Asked_contra]]
) -> frozenset[Miss]:
    """Return how the question fails these conditions of the rule."""
    met = [(each.miss, each.met(rule, ask)) for each in conditions]
    return frozenset(
        [Miss.UNREADABLE if is_met is None else miss for miss, is_met in met if not is_met]
    )


def fits(rule: Rule, ask: Ask) -> bool | None:
    """Return whether the rule matches the question; None if that depends on a group that could not be read."""
    known: bool | None = True
    for each in CONDITIONS:
        met = each.met(rule, ask)
        if met is False:
            return False
        known = known and met
    return known


def elsewhere(rules: Iterable[Rule], asked: Circumstances) -> Iterator[Circumstances]:
    """Return the circumstances once for each place that `rules` tell apart, and for one that they do not name."""
    rules = [*rules]
    workspaces = frozenset[str]().union({""}, *(rule.workspaces for rule in rules))
    channels = frozenset[str]().union({""}, *(rule.channels for rule in rules))
    return (
        replace(asked, workspace=workspace, channel=channel)
        for workspace in workspaces
        for channel in channels
    )


def at_other_times(rules: Iterable[Rule], asked: Circumstances) -> Iterator[Circumstances]:
    """Return the circumstances once for each set of hours of `rules` that hold together at some time, or now."""
    hours = {rule.hours for rule in rules if rule.hours}
    moments = [asked.at, *(turn for each in hours for turn in each.turns(asked.at))]
    alike = {frozenset(each for each in hours if each.hold(at)): at for at in reversed(moments)}
    return (replace(asked, at=at) for at in alike.values())


def verdict(rule: Rule, ask: Ask) -> Verdict:
    """Return how the rule matches the question."""
    missed = misses(rule, ask, CONDITIONS)
    doubt = trouble(rule, ask.person) if Miss.UNREADABLE in missed else None
    opens = rule.hours.opens(ask.at) if rule.hours and Miss.HOURS in missed else None
    return Verdict(rule, missed, doubt, opens)


def is_glob(word: str) -> bool:
    """Return whether `word` is a pattern: as in fnmatch, with `*`, `?`, `[abc]` or `[!abc]`."""
    return bool(set(word) & set("*?["))


def fits_any(globs: Iterable[str]) -> Callable[[str], bool]:
    """Return whether an appid matches one of `globs`; of hundreds, each for hundreds of appids, only patterns are tried."""
    listed = frozenset(globs)
    patterns = [glob for glob in listed if is_glob(glob)]
    return lambda appid: appid in listed or any(fnmatchcase(appid, glob) for glob in patterns)


def fits_any_case(env: str, glob: str) -> bool:
    """Return whether `env`, with each letter in either case, can match `glob`."""
    return fnmatchcase(env.lower(), _lower(glob))


@lru_cache(maxsize=1000)
def _lower(glob: str) -> str:
    """Return a pattern for the lower case of every env that `glob` matches in some letter case."""
    return "".join(map(_lower_piece, _PIECE.findall(glob)))


def _lower_piece(piece: str) -> str:
    if len(piece) == 1:
        return piece.lower()
    # A set such as [!A-Z] or [Z-a] means something else in lower case. An underscore, which no env has, stands in an empty one.
    letters = [
        letter
        for letter in f"-{digits}{ascii_lowercase}"
        if fnmatchcase(letter, piece) or fnmatchcase(letter.upper(), piece)
    ]
    return f"[{''.join(letters) or '_'}]"


def covers(wider: str, glob: str) -> bool:
    """Return whether `wider` matches every word that `glob` matches; False if in doubt.

    If `wider` has only stars, it is matched against the text of `glob`: each `*` or `?` there falls within one of its stars.
    """
    if wider in {glob, ANYONE}:
        return True
    if is_glob(glob):
        return not (set(wider) & set("?[") or "[" in glob) and fnmatchcase(glob, wider)
    return fnmatchcase(glob, wider)


def head(glob: str) -> str:
    """Return what is before the first wildcard: every word that matches begins with it."""
    return re.split(r"[*?[]", glob, maxsplit=1)[0]


def tail(glob: str) -> str:
    """Return what is behind the last wildcard: every word that matches ends with it."""
    return re.split(r"[*?\]]", glob)[-1]


def can_match_appid(glob: str) -> bool:
    """Return whether `glob` has the beginning, the letters and the length to match an appid; True if in doubt."""
    if not is_glob(glob):
        return is_appid(glob)
    return "wx".startswith(head(glob)[:2]) and _can_match(glob, "wx0123456789abcdef", 18, 18)


def can_match_env(glob: str) -> bool:
    """Return whether `glob` has the letters and the length to match an env; True if in doubt."""
    return _can_match(glob, f"-{digits}{ascii_letters}", 1, 64) if is_glob(glob) else is_env(glob)


def _can_match(glob: str, letters: str, shortest: int, longest: int) -> bool:
    pieces = [piece for piece in _PIECE.findall(glob) if piece != ANYONE]
    has_room = len(pieces) <= longest and (len(pieces) >= shortest or "*" in glob)
    return has_room and all(
        any(fnmatchcase(letter, piece) for letter in letters) for piece in pieces
    )
