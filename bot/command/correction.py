"""Read appids and an env, or find what is wrong with the words and build the corrected line. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from bot.command.everyday import Sense, sense
from bot.command.grammar import (
    BLANK_APPID,
    BLANK_ENV,
    BLANK_REASON,
    FLAGS,
    MOST_APPIDS,
    REASON_LIMIT,
    SLASH_COMMAND,
    Alone,
    Options,
    Subcommand,
    WithName,
    WithPair,
    is_appid,
    is_blank_reason,
    is_env,
    is_placeholder,
)
from bot.command.mistake import (
    AppidFault,
    BlankReason,
    ExtraWords,
    MissingAppid,
    MissingEnv,
    MistakeError,
    NotAnAppid,
    NotAnEnv,
    ReasonTooLong,
    SeveralAppids,
    Swapped,
    TooManyAppids,
    WhichEnv,
)
from bot.command.vocabulary import (
    bare,
    envs_in,
    meant_as_appid,
    meant_as_env,
    named_in,
    subcommand,
    without_fillers,
    without_reasons,
)

_NO_OPTIONS = Options()


def corrected_line(words: Sequence[str], options: Options = _NO_OPTIONS) -> str:
    """Return a complete line to copy, from the subcommand, appids and env among `words`; placeholders for what is missing.

    `--dry-run` and `--again` are kept wherever they appear, and a subcommand remains that subcommand.
    """
    said = without_fillers(without_reasons(words))
    if said and (sub := subcommand(said[0])):
        return " ".join([SLASH_COMMAND, sub.word, *_following(sub, said[1:])])
    appids, env = named_in(said)
    flags = [flag for flag in FLAGS if flag in options.given() or flag in words]
    named = appids[:MOST_APPIDS] or [BLANK_APPID]
    return " ".join([SLASH_COMMAND, *named, env or BLANK_ENV, *_as_typed(options, flags)])


def _following(sub: Subcommand, words: Sequence[str]) -> list[str]:
    match sub.takes:
        case Alone():
            return []
        case WithName():
            appids, env = named_in([word for word in words if word.lower() != sub.word])
            return [*appids, *([env] if env else [])][:1]
        case WithPair():
            appids, env = named_in(words)
            return [appids[0] if appids else BLANK_APPID, env or BLANK_ENV]
        case _:
            assert_never(sub.takes)


def again_line(appid: str, env: str, reason: str | None) -> str:
    """Return the line that shares again what was shared before."""
    return " ".join([SLASH_COMMAND, appid, env, *_as_typed(Options(reason), ["--again"])])


def _as_typed(options: Options, flags: Sequence[str]) -> list[str]:
    parts: list[str] = []
    if options.reason is not None:
        said = BLANK_REASON if is_blank_reason(options.reason) else options.reason
        quiet = said.translate({ord(quote): "'" for quote in '"“”„'})
        if len(quiet) > REASON_LIMIT:
            quiet = quiet[: REASON_LIMIT - 1].rstrip() + "…"
        parts.append(f'--reason "{quiet}"')
    return [*parts, *flags]


def appid_fault(word: str) -> AppidFault:
    """Return why `word` is not an appid."""
    if word.lower() in {"appid", BLANK_APPID} or is_placeholder(word):
        return AppidFault.BLANK
    if is_appid(word.lower()):
        return AppidFault.CASE
    if not word.lower().startswith("wx"):
        return AppidFault.PREFIX
    return AppidFault.LENGTH if len(word) != len("wx") + 16 else AppidFault.LETTERS


def wrong_reason(reason: str) -> BlankReason | ReasonTooLong | None:
    """Return why `reason` cannot be one; an empty one is none."""
    if is_blank_reason(reason):
        return BlankReason(reason)
    too_long = len(reason) > REASON_LIMIT
    return ReasonTooLong(len(reason), REASON_LIMIT) if too_long else None


def batch(words: Sequence[str], options: Options) -> tuple[Sequence[str], str]:
    """Return the appids and the env if `words` are appids followed by one env, or raise the mistake."""
    *before, env = words
    known = all(map(is_appid, before)) and is_env(env) and not meant_as_appid(bare(env))
    if known and len({*before}) <= MOST_APPIDS:
        return before, env
    right = corrected_line(words, options)
    appids = {word for word in words if is_appid(word)}
    others = [word for word in words if not is_appid(word)]
    if damaged := next((word for word in others if meant_as_appid(bare(word))), None):
        raise MistakeError(NotAnAppid(damaged, appid_fault(damaged)), right)
    if len(appids) > MOST_APPIDS:
        raise MistakeError(TooManyAppids(len(appids), MOST_APPIDS), right)
    match others:
        case []:
            raise MistakeError(MissingEnv(), right)
        case [word] if is_env(word):
            raise MistakeError(Swapped(), right)
        case [word]:
            raise MistakeError(NotAnEnv(word), right)
        case _ if len(envs := envs_in(others)) > 1:
            raise MistakeError(WhichEnv(tuple(envs)), right)
        case _:
            extra = [word for word in others if word not in envs]
            raise MistakeError(ExtraWords(tuple(extra or others[1:])), right)


def name(words: Sequence[str], verb: str) -> str | None:
    """Return the appid or env that `words` are, None if there are none, or raise the mistake."""
    right = corrected_line([verb, *words])
    match words:
        case []:
            return None
        case [about] if is_appid(about):
            return about
        case [about] if meant_as_appid(about):
            raise MistakeError(NotAnAppid(about, appid_fault(about)), right)
        case [about] if about.lower() != verb:
            if is_env(about):
                return about
            raise MistakeError(NotAnEnv(about), right)
        case _ if len(envs := envs_in(words)) > 1 and not any(map(is_appid, words)):
            raise MistakeError(WhichEnv(tuple(envs)), right)
        case _:
            kept = right.split()[2:]
            extra = [word for word in words if word not in kept and word.lower() not in kept]
            raise MistakeError(ExtraWords(tuple(extra or words[1:])), right)


def pair(words: Sequence[str], options: Options, verb: str = "") -> tuple[str, str]:
    """Return (appid, env) if that is what `words` are, in this order, or raise the mistake."""
    right = corrected_line([verb, *words], options)
    appids = [word for word in words if is_appid(word.lower())]
    envs = envs_in(words)
    match words:
        case [appid, env] if is_appid(appid) and is_env(env):
            return appid, env
        case _ if len(appids) > 1:
            raise MistakeError(SeveralAppids(len(appids)), right)
        case _ if appids and len(envs) > 1:
            raise MistakeError(WhichEnv(tuple(envs)), right)
        case [] | [_] if all(meant_as_env(word) and not meant_as_appid(word) for word in words):
            raise MistakeError(MissingAppid(), right)
        case [appid] if is_appid(appid):
            raise MistakeError(MissingEnv(), right)
        case [env, appid, *_] if envs == [env] and is_appid(bare(appid).lower()):
            raise MistakeError(Swapped(), right)
        case [appid, env, *extra] if extra and is_appid(appid) and envs == [env]:
            # Extra words are often a reason without quotes.
            meant = any(sense(word) is not Sense.FILLER for word in extra)
            reason = " ".join([options.reason or "", *(extra if meant else [])]).strip()
            guess = replace(options, reason=reason or None)
            raise MistakeError(ExtraWords(tuple(extra)), corrected_line([verb, appid, env], guess))
        case [appid, env, _, *_] if is_appid(appid) and meant_as_env(env):
            raise MistakeError(ExtraWords(tuple(w for w in words[1:] if w not in envs)), right)
        case [appid, *rest] if not is_appid(appid):
            known, _ = named_in(words)
            # The word that is reported as a wrong appid is not offered as the env.
            instead = right if known else corrected_line([verb, *rest], options)
            raise MistakeError(NotAnAppid(appid, appid_fault(appid)), instead)
        case _:
            raise MistakeError(NotAnEnv(words[1]), right)
