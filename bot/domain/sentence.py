"""A sentence for operators: English as text, with what it takes to say it in another language. Pure.

As a `str` it is English, which logs, `--json`, metrics and alerts use; what is printed for people is `told`.
"""

import re
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Final, Self

_HAN: Final = re.compile("[\u4e00-\u9fff]")


class Sentence(str):
    """A template, the key of its translations, with its values; a value that is a sentence is translated too.

    Without values the template is the text, and may hold braces.
    """

    __slots__ = ("template", "values")

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        """Fill the places of the template."""
        self = super().__new__(cls, template.format_map(values) if values else template)
        self.template, self.values = template, values
        return self


def told(text: str, translate: Callable[[str], str]) -> str:
    """Return a sentence in the language of `translate`; other text, such as a path, unchanged."""
    if not isinstance(text, Sentence):
        return text
    template = translate(text.template)
    values = {
        name: told(value, translate) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    for name, value in text.values.items():
        if isinstance(value, Sentence):
            template = _unspaced(template, name, str(values[name]))
    return template.format_map(values) if values else template


def _unspaced(template: str, name: str, value: str) -> str:
    """Return a template without the blanks around a place that would stand between two Chinese characters."""
    if _HAN.match(value[-1:]):
        template = re.sub(rf"({{{name}}}) (?={_HAN.pattern})", r"\1", template)
    if _HAN.match(value):
        template = re.sub(rf"(?<={_HAN.pattern}) ({{{name}}})", r"\1", template)
    return template


def cleaned(text: str, clean: Callable[[str], str]) -> str:
    """Return a text with secrets hidden in its values; it loses its translations if one is not in a single value."""
    if not isinstance(text, Sentence):
        return clean(text)
    values = {
        name: value if isinstance(value, int) else cleaned(_as_text(value), clean)
        for name, value in text.values.items()
    }
    whole = Sentence(text.template, **values)
    return whole if clean(whole) == whole else clean(text)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


AND: Final = Sentence("{one} and {other}")
OR: Final = Sentence("{one} or {other}")
COMMA: Final = Sentence("{one}, {other}")
SEMICOLON: Final = Sentence("{one}; {other}")


def joined(items: Sequence[str], by: str = AND) -> str:
    """Return all items as one sentence, such as “a and b”; empty without any."""
    if not items:
        return ""
    return reduce(lambda one, other: Sentence(by, one=one, other=other), items)
