"""Maintain the translation catalogues: run `python -m tests.translations` after adding or changing a sentence.

It begins the .po of a new language, adds new sentences to each, removes unused ones, keeps the comment at the top, and compiles the .mo. The exit code
is 1 while translations are missing or wrong. The same sentences always produce the same bytes.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from bot.domain.language import Language
from bot.locale import DOMAIN, LOCALES
from tests.sentences import Sentence, all_misuses, all_sentences

TRANSLATED = tuple(language for language in Language if language is not Language.ENGLISH)
_PLACE = re.compile(r"\{\w+\}")
_CODE = re.compile(r"`[^`]*`")
_TERM = re.compile(  # settings, names in code, paths, hosts, numbers
    r"[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+|[a-z]+(?:_[a-z0-9]+)+|(?:/[a-z_0-9]+)+|(?:\w+\.)+(?:com|Cloud)|\d+",
    re.ASCII,
)
_MARKUP = re.compile(
    r"<[^>|]*\||[*~>✅❌❔⏳⌛🕓🚫🧪•\n]"
)  # links, bold and the like, signs, breaks


class _Catalogue(Catalog):
    """A catalogue whose header has no dates or versions."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Language", str(self.locale_identifier)),
            ("Content-Type", "text/plain; charset=UTF-8"),
            ("Content-Transfer-Encoding", "8bit"),
            ("Plural-Forms", self.plural_forms),
        ]


def path_of(language: Language, locales: Path = LOCALES) -> Path:
    """Return the path of a language's .po; the .mo is next to it."""
    return locales / language.value.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: Language, locales: Path = LOCALES) -> Catalog:
    """Return a language's catalogue; an empty one for a language that has none yet."""
    path, locale = path_of(language, locales), language.value.replace("-", "_")
    if not path.exists():
        return _Catalogue(locale, header_comment="# What share-env-bot says.", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=locale, abort_invalid=True)


def renewed(old: Catalog, sentences: Iterable[Sentence]) -> Catalog:
    """Return a catalogue of `sentences`, with the translations in `old`."""
    new = _Catalogue(old.locale_identifier, header_comment=old.header_comment, fuzzy=False)
    for sentence in sentences:
        known = old.get(sentence.text)
        kept = known if known and known.id == sentence.id else None
        new.add(
            sentence.id,
            kept.string if kept else None,
            locations=[(sentence.room, 0)],
            flags=kept.flags & {"fuzzy"} if kept else (),
            user_comments=kept.user_comments if kept else (),
        )
    return new


def written(catalogue: Catalog) -> bytes:
    """Return a catalogue as .po."""
    file = BytesIO()
    write_po(file, catalogue, width=0, include_lineno=False)
    return file.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """Return a catalogue as .mo."""
    file = BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def faults(catalogue: Catalog, sentences: Iterable[Sentence]) -> list[str]:
    """Return all problems of a catalogue, one line each."""
    said = {sentence.id for sentence in sentences}
    held = {_id(message) for message in catalogue if message.id}
    found = [f"{each!r} is not in the catalogue." for each in said - held]
    found += [f"{each!r} is in the catalogue, and the bot does not say it." for each in held - said]
    for message in catalogue:
        if message.id:
            found += [f"{_id(message)!r} {fault}." for fault in faults_of(message)]
    return sorted(found)


def faults_of(message: Message) -> Iterator[str]:
    """Yield the problems of one translation."""
    sources = [message.id] if isinstance(message.id, str) else list(message.id)
    strings = [message.string] if isinstance(message.string, str) else list(message.string or [""])
    if message.fuzzy:
        yield "is marked as fuzzy"
    if not all(strings):
        yield "has no translation"
        return
    # In a language without a singular, the last form translates the plural sentence.
    for source, string in zip(sources[-len(strings) :], strings, strict=False):
        for name, pattern in (("places", _PLACE), ("code", _CODE), ("markup", _MARKUP)):
            wanted, got = sorted(pattern.findall(source)), sorted(pattern.findall(string))
            if wanted != got:
                yield f"has other {name} than its translation: {wanted} and {got}"
        if lost := sorted(set(_TERM.findall(source)) - set(_TERM.findall(string))):
            yield f"has {', '.join(lost)}, which its translation has not"


def _id(message: Message) -> str | tuple[str, ...]:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def main(locales: Path = LOCALES) -> int:
    """Update all catalogues, print the problems, and return the exit code."""
    sentences, left = all_sentences(), all_misuses()
    for language in TRANSLATED:
        path = path_of(language, locales)
        catalogue = renewed(read(language, locales), sentences)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written(catalogue))
        path.with_suffix(".mo").write_bytes(compiled(catalogue))
        left += [f"{language.value}: {fault}" for fault in faults(catalogue, sentences)]
    sys.stderr.writelines(f"{line}\n" for line in left)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
