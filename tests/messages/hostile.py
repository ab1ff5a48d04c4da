"""Texts that people may write to break a message, and checks that they do not."""

import json

from hypothesis import strategies as st

from bot.messages import Message
from bot.messages.blocks import SECTION_LIMIT, TEXT_LIMIT
from bot.playground.slack.block_kit import block_errors

HOSTILE = st.text(
    st.sampled_from(["<", ">", "&", "`", "*", "\n", "|", "!", "@", "a", "语", "\ud800", "🕓", " "]),
    min_size=1,
    max_size=40,
).map(lambda word: word * 40)
MENTIONS = ("<!channel>", "<@U9EVIL>", "<https://evil.example|click>")
MENTION = " ".join(MENTIONS)


def check_that_slack_accepts(said: Message) -> None:
    if said.has_table:
        check_that_slack_accepts(said.without_table)
    assert 0 < len(said.text) <= (40_000 if said.has_table else TEXT_LIMIT)
    blocks = json.loads(json.dumps(said.blocks))
    assert block_errors(blocks) == []
    for block in blocks:
        assert len(block.get("text", {}).get("text", "")) <= SECTION_LIMIT


def check_that_nobody_is_mentioned(said: Message) -> None:
    shown = said.text + json.dumps(said.blocks, ensure_ascii=False)
    assert [mention for mention in MENTIONS if mention in shown] == []
