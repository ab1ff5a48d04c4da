"""Check the settings: missing or wrong ones, the kinds of tokens, and swapped pairs."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from bot.domain.finding import Finding, ok, warning, wrong, wrong_by
from bot.domain.sentence import Sentence
from bot.ops.doctor.findings import others_may_read
from bot.ops.doctor.setup import Setup
from bot.settings.environ import DOTENV, Reader, overridden, overriding, repeated
from bot.settings.load import Parts, nearest
from bot.settings.pasted import belongs
from bot.settings.table import NAMES

_NAME = "settings"
OVERRIDDEN = "environment"
_ROTATES = "xoxe."
_OURS_ALONE = "SHARE_ENV_"
_OURS = ("SLACK_", "WECHAT_", _OURS_ALONE)
_OF_KUBERNETES = "SHARE_ENV_BOT_"
"""How the variables begin that Kubernetes sets in each pod for a Service that is called share-env-bot."""


async def check_settings(setup: Setup) -> list[Finding]:
    """Return what is wrong with the settings, or one line about what they contain."""
    environ, parts = setup.environ, setup.parts
    found = [*_wrong(environ, parts.problems)]
    if parts.slack and parts.slack.bot_token.startswith(_ROTATES):
        # Source: docs.slack.dev, "Token rotation": tokens expire after twelve hours, and it cannot be turned off.
        fix = Sentence(
            "Make a new app from app-manifest.yml, which has no rotation: an app's cannot be turned off again."
        )
        held = Sentence(
            "SLACK_BOT_TOKEN holds a bot token that rotates (xoxe.xoxb-…): it ends after 12 hours"
        )
        found.append(warning(_NAME, held, fix))
    if others_may_read(DOTENV):
        found.append(
            warning(
                _NAME,
                Sentence("others may read {dotenv}", dotenv=DOTENV),
                Sentence("Run chmod 600 {dotenv}.", dotenv=DOTENV),
            )
        )
    fix = Sentence("Keep one line: now the last one with a value counts.")
    found += [
        warning(
            _NAME,
            Sentence("{name} stands more than once in {dotenv}", name=name, dotenv=DOTENV),
            fix,
        )
        for name in repeated()
    ]
    told = {word for problem in parts.problems for word in problem.split()}
    found += _unknown({name: "" for name in environ if name not in told})
    return [*(found or [ok(_NAME, _held(parts))]), *_overridden(environ)]


def _overridden(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield that the environment overrides settings in `.env`, if so; a copy of them may have been corrected in vain."""
    names = sorted(overridden(environ) & set(NAMES))
    if names:
        over = overriding(names)
        yield warning(OVERRIDDEN, over.found, over.fix)


def _unknown(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield names that resemble settings; in the process's environment only those that no other program uses."""
    for name in sorted(set(environ) - set(NAMES)):
        close = nearest(name)
        fix = Sentence("Did you mean {close}?", close=close) if close else Sentence("Take it out.")
        if name not in os.environ and (close or name.startswith(_OURS)):
            yield warning(
                _NAME,
                Sentence("{name} in {dotenv} is not a setting", name=name, dotenv=DOTENV),
                fix,
            )
        elif name.startswith(_OURS_ALONE) and not name.startswith(_OF_KUBERNETES):
            yield warning(
                _NAME, Sentence("{name} in the environment is not a setting", name=name), fix
            )


def _wrong(environ: Mapping[str, str], problems: Sequence[str]) -> Iterator[Finding]:
    swapped = _swapped(environ)
    for one, other in swapped:
        yield wrong(
            _NAME,
            Sentence("{one} and {other} are swapped", one=one, other=other),
            Sentence("Exchange the two values."),
        )
    named = {f"{name} {word}" for pair in swapped for name in pair for word in ("holds ", "is ")}
    for problem in problems:
        if not problem.startswith(tuple(named)):
            yield wrong_by(_NAME, problem)


def _swapped(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the pairs of settings that hold each other's values."""
    read = Reader(environ)
    astray = {
        name: settings
        for name in NAMES
        if (settings := belongs(read.text(name) or "")) and name not in settings
    }
    return [(a, b) for a, b in combinations(astray, 2) if b in astray[a] and a in astray[b]]


def _held(parts: Parts) -> str:
    if parts.slack is None or parts.tokens is None:
        return Sentence("all there")
    way = Sentence("an app-level token (xapp-…), so Socket Mode")
    if not parts.slack.app_token:
        way = Sentence("a signing secret and no app-level token, so HTTP mode")
    return Sentence(
        "a bot token (xoxb-…), {way}, {described}", way=way, described=parts.tokens.described
    )
