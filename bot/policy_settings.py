"""The settings that say who may share what: a policy file, or three lists for a small team."""

from dataclasses import replace
from pathlib import Path

from bot.environ import Reader
from bot.policy.file import Tested, read_and_test, simple_policy
from bot.policy.shapes import CHANNEL_ID, GROUP_ID, USER_ID


def read_rules(read: Reader, default_owner: str | None) -> Tested | None:
    """Return the policy, also where its own tests fail; None if it cannot be read, or there is none."""
    users = read.ids("SHARE_ENV_ALLOWED_USERS", USER_ID, "U012ABCDEF")
    groups = read.ids("SHARE_ENV_ALLOWED_GROUPS", GROUP_ID, "S012ABCDEF")
    channels = read.ids("SHARE_ENV_ALLOWED_CHANNELS", CHANNEL_ID, "C012ABCDEF")
    named = read.text("POLICY_FILE")
    path = Path(named or "policy.toml")
    if named or path.is_file():
        if users or groups or channels:
            read.problems.append(
                f"There is a policy file ({path}) and there are SHARE_ENV_ALLOWED_… settings. Keep one way: "
                "move what they say into the file, or remove the file."
            )
        return _file(read, path, default_owner)
    if not users and not groups:
        read.problems.append(
            "Nobody may share anything yet. Write a policy.toml, or set SHARE_ENV_ALLOWED_USERS or "
            "SHARE_ENV_ALLOWED_GROUPS."
        )
        return None
    return Tested(simple_policy(users, groups, channels, default_owner))


def _file(read: Reader, path: Path, default_owner: str | None) -> Tested | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        read.problems.append(
            f"POLICY_FILE {path} cannot be read: {why}. Put it there, or correct the path."
        )
        return None
    tested = read_and_test(text, default_owner)
    if isinstance(tested, Tested):
        return replace(tested, failed=tuple(f"{path}: {failure}" for failure in tested.failed))
    read.problems += [f"{path}: {problem}" for problem in tested]
    return None
