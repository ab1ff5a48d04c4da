"""The redaction leaves the bot's own sentences unchanged."""

import ast
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.pofile import read_po

import bot
from bot.observe.logs.redaction import Redactor

BOT = Path(bot.__file__).parent
CATALOGUES = sorted(BOT.glob("locale/*/LC_MESSAGES/*.po"))
SHOWS_A_PASSWORD = "PostgreSQL is postgresql+psycopg://user:password@host/database"
"""The only text with something to hide: it goes into .env.example, and into no log or message."""
CLEAN = Redactor(()).clean


def literals(source: str) -> Iterator[str]:
    """Yield each string with a blank, with a word for each interpolated value; without docstrings."""
    tree = ast.parse(source)
    comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if id(node) in comments | parts:
            continue
        if isinstance(node, ast.JoinedStr):
            said = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "word"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = node.value
        else:
            continue
        if " " in said:
            yield said


def sentences() -> list[str]:
    """Return the sentences of all rooms, and their translations."""
    rooms = sorted(BOT.rglob("*.py"))
    english = [said for path in rooms for said in literals(path.read_text(encoding="utf-8"))]
    translated = [
        text
        for path in CATALOGUES
        for message in read_po(BytesIO(path.read_bytes()))
        for text in ([message.string] if isinstance(message.string, str) else message.string or ())
    ]
    return [*english, *translated]


def test_every_sentence_of_the_bot_passes_unchanged() -> None:
    found = sentences()
    assert len(found) > 2_000
    changed = [sentence for sentence in found if CLEAN(sentence) != sentence]
    assert [sentence.startswith(SHOWS_A_PASSWORD) for sentence in changed] == [True]
