"""What WeChat answers and pushes, in the shape in which it is documented or others recorded it; all values are made up.

In the sources, docs is developers.weixin.qq.com/doc, and community its forum.
"""

import re

from bot.playground.world import OWNER
from tests.playground.shapes import Payload, Recorded, recorded

RID = "686cab53-0badcafe-0badcafe"
NOW = 1_790_000_000
PLATFORM = "wxc0de00000000c0de"
DONE: Payload = {"errcode": 0, "errmsg": "ok"}
TIMES: Payload = {"create_time": "2026-04-04 14:10:28", "update_time": "2026-04-04 14:10:36"}
ENV: Payload = {"env": "prod-1", "alias": "prod", "status": "NORMAL", **TIMES}
ENV |= {"package_id": "basic", "package_name": "基础版 1"}
FUNCTION: Payload = {"name": "cloudbase_auth", "status": "Active", "runtime": "Nodejs8.9"}
FUNCTION |= {"add_time": "2026-04-04 14:10:28", "mod_time": "2026-04-04 14:10:36"}
LIFE: Payload = {"expires_in": 7200}
REFRESH: Payload = {"authorizer_refresh_token": "refreshtoken@@@made-up"}
OWNERS: Payload = {"authorizer_access_token": "made-up-token", **LIFE, **REFRESH}
CONFIRMED = {"need_confirm": 0, "already_confirm": 0, "can_confirm": 0}
GRANTED: list[Payload] = [
    {"funcscope_category": {"id": 18}, "confirm_info": CONFIRMED},
    {"funcscope_category": {"id": 49}},
]
ABOUT: Payload = {"authorizer_appid": OWNER, "func_info": GRANTED}
ACCOUNT: Payload = {"nick_name": "made up", "head_img": "https://made-up.example/", "alias": ""}
ACCOUNT |= {"user_name": "gh_made_up", "principal_name": "made up", "account_status": 1}
LISTED: Payload = {"authorizer_appid": OWNER, "auth_time": NOW}
LISTED |= {"refresh_token": "refreshtoken@@@made-up"}

ANSWERS: dict[str, Recorded] = {
    "shareenv": recorded("docs, api_shareenv", DONE),
    "getenvinfo": recorded("docs, api_getenvinfo", {**DONE, "info_list": [ENV]}),
    "listfunctions": recorded(
        "docs, api_getfuntionlist", {**DONE, "total_count": 1, "functions": [FUNCTION]}
    ),
    "api_component_token": recorded(
        "docs, api_component_token", {"component_access_token": "made-up-token", **LIFE}
    ),
    "api_authorizer_token": recorded("docs, api_authorizer_token", OWNERS),
    "api_query_auth": recorded(
        "docs, api_query_auth; community/personal/oCJUsw9u1QLNLBjZhNxfqhrm7ST8 (confirm_info)",
        {"authorization_info": {**ABOUT, **OWNERS}},
    ),
    "api_get_authorizer_info": recorded(
        "docs, api_getauthorizerinfo; the same (confirm_info)",
        {"authorizer_info": ACCOUNT, "authorization_info": ABOUT},
        {"authorizer_info": ACCOUNT, "authorization_info": ABOUT | REFRESH},
    ),
    "api_get_authorizer_list": recorded(
        "docs, api_get_authorizer_list", {"total_count": 1, "list": [LISTED]}
    ),
    "api_start_push_ticket": recorded("docs, api_start_push_ticket", DONE),
    "refused": recorded(
        "docs, api_shareenv (errors), service/openApi/get_rid_info; community (the rid)",
        {"errcode": 85088, "errmsg": f"no qbase privilege rid: {RID}"},
    ),
    "refused by CloudBase": recorded(
        "community, answers to /tcb/…", {"errcode": -501000, "errmsg": f"hint: [MadeUp] rid: {RID}"}
    ),
}
"""What WeChat's calls answer, by the last part of their paths."""


def pushed(info_type: str, **more: str) -> str:
    """Return the XML of a push: all members are CDATA but the time."""
    texts = {"InfoType": info_type, **more}
    marked = "".join(f"<{name}><![CDATA[{text}]]></{name}>" for name, text in texts.items())
    return f"<xml><AppId><![CDATA[{PLATFORM}]]></AppId>\n<CreateTime>{NOW}</CreateTime>\n{marked}</xml>"


def members(xml: str) -> Payload:
    """Return the members of a push: a text for CDATA, a number for what is bare."""
    found = re.findall(r"<(\w+)>(?:<!\[CDATA\[(.*?)\]\]>|(\d+))</\1>", xml)
    return {name: int(number) if number else text for name, text, number in found}


CODE = {
    "AuthorizerAppid": OWNER,
    "AuthorizationCode": "queryauthcode@@@made-up",
    "AuthorizationCodeExpiredTime": str(NOW + 3600),
    "PreAuthCode": "preauthcode@@@made-up",
}
_TICKET = "docs, Before_Develop/component_verify_ticket"
_EVENT = (
    "docs, Before_Develop/authorize_event; community/develop/doc/0000e873858a409b13790136a5f400"
)
PUSHES = {
    "ticket": (
        _TICKET,
        pushed("component_verify_ticket", ComponentVerifyTicket="ticket@@@made-up"),
    ),
    "authorized": (_EVENT, pushed("authorized", **CODE)),
    "updateauthorized": (_EVENT, pushed("updateauthorized", **CODE)),
    "unauthorized": (_EVENT, pushed("unauthorized", AuthorizerAppid=OWNER)),
}
"""What WeChat pushes, decrypted, each with its source."""
