"""Who somebody is and which user groups hold them; what Slack does not tell in time counts against them.

Sources: docs.slack.dev, users.info and usergroups.users.list (tier 2: some 20 calls a minute, hence the memory).
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from bot.language import Language, language_of
from bot.policy import ANYONE, Approvers, Person, Rule, Standing, Unreadable
from bot.ports import AwayError
from bot.slack.api import Answered, Doubtful, Refused, Result, SlackApi, retry_after
from bot.slack.remembered import Remembered

_GOOD_FOR = 60.0
_BAD_FOR = 5.0
_CALLS_A_MINUTE = 15
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

_AWAY = (Unreadable.RATE_LIMITED, Unreadable.SLACK_DOWN)


class Directory:
    """People of one workspace, and its user groups."""

    def __init__(
        self,
        api: SlackApi,
        team_id: str,
        clock: Callable[[], float],
        deadline: float = 2.0,  # seconds; Slack waits three for the ack
    ) -> None:
        self._api = api
        self._team_id = team_id
        self._known = frozenset[str]()
        self._deadline = deadline
        self._people = Remembered(self._read_person, clock)
        self._members = Remembered(self._read_group, clock)

    async def person(
        self, team_id: str, user_id: str, groups: frozenset[str], *, anew: bool = False
    ) -> Person | Unreadable:
        """Return who this is, with those of `groups` that hold them; within the deadline, whatever Slack does.

        `anew` reads past what is remembered, where a click decides.
        """
        if team_id != self._team_id:
            return Unreadable.NOT_FOUND
        people = self._people.anew if anew else self._people.get
        try:
            async with asyncio.timeout(self._deadline):
                found, members = await asyncio.gather(
                    people(user_id), self._groups_now(sorted(groups), anew=anew)
                )
        except TimeoutError:
            return Unreadable.SLACK_DOWN
        if isinstance(found, Unreadable):
            return found
        standing, language = found
        person = Person(team_id, user_id, language=language)
        return _with_groups(person, standing, members)

    async def has_approver(self, rule: Rule, requester_id: str) -> bool:
        """Tell whether anybody may decide about a request of this requester's; in doubt, yes."""
        if rule.approvers is None:
            return False
        try:
            async with asyncio.timeout(self._deadline):
                return await self._has_approver(rule, rule.approvers, requester_id)
        except TimeoutError:
            return True

    async def approvers(self, rule: Rule, requester_id: str, most: int) -> list[str]:
        """Return up to `most` who may decide about a request of this requester's; in doubt, also whom Slack does not tell about.

        Raises AwayError while Slack does not tell who is in their groups.
        """
        if rule.approvers is None:
            return []
        able = list[str]()
        for group in sorted(rule.approvers.groups):
            if await self._members.get(group) in _AWAY:
                raise AwayError(f"the members of {group} are not told")
        named, _ = await self._named(rule, rule.approvers, requester_id)
        for user_id in named:
            found = await self._people.get(user_id)
            in_doubt = isinstance(found, Unreadable) and found is not Unreadable.NOT_FOUND
            if in_doubt or (not isinstance(found, Unreadable) and found[0] is Standing.MEMBER):
                able.append(user_id)
            if len(able) == most:
                break
        return able

    async def _named(
        self, rule: Rule, approvers: Approvers, requester_id: str
    ) -> tuple[list[str], bool]:
        """Return whom a rule names as approvers of a request, and whether there may be others."""
        members = await asyncio.gather(*map(self._members.get, sorted(approvers.groups)))
        in_doubt = ANYONE in approvers.users or any(isinstance(m, Unreadable) for m in members)
        named = set(approvers.users).union(*(m for m in members if not isinstance(m, Unreadable)))
        named -= set() if rule.self_approval else {requester_id}
        return sorted(named - {ANYONE}), in_doubt

    async def _has_approver(self, rule: Rule, approvers: Approvers, requester_id: str) -> bool:
        named, in_doubt = await self._named(rule, approvers, requester_id)
        for user_id in named:
            found = await self._people.get(user_id)
            if isinstance(found, Unreadable):
                in_doubt = in_doubt or found is not Unreadable.NOT_FOUND
            elif found[0] is Standing.MEMBER:
                return True
        return in_doubt

    def ahead(self, groups: frozenset[str]) -> None:
        """Begin to read the groups of a policy that comes into force, which saves the first command the wait."""
        new, self._known = groups - self._known, groups
        for group in sorted(new):
            self._members.ahead(group)

    def close(self) -> None:
        """Give up what is being read."""
        self._people.close()
        self._members.close()

    async def _groups_now(
        self, groups: Collection[str], *, anew: bool
    ) -> dict[str, frozenset[str] | Unreadable]:
        """Return who is in which group."""
        read = self._members.anew if anew else self._members.get
        members = await asyncio.gather(*map(read, groups))
        return dict(zip(groups, members, strict=True))

    async def _read_person(
        self, user_id: str
    ) -> tuple[tuple[Standing, Language] | Unreadable, float]:
        result = await self._api.read("users.info", user=user_id, include_locale=True)
        if isinstance(result, Answered) and isinstance(user := result.data.get("user"), dict):
            language = language_of(str(user.get("locale") or ""))
            return (standing_of(user, self._team_id), language), _GOOD_FOR
        return trouble_of(result)

    async def _read_group(self, group: str) -> tuple[frozenset[str] | Unreadable, float]:
        result = await self._api.read("usergroups.users.list", usergroup=group)
        if isinstance(result, Answered) and isinstance(users := result.data.get("users"), list):
            many = len(self._known) / _CALLS_A_MINUTE * 60
            return frozenset(map(str, users)), max(_GOOD_FOR, many)
        return trouble_of(result)


def _with_groups(
    person: Person, standing: Standing, members: Mapping[str, frozenset[str] | Unreadable]
) -> Person:
    return replace(
        person,
        standing=standing,
        groups=frozenset(
            group
            for group, users in members.items()
            if not isinstance(users, Unreadable) and person.user_id in users
        ),
        unreadable={
            group: users for group, users in members.items() if isinstance(users, Unreadable)
        },
    )


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
