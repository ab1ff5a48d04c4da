"""What a piece of guidance is made of; import these names from `bot.guidance`."""

# ruff: noqa: S105 - the keys of token troubles are no secrets

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Fixer(Enum):
    """Who can fix it; the value completes "Who can fix it: …"."""

    REQUESTER = "you, the requester"
    OPERATOR = "the people who run this bot"
    ADMIN = "the admin of the mini program that owns the env"
    WECHAT = "WeChat"
    NOBODY = "nobody needs to, it usually passes by itself"


class Retry(Enum):
    """What the bot does by itself before it gives up and tells the requester."""

    NEVER = "never"
    BACKOFF = "several times, with growing pauses"
    ONCE = "once more"
    RENEW = "once more, with a newer token"


class Again(Enum):
    """Whether asking again helps the requester; the value answers "Does asking again help?"."""

    NO = "No, not in the same way."
    AFTER_FIX = "Yes, once this is fixed."
    LATER = "Yes, later, without changing anything."
    NOW = "Yes, right away."


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
    GATEWAY_REFUSED = "gateway-refused"
    """HTTP 4xx, which WeChat itself does not use for its errors, from whoever did not pass the call on."""
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
    """What one error means, who can fix it and how; all texts are plain text, without markup."""

    key: str
    """Stable name: the first error code it serves ("40014"), or the trouble's value ("timeout")."""
    title: str
    """What happened: up to 70 characters, sentence case, no full stop."""
    meaning: str
    """One or two sentences on what that means."""
    fixer: Fixer
    steps: tuple[str, ...]
    """One to four sentences, in order: what to do next."""
    retry: Retry
    again: Again
    in_doubt: bool = False
    """True when the share may have happened all the same."""
    read: str | None = None
    """A first step about WeChat's own text, for where there is one."""

    def steps_with(self, errmsg: str) -> tuple[str, ...]:
        """Return the steps for whoever sees WeChat's own text beside them, or that there is none."""
        return (self.read, *self.steps) if self.read and errmsg else self.steps


ASK_AGAIN: Final = (
    "Ask again with the same appid and env: it does no harm, "
    "because a second share is meant to leave things as the first one did."
)
"""The step of every row in doubt. Intent, not a promise: no page of WeChat's says a share is idempotent."""

POST_RID: Final = (
    "If it keeps happening, ask the people who run this bot to post the rid "
    "in WeChat's forum for service providers (服务商专区 at developers.weixin.qq.com)."
)
RIGHT_OWNER: Final = (
    "Check with the people who run this bot that it uses the right owner for this env "
    "(WECHAT_AUTHORIZER_APPID, or POLICY_FILE)."
)
SETS_TICKED: Final = (
    "On 微信开发者平台 (我的业务, 第三方平台, 权限集), the people who run this bot check that the platform has permission sets "
    "49 (CloudBase management) and 18 ticked; a change there counts at once, without 全网发布."
)
AUTHORISE_ANEW: Final = (
    "Ask the owner's admin to go through the platform's authorisation link again with sets 49 and 18 ticked. Where nothing "
    "changes, WeChat tells the platform nothing: so change one set, or withdraw at mp.weixin.qq.com (设置, 第三方设置, 管理授权) "
    "and authorise anew."
)
SAME_COMPANY: Final = "Check that both mini programs are registered to the same legal entity (主体): envs are shared only within one."
ENV_STATE: Final = (
    "Ask the people who run this bot to make WeChat's call /tcb/getenvinfo for the owner: "
    "the env must be in its list, with status NORMAL."
)


def row(  # noqa: PLR0913 - one argument for each column of the tables
    key: str,
    fixer: Fixer,
    again: Again,
    title: str,
    meaning: str,
    *steps: str,
    retry: Retry = Retry.NEVER,
    in_doubt: bool = False,
    read: str | None = None,
) -> Guidance:
    """Build one row in the order the tables are read: the verdict, the words, the exceptions."""
    return Guidance(key, title, meaning, fixer, steps, retry, again, in_doubt, read)
