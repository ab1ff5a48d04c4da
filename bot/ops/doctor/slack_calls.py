"""The doctor's calls to Slack: both tokens, the socket's hello, and the people, groups and channels of the policy."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import aiohttp

from bot.domain.finding import Finding, Problem
from bot.domain.installation import Installation
from bot.domain.sentence import Sentence
from bot.ops.doctor.transport import DEADLINE, each
from bot.policy.kinds import ANYONE, Policy, Standing, Unreadable, split_group
from bot.policy.quorum import escalated
from bot.runtime.clock import Runtime
from bot.runtime.way import in_the_way
from bot.settings.access import SlackSettings
from bot.settings.pasted import APP_TOKEN, BOT_TOKEN, kind_of
from bot.slack.api import Answered, Result, SlackApi, object_in, web_client
from bot.slack.directory import listing_workspaces, standing_of, trouble_of, users_of
from bot.slack.greeting import MOST_CONNECTIONS, REFUSALS, TOO_MANY, Hello, read_hello
from bot.slack.payloads import DIRECT

_AT_ONCE = 10
_MOST_MEMBERS = 100  # looked up one by one; Slack allows as many calls a minute
_PATIENCE = 3.0  # seconds for rate limits
_NO_SOCKET = Problem(
    Sentence("Slack's socket does not open, or greets nobody"),
    Sentence("Check that the network and the proxy let wss:// through."),
)
_CLOSING = aiohttp.ClientWSTimeout(ws_close=1.0)

Groups = Mapping[str, frozenset[str] | None]
"""The members of each user group that the policy names, by that name; None if it is deactivated."""
Workspaces = Mapping[str, str] | Unreadable
"""The names of an organisation's workspaces that have the app, by id."""


@dataclass(frozen=True, slots=True)
class SlackAnswers:
    """Slack's answers; None where there was no call or no answer."""

    bot: Result | None = None
    app: Result | None = None
    socket: Hello | Problem | None = None
    """Slack's hello to a connection of the doctor's own, or why there is none; None without such a connection."""
    app_id: str | None = None
    """The app of the bot token."""
    workspaces: Workspaces | None = None
    """None where the app is installed in one workspace."""
    groups: Groups | Unreadable | None = None
    people: Mapping[str, Standing | Unreadable] = field(default_factory=dict)
    """Whom the policy names, and the members of groups that may decide."""
    channels: Mapping[str, Result] = field(default_factory=dict)
    """The channels that the policy names, by id."""
    failed: Finding | None = None
    """Set if the calls could not be made at all."""


async def _is_alone() -> bool:
    return True


async def call_slack(
    slack: SlackSettings | None,
    policy: Policy | None,
    http: aiohttp.ClientSession,
    is_alone: Callable[[], Awaitable[bool]] = _is_alone,
) -> SlackAnswers:
    """Return what Slack answers within the deadlines; a token of the wrong kind is not sent.

    A connection is opened only if the doctor `is_alone`: to a bot beside it Slack may send a command there, which nobody
    would answer.
    """
    if slack is None:
        return SlackAnswers()
    answers, (app, socket) = await asyncio.gather(
        _with_bot_token(slack, policy, http), _with_app_token(slack, http, is_alone)
    )
    return replace(answers, app=app, socket=socket)


async def _with_bot_token(
    slack: SlackSettings, policy: Policy | None, http: aiohttp.ClientSession
) -> SlackAnswers:
    if kind_of(slack.bot_token) != BOT_TOKEN:
        return SlackAnswers()
    api = web_api(slack, slack.bot_token, http)
    bot = await api.read("auth.test", _PATIENCE)
    if not isinstance(bot, Answered) or policy is None:
        return SlackAnswers(bot)
    home = installation_of(bot)
    (groups, people), channels, app_id, workspaces = await asyncio.gather(
        _groups_and_people(api, policy, home),
        read_channels(api, channels_of(policy) | approvers_channels_of(policy)),
        _app_of(api, str(bot.data.get("bot_id") or "")),
        _workspaces(api, home),
    )
    return SlackAnswers(
        bot,
        app_id=app_id,
        workspaces=workspaces,
        groups=groups,
        people=people,
        channels=channels,
    )


def installation_of(bot: Answered) -> Installation:
    """Return what the app is installed in, by auth.test."""
    return Installation(str(bot.data.get("team_id") or ""))


async def _workspaces(api: SlackApi, home: Installation) -> Workspaces | None:
    """Return an organisation's workspaces that have the app. Source: docs.slack.dev, auth.teams.list."""
    if not home.is_wide:
        return None
    listed, cursor = dict[str, str](), ""
    while True:
        result = await api.read("auth.teams.list", _PATIENCE, limit=1000, cursor=cursor)
        found = result.data.get("teams") if isinstance(result, Answered) else None
        if not isinstance(result, Answered) or not isinstance(found, list):
            return trouble_of(result)[0]
        listed |= {str(e.get("id")): str(e.get("name")) for e in found if isinstance(e, dict)}
        told = result.data.get("response_metadata")
        cursor = str(told.get("next_cursor") or "") if isinstance(told, dict) else ""
        if not cursor:
            return listed


async def _app_of(api: SlackApi, bot_id: str) -> str | None:
    """Return the id of the app that a bot belongs to, if Slack tells. Source: docs.slack.dev, bots.info."""
    result = await api.read("bots.info", _PATIENCE, bot=bot_id)
    found = result.data.get("bot") if isinstance(result, Answered) else None
    app_id = found.get("app_id") if isinstance(found, dict) else None
    return app_id if isinstance(app_id, str) else None


def people_of(policy: Policy) -> list[str]:
    """Return all user ids in the policy, without duplicates, in order."""
    named = [rule.users | rule.approvers.everybody.users for rule in policy.rules]
    named += [each.users for each in policy.freezes]
    named += [rule.break_glass.users for rule in policy.rules if rule.break_glass]
    return sorted(policy.operators.users.union(*named) - {ANYONE})


async def _groups_and_people(
    api: SlackApi, policy: Policy, home: Installation
) -> tuple[Groups | Unreadable, Mapping[str, Standing | Unreadable]]:
    """Return the policy's groups, and the people whom the policy names or who may decide by a group of it."""
    groups = await _groups(api, home, policy.groups)
    known = groups if isinstance(groups, Mapping) else {}
    deciding = policy.operators.groups.union(
        *(escalated(rule).approvers.groups for rule in policy.approval_rules),
        *(rule.break_glass.groups for rule in policy.approval_rules if rule.break_glass),
    )
    members = {user for group in deciding for user in known.get(group) or ()}
    named = people_of(policy)
    others = sorted(members.difference(named))[:_MOST_MEMBERS]
    return groups, await _people(api, [*named, *others], home.id)


async def _groups(api: SlackApi, home: Installation, named: Iterable[str]) -> Groups | Unreadable:
    """Return these groups, by one call for each workspace: usergroups.users.list is limited to twenty calls a minute."""
    listing = sorted(listing_workspaces(home, named))
    told = dict(
        zip(listing, await asyncio.gather(*(_listed(api, home, w) for w in listing)), strict=True)
    )
    troubles = [each for each in told.values() if isinstance(each, Unreadable)]
    if passing := [each for each in troubles if each is not Unreadable.NOT_FOUND]:
        return passing[0]
    found = dict[str, frozenset[str] | None]()
    for name in named:
        workspace, id_ = split_group(name)
        groups = told.get(workspace or home.id)
        if isinstance(groups, Mapping) and id_ in groups:
            found[name] = groups[id_]
    return found


async def _listed(api: SlackApi, home: Installation, workspace: str) -> Groups | Unreadable:
    """Return all groups of a workspace, by id."""
    of = {"team_id": workspace} if home.is_wide else {}
    result = await api.read(
        "usergroups.list", _PATIENCE, include_disabled=True, include_users=True, **of
    )
    found = result.data.get("usergroups") if isinstance(result, Answered) else None
    if not isinstance(found, list):
        return trouble_of(result)[0]
    groups = [group for group in found if isinstance(group, dict)]
    return {str(g.get("id")): None if g.get("date_delete") else users_of(g) for g in groups}


async def _people(
    api: SlackApi, ids: Sequence[str], installed_in: str
) -> Mapping[str, Standing | Unreadable]:
    async def one(user_id: str) -> Standing | Unreadable:
        result = await api.read("users.info", _PATIENCE, user=user_id)
        user = result.data.get("user") if isinstance(result, Answered) else None
        return standing_of(user, installed_in) if isinstance(user, dict) else trouble_of(result)[0]

    found = await each(ids, one, _AT_ONCE)
    return {user_id: found.get(user_id, Unreadable.SLACK_DOWN) for user_id in ids}


def approvers_channels_of(policy: Policy) -> frozenset[str]:
    """Return the channels in which approvers are asked, sooner or later."""
    rules = policy.approval_rules
    later = (rule.approvers.escalate.channel for rule in rules if rule.approvers.escalate)
    return frozenset([*(rule.approvers.channel for rule in rules), *later])


def channels_of(policy: Policy) -> frozenset[str]:
    """Return the channels that rules are for, without direct messages."""
    named = frozenset[str]().union(*(rule.channels for rule in policy.rules))
    return frozenset(each for each in named if not each.startswith(DIRECT))


async def read_channels(api: SlackApi, channels: Iterable[str]) -> Mapping[str, Result]:
    """Return conversations.info of the channels, by id."""

    async def one(channel: str) -> Result:
        return await api.read("conversations.info", _PATIENCE, channel=channel)

    return await each(sorted(channels), one, _AT_ONCE)


async def _with_app_token(
    slack: SlackSettings, http: aiohttp.ClientSession, is_alone: Callable[[], Awaitable[bool]]
) -> tuple[Result | None, Hello | Problem | None]:
    if kind_of(slack.app_token or "") != APP_TOKEN:
        return None, None
    api = web_api(slack, slack.app_token, http)
    opened = await api.write("apps.connections.open", _PATIENCE)
    url = opened.data.get("url") if isinstance(opened, Answered) else None
    if not isinstance(url, str) or not await is_alone():
        return opened, None
    try:
        async with asyncio.timeout(DEADLINE):
            return opened, await _greeting(url, http, api.proxy)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return opened, in_the_way(error, api.proxy) or _NO_SOCKET


async def _greeting(url: str, http: aiohttp.ClientSession, proxy: str | None) -> Hello | Problem:
    """Return Slack's `hello`, the first message on a socket, or why it refuses; close at once.

    Meanwhile Slack may send a command to this socket. It is not acknowledged, so Slack knows that it was not delivered.
    Slack redelivers events; for commands it promises nothing, and the user may see a timeout. Source: docs.slack.dev,
    "Using Socket Mode".
    """
    async with http.ws_connect(url, proxy=proxy, timeout=_CLOSING) as socket:
        async for message in socket:
            said = object_in(message.data) if message.type is aiohttp.WSMsgType.TEXT else None
            reason = str((said or {}).get("reason"))
            if reason == TOO_MANY:
                return Hello(MOST_CONNECTIONS + 1)
            if reason in REFUSALS:
                return REFUSALS[reason]
            if said and said.get("type") == "hello":
                return read_hello(said)
    return _NO_SOCKET


def web_api(slack: SlackSettings, token: str | None, http: aiohttp.ClientSession) -> SlackApi:
    """Return a Web API client with one of the two tokens."""
    return SlackApi(web_client(slack, token, http), Runtime().sleep)
