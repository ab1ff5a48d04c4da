"""The answer to a mistyped command: what is wrong, what was typed, and one corrected line to copy."""

from collections.abc import Iterator

from bot.command.grammar import BLANK_APPID, BLANK_ENV, BLANK_REASON, SLASH_COMMAND
from bot.command.mistake import Misread, Mistake, Wrong
from bot.messages.blocks import COPIED_LIMIT, Copied, Message, Part, message, small
from bot.messages.words import FOR_GOOD, Mrkdwn, Words, as_typed, code, escape, listed, sentences

_LINE_LIMIT = 500
_APPID_LENGTH = 18


def misread(words: Words, wrong: Misread, begins: str = SLASH_COMMAND) -> Message:
    """Say what is wrong, what was typed behind the word that it `begins` with, and what to do instead.

    The line to copy is a slash command whatever was typed: a pasted name need not become a mention.
    """
    received = code(f"{begins} {as_typed(wrong.received)}", _LINE_LIMIT)
    return message(
        sentences(words, sentence(words, wrong.mistake), words("Nothing was done.")),
        *_way_on(words, wrong),
        _in_a_thread(words, begins) if wrong.instead and begins != SLASH_COMMAND else None,
        small(
            words(
                "You typed {received} · `/share-env help` shows what you may do.", received=received
            )
        ),
    )


def _in_a_thread(words: Words, begins: str) -> Part:
    said = words(
        "In a thread, type {begins} instead of {command}.",
        begins=code(begins),
        command=code(SLASH_COMMAND),
    )
    return small(said)


def _way_on(words: Words, wrong: Misread) -> Iterator[str | Part | Copied]:
    """Yield the line to copy, unless it is too long, and for what no command can do, who can do it."""
    kind, line = wrong.mistake.wrong, wrong.instead
    if line and len(escape(line)) <= COPIED_LIMIT:
        yield _instead(words, line)
        yield Copied(line)
        if kind is Wrong.UNLIKE_AN_ENV:
            yield small(words("If an env has that id, share it with the form: `/share-env`."))
    elif line is None and kind is not Wrong.ONLY_SHARES:
        # Not only without that word: what is left of `from A to B` would be shared with both.
        yield words(
            "To share, send only each receiver's appid, then the env; a reason goes behind `--reason`."
        )
        if kind is Wrong.LIMITED:
            yield small(words(FOR_GOOD))
    if kind in {Wrong.ONLY_SHARES, Wrong.NOT_UNDERSTOOD}:
        yield words(
            "To take access away, ask {contact}: they can look in 云开发 › 更多 › 环境共享 in WeChat DevTools, with the owner as `extAppid`. A request that has not started can be cancelled with the button on its message; `/share-env history` lists your requests."
        )


def _instead(words: Words, line: str) -> Mrkdwn:
    """Introduce the line to copy, and say which placeholders to fill in: sent with them, it would be refused again."""
    if BLANK_REASON in line:
        return words("Try this instead, with your own reason or without `--reason`:")
    if blanks := [code(blank) for blank in (BLANK_APPID, BLANK_ENV) if blank in line]:
        named = listed(words, blanks)
        return words("Try this instead, with {blanks} filled in:", blanks=named)
    return words("Try this instead:")


def sentence(words: Words, mistake: Mistake) -> Mrkdwn:
    """Return what is wrong, as mrkdwn."""
    length = len(next(iter(mistake.words), ""))
    said = words(
        mistake.wrong.value,
        words=listed(words, list(map(code, mistake.words))),
        count=len(mistake.words),
        length=length,
        nearest=code(mistake.nearest or ""),
        most=mistake.most or 0,
    )
    if mistake.wrong is not Wrong.NOT_AN_APPID or length == _APPID_LENGTH:
        return said
    counted = words("An appid has 18 characters, and this has {count}.", count=length)
    return sentences(words, said, counted)
