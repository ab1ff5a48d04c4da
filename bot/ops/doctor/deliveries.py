"""Judge by what the bot that runs refused: nothing else can tell whether Slack's and WeChat's secrets are the right ones."""

from collections.abc import Iterator, Mapping

from bot.ops.doctor.check import Finding, ok, wrong
from bot.ops.doctor.running_bot import Counted
from bot.ops.doctor.setup import Setup
from bot.ops.listener import ELSEWHERE
from bot.settings.tokens import PlatformSettings

_NAME = "deliveries"
_SLACK, _WECHAT = "/slack/events", "/wechat/events"
_PROOF = "only Slack's next command can prove that SLACK_SIGNING_SECRET is the right one"
_CLOCK = "Set the clock, and let NTP keep it (timedatectl set-ntp true)."
_COPY = (
    "Copy the signing secret from your Slack app's page “Basic Information” to SLACK_SIGNING_SECRET, "
    "then start the bot again."
)
_FIXES: Mapping[tuple[str, str], tuple[str, str]] = {
    (_SLACK, "signature"): ("their signature is not Slack's", _COPY),
    (_SLACK, "stale"): ("their timestamp is more than five minutes off", _CLOCK),
    (_WECHAT, "signature"): (
        "their signature is not WeChat's",
        "Copy 消息校验Token from open.weixin.qq.com to WECHAT_MESSAGE_TOKEN, then start the bot again.",
    ),
    (_WECHAT, "decryption"): (
        "no key decrypts them",
        "Copy 消息加解密Key from open.weixin.qq.com to WECHAT_ENCODING_AES_KEY, then start the bot again.",
    ),
    (_WECHAT, "other_platform"): (
        "they are for another platform",
        "Copy the platform's AppID from open.weixin.qq.com to WECHAT_COMPONENT_APPID, then start the bot again.",
    ),
    (_WECHAT, "stale"): ("their timestamp is more than five minutes off", _CLOCK),
    (_WECHAT, "not_xml"): (
        "they are not what WeChat pushes in 传统模式",
        "Switch the platform to 传统模式 at open.weixin.qq.com.",
    ),
    (ELSEWHERE, "no_such_path"): (
        "nothing takes posts at their path",
        f"Let Slack's Request URLs end in {_SLACK}, and 授权事件接收URL at open.weixin.qq.com in {_WECHAT}.",
    ),
}
"""What it means that all that came to a path was refused for a reason, and the fix; others are strangers' doing."""


async def check_deliveries(setup: Setup) -> list[Finding]:
    """Return what of Slack's and WeChat's posts the bot refuses; nothing where none are to come."""
    parts = setup.parts
    by_http = parts.slack is not None and not parts.slack.app_token
    pushed = isinstance(parts.tokens, PlatformSettings)
    if parts.listener is None or not (by_http or pushed):
        return []
    counted = await setup.running
    if counted is None:
        return [ok(_NAME, f"no bot answers here yet; {_PROOF}")] if by_http else []
    taken = {_SLACK: counted.acked > 0 or not by_http, _WECHAT: counted.good_ticket or not pushed}
    taken[ELSEWHERE] = all(taken.values())
    found = [*_wrong(counted, taken)]
    if found:
        return found
    if by_http and not counted.acked:
        return [ok(_NAME, f"the bot that runs was sent nothing of Slack's yet; {_PROOF}")]
    others = sum(counted.refused.values())
    return [ok(_NAME, f"the bot that runs takes them; refused, as strangers' may be: {others}")]


def _wrong(counted: Counted, taken: Mapping[str, bool]) -> Iterator[Finding]:
    for (path, reason), times in counted.refused.items():
        if not taken.get(path, True) and (path, reason) in _FIXES:
            why, fix = _FIXES[path, reason]
            where = "" if path == ELSEWHERE else f" to {path}"
            yield wrong(_NAME, f"the bot that runs refused {times} posts{where}: {why}", fix)
