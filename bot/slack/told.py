"""What Slack's answers about people and groups mean: how somebody belongs, who is in a group, why it was not told. Pure."""

from collections.abc import Mapping, Sequence

from bot.policy import Standing, Unreadable
from bot.slack.api import Answered, Doubtful, Refused, Result, retry_after

Members = frozenset[str] | Unreadable
Groups = Mapping[str, frozenset[str]] | Unreadable
"""Who is in which group, of all that are not disabled."""

AWAY = (Unreadable.RATE_LIMITED, Unreadable.SLACK_DOWN)
"""What passes."""

_BAD_FOR = 5.0
_ERRORS = {
    "missing_scope": Unreadable.MISSING_SCOPE,
    "plan_upgrade_required": Unreadable.PAID_PLAN,
    "paid_teams_only": Unreadable.PAID_PLAN,
    "ratelimited": Unreadable.RATE_LIMITED,
    "no_such_subteam": Unreadable.NOT_FOUND,
    "subteam_not_found": Unreadable.NOT_FOUND,
    "user_not_found": Unreadable.NOT_FOUND,
    "user_not_visible": Unreadable.NOT_FOUND,
}


def standing_of(user: Mapping[str, object], team_id: str) -> Standing:
    """Return how a user of users.info belongs to the workspace; absent is_stranger does not mean internal, so the team counts too.

    `is_app_user` is whoever has authorised this app, and Slackbot is no `is_bot`. Source: docs.slack.dev, "User object".
    """
    if user.get("deleted"):
        return Standing.DEACTIVATED
    if user.get("is_bot") or user.get("id") == "USLACKBOT":
        return Standing.BOT
    grid = user.get("enterprise_user")
    teams = grid.get("teams") if isinstance(grid, dict) else None
    ours = user.get("team_id") == team_id or (isinstance(teams, list) and team_id in teams)
    if user.get("is_stranger") or not ours:
        return Standing.OUTSIDER
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Standing.GUEST
    return Standing.MEMBER


def trouble_of(result: Result) -> tuple[Unreadable, float]:
    """Return why Slack did not tell, and for how many seconds not to ask again."""
    match result:
        case Refused(error):
            # Past half of its time a value is read again, and Slack wants to be left alone for all of it.
            wait = 2 * (retry_after(result) or 0)
            return _ERRORS.get(error, Unreadable.SLACK_DOWN), wait or _BAD_FOR
        case Doubtful() | Answered():
            return Unreadable.SLACK_DOWN, _BAD_FOR


def active(told: Sequence[object]) -> Mapping[str, frozenset[str]]:
    """Return who is in which group of usergroups.list; a disabled one counts as none. Source: docs.slack.dev, usergroups.list (date_delete)."""
    groups = [group for group in told if isinstance(group, dict) and not group.get("date_delete")]
    return {str(group.get("id")): _users_of(group) for group in groups}


def _users_of(group: Mapping[str, object]) -> frozenset[str]:
    users = group.get("users")
    return frozenset(map(str, users)) if isinstance(users, list) else frozenset()


def members_of(groups: Groups, name: str) -> Members:
    """Return who is in the group of this name, or why that was not told."""
    return groups if isinstance(groups, Unreadable) else groups.get(name, Unreadable.NOT_FOUND)
