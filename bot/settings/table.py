"""The table of settings: for each its parser, its default, and whether it is secret.

The README says what each means, and `.env.example` where to get it; both have the settings in this order.
"""

import re

from bot.policy.kinds import CHANNEL_ID, GROUP_ID, USER_ID
from bot.settings.pasted import APP_TOKEN, BOT_TOKEN, kind_of
from bot.settings.setting import (
    Secret,
    Setting,
    a_word,
    address,
    choice,
    database,
    fernet_keys,
    header,
    ids,
    language,
    number,
    text,
)

# As Slack's signing secret it is sent nowhere, so that only refused posts would tell that it is wrong.
_MESSAGE_TOKEN = a_word("Copy 消息校验Token from open.weixin.qq.com.", lambda _: True)
_AES_KEY = a_word(
    "Copy 消息加解密Key from open.weixin.qq.com.",
    re.compile(r"[A-Za-z0-9+/]{43}").fullmatch,
    "is no EncodingAESKey, which has 43 letters and digits",
)
# It is sent to WeChat: nothing of Slack's may stand there, nor the appid, as when the two are swapped.
_OF_WECHAT = a_word("Put the secret there that goes with the appid.")


class Table:
    """All settings."""

    SLACK_BOT_TOKEN = Secret(
        a_word(
            "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”.",
            lambda word: kind_of(word) == BOT_TOKEN,
        )
    )
    SLACK_APP_TOKEN = Secret(
        a_word(
            "Put the app-level token (xapp-…) there; it is on your Slack app's page “Basic Information”.",
            lambda word: kind_of(word) == APP_TOKEN,
        )
    )
    SLACK_SIGNING_SECRET = Secret(
        a_word("Copy the signing secret from your Slack app's page “Basic Information”.")
    )
    SLACK_API_URL = Setting(address(), "https://slack.com/api/")
    WECHAT_API_URL = Setting(address(), "https://api.weixin.qq.com")
    WECHAT_AUTHORIZER_APPID = Setting(text)
    WECHAT_AUTHORIZER_ACCESS_TOKEN = Secret(_OF_WECHAT)
    WECHAT_TOKEN_SERVER_URL = Setting(
        address(
            ", and set WECHAT_TOKEN_SERVER_AUTHORIZATION to “Basic ” and user:password in Base64: "
            "printf %s 'user:password' | base64"
        )
    )
    WECHAT_TOKEN_SERVER_AUTHORIZATION = Secret(header)
    WECHAT_COMPONENT_APPID = Setting(text)
    WECHAT_COMPONENT_APPSECRET = Secret(_OF_WECHAT)
    WECHAT_MESSAGE_TOKEN = Secret(_MESSAGE_TOKEN)
    WECHAT_MESSAGE_TOKEN_PREVIOUS = Secret(_MESSAGE_TOKEN)
    WECHAT_ENCODING_AES_KEY = Secret(_AES_KEY)
    WECHAT_ENCODING_AES_KEY_PREVIOUS = Secret(_AES_KEY)
    WECHAT_AUTHORIZER_REFRESH_TOKEN = Secret(_OF_WECHAT)
    WECHAT_TIMEOUT = Setting(number(0.1, 60), "10")
    TOKEN_ENCRYPTION_KEY = Secret(fernet_keys)
    DATABASE_URL = Setting(database, "sqlite:///share-env.db")
    POLICY_FILE = Setting(text)
    SHARE_ENV_ALLOWED_USERS = Setting(ids(USER_ID, "U012ABCDEF"))
    SHARE_ENV_ALLOWED_GROUPS = Setting(ids(GROUP_ID, "S012ABCDEF"))
    SHARE_ENV_ALLOWED_CHANNELS = Setting(ids(CHANNEL_ID, "C012ABCDEF"))
    LANGUAGE = Setting(language, "en")
    HOST = Setting(text, "127.0.0.1")
    PORT = Setting(number(1, 65535, whole=True), "3000")
    LOG_LEVEL = Setting(choice("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
    LOG_FORMAT = Setting(choice("text", "json"))
    SHUTDOWN_GRACE = Setting(number(0, 600), "10")


SETTINGS: tuple[Setting[object], ...] = tuple(
    each for each in vars(Table).values() if isinstance(each, Setting)
)
NAMES = tuple(setting.name for setting in SETTINGS)
