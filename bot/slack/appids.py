"""The appids of a batch of more than ten, listed in the thread of the message that is about it."""

import logging

from bot.domain.request import Request
from bot.messages.notices import replacing
from bot.messages.request import replies
from bot.messages.words import Words
from bot.slack.looking import Posted
from bot.slack.posts import Posts

_log = logging.getLogger(__name__)


async def list_appids(
    posts: Posts, words: Words, request: Request, thread: Posted, *, look_since: float | None
) -> None:
    """Reply with the appids, each reply once; raises AwayError.

    Where Slack refuses one for good, as in a channel without threads, it goes on without the list.
    """
    for number, reply in enumerate(replies(words, request), 1):
        mark, again = f"{request.id}-list-{number}", replacing(words, reply)
        posted = await posts.insist(
            thread.channel, reply, again, mark, thread.ts, look_since=look_since
        )
        if not isinstance(posted, Posted):
            told = {"request": request.id, "reason": str(posted)}
            _log.error("the appids of a batch are not listed", extra=told)
            return
