"""The private place for an answer, where the bot can open no thread.

Source: docs.slack.dev, "Handling user interaction" (response_url: five uses in half an hour).
"""

from functools import partial

from bot.domain.batch import Pause
from bot.domain.outcome import NOTHING_KNOWN, AfterShare, Outcome, Tally
from bot.domain.request import Request
from bot.messages import Message
from bot.messages.blocks import as_response
from bot.messages.endings import alone, answer, begun
from bot.messages.notices import Note, NoThread, noted, only_you
from bot.messages.words import Words
from bot.slack.api import (
    BAD_TOKEN,
    Answered,
    Doubtful,
    Refused,
    Result,
    SlackApi,
    away_error,
    is_transient,
)
from bot.slack.payloads import Posted
from bot.slack.posts import Posts
from bot.slack.search import PATIENCE

_FOR_NOW = {
    "access_denied",
    "accesslimited",
    "app_access_restricted",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "message_limit_exceeded",
    "missing_scope",
    "no_permission",
    "org_login_required",
    "team_access_not_granted",
    "team_added_to_org",
    "two_factor_setup_required",
}
"""The errors that end once an admin gives the app access, a move to an organisation is over, or people post less."""


class PrivatePlace:
    """A place that only the requester sees: a response_url for the start, a direct message for the answer."""

    def __init__(self, api: SlackApi, posts: Posts, words: Words) -> None:
        self._api = api
        self._posts = posts
        self._words = words

    async def begin(
        self, request: Request, why: NoThread, *, look_since: float | None, waiting: bool
    ) -> "Posted | PrivatePlace | None":
        """Say what is under way and why there is no thread; return the place, or None if nothing was accepted.

        With `look_since` it may have been said before, which cannot be verified, so it says that it replaces that.
        """
        said = begun(self._words, request, waiting=waiting)
        start, direct = only_you(self._words, said, why), noted(self._words, said, Note.ELSEWHERE)
        if look_since is not None:
            start, direct = (noted(self._words, each, Note.REPLACING) for each in (start, direct))
        responded = await self._respond(request, start)
        if isinstance(responded, Answered):
            return self
        user = request.origin.user_id
        posted = await self._posts.post(
            user, direct, request.id, again=lambda: direct, look_since=look_since
        )
        if not isinstance(posted, Posted):
            raise_if_away(posted, responded)
            return None
        return posted

    @property
    def ref(self) -> str:
        """A constant, since the request has its response_url."""
        return "private"

    async def go_on(self, request: Request) -> None:
        """Do nothing: an ephemeral message cannot be edited."""

    async def progress(self, request: Request, tally: Tally, pause: Pause | None) -> None:
        """Do nothing: a response_url can be used only five times."""

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
        after: AfterShare = NOTHING_KNOWN,
    ) -> bool:
        """Deliver the outcome in a direct message, since an ephemeral one may go unseen.

        Slack shows an ephemeral message only while the user is there, and not after a reload (docs.slack.dev,
        chat.postEphemeral).
        """
        whole = answer(self._words, request, outcome, called_again=called_again, after=after)
        direct = alone(self._words, request, outcome, whole)
        again = partial(noted, self._words, direct, Note.UNCONFIRMED)
        mark, user = f"{request.id}-answer", request.origin.user_id
        posted = await self._posts.post(
            user, direct, mark, again=again, look_since=look_since, corrects=called_again
        )
        if isinstance(posted, Posted):
            return True
        if isinstance(posted, Refused):
            # A response_url would do, but nothing could end what stands in a channel.
            raise_if_away(posted)
        responded = await self._respond(request, whole if look_since is None else again())
        if isinstance(responded, Answered):
            return True
        raise_if_away(posted, responded)
        return False

    async def _respond(self, request: Request, message: Message) -> Result:
        url = request.origin.response_url
        if not url:
            return Refused("no response_url")
        result = await self._api.respond(url, PATIENCE, as_response(message))
        if isinstance(result, Doubtful):
            again = as_response(noted(self._words, message, Note.UNCONFIRMED))
            result = await self._api.respond(url, PATIENCE, again)
        return result


def raise_if_away(*ways: Result) -> None:
    """Raise AwayError if one of the failed ways may work later, by itself or after an operator's fix."""
    for no in ways:
        if isinstance(no, Doubtful) or (
            isinstance(no, Refused) and (is_transient(no) or no.error in BAD_TOKEN | _FOR_NOW)
        ):
            raise away_error(no)
