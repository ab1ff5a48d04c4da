"""The directory: people, their user groups, and channels, cached; whom Slack does not return in time counts as unreadable.

All groups of a workspace are read with one call, since Slack allows some twenty of them a minute.
Sources: docs.slack.dev, users.info (tier 4), usergroups.list (tier 2; `team_id` is “required if org token is used”) and
conversations.info (tier 3).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from bot.domain.installation import Installation
from bot.domain.language import Language, spoken
from bot.messages.notices import NoThread
from bot.policy.kinds import ANYONE, Person, Rule, Standing, Unreadable, split_group
from bot.runtime.cache import Cache
from bot.slack.api import (
    BAD_TOKEN,
    PATIENCE,
    Answered,
    Doubtful,
    Refused,
    Result,
    SlackApi,
    away_error,
    is_transient,
    retry_after,
)
from bot.slack.payloads import DIRECT
from bot.workflow.ports import AwayError

_GOOD_FOR, _BAD_FOR = 60.0, 5.0  # seconds to cache what Slack said, and that it did not
Groups = Mapping[str, frozenset[str]] | Unreadable
"""The members of each enabled group of a workspace, by group id."""


class Profile(NamedTuple):
    """What users.info says of a person."""

    standing: Standing
    language: Language


_Reading = asyncio.Future[Profile | Unreadable] | asyncio.Future[Groups]

_ERRORS = {
    **dict.fromkeys(BAD_TOKEN, Unreadable.BAD_TOKEN),
    "missing_scope": Unreadable.MISSING_SCOPE,
    "plan_upgrade_required": Unreadable.PAID_PLAN,
    "paid_teams_only": Unreadable.PAID_PLAN,
    "ratelimited": Unreadable.RATE_LIMITED,
    "user_not_found": Unreadable.NOT_FOUND,
    "user_not_visible": Unreadable.NOT_FOUND,
    "invalid_team": Unreadable.NOT_FOUND,
    "team_access_not_granted": Unreadable.NOT_FOUND,
}


class Directory:
    """The people, user groups and channels of the workspace, or organisation, that the app is installed in."""

    def __init__(
        self,
        api: SlackApi,
        installed_in: str,
        clock: Callable[[], float],
        deadline: float = 2.0,  # seconds; Slack waits three for the ack
    ) -> None:
        self._api = api
        self._home = Installation(installed_in)
        self._clock = clock
        self._deadline = deadline
        self._people = Cache(self._read_person, clock, _is_rate_limited)
        self._groups = Cache(self._read_groups, clock, _is_rate_limited)  # by workspace
        self._asked_to_wait_until = 0.0
        self._channels = Cache(self._read_channel, clock)

    async def person(
        self, team_id: str, user_id: str, groups: frozenset[str], *, fresh: bool = False
    ) -> Person | Unreadable:
        """Return one person, as `several` does."""
        return (await self.several(team_id, [user_id], groups, fresh=fresh))[user_id]

    async def several(
        self, team_id: str, user_ids: Sequence[str], groups: frozenset[str], *, fresh: bool = False
    ) -> Mapping[str, Person | Unreadable]:
        """Return who these are, each with those of `groups` that hold them; within the deadline, whatever Slack does.

        `fresh` bypasses the cache, for the decision of a click; a call that is under way, for 15 seconds at most, is joined.
        """
        if not self._home.serves(team_id):
            return dict.fromkeys(user_ids, Unreadable.NOT_FOUND)
        read = Cache.reread if fresh else Cache.get
        people = {user_id: read(self._people, user_id) for user_id in user_ids}
        listing = {
            each: read(self._groups, each) for each in listing_workspaces(self._home, groups)
        }
        reading: list[_Reading] = [*people.values(), *listing.values()]
        if pending := [each for each in reading if not each.done()]:
            await asyncio.wait(pending, timeout=self._deadline)
        if listing and not any(each.done() for each in listing.values()):
            return dict.fromkeys(people, Unreadable.SLACK_DOWN)
        told = {
            workspace: each.result() if each.done() else Unreadable.SLACK_DOWN
            for workspace, each in listing.items()
        }
        members = {name: self._members(told, name) for name in groups}
        return {
            user_id: _person(team_id, user_id, found.result(), members)
            if found.done()
            else Unreadable.SLACK_DOWN
            for user_id, found in people.items()
        }

    async def approvers(self, rule: Rule, requester_id: str, most: int) -> list[str]:
        """Return up to `most` user ids who may decide about this requester's request, including those who are unreadable.

        Raises AwayError while Slack does not answer who is in their groups, or nobody is known for lack of a scope.
        """
        users, groups = rule.approvers.users, rule.approvers.groups
        listing = listing_workspaces(self._home, groups)
        told = {each: await self._groups.get(each) for each in listing}
        members = [self._members(told, name) for name in groups]
        unread = [each for each in members if isinstance(each, Unreadable)]
        if any(each.passes for each in unread):
            raise AwayError("the members of groups are not told")
        named = users.union(*(each for each in members if isinstance(each, frozenset))) - {ANYONE}
        named -= set() if rule.self_approval else {requester_id}
        able = list[str]()
        for user_id in sorted(named):
            if len(able) < most and _may_be_member(await self._people.get(user_id)):
                able.append(user_id)
        if not able and Unreadable.MISSING_SCOPE in unread:
            raise AwayError("the bot lacks the scope usergroups:read")
        if not able and Unreadable.BAD_TOKEN in unread:
            raise AwayError("Slack refuses the bot token")
        return able

    async def why_private(self, channel: str) -> NoThread | None:
        """Return why details may not be posted in `channel`; None if they may. Raises AwayError."""
        if channel.startswith(DIRECT):
            return None
        why = await self._channels.get(channel)
        if isinstance(why, Refused | Doubtful):
            raise away_error(why)
        return why

    def prefetch(self, groups: frozenset[str]) -> None:
        """Begin to read the groups of a policy that comes into force, so that the first command need not wait."""
        for workspace in listing_workspaces(self._home, groups):
            self._groups.reread(workspace)

    def prefetch_channel(self, channel: str) -> None:
        """Begin to read a channel, so that `why_private` need not wait; after what the caller looks up next.

        If only one connection can be had, it is for the person, without whom nothing is decided.
        """
        if not channel.startswith(DIRECT):
            asyncio.get_running_loop().call_soon(self._channels.get, channel)

    def _members(self, told: Mapping[str, Groups], name: str) -> frozenset[str] | Unreadable:
        """Return the members of the group that the policy names so, or why they are unreadable."""
        workspace, id_ = split_group(name)
        groups = told.get(workspace or self._home.id, Unreadable.NOT_FOUND)
        return groups if isinstance(groups, Unreadable) else groups.get(id_, Unreadable.NOT_FOUND)

    async def close(self) -> None:
        """Cancel the reads under way."""
        await self._people.close()
        await self._groups.close()
        await self._channels.close()

    async def _read_person(self, user_id: str) -> tuple[Profile | Unreadable, float]:
        result = await self._api.read("users.info", user=user_id, include_locale=True)
        if isinstance(result, Answered) and isinstance(user := result.data.get("user"), dict):
            return Profile(standing_of(user, self._home.id), language_of(user)), _GOOD_FOR
        return trouble_of(result)

    async def _read_groups(self, workspace: str) -> tuple[Groups, float]:
        """Return the members of all groups of a workspace without a `date_delete`; makes no call during a rate limit."""
        if (left := self._asked_to_wait_until - self._clock()) > 0:
            return Unreadable.RATE_LIMITED, 2 * left
        of = {"team_id": workspace} if self._home.is_wide else {}
        result = await self._api.read(
            "usergroups.list", 0.0, include_users=True, include_disabled=True, **of
        )
        found = result.data.get("usergroups") if isinstance(result, Answered) else None
        if isinstance(found, list):
            told = [each for each in found if isinstance(each, dict)]
            enabled = [group for group in told if not group.get("date_delete")]
            return {str(group.get("id")): users_of(group) for group in enabled}, _GOOD_FOR
        self._asked_to_wait_until = self._clock() + (retry_after(result) or 0.0)
        return trouble_of(result)

    async def _read_channel(
        self, channel: str
    ) -> tuple[NoThread | Refused | Doubtful | None, float]:
        """Return why details may not be posted in `channel`, or None if they may; an unreadable channel counts as no.

        Returns Slack's failure instead while Slack is away.
        """
        result = await self._api.read("conversations.info", PATIENCE, channel=channel)
        match result:
            case Answered({"channel": dict() as info}):
                return NoThread.SHARED_OUTSIDE if is_shared_outside(info) else None, _GOOD_FOR
            case Refused("channel_not_found"):
                return NoThread.NOT_INVITED, _BAD_FOR
            case Refused() | Doubtful() if is_transient(result):
                return result, 0.0
            case _:
                return NoThread.CANNOT_TELL, _BAD_FOR


def listing_workspaces(home: Installation, groups: Iterable[str]) -> set[str]:
    """Return the workspaces whose lists have the groups that the policy names so.

    In an organisation a group is in the list of the workspace that it is named with, and in none without one.
    """
    named = {split_group(name)[0] for name in groups}
    if home.is_wide:
        return named - {""}
    return {home.id} if named & {"", home.id} else set()


def _person(
    team_id: str,
    user_id: str,
    found: Profile | Unreadable,
    members: Mapping[str, frozenset[str] | Unreadable],
) -> Person | Unreadable:
    """Return who this is by what Slack told of them, with those of the groups that hold them."""
    if isinstance(found, Unreadable):
        return found
    held, unreadable = set[str](), dict[str, Unreadable]()
    for name, users in sorted(members.items()):
        if isinstance(users, Unreadable):
            unreadable[name] = users
        elif user_id in users:
            held.add(name)
    return Person(
        team_id,
        user_id,
        found.standing,
        groups=frozenset(held),
        unreadable=unreadable,
        language=found.language,
    )


def _may_be_member(found: Profile | Unreadable) -> bool:
    """Tell whether somebody is a member, or Slack does not say what they are."""
    if isinstance(found, Profile):
        return found.standing is Standing.MEMBER
    return found is not Unreadable.NOT_FOUND


def _is_rate_limited(found: object) -> bool:
    """Tell whether a read hit the rate limit, so that the cached value stays."""
    return found is Unreadable.RATE_LIMITED


def standing_of(user: Mapping[str, object], installed_in: str) -> Standing:
    """Return a users.info user's standing where the app is installed; that is checked too, since is_stranger may be absent.

    `is_app_user` means that the user has authorised this app, and Slackbot has no `is_bot`. Source: docs.slack.dev,
    "User object".
    """
    if user.get("deleted"):
        return Standing.DEACTIVATED
    if user.get("is_bot") or user.get("id") == "USLACKBOT":
        return Standing.BOT
    grid = user.get("enterprise_user")
    of_grid = grid if isinstance(grid, dict) else {}
    teams = of_grid.get("teams")
    at_home = installed_in in (user.get("team_id"), of_grid.get("enterprise_id"))
    ours = at_home or (isinstance(teams, list) and installed_in in teams)
    if user.get("is_stranger") or not ours:
        return Standing.OUTSIDER
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Standing.GUEST
    return Standing.MEMBER


def language_of(user: Mapping[str, object]) -> Language:
    """Return the language for the locale of a users.info user; English if the bot does not speak it."""
    return spoken(str(user.get("locale") or ""))


def users_of(group: Mapping[str, object]) -> frozenset[str]:
    """Return the members of a group of usergroups.list."""
    users = group.get("users")
    return frozenset(map(str, users)) if isinstance(users, list) else frozenset()


def is_shared_outside(channel: Mapping[str, object]) -> bool:
    """Tell whether another organisation reads a channel of conversations.info, or is invited to."""
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))


def trouble_of(result: Result) -> tuple[Unreadable, float]:
    """Return why a read failed, and for how many seconds to cache that."""
    match result:
        case Refused(error):
            # Doubled, since the cache reads a value again after half of its time.
            wait = 2 * (retry_after(result) or 0)
            return _ERRORS.get(error, Unreadable.SLACK_DOWN), wait or _BAD_FOR
        case Doubtful() | Answered():
            return Unreadable.SLACK_DOWN, _BAD_FOR
