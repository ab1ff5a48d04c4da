"""The doctor's calls to Slack: both tokens, the socket's hello, and the people, groups and channels of the policy."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import aiohttp

from bot.domain.finding import Finding
from bot.ops.doctor.transport import DEADLINE, each
from bot.policy.kinds import ANYONE, Policy, Standing, Unreadable
from bot.runtime.clock import Runtime
from bot.settings.access import SlackSettings
from bot.settings.pasted import APP_TOKEN, BOT_TOKEN, kind_of
from bot.slack.api import Answered, Result, SlackApi, web_client
from bot.slack.directory import standing_of, trouble_of, users_of
from bot.slack.payloads import TOO_MANY
from bot.slack.preflight import identify

MOST_CONNECTIONS = 10
"""Slack's limit for the connections of an app."""

_AT_ONCE = 10
_PATIENCE = 3.0  # seconds for rate limits
_CLOSING = aiohttp.ClientWSTimeout(ws_close=1.0)

Groups = Mapping[str, frozenset[str] | None]
"""The members of each user group by its id; None if it is deactivated."""


@dataclass(frozen=True, slots=True)
class SlackAnswers:
    """Slack's answers; None where there was no call or no answer."""

    bot: Result | None = None
    app: Result | None = None
    connections: int | None = None
    """The app's open connections, including the doctor's own, or one more than Slack allows."""
    groups: Groups | Unreadable | None = None
    people: Mapping[str, Standing | Unreadable] = field(default_factory=dict)
    channels: Mapping[str, Result] = field(default_factory=dict)
    """The approvers' channels, by id."""
    failed: Finding | None = None
    """Set if the calls could not be made at all."""


async def call_slack(
    slack: SlackSettings | None, policy: Policy | None, http: aiohttp.ClientSession
) -> SlackAnswers:
    """Return what Slack answers within the deadlines; a token of the wrong kind is not sent."""
    if slack is None:
        return SlackAnswers()
    answers, (app, connections) = await asyncio.gather(
        _with_bot_token(slack, policy, http), _with_app_token(slack, http)
    )
    return replace(answers, app=app, connections=connections)


async def _with_bot_token(
    slack: SlackSettings, policy: Policy | None, http: aiohttp.ClientSession
) -> SlackAnswers:
    if kind_of(slack.bot_token) != BOT_TOKEN:
        return SlackAnswers()
    api = web_api(slack, slack.bot_token, http)
    bot = await identify(api, _PATIENCE)
    if not isinstance(bot, Answered) or policy is None:
        return SlackAnswers(bot)
    groups, people, channels = await asyncio.gather(
        _groups(api),
        _people(api, people_of(policy), str(bot.data.get("team_id") or "")),
        read_channels(api, policy),
    )
    return SlackAnswers(bot, groups=groups, people=people, channels=channels)


def people_of(policy: Policy) -> list[str]:
    """Return all user ids in the policy, without duplicates, in order."""
    named = (rule.users | rule.approvers.users for rule in policy.rules)
    return sorted(policy.operators.users.union(*named) - {ANYONE})


async def _groups(api: SlackApi) -> Groups | Unreadable:
    """Return all user groups in one call: usergroups.users.list is limited to twenty calls a minute."""
    result = await api.read("usergroups.list", _PATIENCE, include_disabled=True, include_users=True)
    found = result.data.get("usergroups") if isinstance(result, Answered) else None
    if not isinstance(found, list):
        return trouble_of(result)[0]
    groups = [group for group in found if isinstance(group, dict)]
    return {str(g.get("id")): None if g.get("date_delete") else users_of(g) for g in groups}


async def _people(
    api: SlackApi, ids: Sequence[str], team_id: str
) -> Mapping[str, Standing | Unreadable]:
    async def one(user_id: str) -> Standing | Unreadable:
        result = await api.read("users.info", _PATIENCE, user=user_id)
        user = result.data.get("user") if isinstance(result, Answered) else None
        return standing_of(user, team_id) if isinstance(user, dict) else trouble_of(result)[0]

    found = await each(ids, one, _AT_ONCE)
    return {user_id: found.get(user_id, Unreadable.SLACK_DOWN) for user_id in ids}


async def read_channels(api: SlackApi, policy: Policy) -> Mapping[str, Result]:
    """Return conversations.info of the approvers' channels, by id."""
    ids = sorted({rule.approvers.channel for rule in policy.approval_rules})

    async def one(channel: str) -> Result:
        return await api.read("conversations.info", _PATIENCE, channel=channel)

    return await each(ids, one, _AT_ONCE)


async def _with_app_token(
    slack: SlackSettings, http: aiohttp.ClientSession
) -> tuple[Result | None, int | None]:
    if kind_of(slack.app_token or "") != APP_TOKEN:
        return None, None
    api = web_api(slack, slack.app_token, http)
    opened = await api.write("apps.connections.open", _PATIENCE)
    url = opened.data.get("url") if isinstance(opened, Answered) else None
    if not isinstance(url, str):
        return opened, None
    try:
        async with asyncio.timeout(DEADLINE):
            return opened, await _greeting(url, http, api.proxy)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return opened, None


async def _greeting(url: str, http: aiohttp.ClientSession, proxy: str | None) -> int | None:
    """Return the number of connections in Slack's `hello`, the first message on a socket; close at once.

    With one too many, Slack says so instead.

    Meanwhile Slack may send a command to this socket instead of to the bot. It is not acknowledged, so Slack knows that it
    was not delivered. Slack redelivers events; for commands it promises nothing, and the user may see a timeout. Nothing
    was done in that case. Source: docs.slack.dev, "Using Socket Mode".
    """
    async with http.ws_connect(url, proxy=proxy, timeout=_CLOSING) as socket:
        async for message in socket:
            said = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else None
            if isinstance(said, dict) and said.get("reason") == TOO_MANY:
                return MOST_CONNECTIONS + 1
            if isinstance(said, dict) and said.get("type") == "hello":
                count = said.get("num_connections")
                return count if isinstance(count, int) else None
    return None


def web_api(slack: SlackSettings, token: str | None, http: aiohttp.ClientSession) -> SlackApi:
    """Return a Web API client with one of the two tokens."""
    return SlackApi(web_client(slack, token, http), Runtime().sleep)
