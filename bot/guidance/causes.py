"""Why a share of an env failed, as WeChat's lists of the owners' envs tell it, and the guidance that says so. Pure.

Sources: api_getenvinfo (`env`, `alias`, `status`: NORMAL, HALTED, UNAVAILABLE). Not documented: whether it also lists
envs that an owner received; so a listed env counts as the owner's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final, NamedTuple, assert_never

from bot.guidance.types import (
    COMPARE_ENV,
    OPEN_CLOUDBASE,
    POST_RID,
    RESTART_ENV,
    RIGHT_OWNER,
    SAME_COMPANY,
    Fixer,
    Guidance,
    row,
)

NORMAL: Final = "NORMAL"
"""The status of an env in service."""


class ListedEnv(NamedTuple):
    """An env's state in WeChat's list of its owner's envs."""

    status: str = NORMAL
    alias: str = ""


EnvList = Mapping[str, ListedEnv]
"""WeChat's list of an owner's envs, by their ids."""


@dataclass(frozen=True, slots=True)
class NoSuchEnv:
    """The owner has other envs, and not this one; `nearest` is one of those that the requester may share, or empty."""

    nearest: str = ""


@dataclass(frozen=True, slots=True)
class NoEnvs:
    """The owner has no env at all."""


@dataclass(frozen=True, slots=True)
class NotInService:
    """The owner has the env, and its `status` is not NORMAL."""

    status: str


@dataclass(frozen=True, slots=True)
class OtherOwner:
    """The env is another owner's."""

    owner: str


@dataclass(frozen=True, slots=True)
class OtherToken:
    """The token that the bot has for the owner is another owner's."""

    owner: str


@dataclass(frozen=True, slots=True)
class EnvFine:
    """The owner has the env, in service: so it is the receiver, or its company."""


Cause = NoSuchEnv | NoEnvs | NotInService | OtherOwner | OtherToken | EnvFine


def cause_of(
    env: str,
    owner: str,
    lists: Mapping[str, EnvList],
    owner_of: Callable[[str], str | None],
    may_name: Callable[[str], bool],
) -> Cause | None:
    """Return what the lists that WeChat gave, by owner, tell about an env of `owner`; None if they do not tell.

    `owner_of` is what the policy says. Only envs that `may_name` allows are named.
    """
    own = lists.get(owner)
    if own is None:
        return None
    if listed := own.get(env):
        return EnvFine() if listed.status == NORMAL else NotInService(listed.status)
    for other, envs in lists.items():
        if env in envs:
            return OtherOwner(other)
    if not own:
        return NoEnvs()
    if whose := _whose(own, owner, lists, owner_of):
        return OtherToken(whose)
    mine = {each: state for each, state in own.items() if owner_of(each) == owner}
    return NoSuchEnv(_nearest(env, {each: mine[each] for each in mine if may_name(each)}))


def _whose(
    own: EnvList,
    owner: str,
    lists: Mapping[str, EnvList],
    owner_of: Callable[[str], str | None],
) -> str | None:
    """Return another owner whose envs these are: by the policy all of them, and by WeChat exactly these, if it lists them."""
    owners = {owner_of(each) for each in own}
    other = next(iter(owners)) if len(owners) == 1 else None
    if other is None or other == owner:
        return None
    return other if lists.get(other, own).keys() == own.keys() else None


def _nearest(env: str, envs: EnvList) -> str:
    """Return the env whose alias was typed, or that is spelt most like it; empty if none is like it."""
    typed = env.lower()
    for each, state in envs.items():
        if typed in {each.lower(), state.alias.lower()}:
            return each
    longer = [each for each in envs if each.lower().startswith(f"{typed}-")]
    if len(longer) == 1:
        return longer[0]
    spelt = {each.lower(): each for each in envs}
    return next((spelt[each] for each in get_close_matches(typed, spelt, 1)), "")


# Unformatted, so that a row reads as one block. `{found}` is what the cause names.
# fmt: off
_POLICY_TOO = "If that is right, send this message to {contact}: they check the owner (WECHAT_AUTHORIZER_APPID, POLICY_FILE) and its token."
_NO_SUCH_ENV = row("no-such-env", Fixer.REQUESTER, "WeChat lists no env with this id",
    "With the bot's token for {owner}, WeChat lists other envs, and not {env}.",
    COMPARE_ENV,
    _POLICY_TOO)
_NEAREST = row("nearest-env", Fixer.REQUESTER, "WeChat lists no such env, but one like it",
    "With the bot's token for {owner}, WeChat lists other envs, and not {env}.",
    "Compare the env with where you got it. The nearest that you may share is {found}.",
    _POLICY_TOO)
_NO_ENVS = row("no-envs", Fixer.OPERATOR, "The owner has no env at all",
    "WeChat lists none for {owner}: it is the wrong owner, or CloudBase (云开发) is off.",
    RIGHT_OWNER,
    OPEN_CLOUDBASE,
    doctor=False)
_NOT_IN_SERVICE = row("not-in-service", Fixer.OPERATOR, "The env is not in service",
    "WeChat lists {env} of {owner} as {found}; it must be NORMAL.",
    RESTART_ENV,
    doctor=False)
_OTHER_OWNER = row("other-owner", Fixer.OPERATOR, "The env belongs to another owner",
    "WeChat lists {env} for {found}, and not for {owner}, whose token is used.",
    "Name {found} as the owner of {env} in POLICY_FILE, or in WECHAT_AUTHORIZER_APPID.",
    doctor=False)
_OTHER_TOKEN = row("other-token", Fixer.OPERATOR, "The bot's token for the owner is another owner's",
    "With the token for {owner}, WeChat lists the envs of {found}.",
    "Check that the token server (WECHAT_TOKEN_SERVER_URL) answers by the appid, or that WECHAT_AUTHORIZER_ACCESS_TOKEN is WECHAT_AUTHORIZER_APPID's.",
    doctor=False)
_RECEIVER = row("receiver", Fixer.REQUESTER, "WeChat rejected the appid",
    "The env and its owner are right: so the appid is mistyped, or another company's.",
    "Compare the appid with where you got it.",
    SAME_COMPANY,
    "If that is right, send this message to {contact}.")
_COMPANY = row("company", Fixer.OPERATOR, "CloudBase does not allow this from one company to the other",
    "The env and its owner are right: so the receiver belongs to another company.",
    SAME_COMPANY,
    doctor=False)
_UNEXPECTED_OFF = row("unexpected-off", Fixer.OPERATOR, "WeChat says that CloudBase (云开发) is off",
    "This is unexpected: the env and its owner are right, and a receiver does not need CloudBase.",
    "Ask about the rid at developers.weixin.qq.com (服务商专区).",
    doctor=False)
_UNEXPECTED = row("unexpected-env", Fixer.WECHAT, "CloudBase refused an env that is in service",
    "This is unexpected: WeChat lists the env as its owner's, and as NORMAL.",
    POST_RID)
# fmt: on

_OF_THE_RECEIVER: Final[Mapping[str, Guidance]] = {
    "40097": _RECEIVER,
    "-501007": _RECEIVER,
    "-601013": _COMPANY,
    "85088": _UNEXPECTED_OFF,
    **dict.fromkeys(("-501005", "-501009", "-501018"), _UNEXPECTED),
}
"""What a code means where the env and its owner are right; any other code keeps its own guidance."""

CAUSE_ROWS: Final[tuple[Guidance, ...]] = (
    *(_NO_SUCH_ENV, _NEAREST, _NO_ENVS, _NOT_IN_SERVICE, _OTHER_OWNER, _OTHER_TOKEN),
    *dict.fromkeys(_OF_THE_RECEIVER.values()),
)
"""All guidance that a cause can give."""


def guidance_of(cause: Cause | None) -> Guidance | None:
    """Return the guidance for what is wrong with an env or its owner; None if nothing is known to be."""
    match cause:
        case None | EnvFine():
            return None
        case NoSuchEnv(nearest):
            return replace(_NEAREST, found=nearest) if nearest else _NO_SUCH_ENV
        case NoEnvs():
            return _NO_ENVS
        case NotInService(status):
            return replace(_NOT_IN_SERVICE, found=status)
        case OtherOwner(owner):
            return replace(_OTHER_OWNER, found=owner)
        case OtherToken(owner):
            return replace(_OTHER_TOKEN, found=owner)
        case _:
            assert_never(cause)


def explained(guidance: Guidance, cause: Cause | None) -> Guidance:
    """Return the guidance for a failed share given its cause, under its own key; as it is if nothing more is known."""
    if cause is None or not guidance.looks:
        return guidance
    told = guidance_of(cause) or _OF_THE_RECEIVER.get(guidance.key, guidance)
    return replace(told, key=guidance.key, in_doubt=guidance.in_doubt, looks=True)
