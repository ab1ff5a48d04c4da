"""Look up whether each owner has granted what sharing needs, permission set 49; with token source 3 only.

Source: developers.weixin.qq.com, "api_get_authorizer_info"; sets: oplatform, third_platform/authority.
"""

from bot.guidance import AUTHORISE_ANEW
from bot.ledger.tokens import COMPONENT
from bot.ops.doctor.check import Finding, ok, unchecked, wrong
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.transport import DEADLINE, each
from bot.ops.doctor.wechat import AT_ONCE, about_owner, failed, of_all
from bot.settings.tokens import PlatformSettings
from bot.wechat.component import Component
from bot.wechat.tokens import NoToken

_NAME = "permissions"
_CLOUDBASE = 49


async def check_permissions(setup: Setup) -> list[Finding]:
    """Return for each owner whether set 49 is granted, asked with the platform's token in the ledger; none is renewed."""
    platform, url, owners = setup.parts.tokens, setup.parts.wechat_url, setup.owners
    if not isinstance(platform, PlatformSettings) or url is None or setup.policy is None:
        return []
    kept = (await setup.ledger).kept
    if kept is None:
        return [unchecked(_NAME, "the ledger cannot be read, or is not there yet", "ledger")]
    token = kept[COMPONENT][0] if COMPONENT in kept else None
    value = token.value if token and token.left > 0 else None
    if value is None:
        return [unchecked(_NAME, "the platform has no good token in the ledger", "platform-token")]
    component = Component(setup.http, url, platform.appid, platform.appsecret, DEADLINE)

    async def one(owner: str) -> Finding:
        told = await component.info(value, owner)
        if isinstance(told, NoToken):
            return failed(_NAME, owner, told.guidance, told.said)
        if _CLOUDBASE in told.granted:
            return ok(_NAME, f"{owner}: permission set 49 (CloudBase management) is granted")
        lacking = f"{owner}: permission set 49 (CloudBase management) is not granted"
        return wrong(_NAME, lacking, about_owner(AUTHORISE_ANEW))

    found = await each(owners, one, AT_ONCE, 2 * DEADLINE)
    return of_all(_NAME, owners, found)
