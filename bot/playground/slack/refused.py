"""The two kinds of refusal in the stand-in Slack: an API error for the bot, and what a person cannot do on the screen."""

from bot.playground.loopback import Json, JsonObject


class RefusedError(Exception):
    """An answer of `ok: false`: Slack's error and the details that go with it."""

    def __init__(self, error: str, details: JsonObject | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.details: JsonObject = details or {}


def invalid_arguments(*problems: str) -> RefusedError:
    """Return the refusal of a call's arguments, with the problems in Slack's own form."""
    return RefusedError("invalid_arguments", {"response_metadata": {"messages": [*problems]}})


def invalid_blocks(*problems: str) -> RefusedError:
    """Return the refusal of blocks, which names each problem twice, once of them without “[ERROR]”."""
    bare: list[Json] = [each.removeprefix("[ERROR] ") for each in problems]
    metadata: JsonObject = {"messages": [*problems]}
    return RefusedError("invalid_blocks", {"errors": bare, "response_metadata": metadata})


class ImpossibleError(Exception):
    """Nobody could do this in Slack: what is to be clicked or filled in is not on the screen."""
