"""Read the environment, and in it the secrets that stand in files, as containers get them: SLACK_BOT_TOKEN_FILE."""

from pathlib import Path

from bot.domain.finding import Problem
from bot.domain.sentence import Sentence, joined
from bot.settings.environ import UnreadableError, variables
from bot.settings.table import FILED

_SUFFIX = "_FILE"
_LONGEST = 65_536  # bytes; far more than any secret has


def environment() -> dict[str, str]:
    """Return all settings: the process's, those of `.env`, and the secrets in files. Raises UnreadableError."""
    return with_files(variables())


def with_files(given: dict[str, str]) -> dict[str, str]:
    """Return the settings with each secret from the file that its `…_FILE` names, which is left out.

    Raises UnreadableError for a file that cannot be read, and for a setting beside its `…_FILE`.
    """
    given, problems = {**given}, list[Problem]()
    for name in FILED:
        if path := given.pop(name + _SUFFIX, "").strip():
            found = _both(name) if given.get(name) else _content(name, Path(path))
            if isinstance(found, Problem):
                problems.append(found)
            else:
                given[name] = found
    if problems:
        raise UnreadableError(problems, given.get("LANGUAGE", ""))
    return given


def _both(name: str) -> Problem:
    found = Sentence("{names} are set together", names=joined((name, name + _SUFFIX)))
    return Problem(found, Sentence("Keep one of them."))


def _content(name: str, path: Path) -> str | Problem:
    """Return what a file holds, without the blanks and line ends around it."""
    try:
        if path.exists() and not path.is_file():  # a pipe could be waited for without end
            return _unreadable(name, path, Sentence("it is no file"))
        with path.open("rb") as file:
            raw = file.read(_LONGEST + 1)
        text = raw.decode("utf-8-sig").strip()
    except OSError as error:
        return _unreadable(name, path, error.strerror or "")
    except ValueError:  # not UTF-8, or a path that has a NUL
        return _unreadable(name, path, Sentence("it is not in UTF-8"))
    if len(raw) > _LONGEST:
        return _unreadable(name, path, Sentence("it is too long for a secret"))
    if not text:
        return _unreadable(name, path, Sentence("it is empty"))
    return text


def _unreadable(name: str, path: Path, why: str) -> Problem:
    found = Sentence(
        "{file} names {path}, which cannot be read: {why}", file=name + _SUFFIX, path=path, why=why
    )
    fix = Sentence("Put the secret alone into that file, and let the bot's user read it.")
    return Problem(found, fix)
