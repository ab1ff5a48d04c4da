"""The modals: the form for a share, with the mistakes in its fields, and an approver's decision."""

import re
from collections.abc import Sequence

from bot.command.form import Mistakes
from bot.command.grammar import REASON_LIMIT
from bot.domain.request import Act, Origin, Request
from bot.guidance import Cause
from bot.messages.answers import brief_cause
from bot.messages.blocks import Block, Mended, message, plain, small
from bot.messages.mistakes import sentence
from bot.messages.notices import broken
from bot.messages.request import ASKS, all_appids, appids
from bot.messages.words import FOR_GOOD, Words, as_typed, sentences

FORM = "share_env_form"
"""The callback_id of the modal."""

ENV, APPIDS, REASON, DRY_RUN = "env", "appids", "reason", "dry_run"
"""The fields, named as `command.form` does: each name is both block_id and action_id."""

MOST_OPTIONS = 100
_CODE = re.compile(r"`([^`]*)`")


def form(words: Words, origin: Origin, private_metadata: str) -> Block:
    """Return the modal; Slack requests the envs only when a person opens their menu."""
    for_good = message(small(words(FOR_GOOD)))
    blocks = [*message(_where(words, origin)).blocks, *_fields(words), *for_good.blocks]
    return _modal(words("Share an env"), words("Cancel"), blocks) | {
        "callback_id": FORM,
        "submit": plain(words("Share")),
        "private_metadata": private_metadata,
    }


def _where(words: Words, origin: Origin) -> str | None:
    """Return where the answer will come, if not in the channel."""
    if origin.thread_ts:
        return words(
            "The answer comes in the thread of the message that you chose or, if I may not post there, by direct message."
        )
    if origin.channel_id == origin.user_id:
        return words(
            "The answer comes by direct message. To share from a channel, which some rules ask for, type `/share-env` there."
        )
    return None


def _fields(words: Words) -> list[Block]:
    env: Block = {"type": "external_select", "min_query_length": 0}
    env["placeholder"] = plain(words("Choose an env, or type its id"))
    appids: Block = {"type": "plain_text_input", "multiline": True}
    appids["placeholder"] = plain("wx0123456789abcdef")
    reason: Block = {"type": "plain_text_input", "max_length": REASON_LIMIT}
    only = {"text": plain(words("Only say what would happen")), "value": DRY_RUN}
    dry_run: Block = {"type": "checkboxes", "options": [only]}
    some = words(
        "One or several, with commas, blanks or line breaks between them. Duplicates are ignored."
    )
    return [
        _field(ENV, words("Env"), env),
        _field(APPIDS, words("Appids of the apps that receive access"), appids, some),
        _field(REASON, words("Reason"), reason, optional=True),
        _field(DRY_RUN, words("Dry run"), dry_run, optional=True),
    ]


def _field(
    name: str, label: str, element: Block, hint: str = "", *, optional: bool = False
) -> Block:
    return {
        "type": "input",
        "block_id": name,
        "label": plain(label),
        "element": {**element, "action_id": name},
        "optional": optional,
        **({"hint": plain(hint)} if hint else {}),
    }


def options(
    words: Words, envs: Sequence[str], typed: str | None, cause: Cause | None = None
) -> list[Block]:
    """Return the envs to choose from; the typed one comes last if it is not among them, with why a share of it would fail."""
    listed = envs[: MOST_OPTIONS - 1]
    offered: list[Block] = [{"text": plain(env), "value": env} for env in listed]
    if typed and typed not in listed:
        as_it_is = plain(as_typed(brief_cause(words, cause) or words("as you typed it")))
        offered.append({"text": plain(typed), "value": typed, "description": as_it_is})
    return offered


def errors(words: Words, mistakes: Mistakes) -> dict[str, str]:
    """Return the mistakes by field, as plain text: Slack shows no markup there."""
    return {field: _unmarked(sentence(words, mistake)) for field, mistake in mistakes.items()}


def error_at(told: Mended) -> dict[str, str]:
    """Return what the policy says of a field, in the same way."""
    return {told.field: _unmarked(told.mistake)}


def _unmarked(text: str) -> str:
    return as_typed(_CODE.sub(r"“\1”", text))


COMMENT = "comment"
"""The block_id and the action_id of the comment."""

_COMMENT_LIMIT = 500


def decision(words: Words, request: Request, act: Act, private_metadata: str) -> Block:
    """Ask an approver to confirm the decision, with an optional comment."""
    title = words("Approve") if act is Act.APPROVE else words("Reject")
    return _decision(
        words,
        request,
        act,
        private_metadata,
        title=title,
        submit=title,
        says=(words.about(request)(ASKS), words(FOR_GOOD) if act is Act.APPROVE else None),
        comment=words("Comment for the requester"),
    )


def breaking_glass(words: Words, request: Request, private_metadata: str) -> Block:
    """Ask a requester why their request cannot wait for its approval."""
    say = words.about(request)
    told = words("The approvers are told at once, with what you write here.")
    return _decision(
        words,
        request,
        Act.BREAK_GLASS,
        private_metadata,
        title=words("Share without approval"),
        submit=words("Share it"),
        says=(
            say("Share {env} with {receivers} without waiting for the approval?"),
            sentences(words, words(FOR_GOOD), told),
        ),
        comment=words("Why it cannot wait"),
    )


def _decision(  # noqa: PLR0913  # the parts of the modal
    words: Words,
    request: Request,
    act: Act,
    private_metadata: str,
    *,
    title: str,
    submit: str,
    says: Sequence[str | None],
    comment: str,
) -> Block:
    first, *others = says
    told = message(first, appids(request, words("All of them are listed below.")), *others)
    text: Block = {"type": "plain_text_input", "multiline": True, "max_length": _COMMENT_LIMIT}
    field = _field(COMMENT, comment, text, optional=act is not Act.BREAK_GLASS)
    blocks = [*told.blocks, field, *message(*all_appids(words, request)).blocks]
    return _modal(title, words("Back"), blocks) | {
        "callback_id": act.value,
        "submit": plain(submit),
        "private_metadata": private_metadata,
    }


def trouble(words: Words, reference: str) -> Block:
    """Replace a modal after the bot failed unexpectedly; operators find `reference` in the log."""
    return _modal(words("Share an env"), words("Back"), broken(words, reference).blocks)


def _modal(title: str, close: str, blocks: list[Block]) -> Block:
    return {"type": "modal", "title": plain(title), "close": plain(close), "blocks": blocks}
