"""A company's central token server, from which a bot can get its tokens; each company has its own, so this one is made up."""

from functools import partial

from aiohttp import web

from bot.playground.environments import slack_environment
from bot.playground.faults import Code, Fault, Faults
from bot.playground.loopback import cut
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.asked import CodedError
from bot.playground.wechat.server import LocalWeChat
from bot.playground.wechat.tokens import LIFETIME

TOKEN = "token"


class TokenWeChat(LocalWeChat):
    """The local WeChat, with a token server on the same port; `fail` and `clear` know its calls as `token`."""

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__(latency)
        self.authorization = "Bearer made-up-token-server"
        self.token_calls: list[str] = []
        self.faults = Faults((TOKEN, *self._calls))
        self.fail, self.clear = self.faults.plan, self.faults.clear

    @property
    def token_url(self) -> str:
        """The token server's URL, with `{appid}` for the owner."""
        return f"{self.url}/{TOKEN}/{{appid}}"

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with the owner's current token, or a new one if that has expired."""
        if not request.path.startswith(f"/{TOKEN}/"):
            return await super()._answer(request)
        if self.latency and not await self._loopback.hold(self.latency):
            return cut(request)
        owner = request.path.rpartition("/")[2]
        self.token_calls.append(owner)
        self.changed()

        def usual() -> web.Response:
            if request.headers.get("Authorization") != self.authorization:
                return web.json_response({"error": "unauthorized"}, status=401)
            if request.method != "GET":
                return web.json_response({"error": "method not allowed"}, status=405)
            token = self._tokens.newest(owner) or self.issue(owner)
            try:
                self._tokens.judged(token)
            except CodedError:
                token = self.issue(owner)
            return web.json_response({"authorizer_access_token": token, "expires_in": LIFETIME})

        def failed(fault: Fault) -> web.Response:
            code = fault if isinstance(fault, Code) else None
            return self._coded(code.code, code.text) if code else web.Response()

        hold = partial(self._loopback.hold, told=self.faults.cleared(TOKEN))
        fault = self.faults.meet(TOKEN, {"owner": owner})
        return await self.faults.answer(fault, request, hold, usual, failed)


def environment(slack: LocalSlack, wechat: TokenWeChat) -> dict[str, str]:
    """Return a bot's settings for both, over Socket Mode."""
    return slack_environment(slack) | {
        "WECHAT_API_URL": wechat.url,
        "WECHAT_TOKEN_SERVER_URL": wechat.token_url,
        "WECHAT_TOKEN_SERVER_AUTHORIZATION": wechat.authorization,
    }
