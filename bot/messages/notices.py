"""What the bot says when something is up with itself."""

from bot.messages.blocks import Message, code, message


def stopping() -> Message:
    """Say that the bot is about to stop and took nothing on."""
    return message("I am restarting. Nothing was done: please send the command again in a minute.")


def broken(reference: str) -> Message:
    """Say that the bot failed in a way nobody foresaw, with what its operators need to find it."""
    return message(
        "Something went wrong inside me, and I do not know whether your command took effect.",
        f"Tell the people who run this bot, with this reference: {code(reference)}. They will find it in "
        "the log. Then send the command again: sharing the same env twice does no harm.",
    )
