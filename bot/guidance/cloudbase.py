"""Guidance for CloudBase's own codes, negative and six digits long.

While the platform holds permission sets 49 and 18, the owner's admin cannot open the CloudBase console; the platform's
own development mini program can, in DevTools with the owner as `extAppid`, also to top up and to manage envs
(cloudbase/common/problem). A receiver needs no CloudBase (wxcloud/guide/resource-sharing/introduce).

Sources: errcode of wxcloud (minigame/dev/wxcloud/reference/errcode); api_createclouduser for -601026, -601048, -601049.
"""

from typing import Final

from bot.guidance.types import (
    COMPARE_ENV,
    CONTACT_CHECKS,
    ENV_STATE,
    POST_RID,
    RIGHT_OWNER,
    SAME_COMPANY,
    SEND_THE_LINK,
    SETS_TICKED,
    STILL_FAILING,
    Fixer,
    Guidance,
    row,
)

# Unformatted, so that a row reads as one block.
# fmt: off
CLOUDBASE_ROWS: Final[tuple[Guidance, ...]] = (
    row("-501001", Fixer.WECHAT, "CloudBase had an internal error",
        "The fault is in WeChat's cloud service, not in what you asked for.",
        POST_RID,
        also=(-601001, -601003), in_doubt=True),
    row("-501002", Fixer.WECHAT, "CloudBase did not finish in time",
        "WeChat's cloud service took too long and gave up.",
        POST_RID,
        also=(-601008, -604102, -604103), in_doubt=True),
    row("-501003", Fixer.OPERATOR, "The env has used up what its package allows",
        "One of its quotas is exhausted.",
        "In WeChat DevTools, with extAppid {owner}, open 云开发 (环境管理) and move {env} to a larger package, or wait until the quota is renewed.",
        doctor=False,
        read="Read what WeChat said below: it may say which quota."),
    row("-501004", Fixer.NOBODY, "The env is handling too many calls at once",
        "CloudBase limits how many calls run at the same time.",
        "If you share with many appids, put them into one command: the bot paces itself.",
        STILL_FAILING),
    row("-501005", Fixer.REQUESTER, "CloudBase finds something wrong with this env",
        "It is mistyped, another owner's, or out of order.",
        COMPARE_ENV,
        CONTACT_CHECKS),
    row("-501007", Fixer.REQUESTER, "CloudBase does not accept this appid or this env",
        "One of them is mistyped or not allowed.",
        "Compare both with where you got them.",
        SAME_COMPANY,
        CONTACT_CHECKS),
    row("-501009", Fixer.REQUESTER, "CloudBase cannot find this env",
        "{owner} has no env with this id: it is mistyped, deleted, or another owner's.",
        COMPARE_ENV,
        CONTACT_CHECKS),
    row("-501018", Fixer.OPERATOR, "The env is not available",
        "It exists, but was stopped, perhaps for an overdue bill.",
        ENV_STATE,
        "In WeChat DevTools, with extAppid {owner}, open 云开发, pay the overdue bill (费用充值), then restart {env} (环境管理).",
        doctor=False),
    row("-501019", Fixer.OPERATOR, "CloudBase does not let this owner share the env",
        "Only its own owner may, through a platform with the permission.",
        RIGHT_OWNER,
        SETS_TICKED,
        SEND_THE_LINK,
        doctor=False),
    row("-601009", Fixer.ADMIN, "The owner's CloudBase account is not ready",
        "Its admin has not agreed, or it lacks a phone number.",
        "The admin agrees to WeChat's message (微信公众平台 or 服务通知), and adds a missing phone number.",
        "No message? Call /tcb/createclouduser: it sends one in 24 hours.",
        "Once agreed, call /tcb/createclouduser again.",
        also=(-601026, -601048, -601049)),
    row("-601012", Fixer.OPERATOR, "The bot uses the wrong owner for this env",
        "{owner}, whose token was used, has no right to it; an env that was received cannot be passed on.",
        RIGHT_OWNER,
        ENV_STATE,
        doctor=False),
    row("-601013", Fixer.OPERATOR, "CloudBase does not allow this from one account to the other",
        "The env, or the receiver, may belong to another company than {owner}.",
        SAME_COMPANY,
        RIGHT_OWNER,
        doctor=False),
)
CLOUDBASE: Final = row("cloudbase", Fixer.OPERATOR, "CloudBase refused, with a code that the bot does not know",
    "CloudBase is WeChat's cloud service.",
    ENV_STATE,
    "Find the code under 云开发错误码 at developers.weixin.qq.com.",
    "Else post code and rid in 服务商专区 there.",
    doctor=False,
    read="Read what WeChat said below: “env not exists” means a wrong env.")
# fmt: on
