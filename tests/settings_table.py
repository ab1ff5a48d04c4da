"""Generate the files and tables that depend on the table of settings.

`python -m tests.settings_table` writes `.env.example` and prints the README's table.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import TextWrapper
from typing import Any

from bot.settings.setting import Setting
from bot.settings.table import FILED, SETTINGS

EXAMPLE = Path(__file__).parent.parent / ".env.example"
_HEAD = """\
# Copy this file to .env and fill it in. What is set in the real environment wins over this file.
# A secret may stand in a file instead: SLACK_BOT_TOKEN_FILE=/run/secrets/slack in place of SLACK_BOT_TOKEN.
# Check it by starting the bot: it names each setting that is wrong, and the fix.
"""
_WIDTH = 110
_COMMENT = TextWrapper(_WIDTH, "# ", "# ", break_long_words=False, break_on_hyphens=False)


def example() -> str:
    """Return the content of `.env.example`."""
    return "\n".join([_HEAD.rstrip(), *(line for each in SETTINGS for line in _lines(each)), ""])


def readme() -> str:
    """Return the README's table."""
    return "| Name | Default | Meaning |\n|---|---|---|\n" + "".join(map(_row, SETTINGS))


def _lines(setting: Setting[Any]) -> Iterator[str]:
    if setting.section:
        yield ""
        yield f"# --- {setting.section} ".ljust(_WIDTH, "-")
    meaning = setting.meaning.replace("`", "")
    for part in f"{meaning[0].upper()}{meaning[1:]}. {setting.where}".splitlines():
        yield from _COMMENT.wrap(part)
    yield f"{setting.name}={'' if setting.left_empty else setting.default}"


def _row(setting: Setting[Any]) -> str:
    default = f"`{setting.default}`" if setting.default else setting.otherwise
    name = f"`{setting.name}`{' †' * (setting.name in FILED)}"
    return f"| {name} | {default + ' ' if default else ''}| {setting.meaning} |\n"


if __name__ == "__main__":
    EXAMPLE.write_text(example(), encoding="utf-8")
    sys.stdout.write(readme())
