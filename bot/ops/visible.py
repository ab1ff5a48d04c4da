"""Show what anybody may have written so that it can neither act upon a terminal nor pass for something else."""

import json
import re
from collections.abc import Mapping

# What ends a line somewhere, moves a terminal's cursor, turns text around, cannot be seen, or is half a letter.
UNSAFE = (
    r"[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNSAFE = re.compile(UNSAFE)


def visible(text: str) -> str:
    """Return text as one line, with escapes in place of what is not to be printed."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def json_line(fields: Mapping[str, object]) -> str:
    """Return an object as one line of JSON, with its escapes for the same letters."""
    line = json.dumps(fields, ensure_ascii=False)
    if line.isascii() and "\x7f" not in line:
        return line
    return _UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], line)
