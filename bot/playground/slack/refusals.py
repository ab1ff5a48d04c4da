"""Refusals of the stand-in Slack: of calls, by token, scopes and arguments; and of impossible actions on the screen."""

from collections.abc import Collection
from typing import Literal, TypeAlias

from bot.playground.loopback import JsonObject
from bot.playground.world import World

TokenKind: TypeAlias = Literal["bot", "app"]

APP_SCOPE = "connections:write"


class RefusedError(Exception):
    """A response of `ok: false`, with Slack's error and details."""

    def __init__(self, error: str, details: JsonObject | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.details: JsonObject = details or {}


def invalid_arguments(*problems: object) -> RefusedError:
    """Return the refusal of a call's arguments; the problems, as text, are in Slack's format."""
    told: JsonObject = {"response_metadata": {"messages": [*map(str, problems)]}}
    return RefusedError("invalid_arguments", told)


class ImpossibleError(Exception):
    """A person could not do this in Slack: the element is not on their screen."""


def token_kind(world: World, token: str) -> TokenKind:
    """Return the kind of a token, or refuse it."""
    if not token:
        raise RefusedError("not_authed")
    if token == world.bot_token:
        return "bot"
    if token == world.app_token:
        return "app"
    raise RefusedError("invalid_auth")


def granted(scopes: Collection[str], kind: TokenKind) -> list[str]:
    """Return the scopes that a token carries, sorted."""
    return sorted(each for each in scopes if (each == APP_SCOPE) == (kind == "app"))


def require_scope(scopes: Collection[str], kind: TokenKind, *needed: str) -> None:
    """Refuse unless one of the needed scopes is granted."""
    if not any(each in scopes for each in needed):
        provided = ",".join(granted(scopes, kind))
        raise RefusedError("missing_scope", {"needed": ",".join(needed), "provided": provided})


def text_argument(args: JsonObject, name: str, *, required: bool = False) -> str:
    """Return a string argument; empty if it is optional and left out."""
    value = args.get(name)
    if value is None or value == "":
        if required:
            raise invalid_arguments(f"[ERROR] missing required field: {name}")
        return ""
    if isinstance(value, (dict, list)):
        raise invalid_arguments(f"[ERROR] must be a string [json-pointer:/{name}]")
    return str(value)


def flag_argument(args: JsonObject, name: str) -> bool:
    """Return a boolean argument, which is text in a query."""
    return args.get(name) in {True, "true", "1"}
