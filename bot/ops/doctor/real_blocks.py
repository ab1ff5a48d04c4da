"""Let Slack's own check look at each kind of message and view; it posts nothing. Source: docs.slack.dev, blocks.validate."""

import json
import re
from collections.abc import Iterator

from bot.messages.words import Words
from bot.ops.doctor.real_kinds import messages, views
from bot.ops.doctor.real_tried import Tried, code_of, failed, held, no_answer
from bot.slack.api import Answered, Doubtful, SlackApi, passes

_NAME, _METHOD = "blocks-validate", "blocks.validate"
_PATIENCE = 60.0  # seconds that a rate limit may take; no page tells this method's
_INVALID = {"invalid_blocks", "invalid_message", "invalid_view"}
_POINTER = re.compile(r"[a-z_0-9/]{1,120}")


async def try_blocks(api: SlackApi, words: Words) -> list[Tried] | str:
    """Return a try for each kind that Slack would not take, or one for all; a sentence where the app may not ask."""
    wrong, kinds = list[Tried](), list(_kinds(words))
    for number, (name, payload) in enumerate(kinds):
        result = await api.write(_METHOD, _PATIENCE, **payload)
        if isinstance(result, Answered):
            continue
        if isinstance(result, Doubtful) or passes(result):
            return [*wrong, no_answer(_NAME, result)]
        if result.error not in _INVALID and number:
            return [*wrong, no_answer(_NAME, result)]
        if result.error not in _INVALID:
            return f"Slack does not let this app use {_METHOD} ({code_of(result)}), so it looked at no message."
        at = ", ".join(filter(_POINTER.fullmatch, result.pointers)) or "it does not say where"
        wrong.append(failed(_NAME, f"`{name}`: {result.error} ({at})"))
    return wrong or [held(_NAME, f"kinds of messages and views, all valid: {len(kinds)}")]


def _kinds(words: Words) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the arguments of a call for each kind, by its name."""
    for name, said in messages(words):
        yield name, {"message": json.dumps({"blocks": said.blocks})}
    for name, view in views(words):
        yield name, {"view": json.dumps(view)}
