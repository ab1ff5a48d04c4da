"""How a terminal shows a person, and what is written for Slack."""

import re

from bot.messages.words import as_typed
from bot.policy import Person, Standing

NO_GROUPS = "Who is in a group cannot be read here; --group says which ones hold the person."

_MENTION = re.compile(r"<(?:[@#]|!subteam\^)(\w+)>")
_BOLD = re.compile(r"^\*([^*`\n]+)\*", re.MULTILINE)


def plain(text: str) -> str:
    """Return Slack's mrkdwn as a terminal shows it: ids for mentions, and no marks."""
    bare = _BOLD.sub(r"\1", _MENTION.sub(r"\1", text)).replace("`", "")
    return as_typed(bare)


def called(person: Person) -> str:
    """Return a person's id, with the groups and whether they are a guest."""
    guest = ", a guest" if person.standing is Standing.GUEST else ""
    groups = f" of {', '.join(sorted(person.groups))}" if person.groups else ""
    return f"{person.user_id}{groups}{guest}"


def person_facts(person: Person) -> dict[str, object]:
    """Return the same as JSON has it."""
    return {
        "user": person.user_id,
        "groups": sorted(person.groups),
        "guest": person.standing is Standing.GUEST,
    }
