"""The settings for who may share what: a policy file, or three lists for a small team."""

import os
from dataclasses import replace
from pathlib import Path

from bot.domain.finding import Problem
from bot.domain.sentence import Sentence
from bot.policy.kinds import Effect, Policy, Rule, Tested
from bot.settings.environ import Reader
from bot.settings.table import Table

SETTINGS_RULE = "SHARE_ENV_ALLOWED settings"
"""The name of the one rule that the settings make, without a policy file."""

UNTOUCHED = 1.0
"""Seconds for which nobody must have changed a policy file, so that a read does not find half of what they are writing."""

Content = str | Problem
"""The text of a policy file, or why it cannot be read."""


def policy_path(read: Reader) -> Path | None:
    """Return the path of the policy file, if there is one."""
    named = Table.POLICY_FILE.value(read)
    path = Path(named or "policy.toml")
    # Also a folder, or a link to nothing, as left by a mount that found no file: neither can be read, and that is a mistake.
    return path if named or os.path.lexists(path) else None


def read_rules(read: Reader, path: Path | None, default_owner: str | None) -> Tested | None:
    """Return the policy, also where its own tests fail; None if it cannot be read, or there is none."""
    before = len(read.problems)
    users = Table.SHARE_ENV_ALLOWED_USERS.value(read)
    groups = Table.SHARE_ENV_ALLOWED_GROUPS.value(read)
    channels = Table.SHARE_ENV_ALLOWED_CHANNELS.value(read)
    if path:
        content = content_of(path)
        if (users or groups or channels) and not isinstance(content, Problem):
            the_file = (
                Table.POLICY_FILE.name if Table.POLICY_FILE.value(read) else Sentence("the file")
            )
            read.wrong(
                Sentence(
                    "There is a policy file ({path}) and there are SHARE_ENV_ALLOWED_… settings",
                    path=path,
                ),
                Sentence(
                    "Keep one way: move what they say into the file, or remove {the_file}.",
                    the_file=the_file,
                ),
            )
        tested = read_content(path, content, default_owner)
        if isinstance(tested, Tested):
            return tested
        read.problems += tested
        return None
    if len(read.problems) > before:
        return None  # a rule must not name what is no id
    if not users and not groups:
        fix = Sentence(
            "Write a policy.toml, or set SHARE_ENV_ALLOWED_USERS or SHARE_ENV_ALLOWED_GROUPS."
        )
        read.wrong(Sentence("Nobody may share anything yet"), fix)
        return None
    rule = Rule(SETTINGS_RULE, Effect.ALLOW, users=users, groups=groups, channels=channels)
    return Tested(Policy((rule,), (), default_owner))


def content_of(path: Path) -> Content:
    """Return the current content of a policy file, or why it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        why: str = Sentence("it is not UTF-8 text")
        fix = Sentence("Save it as UTF-8.")
    except OSError as error:
        why = error.strerror or type(error).__name__
        fix = Sentence(
            "Put it there, let the bot's user read it (the unit hides /home), or correct the path."
        )
    return Problem(
        Sentence("The policy file “{path}” cannot be read: {why}", path=path, why=why), fix
    )


def settles_in(changed: float, now: float) -> float:
    """Return in how many seconds a file that was last changed then can be believed; both are Unix times.

    The disk's clock may be ahead of the machine's.
    """
    return max(0.0, UNTOUCHED - abs(now - changed))


def read_content(path: Path, content: Content, default_owner: str | None) -> Tested | list[Problem]:
    """Return the policy in a file's content, even if its own tests fail, or one sentence for each mistake."""
    if isinstance(content, Problem):
        return [content]
    # Imported here, since pydantic takes 8 MB and many bots have no policy file.
    from bot.policy.file import read_and_test  # noqa: PLC0415

    tested = read_and_test(content, default_owner)
    if isinstance(tested, Tested):
        failed = tuple(failure.at(str(path)) for failure in tested.failed)
        return replace(tested, failed=failed, text=content)
    return [problem.at(str(path)) for problem in tested]
