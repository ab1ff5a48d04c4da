"""The made-up workspace: people, channels, scopes, and the demo's policy."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from bot.slack import preflight

ChannelKind: TypeAlias = Literal["public", "private", "im", "mpim"]

TEAM = "T0PLAYGROUND"
ORG, HARBOUR = "E0PLAYGROUND", "T0HARBOUR"
BOT = "U0SHAREENV"
OWNER = "wx0123456789abcdef"
APPID = "wx5fe6bb43205e9e70"


@dataclass(frozen=True, slots=True)
class SlackUser:
    """A member of the workspace, or a stranger from another one, with the flags of users.info.

    On Enterprise Grid, `team_id` may be another workspace of the same organisation; `teams` has all of a user's workspaces
    in the `organisation`.
    """

    id: str
    name: str
    team_id: str = TEAM
    is_bot: bool = False
    deleted: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    locale: str = "en-US"
    teams: tuple[str, ...] = ()
    organisation: str = ORG


@dataclass(frozen=True, slots=True)
class Channel:
    """A conversation and its initial members."""

    id: str
    name: str
    _: KW_ONLY
    kind: ChannelKind = "public"
    members: frozenset[str] = frozenset()
    archived: bool = False
    read_only: bool = False
    ext_shared: bool = False
    team_id: str = TEAM


@dataclass(frozen=True, slots=True)
class UserGroup:
    """A user group of a workspace, `@handle`."""

    id: str
    handle: str
    members: frozenset[str] = frozenset()
    disabled: bool = False
    team_id: str = TEAM


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation of Enterprise Grid that the app is installed for, and the domains of its workspaces that have it."""

    id: str
    domain: str
    workspaces: Mapping[str, str]


SCOPES = frozenset({"connections:write", *(scope.name for scope in preflight.SCOPES)})
"""The scopes in app-manifest.yml; `connections:write` is one of the app-level token."""

PEOPLE = (
    SlackUser("U0REQUESTER", "requester"),
    SlackUser("U0SECOND", "second"),
    SlackUser("U0STRANGER", "outsider"),
    SlackUser("U0GUEST", "guest", is_restricted=True),
    SlackUser("U0APPROVER", "approver"),
    SlackUser("U0APPROVER2", "approver-two"),
    SlackUser("U0CHINESE", "mei", locale="zh-CN"),
    SlackUser("U0GONE", "gone", deleted=True),
    SlackUser("U0ELSEWHERE", "elsewhere", team_id="T0ELSEWHERE", is_stranger=True),
    SlackUser(BOT, "share-env", is_bot=True),
)

ABOUT = {
    "requester": "on the platform team",
    "second": "may share test envs only",
    "outsider": "may share nothing",
    "guest": "a guest of the workspace",
    "approver": "decides about core envs",
    "mei": "reads Chinese",
}
ROLES = {each.name: each.id for each in PEOPLE if each.name in ABOUT}
CREW = frozenset({*ROLES.values(), "U0APPROVER2"})
APPROVERS = frozenset({"U0APPROVER", "U0APPROVER2"})

CHANNELS = (
    Channel("C0RELEASES", "releases", members=CREW | {BOT}),
    Channel("C0APPROVALS", "share-approvals", members=APPROVERS | {"U0SECOND", BOT}),
    Channel("C0LOUNGE", "lounge", members=CREW),
    Channel("C0SECRET", "secret", kind="private", members=frozenset({"U0REQUESTER", "U0SECOND"})),
    Channel("D0DIRECT", "", kind="im", members=frozenset({"U0REQUESTER", "U0SECOND"})),
    Channel("D0BOT", "", kind="im", members=frozenset({"U0REQUESTER", BOT})),
    Channel("C0ARCHIVED", "archived", members=CREW | {BOT}, archived=True),
    Channel("C0ANNOUNCE", "announce", members=CREW | {BOT}, read_only=True),
    Channel("C0PARTNERS", "partners", members=CREW | {BOT, "U0ELSEWHERE"}, ext_shared=True),
)

PLACES = {
    "public": "C0RELEASES",
    "private": "C0SECRET",
    "dm": "D0DIRECT",
    "archived": "C0ARCHIVED",
    "approvals": "C0APPROVALS",
    "shared": "C0PARTNERS",
}
POLICY = Path(__file__).with_name("policy.toml").read_text(encoding="utf-8")
GROUPS = (
    UserGroup("S0PLATFORM", "platform", frozenset({"U0REQUESTER"})),
    UserGroup("S0APPROVERS", "share-approvers", APPROVERS),
)


@dataclass(frozen=True, slots=True)
class World:
    """The initial state of the stand-in Slack, made up; later changes are kept by the server."""

    people: tuple[SlackUser, ...] = PEOPLE
    channels: tuple[Channel, ...] = CHANNELS
    groups: tuple[UserGroup, ...] = GROUPS
    scopes: frozenset[str] = SCOPES
    team_id: str = TEAM
    team_domain: str = "playground"
    app_id: str = "A0SHAREENV"
    bot_user_id: str = BOT
    bot_id: str = "B0SHAREENV"
    bot_token: str = "xoxb-playground-made-up"
    app_token: str = "xapp-playground-made-up"
    signing_secret: str = "playground-made-up-signing-secret"
    organisation: Organisation | None = None
    """Set if the app is installed for an organisation instead of the workspace."""


def _in_organisation(person: SlackUser) -> SlackUser:
    """Return a person as a user of the organisation: the requester and the approver have both workspaces."""
    if person.is_stranger:
        return replace(person, teams=(person.team_id,), organisation="E0ELSEWHERE")
    both = person.id in {"U0REQUESTER", "U0APPROVER", BOT}
    return replace(person, teams=(TEAM, HARBOUR) if both else (TEAM,))


ORGANISATION = World(
    people=(
        *map(_in_organisation, PEOPLE),
        SlackUser("U0HARBOUR", "harbour-master", team_id=HARBOUR, teams=(HARBOUR,)),
    ),
    channels=(
        *CHANNELS,
        Channel(
            "C0HARBOUR",
            "harbour",
            members=frozenset({"U0REQUESTER", "U0APPROVER", "U0HARBOUR", BOT}),
            team_id=HARBOUR,
        ),
    ),
    groups=(
        *GROUPS,
        UserGroup("S0HARBOUR", "harbour", frozenset({"U0APPROVER", "U0HARBOUR"}), team_id=HARBOUR),
    ),
    organisation=Organisation(ORG, "seaside", {TEAM: "playground", HARBOUR: "harbour"}),
)
"""The same people in an organisation with a second workspace, for both of which the app is installed."""
