"""What the bot says about its own state: stopping, or broken."""

from bot.command import SLASH_COMMAND
from bot.messages.blocks import Message, code, message
from bot.messages.words import Words


def stopping(words: Words) -> Message:
    """Say that the bot is about to stop and accepted nothing."""
    return message(
        words("I am restarting. Nothing was done: please send the command again in a minute.")
    )


def unknown_command(words: Words, command: str) -> Message:
    """Say that Slack knows the bot's command by a name that it does not answer to."""
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
            "Something went wrong inside me, and I do not know whether your command took effect."
        ),
        words(
            "Tell {contact}, with this reference from the log: {reference}. Then send the command again: sharing the same env twice should do no harm.",
            reference=code(reference),
        ),
    )
