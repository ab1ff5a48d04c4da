"""Every message the bot sends, as text and Block Kit, in each language. Pure.

- What all messages are made of: `words`, `blocks`; what several have in common: `request`, `endings`, `rules`.
- To a command: `mistakes`, `rulings` (denials, `why`, dry runs), `people` (`whoami`, `help`), `history`, `notices`.
- About a request: `approvals` while it waits for people, `answers` after the call, `batches`; `conversation`
  chooses among them.
- For those who click `click_replies`, for Slack's pages `home` and `modals`.
"""

from bot.messages.blocks import Block, Message

__all__ = ["Block", "Message"]
