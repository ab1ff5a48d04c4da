"""What a platform calls at the stand-in WeChat."""

from dataclasses import dataclass

import aiohttp
import pytest

from tests.token_server import TokenWeChat

OWNER = "wx0123456789abcdef"
OTHER = "wxfedcba9876543210"
APPID = "wx5fe6bb43205e9e70"
ENV = "mytestenv-4gl1pvzp25d960df"
BODY: dict[str, object] = {"env": ENV, "appid": APPID}
RID = r"rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$"

Body = dict[str, object]


@dataclass(frozen=True)
class Caller:
    """A platform that calls the stand-in; each method returns what WeChat answers."""

    http: aiohttp.ClientSession
    wechat: TokenWeChat

    async def post(self, path: str, body: object, **query: str) -> Body:
        """Post a body with this query."""
        async with self.http.post(self.wechat.url + path, params=query, json=body) as response:
            assert response.status == 200
            decoded: Body = await response.json(content_type=None)
            return decoded

    async def share(self, token: str, body: object = None) -> Body:
        """Share an env."""
        return await self.post("/tcb/shareenv", body or BODY, access_token=token)

    async def call(self, endpoint: str, more: Body, token: str = "") -> Body:
        """Call an endpoint as the platform; an argument that is None is left out."""
        given = {"component_appid": self.wechat.platform.component_appid, **more}
        body = {name: value for name, value in given.items() if value is not None}
        path = f"/cgi-bin/component/{endpoint}"
        return await self.post(path, body, component_access_token=token)

    def proof(self) -> Body:
        """Return what proves that it is the platform that calls, with a new ticket."""
        ticket = self.wechat.platform.new_ticket()
        return {
            "component_appsecret": self.wechat.platform.appsecret,
            "component_verify_ticket": ticket,
        }

    async def renew_component(self) -> str:
        """Return a new component_access_token."""
        answer = await self.call("api_component_token", self.proof())
        return str(answer["component_access_token"])

    async def renew(self, token: str, refresh_token: str | None = None, owner: str = OWNER) -> Body:
        """Renew an owner's token, by default with its refresh token."""
        known = refresh_token or self.wechat.platform.refresh_token(owner)
        proof: Body = {"authorizer_appid": owner, "authorizer_refresh_token": known}
        return await self.call("api_authorizer_token", proof, token)

    async def listing(self, token: str, offset: object, count: object) -> Body:
        """Read a page of the owners."""
        return await self.call("api_get_authorizer_list", {"offset": offset, "count": count}, token)

    async def exchange(self, token: str, code: str | None) -> Body:
        """Exchange an authorization code."""
        return await self.call("api_query_auth", {"authorization_code": code}, token)

    async def start_push_ticket(self) -> object:
        """Let WeChat push tickets, and return its errmsg."""
        secret = self.wechat.platform.appsecret
        answer = await self.call("api_start_push_ticket", {"component_secret": secret})
        assert answer["errcode"] == 0
        return answer["errmsg"]


@pytest.fixture
def caller(http: aiohttp.ClientSession, wechat: TokenWeChat) -> Caller:
    return Caller(http, wechat)
