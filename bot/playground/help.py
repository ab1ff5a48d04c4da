"""The prompt's help: the commands and orders that can be typed."""

from bot.command.grammar import SLASH_COMMAND
from bot.playground.troubles import TROUBLES
from bot.playground.world import ABOUT, APPID

PEOPLE = ", ".join(f"{role} ({about})" for role, about in ABOUT.items())
CONVERSATIONS = "public, private (the bot was not invited), dm (between two people), app (with the bot), archived, approvals, shared, or a channel's name"
HELP = (
    (f"{SLASH_COMMAND} APPID ENV", f"ask as in Slack; an appid to try: {APPID}"),
    (":click WORDS [REQUEST]", "click a button; without words: what there is to click"),
    (
        ":open [home | WORDS]",
        "open the form, the bot's Home, or the form from a message with these words",
    ),
    (":submit NAME=VALUE …", f"fill in and submit the form, such as env=prod-1 appids={APPID}"),
    (":close", "close the form"),
    (":as ROLE", PEOPLE),
    (":in PLACE", CONVERSATIONS),
    (":wechat WORD", f"what WeChat does next: an errcode such as 85088, or {', '.join(TROUBLES)}"),
    (":say TEXT", "write a message"),
    (":reply WORDS TEXT", "answer the message with these words, in its thread"),
    (":json [WORDS]", "what Slack holds of the newest message with these words"),
    (":audit [REQUEST]", "what the ledger holds"),
    (":policy [FILE]", "show the policy, or put another one into force"),
    (":save FILE", "keep what was done, as a script"),
    (":replay FILE", "do again what a script holds"),
    ("help, quit", ""),
)
"""What can be typed, and what it does."""
