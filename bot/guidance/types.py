"""The parts of a guidance; import them from `bot.guidance`."""

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
    """When the requester may try again after an error that operators fix. For any other fixer, the fixer implies it."""

    AFTER_FIX = "once it is fixed"
    IN_HOURS = "in some hours"
    LATER = "in a few minutes"
    NOW = "right away"
    IF_ALLOWED = "if the policy allows it"


@dataclass(frozen=True, slots=True)
class Guidance:
    """What one error means, who can fix it and how. All texts are plain text.

    `meaning` and `steps` may have the placeholders `{owner}`, `{env}`, `{contact}` and, if a cause was found, `{found}`.
    """

    key: str
    """A stable name: the first errcode it is for ("40014"), or of the trouble ("timeout")."""
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
    looks: bool = False
    """True if WeChat's list of the owner's envs may tell why."""
    found: str = ""
    """What the placeholder `{found}` stands for: an env, a status or an owner; only in guidance that a cause gave."""

    def steps_with(self, errmsg: str) -> tuple[str, ...]:
        """Return the steps to show next to WeChat's `errmsg`, which may be empty."""
        return (self.read, *self.steps) if self.read and errmsg else self.steps


POST_RID: Final = "If it keeps failing, send this message to {contact}: they post the rid at developers.weixin.qq.com (服务商专区)."
STILL_FAILING: Final = "If it keeps failing, send this message to {contact}."
RIGHT_OWNER: Final = "Check that {owner} owns {env} (WECHAT_AUTHORIZER_APPID, POLICY_FILE)."
CONTACT_CHECKS: Final = "If that is right, tell {contact}: {owner} must own {env}, with status NORMAL (/tcb/getenvinfo)."
COMPARE_ENV: Final = "Compare the env with where you got it."
SETS_TICKED: Final = "At 微信开发者平台 (我的业务, 第三方平台, 权限集, 管理权限集), tick 云开发管理权限 (49) and 开发管理与数据分析权限 (18)."
ONE_SYSTEM: Final = "Only one may renew tokens: the token server (WECHAT_TOKEN_SERVER_URL), or this bot (WECHAT_COMPONENT_APPID)."
SEND_THE_LINK: Final = "Send {owner}'s admin the authorisation link, to scan it and tick both."
WITHDRAW_FIRST: Final = "{owner}'s admin withdraws (mp.weixin.qq.com, 设置, 第三方设置, 管理授权), then scans the authorisation link, which you send."
SAME_COMPANY: Final = "Check that one company (主体) owns both apps."
ENV_STATE: Final = "Call /tcb/getenvinfo for {owner}: it must list {env} as NORMAL."
OPEN_CLOUDBASE: Final = "If so, open 云开发 in WeChat DevTools with extAppid {owner} and enable it (开通), or call /tcb/createclouduser."
RESTART_ENV: Final = "In WeChat DevTools, with extAppid {owner}, open 云开发, pay the overdue bill (费用充值), then restart {env} (环境管理)."
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
    looks: bool = False,
) -> Guidance:
    """Build one row of the tables: who fixes it, the words, then what is unusual.

    Usually what operators fix can be tried again after that, and the doctor finds out more about it.
    """
    operators = fixer is Fixer.OPERATOR
    helps = helps or (RetryHelps.AFTER_FIX if operators else None)
    doctor = operators if doctor is None else doctor
    return Guidance(
        key, title, meaning, fixer, steps, retry, helps, in_doubt, doctor, read, also, looks
    )
