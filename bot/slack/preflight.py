"""The preflight: checks both tokens before the bot starts, and says what does not work without a scope."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.finding import Problem
from bot.domain.installation import Installation
from bot.domain.sentence import SEMICOLON, Sentence, joined
from bot.slack.api import (
    BAD_TOKEN,
    MAYBE,
    NOT_FROM_SLACK,
    NOT_SENT,
    Answered,
    Doubtful,
    Refused,
    Result,
    SlackApi,
    bad_bot_token,
    is_transient,
    retry_after,
)
from bot.slack.greeting import REFUSALS

_PATIENCE = 5.0
_TOLD = 3  # scopes of which it is said what does not work without them
_START_AGAIN = Sentence("then start again")


@dataclass(frozen=True, slots=True)
class Ready:
    """Both tokens work: the bot's identity from auth.test, the URL of its socket in Socket Mode, and its scopes."""

    identity: Mapping[str, object]
    socket_url: str | None
    scopes: frozenset[str] | None = None

    def field(self, name: str) -> str:
        """Return one field of auth.test; empty if it is missing."""
        return str(self.identity.get(name) or "")

    @property
    def installation(self) -> Installation:
        """What the app is installed in."""
        return Installation(self.field("team_id"))


@dataclass(frozen=True, slots=True)
class Unusable:
    """Slack cannot be used: a sentence per problem, and whether the setup is to blame."""

    problems: tuple[str, ...]
    wrong_setup: bool


async def preflight(
    bot: SlackApi, app: SlackApi | None, then: str = _START_AGAIN
) -> Ready | Unusable:
    """Check the bot token and, in Socket Mode, the app token concurrently; `then` is what to do once Slack is there.

    Without this, the bot would notice a bad bot token at the first answer, and retry a bad app token for ever.
    """
    identity, opened = await asyncio.gather(
        bot.read("auth.test", _PATIENCE),
        app.write("apps.connections.open", _PATIENCE) if app else _unasked(),
    )
    if isinstance(identity, Answered) and isinstance(opened, Answered):
        url = opened.data.get("url")
        return Ready(identity.data, url if isinstance(url, str) else None, identity.scopes)
    problems = filter(None, (problem_of_bot(identity, then), problem_of_app(opened)))
    return Unusable(tuple(dict.fromkeys(problems)), _is_no(identity) or _is_no(opened))


async def _unasked() -> Result:
    return Answered({})


def _is_no(result: Result) -> bool:
    """Tell whether Slack refused permanently, rather than being away or busy."""
    return isinstance(result, Refused) and not is_transient(result)


def problem_of_bot(result: Result, then: str = _START_AGAIN) -> str | None:
    """Return what is wrong with the bot token or the connection to Slack, and its fix; None if nothing is."""
    match result:
        case Answered():
            return None
        case Refused(error) if error in BAD_TOKEN:
            return bad_bot_token(error)
        case _:
            return _unreachable(result, then)


def problem_of_app(result: Result) -> str | None:
    """Return what is wrong with the app-level token or the connection to Slack, and its fix; None if nothing is."""
    match result:
        case Answered():
            return None
        case Refused(error) if error in REFUSALS:
            return REFUSALS[error]
        case Refused("missing_scope"):
            return Problem(
                Sentence("SLACK_APP_TOKEN lacks the scope connections:write"),
                Sentence(
                    "Make a new app-level token with it on your Slack app's page “Basic Information”."
                ),
            )
        case Refused(error) if error in BAD_TOKEN:
            return Problem(
                Sentence("SLACK_APP_TOKEN is not accepted by Slack ({error})", error=error),
                Sentence(
                    "Make a new app-level token with the scope connections:write on your Slack app's page “Basic Information”, and turn on Socket Mode."
                ),
            )
        case _:
            return _unreachable(result)


def _unreachable(result: Result, then: str = _START_AGAIN) -> str:
    match result:
        case Refused(way=Problem() as way) | Doubtful(way=Problem() as way):
            return Problem(Sentence("Slack cannot be reached: {found}", found=way.found), way.fix)
        case Refused() if retry_after(result):
            return Problem(
                Sentence("Slack asks the bot to slow down"),
                Sentence("Wait a minute, {then}.", then=then),
            )
        case Refused(error) if error != NOT_SENT:
            return Problem(
                Sentence("Slack says no ({error})", error=error),
                Sentence("Check the app's settings and SLACK_API_URL."),
            )
        case Doubtful(error) if error in MAYBE:
            return Problem(
                Sentence("Slack answers that it is in trouble itself ({error})", error=error),
                Sentence("Look at slack-status.com, wait, {then}.", then=then),
            )
        case Doubtful(error) if error == NOT_FROM_SLACK:
            return Problem(
                Sentence("What answers at SLACK_API_URL is not Slack, but a web page perhaps"),
                Sentence(
                    "Check whether a proxy or a sign-in page of the network stands in between, {then}.",
                    then=then,
                ),
            )
        case Doubtful("HTTP 404"):
            return Problem(
                Sentence("What answers at SLACK_API_URL is not Slack's API (HTTP 404)"),
                Sentence("Set it to https://slack.com/api/, or take it out, {then}.", then=then),
            )
        case _:
            return Problem(
                Sentence("Slack cannot be reached"),
                Sentence("Check the network, the proxy and SLACK_API_URL, {then}.", then=then),
            )


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope of the bot token; the bot is useless without a `vital` one."""

    name: str
    without: str
    """What does not work without it."""
    vital: bool = False


_ALONE = Sentence("answers and questions to approvers go to each person alone instead of into")
_TWICE = Sentence("a message that Slack did not confirm may come twice, in")

SCOPES = (
    Scope("commands", Sentence("nobody can type /share-env or use its shortcuts"), vital=True),
    Scope("chat:write", Sentence("nothing can be answered in threads"), vital=True),
    Scope(
        "users:read", Sentence("every command is denied, as nobody can be looked up"), vital=True
    ),
    Scope("usergroups:read", Sentence("rules that name groups let nobody in")),
    Scope("channels:read", Sentence("{alone} public channels", alone=_ALONE)),
    Scope("groups:read", Sentence("{alone} private channels", alone=_ALONE)),
    Scope("mpim:read", Sentence("{alone} group messages", alone=_ALONE)),
    Scope("channels:history", Sentence("{twice} public channels", twice=_TWICE)),
    Scope("groups:history", Sentence("{twice} private channels", twice=_TWICE)),
    Scope("mpim:history", Sentence("{twice} group messages", twice=_TWICE)),
    Scope("im:history", Sentence("{twice} direct messages", twice=_TWICE)),
    Scope("im:write", Sentence("{twice} direct messages", twice=_TWICE)),
)
"""The most important first."""

MENTIONS = "app_mentions:read"
"""The scope with which Slack tells the bot of mentions, if the app subscribes to them; app-manifest.yml leaves it out."""


REINSTALL = Sentence(
    "On your Slack app's page “OAuth & Permissions” add it (or paste app-manifest.yml again), then choose “Reinstall to Workspace”."
)
"""What to do about a scope that is not granted."""


def missing(granted: Collection[str] | None) -> list[Scope]:
    """Return the scopes that are not granted; none if Slack did not say which are."""
    return [scope for scope in SCOPES if granted is not None and scope.name not in granted]


def not_granted(lacking: Sequence[Scope]) -> str:
    """Return which scopes are not granted, and what does not work without the most important of them."""
    told = joined(
        [
            Sentence("{name} ({without})", name=scope.name, without=scope.without)
            for scope in lacking[:_TOLD]
        ],
        SEMICOLON,
    )
    more = ", ".join(scope.name for scope in lacking[_TOLD:])
    return (
        Sentence("not granted: {told}; nor {more}", told=told, more=more)
        if more
        else Sentence("not granted: {told}", told=told)
    )
