"""The parts of a guidance; import them from `bot.guidance`."""

# ruff: noqa: S105 - the keys of token troubles are no secrets

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Fixer(Enum):
    """Who can fix it; the value is what a table shows."""

    REQUESTER = "you, the requester"
    OPERATOR = "the people who run this bot"
    ADMIN = "the admin of the mini program that owns the env"
    WECHAT = "WeChat"
    NOBODY = "nobody: it usually clears by itself"


class AutoRetry(Enum):
    """What the bot retries by itself before it reports the error."""

    NEVER = "never"
    BACKOFF = "several times, with growing pauses"
    ONCE = "once more"
    RENEW = "once more, with a newer token"


class RetryHelps(Enum):
    """When the requester may try again what operators fix; for all else, who fixes it tells that."""

    AFTER_FIX = "once it is fixed"
    IN_HOURS = "in some hours"
    LATER = "in a few minutes"
    NOW = "right away"


class Trouble(Enum):
    """An error without an errcode from WeChat; the value is the key of its guidance."""

    NOT_SENT_CONNECT = "not-sent-connect"
    """No connection: the name was not found, or the host refused or could not be reached."""
    NOT_SENT_TLS = "not-sent-tls"
    """Connected, but the TLS certificate is not trusted."""
    TIMEOUT = "timeout"
    """The call was sent and no answer came in time."""
    LOST = "lost"
    """The call was sent and the connection broke before the answer."""
    GATEWAY_CLOSED = "gateway-closed"
    """HTTP 401, 403 or 407, or a proxy that refuses to connect: it does not let the call through."""
    GATEWAY_LENGTH = "gateway-length"
    """HTTP 411 or 412: the call arrived without a Content-Length."""
    GATEWAY_REFUSED = "gateway-refused"
    """Any other HTTP 4xx, from something that did not forward the call; WeChat sends its own errors with HTTP 200."""
    GATEWAY_BROKEN = "gateway-broken"
    """HTTP 5xx, or a 4xx that a gateway sends after it forwarded the call."""
    REDIRECTED = "redirected"
    """HTTP 3xx except 303; redirects are not followed."""
    NOT_JSON = "not-json"
    """HTTP 2xx or 303 with a body that is not WeChat's: HTML, empty, truncated, too long, compressed."""
    NO_ERRCODE = "no-errcode"
    """A JSON object without a readable errcode."""
    TOKEN_FIXED_DEAD = "token-fixed-dead"
    """WeChat refused the fixed token, which cannot be renewed."""
    TOKEN_FIXED_OTHER_OWNER = "token-fixed-other-owner"
    """The fixed token is the default owner's; the request needs another owner's."""
    TOKEN_SERVER_DOWN = "token-server-down"
    """No connection to the central token server."""
    TOKEN_SERVER_SLOW = "token-server-slow"
    """No answer from the central token server in time."""
    TOKEN_SERVER_REFUSED = "token-server-refused"
    """The central token server answered 401 or 403."""
    TOKEN_SERVER_ANSWER = "token-server-answer"
    """The central token server's answer has no token, or a status other than 200."""
    TOKEN_SERVER_STALE = "token-server-stale"
    """The central token server returned the token that WeChat had refused."""
    NO_TICKET = "no-ticket"
    """WeChat has pushed no ticket to the platform, or the last one has expired."""
    NO_TOKEN_ANSWER = "no-token-answer"
    """A call of the token chain got no usable answer from WeChat."""
    RENEWAL_SLOW = "renewal-slow"
    """A token was not renewed in time, by this replica or another one."""
    TOKENS_NOT_KEPT = "tokens-not-kept"
    """The tokens could not be read from the ledger, or a new one could not be stored."""
    NO_APPROVER = "no-approver"
    """No approver can be reached."""
    RULE_CHANGED = "rule-changed"
    """The policy has no rule any more of that name which asks for an approval."""
    UNCHECKED = "unchecked"
    """Slack did not tell, for too long, who the requester is or who is in a group, so the policy could not be checked again."""
    STOPPED = "stopped-midway"
    """The policy no longer allowed the request when it was to be retried after a crash."""
    GIVEN_UP = "given-up"
    """The bot was stopped so often while it worked on this request that it gave up."""
    BUG = "bug"
    """An unexpected error in the bot."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """What one error means, who can fix it and how. All texts are plain text.

    `meaning` and `steps` may have the placeholders `{owner}`, `{env}` and `{contact}`.
    """

    key: str
    """A stable name: the first errcode it is for ("40014"), or the trouble's value ("timeout")."""
    title: str
    """What happened: up to 70 characters, sentence case, no full stop."""
    meaning: str
    """What that means, in one or two short sentences."""
    fixer: Fixer
    steps: tuple[str, ...]
    """One to four sentences, in order: what the fixer does, or what the requester does if the error does not clear."""
    retry: AutoRetry
    retry_helps: RetryHelps | None
    """None unless operators fix it."""
    in_doubt: bool = False
    """True if the share may have happened in spite of the error."""
    doctor: bool = False
    """True if `share-env-bot doctor` finds out more; then running it is the first step."""
    read: str | None = None
    """An extra first step about WeChat's own text, used only if there is such a text."""
    also: tuple[int, ...] = ()
    """Other errcodes that mean the same."""

    def steps_with(self, errmsg: str) -> tuple[str, ...]:
        """Return the steps to show next to WeChat's `errmsg`, which may be empty."""
        return (self.read, *self.steps) if self.read and errmsg else self.steps


_TO_THEMSELVES: Final = {
    "send this message to {contact}: they ": "",
    "send this message to {contact}": "run share-env-bot doctor",
    "tell {contact}: ": "",
}


def in_general(text: str) -> str:
    """Return a meaning or a step for whoever runs the bot, and sees beside it which owner and env it is about.

    What sends a requester to them tells them what to do instead.
    """
    for sends, instead in _TO_THEMSELVES.items():
        text = text.replace(sends, instead)
    told = text.format(owner="the owner", env="the env", contact="the people who run this bot")
    return told[0].upper() + told[1:]


POST_RID: Final = "If it keeps failing, send this message to {contact}: they post the rid at developers.weixin.qq.com (服务商专区)."
STILL_FAILING: Final = "If it keeps failing, send this message to {contact}."
RIGHT_OWNER: Final = "Check that {owner} owns {env} (WECHAT_AUTHORIZER_APPID, POLICY_FILE)."
CONTACT_CHECKS: Final = "If that is right, tell {contact}: {owner} must own {env}, with status NORMAL (/tcb/getenvinfo)."
COMPARE_ENV: Final = "Compare the env with where you got it."
SETS_TICKED: Final = "At 微信开发者平台 (我的业务, 第三方平台, 权限集, 管理权限集), tick 云开发管理权限 (49) and 开发管理与数据分析权限 (18)."
AUTHORISE_ANEW: Final = (
    "{owner}'s admin withdraws (mp.weixin.qq.com, 设置, 第三方设置, 管理授权) and authorises anew."
)
SAME_COMPANY: Final = "Check that one company (主体) owns both mini programs."
ENV_STATE: Final = "Call /tcb/getenvinfo for {owner}: {env} must be there, with status NORMAL."
TELL_MAINTAINERS: Final = (
    "If none does, report the rid and the request's id to whoever maintains the bot's code."
)


def row(  # noqa: PLR0913 - one argument for each column of the tables
    key: str,
    fixer: Fixer,
    title: str,
    meaning: str,
    *steps: str,
    helps: RetryHelps | None = None,
    retry: AutoRetry = AutoRetry.NEVER,
    in_doubt: bool = False,
    doctor: bool | None = None,
    read: str | None = None,
    also: tuple[int, ...] = (),
) -> Guidance:
    """Build one row of the tables: who fixes it, the words, then what is unusual.

    Usually what operators fix can be tried again after that, and the doctor finds out more about it.
    """
    operators = fixer is Fixer.OPERATOR
    helps = helps or (RetryHelps.AFTER_FIX if operators else None)
    doctor = operators if doctor is None else doctor
    return Guidance(key, title, meaning, fixer, steps, retry, helps, in_doubt, doctor, read, also)
