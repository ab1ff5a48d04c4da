"""What the bot says about itself: where it can answer, that it is stopping, that it failed."""

from enum import Enum

from bot.command.grammar import SLASH_COMMAND
from bot.messages.blocks import Message, Part, message, small
from bot.messages.words import Words, code, msgid


class NoThread(Enum):
    """Why the bot opens no thread; the value is the sentence for the requester."""

    NOT_INVITED = msgid(
        "I am not in the conversation where you asked, so only you can see this. For a thread that everybody there can follow, add me there with `/invite @share-env` before you ask."
    )
    DIRECT = msgid(
        "I cannot post in a conversation between other people, so only you can see this. For a thread, ask "
        "in a channel that I am in, or in our direct messages."
    )
    ARCHIVED = msgid(
        "The channel where you asked is archived, so only you can see this. For a thread, ask in another channel, or in our direct messages."
    )
    READ_ONLY = msgid(
        "I may not post in the channel where you asked, so only you can see this. For a thread, ask in another channel, or have a channel manager let me post there."
    )
    SHARED_OUTSIDE = msgid(
        "The channel where you asked is shared with another organisation, so the details stay with you. For a thread, ask in a channel of your own organisation."
    )
    CANNOT_TELL = msgid(
        "I could not find out whether the channel where you asked is shared with another organisation, so the details stay with you. Send this to {contact}: they check my scopes channels:read, groups:read and mpim:read."
    )
    SLACK_TROUBLE = msgid(
        "Slack did not let me open a thread where you asked, so only you can see this. If it happens again, tell {contact}."
    )


def stopping(words: Words) -> Message:
    """Say that the bot is about to stop and accepted nothing."""
    return message(
        words("I am restarting. Nothing was done: please send the command again in a minute.")
    )


def unknown_command(words: Words, command: str) -> Message:
    """Say that Slack calls the bot by a command name that it does not have."""
    return message(
        words(
            "Nothing was done: in Slack my command is set up as {command}, and I answer to {known} only.",
            command=code(command),
            known=code(SLASH_COMMAND),
        ),
        words(
            "Tell {contact}: they can correct the name on the Slack app's page “Slash Commands”."
        ),
    )


def broken(words: Words, reference: str) -> Message:
    """Say that the bot failed unexpectedly; operators find `reference` in the log."""
    return message(
        words(
            "Something went wrong inside me, and I do not know whether what you asked for took effect."
        ),
        words(
            "Send this reference, which stands in my log, to {contact}: {reference}. Then try again: doing it twice should do no harm.",
            reference=code(reference),
        ),
    )


def only_you(words: Words, begun: Message, why: NoThread) -> Message:
    """Add to `begun` why there is no thread, and where the answer will be; without the bar, which would stand still."""
    still = message(*(part for part in begun.parts if not (isinstance(part, Part) and part.drawn)))
    there = words("The answer comes by direct message. {why}", why=words(why.value))
    return still + message(small(there))


def twin(words: Words) -> Message:
    """Say in a message that stands twice that the other one counts."""
    return message(
        words("Slack delivered this message late, so it stands here twice. The other one counts.")
    )


class Note(Enum):
    """What a message says about itself at its end; the value is the sentence."""

    ELSEWHERE = msgid("I could not answer where you asked, so the answer comes in this thread.")
    REPLACING = msgid("I may have sent this message before. If you see two, this one counts.")
    """Of a message that replaces an earlier one, which the bot may not look for."""
    ASKED_DIRECTLY = msgid(
        "I ask approvers directly, since another organisation may be able to read their channel. The first decision counts."
    )
    ESCALATED = msgid("It is not decided yet, so you are asked too, and may decide.")


def noted(words: Words, said: Message, note: Note) -> Message:
    """Add a note to a message."""
    return said + message(small(words(note.value)))
