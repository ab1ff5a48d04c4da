"""The table of settings: for each its parser, its default, whether it is secret, its meaning, and where to get it.

`python -m tests.settings_table` writes `.env.example` from it and prints the README's table.
"""

import re

from bot.domain.language import Language
from bot.domain.sentence import Sentence
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
    optional,
    text,
    webhook_secret,
)

# As Slack's signing secret it is sent nowhere, so that only refused posts would tell that it is wrong.
_MESSAGE_TOKEN = a_word(Sentence("Copy 消息校验Token from open.weixin.qq.com."), lambda _: True)
_AES_KEY = a_word(
    Sentence("Copy 消息加解密Key from open.weixin.qq.com."),
    re.compile(r"[A-Za-z0-9+/]{43}").fullmatch,
    Sentence("is no EncodingAESKey, which has 43 letters and digits"),
)


class Table:
    """All settings, in the order of the README and of `.env.example`."""

    SLACK_BOT_TOKEN = Secret(
        a_word(
            Sentence(
                "Put the bot token (xoxb-…) there; it is on your Slack app's page “OAuth & Permissions”."
            ),
            lambda word: kind_of(word) == BOT_TOKEN,
        ),
        "the bot token, `xoxb-…`",
        'It is on your Slack app\'s page "OAuth & Permissions", after "Install to Workspace".',
        otherwise="required",
        section="Slack",
    )
    SLACK_APP_TOKEN = Secret(
        a_word(
            Sentence(
                "Put the app-level token (xapp-…) there; it is on your Slack app's page “Basic Information”."
            ),
            lambda word: kind_of(word) == APP_TOKEN,
        ),
        "the app-level token, `xapp-…`: Socket Mode, the default way to run",
        'It is on the page "Basic Information", section "App-Level Tokens", and needs the scope connections:write.',
    )
    SLACK_SIGNING_SECRET = Secret(
        a_word(Sentence("Copy the signing secret from your Slack app's page “Basic Information”.")),
        "the signing secret: HTTP mode, for when there is no app-level token",
        'It is on the page "Basic Information".',
    )
    SLACK_API_URL = Setting(
        address(),
        "base of Slack's Web API",
        "Leave it alone, unless you test against a stand-in.",
        default="https://slack.com/api/",
    )
    WECHAT_API_URL = Setting(
        address(),
        "base of WeChat's API",
        default="https://api.weixin.qq.com",
        section="WeChat",
    )
    WECHAT_AUTHORIZER_APPID = Setting(
        text,
        "the default owner: whose token shares envs that no `[[owner]]` names",
        "A mini program's appid, which is on its page at mp.weixin.qq.com, 开发管理, 开发设置.",
    )
    WECHAT_AUTHORIZER_ACCESS_TOKEN = Secret(
        a_word(Sentence("Put the owner's authorizer_access_token there.")),
        "token source 1, to try things: a fixed token of the default owner",
        "An authorizer_access_token; it dies after two hours.",
    )
    WECHAT_TOKEN_SERVER_URL = Setting(
        address(
            Sentence(
                "Take it out of the address, and set WECHAT_TOKEN_SERVER_AUTHORIZATION to “Basic ” and user:password in Base64: printf %s 'user:password' | base64."
            )
        ),
        "token source 2: your central token server; `{appid}` stands for the owner",
        "It answers JSON with authorizer_access_token (or access_token) and expires_in. Ask whoever runs your WeChat platform.",
    )
    WECHAT_TOKEN_SERVER_AUTHORIZATION = Secret(
        header,
        "its `Authorization` header; the address may hold no password",
        "An example: Bearer …",
    )
    WECHAT_COMPONENT_APPID = Setting(
        text,
        "token source 3: your third-party platform, whose token chain the bot keeps",
        "This is its AppID; all that belongs to it is on its page at open.weixin.qq.com. Set 授权事件接收URL there to "
        "https://your.host/wechat/events. The platform has to be in 传统模式.",
    )
    WECHAT_COMPONENT_APPSECRET = Secret(
        a_word(Sentence("Copy AppSecret from open.weixin.qq.com.")),
        "its AppSecret",
    )
    WECHAT_MESSAGE_TOKEN = Secret(_MESSAGE_TOKEN, "how WeChat signs what it pushes (消息校验Token)")
    WECHAT_MESSAGE_TOKEN_PREVIOUS = Secret(
        _MESSAGE_TOKEN,
        "the one before, while you change it",
    )
    WECHAT_ENCODING_AES_KEY = Secret(
        _AES_KEY,
        "how WeChat encrypts what it pushes (消息加解密Key)",
    )
    WECHAT_ENCODING_AES_KEY_PREVIOUS = Secret(
        _AES_KEY,
        "the key before, while you change it",
    )
    WECHAT_AUTHORIZER_REFRESH_TOKEN = Secret(
        a_word(Sentence("Put the owner's authorizer_refresh_token there, or leave it out.")),
        "the default owner's first refresh token; without it the bot asks WeChat",
    )
    WECHAT_TIMEOUT = Setting(
        number(0.1, 60),
        "seconds for one call to WeChat; all tries together take at most 15",
        default="10",
    )
    TOKEN_ENCRYPTION_KEY = Secret(
        fernet_keys,
        "Fernet keys, newest first, commas between: they encrypt the ledger's tokens",
        "Make one with\n"
        ".venv/bin/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'",
        section="The ledger",
    )
    DATABASE_URL = Setting(
        database,
        "the ledger; several replicas: `postgresql+psycopg://…` (`%40` for `@`)",
        "PostgreSQL is postgresql+psycopg://user:password@host/database, and needs\n"
        ".venv/bin/pip install '.[postgres]' in the clone (.requirements.run.lock has it already).",
        default="sqlite:///share-env.db",
        filed=True,
    )
    AUDIT_KEEP_DAYS = Setting(
        optional(number(30, 36_500, whole=True)),
        "days after which requests that ended are deleted, 30 or more",
        "Left out, nothing is deleted. Of each share there stays for ever that it was made, not who asked.",
        otherwise="for ever",
    )
    AUDIT_URL = Setting(
        address(Sentence("Take it out of the address, and set AUDIT_AUTHORIZATION.")),
        "where each event of the ledger is sent, as CloudEvents by POST",
        "It gets what happens from the first start with this address on, and what was before by "
        "share-env-bot audit --send-since DATE.",
        section="The record, sent elsewhere",
    )
    AUDIT_AUTHORIZATION = Secret(
        header,
        "its `Authorization` header, such as `Splunk …`",
    )
    AUDIT_SECRET = Secret(
        webhook_secret,
        "signs what is sent, as Standard Webhooks do: `whsec_…`",
        "Make one with\nprintf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"",
    )
    AUDIT_INCLUDE_TEXT = Setting(
        choice("0", "1"),
        "`1`: reasons and comments that people wrote are sent too",
        default="0",
    )
    POLICY_FILE = Setting(
        text,
        "the policy",
        "Left out, policy.toml in the working directory is used if it is there.",
        otherwise="`policy.toml`, if there",
        section="Who may share what",
    )
    SHARE_ENV_ALLOWED_USERS = Setting(
        ids(USER_ID, "U012ABCDEF"),
        "without a file: user ids, separated by commas",
        "People may share anything by one of the first two; the third, if set, restricts from where. A user's id (U…) is "
        "in their Slack profile, a user group's (S…) in its address, a channel's (C…) in its details.",
    )
    SHARE_ENV_ALLOWED_GROUPS = Setting(
        ids(GROUP_ID, "S012ABCDEF"), "user group ids; in an organisation as `T…/S…`"
    )
    SHARE_ENV_ALLOWED_CHANNELS = Setting(
        ids(CHANNEL_ID, "C012ABCDEF"),
        "channel ids: where from",
        otherwise="anywhere",
    )
    LANGUAGE = Setting(
        language,
        f"the language of channels and operators: {', '.join(f'`{each.value}`' for each in Language)}; one person reads that of their Slack",
        default="en",
        section="The language",
    )
    HOST = Setting(
        text,
        "where HTTP mode and token source 3 listen",
        "Left out, 127.0.0.1. Put a reverse proxy with TLS in front of it.",
        default="127.0.0.1",
        left_empty=True,
        section="The process",
    )
    PORT = Setting(
        number(1, 65535, whole=True),
        "if it is set, the bot listens in any case, for probes and Prometheus",
        "Left out, it is 3000.",
        default="3000",
        left_empty=True,
    )
    LOG_LEVEL = Setting(
        choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "`DEBUG`, `INFO`, `WARNING`, `ERROR`; secrets are hidden at each",
        default="INFO",
    )
    LOG_FORMAT = Setting(
        choice("text", "json"),
        "one line for each event, with the request's id",
        "It is text or json; left out, text on a terminal, else json.",
        otherwise="`text` on a terminal, else `json`",
    )
    SHUTDOWN_GRACE = Setting(
        number(0, 600),
        "seconds to finish what is under way on SIGTERM; up to four more until the end",
        "Over 25: raise the unit's TimeoutStopSec too.",
        default="10",
    )


SETTINGS: tuple[Setting[object], ...] = tuple(
    each for each in vars(Table).values() if isinstance(each, Setting)
)
NAMES = tuple(setting.name for setting in SETTINGS)
FILED = tuple(setting.name for setting in SETTINGS if setting.secret or setting.filed)
"""The settings that `…_FILE` may give, too."""
