"""The bot's English sentences for use in assertions, taken from the messages so that they can be reworded in one place."""

import re
from datetime import timedelta
from os.path import commonprefix

from bot.domain.batch import AtLimit, InDoubt
from bot.domain.outcome import AfterCall, Expired, Outcome, Readiness, Shared, Tally
from bot.domain.request import Origin, Request
from bot.guidance import CODES, EnvFine, explained
from bot.messages import Message, answers, approvals, batches, click_replies, conversation
from bot.messages.click_replies import too_late
from bot.messages.history import Line
from bot.messages.home import Records, home
from bot.messages.notices import Note, broken
from bot.messages.rulings import denied
from bot.policy.kinds import (
    Approvers,
    Deny,
    Effect,
    NoRule,
    Person,
    PersonUnreadable,
    Policy,
    Rule,
    Unreadable,
)
from tests import asking
from tests.languages import ENGLISH

_MARKUP = re.compile(r"`[^`]*`|<[^>]*>")
_ANY = Request(
    id="0",
    origin=Origin(
        team_id="T0",
        user_id="U0",
        channel_id="C0",
        channel_name="c",
        trigger_id="",
        response_url="",
    ),
    appid="wx0",
    env="e",
    owner="wx1",
    rule="r",
)
_NAMED = Approvers(frozenset({"U1"}), frozenset(), "C0", timedelta(hours=1))
_RULE = Rule("r", Effect.APPROVE, approvers=_NAMED)
_ASK = asking.ask(Person("T0", "U0"), "C0", "wx0", "e")
_NONE, _LINES = Records((), ()), (Line(_ANY, None, 0.0, None),)

ASKED_DIRECTLY = Note.ASKED_DIRECTLY.value
MAY_BE_TWO = Note.REPLACING.value
"""What a message says that replaces an earlier one, which the bot may not look for."""


def gist(said: Message) -> str:
    """Return the start of a message, more than ten characters, that is the same for every request."""
    (first, *_) = [
        run.strip() for run in _MARKUP.split(said.parts[0].text) if len(run.strip()) > 10
    ]
    return first


def title_at_home(records: Records) -> str:
    """Return the title above the only list of these records in an App Home."""
    empty, page = (home(ENGLISH, Person("T0", "U0"), (), each, "0") for each in (_NONE, records))
    (title, *_) = [part.text for part in page.parts if part not in empty.parts]
    return title


def answer_to(outcome: Outcome) -> str:
    """Return the start of the answer to a request."""
    return gist(conversation.answer(ENGLISH, _ANY, outcome))


def verdict_on(outcome: Outcome) -> str:
    """Return the text that replaces the question to the approvers."""
    return gist(approvals.decided(ENGLISH, _ANY, outcome, 0))


def late_answer(outcome: Outcome) -> str:
    """Return how a request with this outcome ended, in the answer to a click that comes too late."""
    end = too_late(ENGLISH, _ANY, outcome).text.removeprefix(f"{TOO_LATE}: ").partition(". ")[0]
    return _MARKUP.sub("", end).strip()


USABLE = AfterCall(Readiness.READY)
"""The text after a share of an env of the local WeChat."""

# In response to a command.
SHARED = commonprefix(  # noqa: RUF071  # texts, not paths
    [conversation.answer(ENGLISH, _ANY, Shared(), after=AfterCall(each)).text for each in Readiness]
)
DENIED = gist(denied(ENGLISH, Deny(NoRule(())), _ASK, Policy(())))
CANNOT_TELL = gist(denied(ENGLISH, Deny(PersonUnreadable(Unreadable.SLACK_DOWN)), _ASK, Policy(())))
NOT_RECORDED = gist(click_replies.refused(ENGLISH, click_replies.NothingDone.LEDGER_DOWN))
IN_DOUBT = gist(click_replies.refused(ENGLISH, click_replies.NothingDone.IN_DOUBT))
ACCEPTED = gist(answers.accepted(ENGLISH, _ANY))
NEEDS_APPROVAL = gist(approvals.sent_to_approvers(ENGLISH, _ANY))

# In response to a click.
CANCELLED = gist(approvals.settled(ENGLISH, _ANY, approvals.Settled.CANCELLED))
TOO_LATE = too_late(ENGLISH, _ANY, None).text.partition(":")[0]
NO_SUCH_REQUEST = gist(click_replies.refused(ENGLISH, click_replies.NothingDone.NO_SUCH_REQUEST))
NOT_AN_APPROVER = gist(click_replies.refused(ENGLISH, click_replies.NothingDone.NOT_AN_APPROVER))
NOT_A_MEMBER = gist(click_replies.refused(ENGLISH, click_replies.NothingDone.NOT_A_MEMBER))
OWN_REQUEST = gist(click_replies.refused(ENGLISH, click_replies.NothingDone.OWN_REQUEST))
RETRIED_ALREADY = gist(click_replies.refused(ENGLISH, click_replies.NothingDone.RETRIED_ALREADY))
YOU_APPROVED = gist(approvals.you_approved(ENGLISH, _ANY))
YOU_REJECTED = gist(approvals.settled(ENGLISH, _ANY, approvals.Settled.REJECTED))

# While a request waits or runs, and at its end.
NO_APPROVER = approvals.no_approver(ENGLISH, _RULE).parts[0].text.rpartition("” ")[2]
STILL_WAITS = gist(approvals.reminder(ENGLISH, _ANY, 0, "<@U0>")).removeprefix(": ")
UNDECIDED = answer_to(Expired("approval"))
_AT_LIMIT = batches.progress(ENGLISH, _ANY, Tally(2), AtLimit(0.0)).parts[2].text
PAUSED_AT_LIMIT = _AT_LIMIT.partition("<")[0].strip()
PAUSED_IN_DOUBT = batches.progress(ENGLISH, _ANY, Tally(2), InDoubt()).parts[2].text
(_TWICE,) = [part.text for part in (answers.called_twice(ENGLISH, ["wx0"]),) if part]
CALLED_TWICE = _TWICE.partition("`")[0].strip()
CLOUDBASE_OFF = CODES[85088].title
RECEIVER_OFF = explained(CODES[85088], EnvFine()).title
BROKEN = gist(broken(ENGLISH, "0"))

# In an App Home.
YOU_CAN_CANCEL = title_at_home(Records((), (), stoppable=_LINES))
YOU_DECIDE = title_at_home(Records((), _LINES))
