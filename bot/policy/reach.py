"""Which rules never decide, because an earlier one always does; in doubt, none. Pure."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from bot.policy.globs import fits_any_case
from bot.policy.kinds import ANYONE, Effect, Policy, Rule


def shadowed(policy: Policy) -> Iterator[tuple[Rule, Rule]]:
    """Yield each rule that can never decide, with the earlier rule that decides in its place."""
    for number, rule in enumerate(policy.rules):
        wider = next((e for e in policy.rules[:number] if _always_first(e, rule)), None)
        if wider:
            yield rule, wider


def _always_first(earlier: Rule, rule: Rule) -> bool:
    """Tell whether `earlier` matches all that `rule` matches."""
    return (
        _all_people(earlier, rule)
        and (not earlier.channels or bool(rule.channels and rule.channels <= earlier.channels))
        and _all_words(earlier.appids, rule.appids)
        and all(
            any(_covers_env(earlier, wider, rule, env) for wider in earlier.envs)
            for env in rule.envs
        )
    )


def _all_people(earlier: Rule, rule: Rule) -> bool:
    if _with_guests(rule) and not _with_guests(earlier):
        return False
    if _for_anyone(earlier):
        return True
    named = rule.users <= earlier.users and rule.groups <= earlier.groups
    return not _for_anyone(rule) and named


def _for_anyone(rule: Rule) -> bool:
    return not (rule.users or rule.groups) or ANYONE in rule.users


def _with_guests(rule: Rule) -> bool:
    return rule.guests or rule.effect is Effect.DENY


def _all_words(earlier: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    return all(any(covers(wider, glob) for wider in earlier) for glob in globs)


def _covers_env(earlier: Rule, wider: str, rule: Rule, env: str) -> bool:
    if not earlier.any_case:
        return covers(wider, env) and (not rule.any_case or wider.lower() == wider.upper())
    return covers(wider, env) or (
        covers(wider.lower(), env.lower()) if _is_glob(env) else fits_any_case(env, wider)
    )


def covers(wider: str, glob: str) -> bool:
    """Tell whether `wider` matches every word that `glob` matches; no where that is hard to say.

    With only stars in `wider`, each star or question mark of `glob` falls into one of them, whatever it stands for.
    """
    if wider in {glob, ANYONE}:
        return True
    if _is_glob(glob):
        return not (set(wider) & set("?[") or "[" in glob) and fnmatchcase(glob, wider)
    return fnmatchcase(glob, wider)


def _is_glob(env: str) -> bool:
    return bool(set(env) & set("*?["))
