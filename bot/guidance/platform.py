"""Guidance for the codes of the third-party platform: its tokens, its tickets, and what an owner authorised.

They occur when the bot itself keeps the platform's tokens, and in a share when the platform is misconfigured.

Sources: third_party_authority_instructions_troubleshooting; component_verify_ticket_troubleshooting; authority
(permission sets: 49 goes with 18, and to one platform only); WxOpenErrorMsgEnum.java of WxJava.
"""

from typing import Final

from bot.guidance.types import (
    ONE_SYSTEM,
    RIGHT_OWNER,
    SEND_THE_LINK,
    SETS_TICKED,
    WITHDRAW_FIRST,
    AutoRetry,
    Fixer,
    Guidance,
    RetryHelps,
    row,
)

_ELSEWHERE = "If a token server keeps the tokens (WECHAT_TOKEN_SERVER_URL), do this there."
_TICKET_URL = "At open.weixin.qq.com, check that 授权事件接收URL leads to what keeps the tickets (in this bot /wechat/events)."

# Unformatted, so that a row reads as one block.
# fmt: off
PLATFORM_ROWS: Final[tuple[Guidance, ...]] = (
    row("40125", Fixer.OPERATOR, "WeChat does not accept the platform's secret",
        "It is wrong; perhaps it was reset.",
        "Copy the AppSecret from open.weixin.qq.com into WECHAT_COMPONENT_APPSECRET, and restart the bot.",
        "Check that WECHAT_COMPONENT_APPID is the same platform's.",
        _ELSEWHERE),
    row("41002", Fixer.OPERATOR, "The platform's appid or secret did not reach WeChat",
        "One of them is empty.",
        "Copy the platform's AppID and AppSecret from open.weixin.qq.com into WECHAT_COMPONENT_APPID and WECHAT_COMPONENT_APPSECRET; restart the bot.",
        _ELSEWHERE,
        also=(41004, 41018)),
    row("42006", Fixer.OPERATOR, "The platform's own access token has expired",
        "It lives for two hours, and a renewal ends the one before within five minutes.",
        ONE_SYSTEM,
        helps=RetryHelps.LATER, retry=AutoRetry.RENEW),
    row("61003", Fixer.ADMIN, "The owner has not authorised the platform",
        "It never did, or has withdrawn it.",
        RIGHT_OWNER,
        "Send the admin the authorisation link, to scan it and tick 云开发管理权限 (49) and 开发管理与数据分析权限 (18).",
        doctor=True),
    row("61004", Fixer.OPERATOR, "The bot's IP address is not on the platform's list",
        "WeChat refuses calls from elsewhere.",
        "Add it to the platform's 白名单IP at open.weixin.qq.com, through 修改 (编辑 needs 全网发布).",
        "Give the bot a fixed address.",
        read="Read what WeChat said below: it names the address."),
    row("61005", Fixer.OPERATOR, "The platform's ticket has expired or is not valid",
        "WeChat pushes one every ten minutes.",
        _TICKET_URL,
        "Start the push anew with WeChat's call /cgi-bin/component/api_start_push_ticket.",
        also=(61006,), helps=RetryHelps.LATER),
    row("61007", Fixer.ADMIN, "The owner has not given the platform the CloudBase permission",
        "Only one platform can have it; another may.",
        SETS_TICKED,
        SEND_THE_LINK,
        also=(50001,), doctor=True),
    row("61009", Fixer.ADMIN, "The owner's authorisation was not completed",
        "WeChat's code for it was not valid, or expired before it was used.",
        "Check that the token server (WECHAT_TOKEN_SERVER_URL), or this bot, is running.",
        WITHDRAW_FIRST,
        also=(61010,), doctor=True),
    row("61011", Fixer.OPERATOR, "WeChat does not know this third-party platform",
        "The appid or secret is another's, perhaps a mini program's.",
        "Copy the platform's AppID and AppSecret from open.weixin.qq.com into WECHAT_COMPONENT_APPID and WECHAT_COMPONENT_APPSECRET; restart the bot.",
        _ELSEWHERE),
    row("61014", Fixer.OPERATOR, "The call was made with the wrong kind of token",
        "A call for an owner needs its authorizer_access_token.",
        "Check that the token source (WECHAT_TOKEN_SERVER_URL, or WECHAT_AUTHORIZER_ACCESS_TOKEN) gives that of {owner}.",
        "If the bot keeps the tokens itself, report rid and request to whoever maintains its code.",
        also=(61015, 86000)),
    row("61016", Fixer.OPERATOR, "The platform lacks the permission for CloudBase (49)",
        "The platform has not ticked it, or {owner} has not granted it.",
        SETS_TICKED,
        SEND_THE_LINK,
        also=(61017,)),
    row("61023", Fixer.OPERATOR, "The owner's refresh token is no longer valid",
        "It was lost or replaced.",
        "Look it up with /cgi-bin/component/api_get_authorizer_info.",
        "Put it into WECHAT_AUTHORIZER_REFRESH_TOKEN, or the token server.",
        "If none, {owner}'s admin withdraws (mp.weixin.qq.com, 设置, 第三方设置, 管理授权), then scans the authorisation link, which you send."),
    row("61028", Fixer.OPERATOR, "The platform is not published yet",
        "Until then it can serve only its test accounts.",
        "Publish the platform at open.weixin.qq.com (全网发布), or add {owner} to 授权测试账号 there.",
        doctor=False),
)
# fmt: on
