"""The two places for an answer: a thread under the bot's own message, and the requester alone.

Source: docs.slack.dev, "Handling user interaction" (response_url: five uses in half an hour).
"""

from bot.domain.batch import Pause
from bot.domain.outcome import NOTHING_KNOWN, AfterShare, Outcome, Tally
from bot.domain.request import Request
from bot.messages import Message
from bot.messages.batches import progress
from bot.messages.endings import alone, answer, begun, parent
from bot.messages.notices import NoThread, elsewhere, only_you, replacing, unconfirmed
from bot.messages.words import Tongues, Words
from bot.slack.api import BAD_TOKEN, Answered, Doubtful, Refused, Result, SlackApi, away, passes
from bot.slack.appids import list_appids
from bot.slack.looking import PATIENCE, Posted
from bot.slack.posts import Posts, as_response
from bot.slack.refs import ref_of

_DIRECT = ("D", "U", "W")  # a user's id stands for the conversation with the bot


class Thread:
    """A parent message of the bot's, and the replies under it."""

    def __init__(self, posts: Posts, at: Posted, tongues: Tongues, otherwise: "Private") -> None:
        self._posts = posts
        self._at = at
        self._tongues = tongues
        self._otherwise = otherwise

    @property
    def ref(self) -> str:
        """The parent's place and, where it stands in another thread, that thread."""
        return ref_of(self._at)

    async def list_appids(self, request: Request, look_since: float | None) -> None:
        """List the appids of a long batch."""
        words = words_in(self._at.channel, request, self._tongues)
        thread = Posted(self._at.channel, self._at.root or self._at.ts)
        await list_appids(self._posts, words, request, thread, look_since=look_since)

    async def progress(self, request: Request, tally: Tally, pause: Pause | None) -> None:
        """Show in the parent how far a batch has come."""
        words = words_in(self._at.channel, request, self._tongues)
        now = progress(words, request, tally, pause)
        await self._posts.show(self._at, now)

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
        after: AfterShare = NOTHING_KNOWN,
    ) -> bool:
        """Reply with the answer, then bring the parent to its final state."""
        words = words_in(self._at.channel, request, self._tongues)
        whole = answer(words, request, outcome, called_again=called_again, after=after)
        mark = f"{request.id}-answer" if self._at.root else request.id
        thread = self._at.root or self._at.ts
        reply = await self._posts.post(self._at.channel, whole, mark, thread, look_since=look_since)
        if called_again and isinstance(reply, Posted) and reply.found:
            # It stood already without having been recorded, and the second call may have ended otherwise.
            await self._posts.edit(reply, whole)
        final = parent(words, request, outcome)
        if isinstance(reply, Doubtful):
            # Nobody can see whether the reply stands, but an edit can be repeated until it does.
            final += unconfirmed(words, whole)
        edited = await self._posts.edit(self._at, final)
        delivered = isinstance(reply, Posted) or (isinstance(reply, Doubtful) and edited)
        return delivered or await self._otherwise.close(
            request, outcome, look_since=look_since, called_again=called_again, after=after
        )


class Private:
    """The requester alone: what is under way through the command's response_url, the answer in a direct message."""

    def __init__(self, api: SlackApi, posts: Posts, tongues: Tongues, words: Words) -> None:
        self._api = api
        self._posts = posts
        self._tongues = tongues
        self._words = words

    async def begin(
        self, request: Request, why: NoThread, *, look_since: float | None, waiting: bool
    ) -> "Thread | Private | None":
        """Say what is under way and why there is no thread; return the place where that worked.

        With `look_since` it may have been said already; nobody can look, so it says that this replaces it.
        """
        said = begun(self._words, request, waiting=waiting)
        start, direct = only_you(self._words, said, why), elsewhere(self._words, said)
        if look_since is not None:
            start, direct = replacing(self._words, start), replacing(self._words, direct)
        responded = await self._respond(request, start)
        if isinstance(responded, Answered):
            return self
        user = request.origin.user_id
        posted = await self._posts.insist(user, direct, direct, request.id, look_since=look_since)
        if not isinstance(posted, Posted):
            _owe_if_open(posted, responded)
            return None
        return Thread(self._posts, posted, self._tongues, self)

    @property
    def ref(self) -> str:
        """Nothing more than that: the request knows its response_url."""
        return "private"

    async def progress(self, request: Request, tally: Tally, pause: Pause | None) -> None:
        """Show nothing: a response_url has only five uses."""

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
        after: AfterShare = NOTHING_KNOWN,
    ) -> bool:
        """Tell the requester how the request ended: directly, since what only they see may be seen by nobody.

        Slack shows an ephemeral message to whoever is there to look, and not once they load the page again
        (docs.slack.dev, chat.postEphemeral).
        """
        whole = answer(self._words, request, outcome, called_again=called_again, after=after)
        direct = alone(self._words, request, outcome, whole)
        again = unconfirmed(self._words, direct)
        mark, user = f"{request.id}-answer", request.origin.user_id
        posted = await self._posts.insist(user, direct, again, mark, look_since=look_since)
        if isinstance(posted, Posted):
            if called_again and posted.found:
                await self._posts.edit(posted, direct)
            return True
        responded = await self._respond(request, whole if look_since is None else again)
        if isinstance(responded, Answered):
            return True
        _owe_if_open(posted, responded)
        return False

    async def _respond(self, request: Request, message: Message) -> Result:
        url = request.origin.response_url
        if not url:
            return Refused("no response_url")
        result = await self._api.respond(url, PATIENCE, as_response(message))
        if isinstance(result, Doubtful):
            again = as_response(unconfirmed(self._words, message))
            result = await self._api.respond(url, PATIENCE, again)
        return result


def _owe_if_open(*ways: Result) -> None:
    """Raise AwayError if one of the ways that were refused may open again, by itself or by an operator."""
    for no in ways:
        if isinstance(no, Doubtful) or (
            isinstance(no, Refused) and (passes(no) or no.error in BAD_TOKEN)
        ):
            raise away(no)


def is_direct(channel: str) -> bool:
    """Tell whether it is a direct message, with the bot or between people."""
    return channel.startswith(_DIRECT)


def words_in(channel: str, request: Request, tongues: Tongues) -> Words:
    """Return the words for all who read there: in a direct message that is the requester alone."""
    return tongues.of(request.language) if is_direct(channel) else tongues.channel
