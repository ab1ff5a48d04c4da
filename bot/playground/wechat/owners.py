"""The platform as it is registered with the stand-in WeChat, and the owners that authorised it.

Source: developers.weixin.qq.com, oplatform: api_authorizer_token, api_query_auth,
api_get_authorizer_info, api_get_authorizer_list; a refresh token is good until its owner authorises anew or revokes.
"""

import time
from collections.abc import Callable

from bot.playground.loopback import Json, JsonObject
from bot.playground.wechat.tokens import LIFETIME, OVERLAP, IssuedTokens
from bot.playground.world import OWNER

COMPONENT_APPID = "wxc0de00000000c0de"
TICKET_LIFETIME = 12 * 3600
CODE_LIFETIME = 3600
PERMISSIONS = (18, 49)  # 49 manages the cloud environments, and is had only together with 18


class PlatformOwners:
    """One platform, its secrets, and who authorised it; time passes as `clock` says.

    `expires_in` is how many seconds new tokens are good for. With `rotate_refresh_tokens`, each
    renewal gives a new refresh token, and the one before is good for five more minutes. While
    `previous_encoding_aes_key` is set, pushes still come under it, as for a while after a change; `previous_message_token` likewise.
    `authorized` are the owners and since when, in Unix seconds; `granted` are their permission sets; `not_authorised` is what a call for the tokens of anybody
    else answers: 40013 or 61003, since both are told of.
    """

    def __init__(self, clock: Callable[[], float], access_tokens: IssuedTokens) -> None:
        self.component_appid = COMPONENT_APPID
        self.appsecret = "made-up-component-secret"
        self.message_token = "made-up-message-token"
        self.encoding_aes_key = "MadeUpEncodingAESKeyOfTheLocalWeChat0000004"
        self.previous_encoding_aes_key: str | None = None
        self.previous_message_token: str | None = None
        self.expires_in = LIFETIME
        self.rotate_refresh_tokens = False
        self.authorized: dict[str, int] = {}
        self.granted: dict[str, tuple[int, ...]] = {}
        self.not_authorised = 40013
        self._access_tokens = access_tokens
        self._tickets = IssuedTokens("ticket@@@made-up", clock)
        self._component_tokens = IssuedTokens("made-up-component-token", clock)
        self._refresh_tokens = IssuedTokens("refreshtoken@@@made-up", clock)
        self._codes = IssuedTokens("queryauthcode@@@made-up", clock)
        self._unlisted: set[str] = set()
        self.authorize(OWNER)

    def new_ticket(self) -> str:
        """Return a new component_verify_ticket, without pushing it."""
        return self._tickets.issue(self.component_appid, TICKET_LIFETIME)

    def authorize(self, owner: str, sets: tuple[int, ...] = PERMISSIONS) -> str:
        """Let an owner authorise, for the first time or anew, and return its authorization code."""
        self.authorized[owner] = int(time.time())
        self.granted[owner] = sets
        self._refresh_tokens.renew(owner, overlap=0)
        return self._codes.issue(owner, CODE_LIFETIME)

    def revoke(self, owner: str) -> None:
        """Let an owner revoke its authorisation: all of its tokens answer 61003 from now on."""
        self.authorized.pop(owner, None)
        for tokens in (self._access_tokens, self._refresh_tokens, self._codes):
            tokens.revoke(owner)

    def lose(self, owner: str) -> None:
        """Replace an owner's refresh token without telling anybody: the known one answers 61023 from now on."""
        self._refresh_tokens.renew(owner, overlap=0)

    def unlisted(self, owner: str) -> None:
        """Leave an owner's refresh token out of what is told about it, until one of its codes is exchanged."""
        self._unlisted.add(owner)

    def refresh_token(self, owner: str) -> str:
        """Return an owner's newest refresh token, revoked or not; KeyError if there never was one."""
        token = self._refresh_tokens.newest(owner)
        if token is None:
            raise KeyError(owner)
        return token

    def _renewed_component(self) -> JsonObject:
        token = self._component_tokens.renew(self.component_appid, self.expires_in)
        return {"component_access_token": token, "expires_in": self.expires_in}

    def _renewed(self, owner: str) -> JsonObject:
        if self.rotate_refresh_tokens:
            self._refresh_tokens.renew(owner, overlap=OVERLAP)
        return self._new_tokens(owner)

    def _exchanged(self, code: str, owner: str) -> JsonObject:
        """Give an owner's tokens for its authorization code, which is good for one exchange."""
        self._codes.end(code, "superseded")
        self._unlisted.discard(owner)
        owned: JsonObject = {"authorizer_appid": owner, **self._new_tokens(owner)}
        return {"authorization_info": {**owned, "func_info": self._functions(owner)}}

    def _informed(self, owner: str) -> JsonObject:
        """Tell what is known of an owner: its account, its permission sets, and its refresh token."""
        account: JsonObject = {"nick_name": owner, "principal_name": "made-up", "account_status": 1}
        known = {} if owner in self._unlisted else self._refresh(owner)
        info: JsonObject = {"authorizer_appid": owner, **known, "func_info": self._functions(owner)}
        return {"authorizer_info": account, "authorization_info": info}

    def _functions(self, owner: str) -> list[Json]:
        return [{"funcscope_category": {"id": each}} for each in self.granted[owner]]

    def _refresh(self, owner: str) -> JsonObject:
        return {"authorizer_refresh_token": self.refresh_token(owner)}

    def _new_tokens(self, owner: str) -> JsonObject:
        return {
            "authorizer_access_token": self._access_tokens.renew(owner, self.expires_in),
            "expires_in": self.expires_in,
            **self._refresh(owner),
        }

    def _listed(self, offset: int, count: int) -> JsonObject:
        owners = list(self.authorized)[offset : offset + count]
        listed: list[Json] = [self._listing(owner) for owner in owners]
        return {"total_count": len(self.authorized), **({"list": listed} if listed else {})}

    def _listing(self, owner: str) -> JsonObject:
        known = {} if owner in self._unlisted else {"refresh_token": self.refresh_token(owner)}
        return {"authorizer_appid": owner, **known, "auth_time": self.authorized[owner]}
