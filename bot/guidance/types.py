"""What a piece of guidance is made of; import these names from `bot.guidance`."""

# ruff: noqa: S105 - the keys of token troubles are no secrets

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Fixer(Enum):
    """Who can fix it; the value stands for them in a table."""

    REQUESTER = "you, the requester"
    OPERATOR = "the people who run this bot"
    ADMIN = "the admin of the mini program that owns the env"
    WECHAT = "WeChat"
    NOBODY = "nobody: it usually clears by itself"


class AutoRetry(Enum):
    """What the bot does by itself before it gives up and tells the requester."""

    NEVER = "never"
    BACKOFF = "several times, with growing pauses"
    ONCE = "once more"
    RENEW = "once more, with a newer token"


class RetryHelps(Enum):
    """Whether the same words can succeed if the requester tries again."""

    NEVER = "no, only other words do"
    AFTER_FIX = "once it is fixed"
    IN_HOURS = "in some hours"
    LATER = "in a few minutes"
    NOW = "right away"


class Trouble(Enum):
    """What can go wrong without an error code from WeChat; the value is the guidance's key."""

    NOT_SENT_CONNECT = "not-sent-connect"
    """No connection: the name was not found, or the host refused or could not be reached."""
    NOT_SENT_TLS = "not-sent-tls"
    """A connection, but not one that can be trusted."""
    TIMEOUT = "timeout"
    """Sent, and no answer in time."""
    LOST = "lost"
    """Sent, and the connection broke before the answer."""
    GATEWAY_CLOSED = "gateway-closed"
    """HTTP 401, 403 or 407: whoever stands in between does not let the bot through."""
    GATEWAY_LENGTH = "gateway-length"
    """HTTP 411 or 412: the call came without its Content-Length."""
    GATEWAY_REFUSED = "gateway-refused"
    """Any other HTTP 4xx, which WeChat itself does not use for its errors, from whoever did not pass the call on."""
    GATEWAY_BROKEN = "gateway-broken"
    """HTTP 5xx, or a 4xx that speaks of a call that was passed on."""
    REDIRECTED = "redirected"
    """HTTP 3xx but 303, not followed."""
    NOT_JSON = "not-json"
    """HTTP 2xx or 303, but not an answer of WeChat: HTML, empty, cut short, too big, compressed."""
    NO_ERRCODE = "no-errcode"
    """A JSON object without a readable error code."""
    TOKEN_FIXED_DEAD = "token-fixed-dead"
    """The fixed token was refused, and nothing can renew it."""
    TOKEN_FIXED_OTHER_OWNER = "token-fixed-other-owner"
    """The fixed token is the default owner's; the request needs another owner's."""
    TOKEN_SERVER_DOWN = "token-server-down"
    """No connection to the central token server."""
    TOKEN_SERVER_SLOW = "token-server-slow"
    """No answer from the central token server in time."""
    TOKEN_SERVER_REFUSED = "token-server-refused"
    """The central token server answered 401 or 403."""
    TOKEN_SERVER_ANSWER = "token-server-answer"
    """The central token server's answer holds no token, or has another status than 200."""
    TOKEN_SERVER_STALE = "token-server-stale"
    """The central token server keeps handing out the token that WeChat refused."""
    NO_TICKET = "no-ticket"
    """WeChat has pushed no ticket to the platform, or none that is still good."""
    NO_TOKEN_ANSWER = "no-token-answer"
    """WeChat gave no proper answer to a call of the token chain."""
    RENEWAL_SLOW = "renewal-slow"
    """A token was not renewed in time, by this replica or another."""
    TOKENS_NOT_KEPT = "tokens-not-kept"
    """The ledger did not say which tokens there are, or did not take a new one."""
    NO_APPROVER = "no-approver"
    """Nobody who may approve can be asked."""
    STOPPED = "stopped-midway"
    """The policy did not allow it any more when it was to be asked for once more, after a crash."""
    GIVEN_UP = "given-up"
    """The bot was stopped during this request so often that it gave up."""
    BUG = "bug"
    """An unexpected error in the bot."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """What one error means, who can fix it and how; all texts are plain text, without markup.

    The meaning and the steps may hold the places `{owner}`, `{env}` and `{contact}`, which the message fills.
    """

    key: str
    """Stable name: the first error code it serves ("40014"), or the trouble's value ("timeout")."""
    title: str
    """What happened: up to 70 characters, sentence case, no full stop."""
    meaning: str
    """One or two short sentences on what that means."""
    fixer: Fixer
    steps: tuple[str, ...]
    """One to four sentences, in order: what whoever fixes it does, or what the requester does if it does not clear."""
    retry: AutoRetry
    retry_helps: RetryHelps
    in_doubt: bool = False
    """True when the share may have happened all the same."""
    doctor: bool = False
    """True where `share-env-bot doctor` finds out more: then that is the first step."""
    read: str | None = None
    """A first step about WeChat's own text, for where there is one."""

    def steps_with(self, errmsg: str) -> tuple[str, ...]:
        """Return the steps for whoever sees WeChat's own text beside them, or that there is none."""
        return (self.read, *self.steps) if self.read and errmsg else self.steps


POST_RID: Final = "If it keeps failing, send this message to {contact}: they post the rid at developers.weixin.qq.com (服务商专区)."
STILL_FAILING: Final = "If it keeps failing, send this message to {contact}."
RIGHT_OWNER: Final = "Check that {owner} owns {env} (WECHAT_AUTHORIZER_APPID, POLICY_FILE)."
CONTACT_CHECKS: Final = "If that is right, ask {contact} whether {owner} owns {env}, with status NORMAL (/tcb/getenvinfo)."
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
    retry_helps: RetryHelps,
    title: str,
    meaning: str,
    *steps: str,
    retry: AutoRetry = AutoRetry.NEVER,
    in_doubt: bool = False,
    doctor: bool = False,
    read: str | None = None,
) -> Guidance:
    """Build one row in the order the tables are read: the verdict, the words, the exceptions."""
    return Guidance(key, title, meaning, fixer, steps, retry, retry_helps, in_doubt, doctor, read)
