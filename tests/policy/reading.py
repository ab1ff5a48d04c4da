"""Parse a policy file as a whole: the policy, or all problems with the file."""

from bot.policy.file import read_and_test
from bot.policy.kinds import Policy


def read_policy(text: str, default_owner: str | None) -> Policy | list[str]:
    """Return the Policy that the TOML `text` describes, or one sentence for each problem with it."""
    read = read_and_test(text, default_owner)
    if isinstance(read, list):
        return [*read]
    return [*read.failed] or read.policy
