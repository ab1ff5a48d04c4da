"""The table of settings: for each its parser, its default, and whether it is secret.

The README says what each means, and `.env.example` where to get it; both have the settings in this order.
"""

import re

from bot.command.grammar import is_appid
from bot.policy.kinds import CHANNEL_ID, GROUP_ID, USER_ID
from bot.settings.pasted import APP_TOKEN, BOT_TOKEN, kind_of
from bot.settings.setting import (
    Secret,
    Setting,
    a_kind,
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
_MESSAGE_TOKEN = a_kind(lambda _: True, "Copy 消息校验Token from open.weixin.qq.com.")
_AES_KEY = a_kind(
    re.compile(r"[A-Za-z0-9+/]{43}").fullmatch,
    "Copy 消息加解密Key from open.weixin.qq.com.",
    "is no EncodingAESKey, which has 43 letters and digits",
)
# As when an appid and its secret are swapped.
_NO_APPID = a_kind(
    lambda word: not is_appid(word), "Put the secret there that goes with the appid."
)


class Table:
    """All settings."""

    SLACK_BOT_TOKEN = Secret(
        a_kind(
            lambda word: kind_of(word) == BOT_TOKEN,
            "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”.",
        )
    )
    SLACK_APP_TOKEN = Secret(
        a_kind(
            lambda word: kind_of(word) == APP_TOKEN,
            "Put the app-level token (xapp-…) there; it is on your Slack app's page “Basic Information”.",
        )
    )
    SLACK_SIGNING_SECRET = Secret(
        a_kind(
            lambda word: not word.startswith(("xox", "xapp-")),
            "Copy the signing secret from your Slack app's page “Basic Information”.",
        )
    )
    SLACK_API_URL = Setting(address(), "https://slack.com/api/")
    WECHAT_API_URL = Setting(address(), "https://api.weixin.qq.com")
    WECHAT_AUTHORIZER_APPID = Setting(text)
    WECHAT_AUTHORIZER_ACCESS_TOKEN = Secret(_NO_APPID)
    WECHAT_TOKEN_SERVER_URL = Setting(
        address(
            ", and set WECHAT_TOKEN_SERVER_AUTHORIZATION to “Basic ” and user:password in Base64: "
            "printf %s 'user:password' | base64"
        )
    )
    WECHAT_TOKEN_SERVER_AUTHORIZATION = Secret(header)
    WECHAT_COMPONENT_APPID = Setting(text)
    WECHAT_COMPONENT_APPSECRET = Secret(_NO_APPID)
    WECHAT_MESSAGE_TOKEN = Secret(_MESSAGE_TOKEN)
    WECHAT_MESSAGE_TOKEN_PREVIOUS = Secret(_MESSAGE_TOKEN)
    WECHAT_ENCODING_AES_KEY = Secret(_AES_KEY)
    WECHAT_ENCODING_AES_KEY_PREVIOUS = Secret(_AES_KEY)
    WECHAT_AUTHORIZER_REFRESH_TOKEN = Secret(_NO_APPID)
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
