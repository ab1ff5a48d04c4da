"""Guidance for CloudBase's own codes, negative and six digits long.

The owner's admin often cannot open the CloudBase console, because the platform holds permission sets 49 and 18
(cloudbase/common/problem); the platform's operators can read an env's state all the same (api_getenvinfo).

Sources: errcode of wxcloud (minigame/dev/wxcloud/reference/errcode); api_createclouduser for -601026, -601048, -601049.
"""

from collections.abc import Mapping
from typing import Final

from bot.guidance.types import (
    ASK_AGAIN,
    AUTHORISE_ANEW,
    ENV_STATE,
    POST_RID,
    RIGHT_OWNER,
    SAME_COMPANY,
    Again,
    Fixer,
    Guidance,
    row,
)

CLOUDBASE_SAME_ADVICE: Final[Mapping[int, int]] = {
    -601001: -501001,
    -601003: -501001,  # the network within CloudBase
    -601008: -501002,
    -604102: -501002,
    -604103: -501002,
    -601026: -601009,
    -601048: -601009,
    -601049: -601009,
}
"""A code -> the code whose row serves it too."""

# Unformatted, so that a row reads as one block.
# fmt: off
CLOUDBASE_ROWS: Final[tuple[Guidance, ...]] = (
    row("-501001", Fixer.WECHAT, Again.LATER, "CloudBase had an internal error",
        "The fault is in WeChat's cloud service, not in what you asked for. The share may have happened all the same.",
        "Wait about five minutes.",
        ASK_AGAIN,
        POST_RID,
        in_doubt=True),
    row("-501002", Fixer.WECHAT, Again.LATER, "CloudBase did not finish in time",
        "WeChat's cloud service took too long and gave up. The share may have happened all the same.",
        "Wait about five minutes.",
        ASK_AGAIN,
        POST_RID,
        in_doubt=True),
    row("-501003", Fixer.ADMIN, Again.AFTER_FIX, "The env has used up what its package allows",
        "CloudBase counts what an env uses, and a quota is exhausted.",
        "Ask the owner's admin to move the env to a larger package, or to wait until the quota starts afresh.",
        read="Read WeChat's own text: it may say which quota."),
    row("-501004", Fixer.NOBODY, Again.LATER, "The env is handling too many calls at once",
        "CloudBase limits how many calls run at the same time.",
        "Wait a minute, then ask again.",
        "If you are sharing with many appids, leave some time between them."),
    row("-501005", Fixer.REQUESTER, Again.AFTER_FIX, "CloudBase finds something wrong with this env",
        "The env is misspelt, belongs to another owner, or is not in working order.",
        "Compare the env with where you got it, character by character.",
        ENV_STATE),
    row("-501007", Fixer.REQUESTER, Again.AFTER_FIX, "CloudBase does not accept this appid or this env",
        "One of the two values has a form or a content that CloudBase refuses.",
        "Compare the appid and the env with where you got them, character by character.",
        SAME_COMPANY,
        ENV_STATE),
    row("-501009", Fixer.REQUESTER, Again.AFTER_FIX, "CloudBase cannot find this env",
        "The owner has no env with this id: it is misspelt, deleted, or another mini program's.",
        "Compare the env with where you got it, character by character.",
        RIGHT_OWNER,
        ENV_STATE),
    row("-501018", Fixer.ADMIN, Again.AFTER_FIX, "The env is not available",
        "The env exists but cannot be used now, for example because it was stopped or is not paid for.",
        ENV_STATE,
        "Ask the owner's admin to settle what is open for the env and bring it back into service."),
    row("-501019", Fixer.ADMIN, Again.AFTER_FIX, "CloudBase does not let this owner share the env",
        "The mini program whose token was used has no right to do this with the env; only the env's own owner may share it, not one who received it.",
        RIGHT_OWNER,
        AUTHORISE_ANEW),
    row("-601009", Fixer.ADMIN, Again.AFTER_FIX, "The owner's CloudBase account is not ready",
        "Its admin has not agreed to CloudBase yet, or WeChat knows no phone number of the account.",
        "Ask the owner's admin to look for a message from WeChat about 云开发 (CloudBase) and to agree to it.",
        "If the account has no phone number, ask its admin to add one in WeChat.",
        "If there is no message, ask the people who run this bot to make WeChat's call /tcb/createclouduser, which sends one at most every 24 hours."),
    row("-601012", Fixer.OPERATOR, Again.AFTER_FIX, "The owner has no right to this env",
        "The mini program whose token was used does not own the env; one that it received from another mini program cannot be passed on.",
        "Compare the env with where you got it, character by character.",
        RIGHT_OWNER,
        ENV_STATE),
    row("-601013", Fixer.OPERATOR, Again.AFTER_FIX, "CloudBase does not allow this from one account to the other",
        "The owner has no right across accounts: the env, or the mini program that is to receive access, may belong to somebody else.",
        SAME_COMPANY,
        RIGHT_OWNER,
        POST_RID),
)
CLOUDBASE: Final = row("cloudbase", Fixer.OPERATOR, Again.AFTER_FIX, "CloudBase refused, with a code that the bot does not know",
    "Negative codes of six digits come from CloudBase, WeChat's cloud service.",
    "Check that the env belongs to the owner (WECHAT_AUTHORIZER_APPID, or POLICY_FILE) and that WeChat's call /tcb/getenvinfo shows it as NORMAL.",
    "Look the code up among CloudBase's error codes (云开发错误码) at developers.weixin.qq.com.",
    "If that does not help, post the code and the rid in WeChat's forum for service providers (服务商专区 there).",
    read="Read WeChat's own text; env not exists, for example, means that the env is misspelt or another mini program's.")
# fmt: on
