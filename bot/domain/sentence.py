"""A sentence for operators: English as text, with what it takes to say it in another language. Pure.

As a `str` it is English, which logs, `--json`, metrics and alerts use; what is printed for people is `told`.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Self


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
    return template.format_map(values) if values else template


def joined(items: Sequence[str]) -> str:
    """Return “a and b”."""
    return reduce(lambda one, other: Sentence("{one} and {other}", one=one, other=other), items)
