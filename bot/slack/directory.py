"""Who somebody is and which user groups hold them; what Slack does not tell in time counts against them.

All groups are read by one call, since of those there may be some twenty a minute.
Sources: docs.slack.dev, users.info (tier 4) and usergroups.list (tier 2).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from bot.domain.language import Language, language_of
from bot.policy import ANYONE, Approvers, Person, Rule, Standing, Unreadable
from bot.runtime.cache import Cache, SingleFlight
from bot.slack.api import Answered, SlackApi, retry_after
from bot.slack.told import AWAY, Groups, active, members_of, standing_of, trouble_of
from bot.workflow.ports import AwayError

_GOOD_FOR = 60.0
_ALL = "all groups"
Known = tuple[Standing, Language]


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
        self._clock = clock
        self._named = frozenset[str]()
        self._deadline = deadline
        self._people = Cache(self._read_person, clock, _says_nothing)
        self._groups = Cache(self._read_groups, clock, _says_nothing)
        self._asked_to_wait_until = 0.0

    async def person(
        self, team_id: str, user_id: str, groups: frozenset[str]
    ) -> Person | Unreadable:
        """Return who this is, with those of `groups` that hold them; within the deadline, whatever Slack does."""
        return await self.tell(team_id, user_id, groups, self._people.get, self._groups.get)

    def now(self) -> "Now":
        """Return the same people as they are now, past what is remembered, where a click decides."""
        return Now(self, self._people.anew, self._groups.anew)

    async def tell(
        self,
        team_id: str,
        user_id: str,
        names: frozenset[str],
        people: Callable[[str], Awaitable[Known | Unreadable]],
        groups: Callable[[str], Awaitable[Groups]],
    ) -> Person | Unreadable:
        """Return who this is by what `people` and `groups` tell of them."""
        if team_id != self._team_id:
            return Unreadable.NOT_FOUND
        try:
            async with asyncio.timeout(self._deadline):
                found, all_groups = await asyncio.gather(
                    people(user_id), groups(_ALL) if names else _no_groups()
                )
        except TimeoutError:
            return Unreadable.SLACK_DOWN
        if isinstance(found, Unreadable):
            return found
        standing, language = found
        members = {name: members_of(all_groups, name) for name in sorted(names)}
        known = {
            name: users for name, users in members.items() if not isinstance(users, Unreadable)
        }
        return Person(
            team_id,
            user_id,
            standing,
            frozenset(name for name, users in known.items() if user_id in users),
            {name: users for name, users in members.items() if isinstance(users, Unreadable)},
            language,
        )

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
        if rule.approvers.groups and await self._groups.get(_ALL) in AWAY:
            raise AwayError("the members of groups are not told")
        named, _ = await self._named_in(rule, rule.approvers, requester_id)
        for user_id in named:
            found = await self._people.get(user_id)
            in_doubt = isinstance(found, Unreadable) and found is not Unreadable.NOT_FOUND
            if in_doubt or (not isinstance(found, Unreadable) and found[0] is Standing.MEMBER):
                able.append(user_id)
            if len(able) == most:
                break
        return able

    async def _named_in(
        self, rule: Rule, approvers: Approvers, requester_id: str
    ) -> tuple[list[str], bool]:
        """Return whom a rule names as approvers of a request, and whether there may be others."""
        groups = await self._groups.get(_ALL) if approvers.groups else {}
        members = [members_of(groups, name) for name in approvers.groups]
        in_doubt = ANYONE in approvers.users or any(isinstance(m, Unreadable) for m in members)
        named = set(approvers.users).union(*(m for m in members if not isinstance(m, Unreadable)))
        named -= set() if rule.self_approval else {requester_id}
        return sorted(named - {ANYONE}), in_doubt

    async def _has_approver(self, rule: Rule, approvers: Approvers, requester_id: str) -> bool:
        named, in_doubt = await self._named_in(rule, approvers, requester_id)
        for user_id in named:
            found = await self._people.get(user_id)
            if isinstance(found, Unreadable):
                in_doubt = in_doubt or found is not Unreadable.NOT_FOUND
            elif found[0] is Standing.MEMBER:
                return True
        return in_doubt

    def ahead(self, groups: frozenset[str]) -> None:
        """Begin to read who is in the groups of a policy that comes into force, which saves the first command the wait."""
        new, self._named = groups - self._named, groups
        if new:
            self._groups.ahead(_ALL)

    async def close(self) -> None:
        """Give up what is being read."""
        await self._people.close()
        await self._groups.close()

    async def _read_person(self, user_id: str) -> tuple[Known | Unreadable, float]:
        result = await self._api.read("users.info", user=user_id, include_locale=True)
        if isinstance(result, Answered) and isinstance(user := result.data.get("user"), dict):
            language = language_of(str(user.get("locale") or ""))
            return (standing_of(user, self._team_id), language), _GOOD_FOR
        return trouble_of(result)

    async def _read_groups(self, _: str) -> tuple[Groups, float]:
        """Return who is in which group; not asked for while Slack wants to be left alone."""
        if (left := self._asked_to_wait_until - self._clock()) > 0:
            return Unreadable.RATE_LIMITED, 2 * left
        result = await self._api.read("usergroups.list", include_users=True, include_disabled=True)
        found = result.data.get("usergroups") if isinstance(result, Answered) else None
        if isinstance(found, list):
            return active(found), _GOOD_FOR
        self._asked_to_wait_until = self._clock() + (retry_after(result) or 0.0)
        return trouble_of(result)


class Now:
    """The people of a Directory as they are now; the groups are read once, however many people are asked about."""

    def __init__(
        self,
        directory: Directory,
        people: Callable[[str], Awaitable[Known | Unreadable]],
        groups: Callable[[str], Coroutine[None, None, Groups]],
    ) -> None:
        self._directory = directory
        self._people = people
        self._read = groups
        self._groups = SingleFlight[Groups](kept=1)

    async def person(
        self, team_id: str, user_id: str, groups: frozenset[str]
    ) -> Person | Unreadable:
        """Return who this is, with those of `groups` that hold them; within the deadline, whatever Slack does."""
        return await self._directory.tell(team_id, user_id, groups, self._people, self._once)

    async def _once(self, key: str) -> Groups:
        return await self._groups.do(key, lambda: self._read(key))


async def _no_groups() -> Groups:
    return {}


def _says_nothing(told: object) -> bool:
    """Tell whether Slack was only asked too often, which leaves what is remembered as good as it was."""
    return told is Unreadable.RATE_LIMITED
