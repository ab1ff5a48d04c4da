"""The bot's settings for running against the two stand-ins, as environments."""

from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat


def slack_environment(slack: LocalSlack) -> dict[str, str]:
    """Return the settings for this Slack, over Socket Mode."""
    return {
        "SLACK_BOT_TOKEN": slack.world.bot_token,
        "SLACK_APP_TOKEN": slack.world.app_token,
        "SLACK_API_URL": slack.api_url,
    }


def chain_environment(wechat: LocalWeChat, port: int) -> dict[str, str]:
    """Return the settings with which the bot keeps the token chain, and let WeChat push to `port`."""
    platform = wechat.platform
    platform.callback = f"http://127.0.0.1:{port}/wechat/events"
    return {
        "WECHAT_API_URL": wechat.url,
        "WECHAT_COMPONENT_APPID": platform.component_appid,
        "WECHAT_COMPONENT_APPSECRET": platform.appsecret,
        "WECHAT_MESSAGE_TOKEN": platform.message_token,
        "WECHAT_ENCODING_AES_KEY": platform.encoding_aes_key,
        "PORT": str(port),
    }
