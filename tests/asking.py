"""Questions to the policy as the judge would ask them; a new fact of a question is added here for all tests."""

from bot.policy.kinds import Ask, Circumstances, Person

NOW = 1_764_583_200.0
"""A Monday, 10:00 UTC."""


def at(person: Person, channel: str = "C1", when: float = NOW) -> Circumstances:
    """Return the circumstances of a person who asks in this channel."""
    return Circumstances(person, person.team_id, channel, when)


def ask(
    person: Person, channel: str, appid: str, env: str, reason: str | None = "release 4.2"
) -> Ask:
    """Return the question whether this person may share `env` with `appid` from this channel."""
    return at(person, channel).about(appid, env, reason)
