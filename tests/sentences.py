"""Collect every sentence that the bot can say from its source, and check how it is used."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from bot.command.grammar import MENTION_HELP, SHARE_HELP, SUBCOMMANDS
from bot.command.mistake import Wrong
from bot.domain.in_general import to_operators
from bot.guidance import all_guidance
from bot.guidance.causes import CAUSE_ROWS
from bot.messages.words import PLACEHOLDERS
from bot.policy.kinds import DEFAULT_CONTACT

ROOT = Path(__file__).parent.parent
BOT = ROOT / "bot"
COMMAND, GUIDANCE = "bot/command", "bot/guidance"


@dataclass(frozen=True, slots=True)
class Sentence:
    """An English sentence or, with `many`, its singular and plural; `room` is its file."""

    text: str
    many: str | None
    room: str

    @property
    def id(self) -> str | tuple[str, str]:
        """The sentence's key in a catalogue."""
        return (self.text, self.many) if self.many is not None else self.text


def all_sentences() -> list[Sentence]:
    """Return all sentences, once per file, in order."""
    found: dict[Sentence, None] = {}
    for path in _sources():
        room = path.relative_to(ROOT).as_posix()
        found |= dict.fromkeys(said_in(path.read_text(encoding="utf-8"), room)[0])
    command = [
        *SHARE_HELP,
        MENTION_HELP,
        *(row.help for row in SUBCOMMANDS),
        *(each.value for each in Wrong),
    ]
    found |= dict.fromkeys(Sentence(text, None, COMMAND) for text in command)
    return [*found, *(Sentence(text, None, GUIDANCE) for text in dict.fromkeys(_guidance()))]


def all_misuses() -> list[str]:
    """Return the mistakes in how sentences are used, in all files."""
    return [
        f"{path.name}: {wrong}"
        for path in _sources()
        for wrong in said_in(path.read_text(encoding="utf-8"), path.name)[1]
    ]


def _sources() -> list[Path]:
    """Return the modules whose sentences are translated: all but those of the demo, which speaks English."""
    return [p for p in sorted(BOT.rglob("*.py")) if "playground" not in p.parts]


def said_in(source: str, room: str) -> tuple[list[Sentence], list[str]]:
    """Return a file's sentences in order, and the mistakes in how it uses them.

    A sentence is the literal in `words("…")`, `msgid("…")` or `Sentence("…")`, or the two in `words.count("…", "…", n)`; `say` is the name for
    words bound to a request.
    """
    calls = sorted(
        (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)),
        key=lambda call: (call.lineno, call.col_offset),
    )
    sentences, wrong = [], []
    for call in calls:
        kind = _kind(call.func)
        texts = list(_literals(call.args[: 2 if kind == "count" else 1])) if kind else []
        line = f"line {call.lineno}"
        if kind == "count" and len(texts) == 2:
            sentences.append(Sentence(texts[0], texts[1], room))
        elif kind and kind != "count":
            sentences += [Sentence(text, None, room) for text in texts]
        if kind and any(isinstance(arg, ast.JoinedStr) for arg in call.args):
            wrong.append(f"{line}: an f-string is in no catalogue; use a place {{name}}.")
        if texts and kind != "msgid":
            if kind == "sentence" and not call.keywords:
                continue  # its braces are kept
            known = {
                *(["contact"] if kind != "sentence" else []),
                *(["count"] if kind == "count" else []),
                *(PLACEHOLDERS if _says(call.func) else []),
            }
            wrong += [f"{line}: {fault}." for fault in _misfits(call, texts, known)]
    return sentences, wrong


def _kind(func: ast.expr) -> str | None:
    match func:
        case ast.Name(id="msgid"):
            return "msgid"
        case ast.Name(id="Sentence"):
            return "sentence"
        case ast.Name(id="words" | "say") | ast.Attribute(attr="words"):
            return "one"
        case ast.Attribute(
            value=ast.Name(id="words" | "say") | ast.Attribute(attr="words"), attr="count"
        ):
            return "count"
        case _:
            return None


def _says(func: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "say" for node in ast.walk(func))


def _literals(args: list[ast.expr]) -> Iterator[str]:
    """Yield the literal arguments; both for `"…" if … else "…"`."""
    for arg in args:
        match arg:
            case ast.Constant(value=str(text)):
                yield text
            case ast.IfExp(body=body, orelse=orelse):
                yield from _literals([body, orelse])
            case _:
                pass


def _misfits(call: ast.Call, texts: list[str], known: set[str]) -> Iterator[str]:
    """Yield the placeholders without a value, and the values without a placeholder, of a call."""
    given = {str(keyword.arg) for keyword in call.keywords}
    places = {name for text in texts for _, name, *_ in Formatter().parse(text) if name}
    if any(keyword.arg is None for keyword in call.keywords):
        yield f"{texts[0]!r} gets its values by **, which nobody can check"
    elif not given <= places <= given | known:
        yield f"{texts[0]!r} has the places {sorted(places)}, and gets {sorted(given)}"


def _guidance() -> Iterator[str]:
    for row in (*all_guidance(), *CAUSE_ROWS):
        said = (row.title, row.meaning, *row.steps_with("as WeChat words it"))
        yield from (*said, *map(to_operators, said))
    yield DEFAULT_CONTACT
