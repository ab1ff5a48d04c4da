"""Modals for an approver's decision, and for what went wrong in one."""

from bot.domain.click import Act
from bot.domain.request import Request
from bot.messages.appids import all_appids, appids
from bot.messages.asked import asks
from bot.messages.blocks import Block, Message, message, plain
from bot.messages.notices import broken
from bot.messages.words import Words

COMMENT = "comment"
"""The block_id and the action_id of the comment."""

_COMMENT_LIMIT = 500


def decision(words: Words, request: Request, act: Act, private_metadata: str) -> Block:
    """Ask an approver to confirm the decision, with an optional comment."""
    approving = act is Act.APPROVE
    told = message(
        asks(words, request),
        appids(request, words("All of them are listed below.")),
        words(
            "It cannot be undone through WeChat's API; only the owner's admin can, in WeChat DevTools."
        )
        if approving
        else None,
    )
    return {
        "type": "modal",
        "callback_id": act.value,
        "title": plain(words("Approve") if approving else words("Reject")),
        "submit": plain(words("Approve") if approving else words("Reject")),
        "close": plain(words("Back")),
        "private_metadata": private_metadata,
        "blocks": [
            *told.blocks,
            {
                "type": "input",
                "block_id": COMMENT,
                "optional": True,
                "label": plain(words("Comment for the requester")),
                "element": {
                    "type": "plain_text_input",
                    "action_id": COMMENT,
                    "multiline": True,
                    "max_length": _COMMENT_LIMIT,
                },
            },
            *message(*all_appids(words, request)).blocks,
        ],
    }


def refusal(words: Words, act: Act, why: Message) -> Block:
    """Replace the modal of somebody who may not decide; `why` tells the reason."""
    return {
        "type": "modal",
        "title": plain(words("Approve") if act is Act.APPROVE else words("Reject")),
        "close": plain(words("Back")),
        "blocks": why.blocks,
    }


def trouble(words: Words, reference: str) -> Block:
    """Replace a modal after the bot failed unexpectedly; operators find `reference` in the log."""
    return {
        "type": "modal",
        "title": plain(words("Share an env")),
        "close": plain(words("Back")),
        "blocks": broken(words, reference).blocks,
    }
