"""Guidance for the codes of the third-party platform: its tokens, its tickets, and what an owner authorised.

They reach the bot when it keeps the platform's tokens itself, and through a share when the platform is set up wrong.

Sources: third_party_authority_instructions_troubleshooting; component_verify_ticket_troubleshooting; authority
(permission sets: 49 goes with 18, and to one platform only); WxOpenErrorMsgEnum.java of WxJava.
"""

from collections.abc import Mapping
from typing import Final

from bot.guidance.types import (
    AUTHORISE_ANEW,
    RIGHT_OWNER,
    SETS_TICKED,
    Again,
    Fixer,
    Guidance,
    Retry,
    row,
)

PLATFORM_SAME_ADVICE: Final[Mapping[int, int]] = {
    41018: 41002,
    61006: 61005,
    61010: 61009,
    61015: 61014,
    86000: 61014,  # "should be called only from third party"
    61017: 61016,
}
"""A code -> the code whose row serves it too."""

_ELSEWHERE = "If a central token server keeps the platform's tokens (WECHAT_TOKEN_SERVER_URL), have its people do this there."

# Unformatted, so that a row reads as one block.
# fmt: off
PLATFORM_ROWS: Final[tuple[Guidance, ...]] = (
    row("40125", Fixer.OPERATOR, Again.AFTER_FIX, "WeChat does not accept the platform's secret",
        "The app secret of the third-party platform is wrong; perhaps it was reset.",
        "Copy the platform's current AppSecret from open.weixin.qq.com into WECHAT_COMPONENT_APPSECRET, and restart the bot.",
        "Check that WECHAT_COMPONENT_APPID is the same platform's.",
        _ELSEWHERE),
    row("41002", Fixer.OPERATOR, Again.AFTER_FIX, "The platform's appid did not reach WeChat",
        "The appid of the third-party platform is empty where its tokens are fetched.",
        "Set WECHAT_COMPONENT_APPID to the platform's AppID from open.weixin.qq.com, and restart the bot.",
        _ELSEWHERE),
    row("41004", Fixer.OPERATOR, Again.AFTER_FIX, "The platform's secret did not reach WeChat",
        "The app secret of the third-party platform is empty where its tokens are fetched.",
        "Set WECHAT_COMPONENT_APPSECRET to the platform's AppSecret from open.weixin.qq.com, and restart the bot.",
        _ELSEWHERE),
    row("42006", Fixer.OPERATOR, Again.LATER, "The platform's own access token has expired",
        "The platform's component_access_token lives for two hours. The bot fetches a newer one and tries once more by itself before it tells you.",
        "Wait about five minutes, then ask again: it should have been renewed by then.",
        "If it comes back, check that only one system renews this token: each renewal ends the one before after five minutes.",
        _ELSEWHERE,
        retry=Retry.RENEW),
    row("61003", Fixer.ADMIN, Again.AFTER_FIX, "The owner has not authorised the platform",
        "The mini program that owns the env never authorised this third-party platform, or has withdrawn it.",
        RIGHT_OWNER,
        "Ask the owner's admin to authorise the platform through its authorisation link, leaving permission sets 49 and 18 ticked.",
        "Check that whatever keeps the platform's tokens has taken in the new authorisation and dropped the old tokens."),
    row("61004", Fixer.OPERATOR, Again.AFTER_FIX, "The bot's network address is not on the platform's list",
        "WeChat answers a third-party platform only when it calls from an IP address on the platform's list.",
        "At open.weixin.qq.com, open the platform and add the address that the bot calls from to 白名单IP through 修改; what is entered through 编辑 counts only after 全网发布.",
        "Check that it is the right platform: its AppID is the one that the owner authorised.",
        "Let the bot reach the internet from a fixed address, so that this does not come back.",
        read="Read WeChat's own text: it names the address that the bot calls from."),
    row("61005", Fixer.OPERATOR, Again.LATER, "The platform's ticket has expired or is not valid",
        "WeChat pushes a ticket (component_verify_ticket) to the platform every ten minutes; without a good one the platform gets no tokens.",
        "Wait ten minutes for the platform's next ticket push, then ask again.",
        "If it comes back, check at open.weixin.qq.com that 授权事件接收URL leads to whatever keeps the tickets (this bot's path is /wechat/events) and that it answers success.",
        "Restart the platform's ticket push with WeChat's call /cgi-bin/component/api_start_push_ticket.",
        "Check that the ticket, the appid and the secret are one platform's (WECHAT_COMPONENT_APPID, WECHAT_COMPONENT_APPSECRET, or the central token server)."),
    row("61007", Fixer.ADMIN, Again.AFTER_FIX, "The owner has not given the platform the CloudBase permission",
        "Sharing needs permission set 49 (CloudBase management), ticked together with 18. A mini program can give set 49 to one platform only, so another platform may hold it.",
        SETS_TICKED,
        "Ask the owner's admin whether another platform holds set 49, and to withdraw it there if so.",
        AUTHORISE_ANEW),
    row("61009", Fixer.ADMIN, Again.AFTER_FIX, "The owner's authorisation was not completed",
        "The code that WeChat gave for the authorisation is not valid or has expired before it was used.",
        AUTHORISE_ANEW,
        "Check that whatever keeps the platform's tokens is running while the admin does so: the code must be used soon."),
    row("61011", Fixer.OPERATOR, Again.AFTER_FIX, "WeChat does not know this third-party platform",
        "The appid or secret used is not the platform's, but perhaps a mini program's, or the platform's ticket is empty.",
        "Copy AppID and AppSecret of the third-party platform, not of a mini program, from open.weixin.qq.com into WECHAT_COMPONENT_APPID and WECHAT_COMPONENT_APPSECRET.",
        _ELSEWHERE,
        "Wait ten minutes for the platform's next ticket push, then ask again."),
    row("61014", Fixer.OPERATOR, Again.AFTER_FIX, "The call was made with the wrong kind of token",
        "The platform's own calls need component_access_token; a call made for a mini program, as this one is, needs that mini program's authorizer_access_token.",
        "Check that the token source (WECHAT_TOKEN_SERVER_URL, or WECHAT_AUTHORIZER_ACCESS_TOKEN) gives the owner's authorizer_access_token.",
        "If the bot keeps the platform's tokens itself, tell whoever maintains its code, with the rid and the request's id."),
    row("61016", Fixer.OPERATOR, Again.AFTER_FIX, "A permission still waits to be confirmed or granted",
        "The platform has not confirmed the permission set that the call needs, or the owner has not granted it.",
        SETS_TICKED,
        AUTHORISE_ANEW),
    row("61023", Fixer.OPERATOR, Again.AFTER_FIX, "The owner's refresh token is no longer valid",
        "New access tokens are made from it. It is another mini program's, or the owner has authorised the platform anew since, or it was lost; a bot that keeps the tokens has asked WeChat for the current one, and got none.",
        "Look up the owner's current refresh token with WeChat's call api_get_authorizer_info.",
        "Give it to whatever keeps the platform's tokens; in this bot, WECHAT_AUTHORIZER_REFRESH_TOKEN is the default owner's.",
        "If WeChat tells none, ask the owner's admin to withdraw the authorisation and to authorise the platform anew."),
    row("61028", Fixer.OPERATOR, Again.AFTER_FIX, "The platform is not published yet",
        "Before it is published, a third-party platform can serve only its test accounts (授权测试账号).",
        "Publish the platform at open.weixin.qq.com (全网发布).",
        "Until then, add the owner to 授权测试账号 there."),
)
# fmt: on
