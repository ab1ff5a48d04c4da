"""The stand-in's answers and pushes held against the shape of recorded ones."""

from bot.playground.faults import Code
from bot.wechat.push import aes_key, decrypt
from tests.conftest import serving
from tests.playground.shapes import differences, recorded, words_in
from tests.playground.wechat.conftest import OWNER, Body, Caller
from tests.playground.wechat.recorded import ANSWERS, PUSHES, members
from tests.playground.wechat.test_pushes import Callback, fields_of
from tests.token_server import TokenWeChat

READ = words_in("wechat")


async def test_what_the_stand_in_answers_has_the_shape_of_what_wechat_answered(
    wechat: TokenWeChat, caller: Caller
) -> None:
    token, owners = await caller.renew_component(), wechat.issue(OWNER)
    share = {"env": "prod-1", "appid": OWNER}
    page = {"env": "prod-1", "limit": 100, "offset": 0}
    secret: Body = {"component_secret": wechat.platform.appsecret}
    of_owner: Body = {"authorizer_appid": OWNER}
    made: dict[str, object] = {
        "shareenv": await caller.share(owners, share),
        "getenvinfo": await caller.post("/tcb/getenvinfo", {}, access_token=owners),
        "listfunctions": await caller.post("/tcb/listfunctions", page, access_token=owners),
        "api_component_token": await caller.call("api_component_token", caller.proof()),
        "api_authorizer_token": await caller.renew(token),
        "api_query_auth": await caller.exchange(token, wechat.platform.authorize(OWNER)),
        "api_get_authorizer_info": await caller.call("api_get_authorizer_info", of_owner, token),
        "api_get_authorizer_list": await caller.listing(token, 0, 100),
        "api_start_push_ticket": await caller.call("api_start_push_ticket", secret),
    }
    for name, code in {"refused": 85088, "refused by CloudBase": -501000}.items():
        wechat.fail("shareenv", Code(code))
        made[name] = await caller.share(owners, share)
    assert differences(made, ANSWERS, READ) == set()


async def test_what_the_stand_in_pushes_has_the_shape_of_what_wechat_pushed(
    wechat: TokenWeChat,
) -> None:
    platform, callback = wechat.platform, Callback()
    callback.answering.set()
    made: dict[str, object] = {}
    async with serving(callback.serve) as platform.callback:
        for name, push in {
            "ticket": platform.push_ticket(),
            "authorized": platform.push_authorized(OWNER),
            "updateauthorized": platform.push_updateauthorized(OWNER),
            "unauthorized": platform.push_unauthorized(OWNER),
        }.items():
            await push
            encrypted = fields_of(callback.came[-1][2])["Encrypt"]
            opened = decrypt(aes_key(platform.encoding_aes_key), encrypted)
            assert opened
            made[name] = members(opened.message.decode())
    real = {name: recorded(source, members(xml)) for name, (source, xml) in PUSHES.items()}
    assert differences(made, real, READ) == set()
