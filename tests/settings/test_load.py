from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bot.domain.language import Language
from bot.observe.logs.redaction import Redactor
from bot.policy.decide import owner_of
from bot.policy.kinds import Effect, Owner, Policy, Rule
from bot.settings.access import FixedTokenSettings, SlackSettings, TokenServerSettings
from bot.settings.load import Address, Settings, load, read_parts
from bot.settings.table import NAMES

A, B, C = "wx5fe6bb43205e9e70", "wx0123456789abcdef", "wxaaaaaaaaaaaaaaaa"
BOT, APP, SIGNING = "xoxb-1-2-abc", "xapp-1-A2-3-def", "0123456789abcdef0123"
TOKEN, HEADER = "80_wechat-token", "Bearer server-key"
EACH = "https://tokens.example/{appid}"
GOOD = {
    "SLACK_BOT_TOKEN": BOT,
    "SLACK_APP_TOKEN": APP,
    "WECHAT_AUTHORIZER_APPID": A,
    "WECHAT_AUTHORIZER_ACCESS_TOKEN": TOKEN,
    "SHARE_ENV_ALLOWED_USERS": "U012ABCDEF",
}
PLATFORM = {
    "WECHAT_COMPONENT_APPID": "wxc0de00000000c0de",
    "WECHAT_COMPONENT_APPSECRET": "made-up-appsecret",
    "WECHAT_MESSAGE_TOKEN": "made-up-message-token",
    "WECHAT_MESSAGE_TOKEN_PREVIOUS": "made-up-older-message-token",
    "WECHAT_ENCODING_AES_KEY": "MadeUpEncodingAESKeyOfTheLocalWeChat0000004",
    "WECHAT_ENCODING_AES_KEY_PREVIOUS": "MadeUpEncodingAESKeyOfTheLocalWeChat0000008",
    "WECHAT_AUTHORIZER_REFRESH_TOKEN": "refreshtoken@@@made-up",
    "TOKEN_ENCRYPTION_KEY": f"{'Y' * 43}=, {'Z' * 42}A=",
}
PLATFORM_SECRETS = (
    "made-up-appsecret",
    "made-up-message-token",
    "made-up-older-message-token",
    "refreshtoken@@@made-up",
    "MadeUpEncodingAESKeyOfTheLocalWeChat0000004",
    "MadeUpEncodingAESKeyOfTheLocalWeChat0000008",
    f"{'Y' * 43}=",
    f"{'Z' * 42}A=",
)
RULE = '[[rule]]\nusers = ["U012ABCDEF"]\neffect = "allow"\n'
OWNER_B = f'[[owner]]\nappid = "{B}"\nenvs = ["b-*"]\n'
OWNER_C = f'[[owner]]\nappid = "{C}"\nenvs = ["c-*"]\n'
OWNER_A = f'[[owner]]\nappid = "{A}"\nenvs = ["a-*"]\n'

BOT_PAGE = "it is on your Slack app's page “OAuth & Permissions”."
NO_BOT = (
    "SLACK_BOT_TOKEN is missing. Copy the bot token (xoxb-…) from your Slack app's page "
    "“OAuth & Permissions”."
)
NO_APP = (
    "SLACK_APP_TOKEN is missing. Set it to an app-level token (xapp-…) for Socket Mode, or set "
    "SLACK_SIGNING_SECRET for HTTP mode; both are on your Slack app's page “Basic Information”."
)
NO_TOKEN = (
    "There is no source for WeChat tokens. Set WECHAT_COMPONENT_APPID to your third-party platform, "
    "or WECHAT_TOKEN_SERVER_URL to your central token server or, to try things, "
    "WECHAT_AUTHORIZER_ACCESS_TOKEN to a token."
)
NOBODY = (
    "Nobody may share anything yet. Write a policy.toml, or set SHARE_ENV_ALLOWED_USERS or "
    "SHARE_ENV_ALLOWED_GROUPS."
)
NOT_WHOSE = (
    "WECHAT_AUTHORIZER_APPID is missing. Set it to the appid that WECHAT_AUTHORIZER_ACCESS_TOKEN "
    "belongs to."
)
ONE_WAY = (
    "and there are SHARE_ENV_ALLOWED_… settings. Keep one way: move what they say into the file, "
    "or remove the file."
)
BLANKS = "blanks or control characters"
NO_ADDRESS = "is not a web address. Set it to one that begins with https://."


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which is empty at first."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(environ: Mapping[str, str]) -> Settings:
    loaded = load(environ)
    assert isinstance(loaded, Settings)
    return loaded


def changed(**changes: str) -> dict[str, str]:
    """Return a valid environment with these changes; an empty value counts as not set."""
    return GOOD | changes


def with_token_server(url: str, **changes: str) -> dict[str, str]:
    other = {"WECHAT_AUTHORIZER_ACCESS_TOKEN": "", "WECHAT_TOKEN_SERVER_URL": url}
    return changed(**other) | changes


def with_platform(**changes: str) -> dict[str, str]:
    return changed(**PLATFORM | {"WECHAT_AUTHORIZER_ACCESS_TOKEN": ""}) | changes


def without_people(**changes: str) -> dict[str, str]:
    return changed(SHARE_ENV_ALLOWED_USERS="") | changes


def test_settings_that_are_not_set_have_their_defaults() -> None:
    assert settings(GOOD) == Settings(
        slack=SlackSettings(BOT, APP, None, "https://slack.com/api/"),
        tokens=FixedTokenSettings(A, TOKEN),
        policy_file=None,
        policy=Policy(
            (Rule("SHARE_ENV_ALLOWED settings", Effect.ALLOW, users=frozenset({"U012ABCDEF"})),),
            (),
            A,
        ),
        database_url="sqlite:///share-env.db",
        collector=None,
        keep_days=None,
        wechat_url="https://api.weixin.qq.com",
        wechat_timeout=10,
        language=Language.ENGLISH,
        listener=None,
        log_level="INFO",
        log_format=None,
        shutdown_grace=10,
        secrets=(BOT, APP, TOKEN),
    )


@pytest.mark.parametrize(
    ("environ", "listens"),
    [
        pytest.param(GOOD, False, id="Socket Mode and a fixed token"),
        pytest.param(with_token_server(EACH), False, id="Socket Mode and a token server"),
        pytest.param(changed(PORT=" "), False, id="an empty PORT"),
        pytest.param(changed(PORT="3000"), True, id="PORT, even if it is the default"),
        pytest.param(with_platform(), True, id="the platform's chain"),
        pytest.param(
            changed(SLACK_APP_TOKEN="", SLACK_SIGNING_SECRET=SIGNING), True, id="HTTP mode"
        ),
    ],
)
def test_there_is_a_listener_if_one_is_needed_or_port_is_set(
    environ: dict[str, str], listens: bool
) -> None:
    assert (settings(environ).listener == Address("127.0.0.1", 3000)) is listens


def test_an_ipv6_address_may_be_given_as_in_a_url() -> None:
    assert settings(changed(HOST="[::1]", PORT="8080")).listener == Address("::1", 8080)
    assert settings(changed(HOST="[]", PORT="8080")).listener == Address("[]", 8080)


def test_empty_values_count_as_not_set() -> None:
    assert load(dict.fromkeys(NAMES, " ") | GOOD) == load(GOOD)


def test_settings_that_are_set_are_used() -> None:
    loaded = settings(
        changed(
            SLACK_APP_TOKEN="",
            SLACK_SIGNING_SECRET=SIGNING,
            SLACK_API_URL="http://127.0.0.1:1/api",
            WECHAT_API_URL="http://localhost:2/",
            WECHAT_TIMEOUT="2.5",
            DATABASE_URL=" postgresql+psycopg://bot@db.example/ledger ",
            LANGUAGE="zh-cn",
            HOST="0.0.0.0",  # noqa: S104  # only a value; nothing listens
            PORT="8080",
            LOG_LEVEL="debug",
            LOG_FORMAT="JSON",
            SHUTDOWN_GRACE="0",
        )
    )
    assert loaded.slack == SlackSettings(BOT, None, SIGNING, "http://127.0.0.1:1/api/")
    assert (loaded.wechat_url, loaded.wechat_timeout) == ("http://localhost:2", 2.5)
    assert loaded.database_url == "postgresql+psycopg://bot@db.example/ledger"
    assert loaded.language is Language.CHINESE
    assert loaded.listener == Address("0.0.0.0", 8080)  # noqa: S104
    assert (loaded.log_level, loaded.log_format, loaded.shutdown_grace) == ("DEBUG", "json", 0)


@pytest.mark.parametrize(
    ("exported", "language"),
    [
        ("en_US:en", Language.ENGLISH),
        ("zh_CN:zh", Language.CHINESE),
        ("zh_CN", Language.CHINESE),
        ("zh-TW:en", Language.CHINESE),
        ("zha:de", Language.ENGLISH),
        ("C.UTF-8", Language.ENGLISH),
        ("C", Language.ENGLISH),
        ("POSIX", Language.ENGLISH),
        ("zh.UTF-8", Language.CHINESE),
    ],
)
def test_languages_that_a_machine_exports_for_gettext_are_read(
    exported: str, language: Language
) -> None:
    assert settings(changed(LANGUAGE=exported)).language is language


def test_a_rotated_bot_token_is_accepted() -> None:
    token = "xoxe.xoxb-1-abc"
    assert settings(changed(SLACK_BOT_TOKEN=token)).slack.bot_token == token


def test_both_ways_to_reach_slack_may_be_set() -> None:
    slack = settings(changed(SLACK_SIGNING_SECRET=SIGNING)).slack
    assert (slack.app_token, slack.signing_secret) == (APP, SIGNING)


def test_a_token_server_for_each_owner_needs_no_default_owner(directory: Path) -> None:
    (directory / "policy.toml").write_text(RULE + OWNER_B + OWNER_C)
    given = with_token_server(
        EACH,
        WECHAT_TOKEN_SERVER_AUTHORIZATION=HEADER,
        WECHAT_AUTHORIZER_APPID="",
        SHARE_ENV_ALLOWED_USERS="",
    )
    loaded = settings(given)
    assert loaded.tokens == TokenServerSettings(EACH, HEADER)
    assert owner_of(loaded.policy, "c-1") == C
    assert owner_of(loaded.policy, "d-1") is None


def test_the_allowed_users_groups_and_channels_make_one_rule() -> None:
    people, groups, where = frozenset({"U012A"}), frozenset({"S012A"}), frozenset({"C012A"})
    rule = Rule(
        "SHARE_ENV_ALLOWED settings", Effect.ALLOW, users=people, groups=groups, channels=where
    )
    loaded = settings(
        changed(
            SHARE_ENV_ALLOWED_USERS="U012A",
            SHARE_ENV_ALLOWED_GROUPS="S012A",
            SHARE_ENV_ALLOWED_CHANNELS="C012A",
        )
    )
    assert loaded.policy == Policy((rule,), (), A)


def test_the_allowed_groups_alone_make_a_policy() -> None:
    rules = settings(without_people(SHARE_ENV_ALLOWED_GROUPS="S1X")).policy.rules
    assert (rules[0].users, rules[0].groups) == (frozenset(), frozenset({"S1X"}))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        pytest.param("policy.toml", "", id="its usual name"),
        pytest.param("other.toml", "other.toml", id="another name"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a mark"])
def test_a_policy_file_is_read(directory: Path, name: str, given: str, mark: bytes) -> None:
    text = 'contact = "Zoë"\n' + RULE + OWNER_A
    (directory / name).write_bytes(mark + text.replace("\n", "\r\n").encode())
    policy = settings(without_people(POLICY_FILE=given)).policy
    assert (policy.contact, policy.owners) == ("Zoë", (Owner(A, ("a-*",)),))
    assert policy.default_owner == A


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        (Path.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("nothing"), "No such file or directory"),
    ],
    ids=["a folder", "a link to nothing"],
)
def test_what_a_mount_leaves_in_place_of_the_policy_file_is_reported(
    directory: Path, mount: Callable[[Path], None], said: str
) -> None:
    mount(directory / "policy.toml")
    found = f"The policy file “policy.toml” cannot be read: {said}"
    fix = "Put it there, let the bot's user read it (the unit hides /home), or correct the path."
    assert load(without_people()) == [f"{found}. {fix}"]


def test_a_named_policy_file_takes_precedence_over_the_default_one(directory: Path) -> None:
    (directory / "policy.toml").write_text("no TOML at all")
    (directory / "other.toml").write_text(RULE)
    assert settings(without_people(POLICY_FILE=str(directory / "other.toml"))).policy.rules


PUT_REFRESH_TOKEN = "Put the owner's authorizer_refresh_token there, or leave it out."
COPY_SECRET = "Copy AppSecret from open.weixin.qq.com."
PROBLEMS: dict[str, tuple[dict[str, str], list[str]]] = {
    "comments behind secrets, which a unit or a container takes for a part of them": (
        with_platform(
            SLACK_BOT_TOKEN=f"{BOT} # mine",
            SLACK_APP_TOKEN="",
            SLACK_SIGNING_SECRET=f"{SIGNING} # mine",
            WECHAT_MESSAGE_TOKEN="made-up # mine",
        ),
        [
            f"SLACK_BOT_TOKEN holds {BLANKS}. Put the bot token (xoxb-…) there; {BOT_PAGE}",
            (
                f"SLACK_SIGNING_SECRET holds {BLANKS}. Copy the signing secret from your "
                "Slack app's page “Basic Information”."
            ),
            f"WECHAT_MESSAGE_TOKEN holds {BLANKS}. Copy 消息校验Token from open.weixin.qq.com.",
        ],
    ),
    "a comment behind SQLite's file, which would begin another ledger": (
        changed(DATABASE_URL="sqlite:////var/lib/share-env.db # mine"),
        ["DATABASE_URL has a comment behind it. Put the comment on a line of its own."],
    ),
    "secrets of two lines, which no header may have": (
        changed(SLACK_BOT_TOKEN=f"{BOT}\n{BOT}", SLACK_APP_TOKEN=f"{APP}\r{APP}"),
        [
            f"SLACK_BOT_TOKEN holds {BLANKS}. Put the bot token (xoxb-…) there; {BOT_PAGE}",
            (
                f"SLACK_APP_TOKEN holds {BLANKS}. Put the app-level token (xapp-…) there; it is on "
                "your Slack app's page “Basic Information”."
            ),
        ],
    ),
    "appids in place of the platform's secrets": (
        with_platform(WECHAT_COMPONENT_APPSECRET=A, WECHAT_AUTHORIZER_REFRESH_TOKEN=A),
        [
            f"WECHAT_COMPONENT_APPSECRET holds an appid. {COPY_SECRET}",
            f"WECHAT_AUTHORIZER_REFRESH_TOKEN holds an appid. {PUT_REFRESH_TOKEN}",
        ],
    ),
    "secrets of others in place of WeChat's, to which they would be sent": (
        with_platform(
            WECHAT_COMPONENT_APPSECRET=BOT,
            WECHAT_AUTHORIZER_REFRESH_TOKEN=TOKEN,
            SLACK_SIGNING_SECRET=A,
        ),
        [
            "SLACK_SIGNING_SECRET holds an appid. Copy the signing secret from your Slack app's page “Basic Information”.",
            f"WECHAT_COMPONENT_APPSECRET holds a bot token. {COPY_SECRET}",
            f"WECHAT_AUTHORIZER_REFRESH_TOKEN holds a WeChat token. {PUT_REFRESH_TOKEN}",
        ],
    ),
    "invisible characters, without which the values would be right, and which are printed escaped": (
        changed(PORT="30\u200b00", SHARE_ENV_ALLOWED_USERS="U1AAAAAAA, U012ABCDEF\u200b"),
        [
            "SHARE_ENV_ALLOWED_USERS: “U012ABCDEF\u200b” is not an id. Use ids such as U012ABCDEF, separated by commas.",
            "PORT is “30\u200b00”. Set it to a whole number from 1 to 65535.",
        ],
    ),
    "secrets in settings that are not secret": (
        with_token_server(EACH, WECHAT_AUTHORIZER_APPID="0123456789abcdef" * 2)
        | {"PORT": BOT, "LOG_LEVEL": APP, "SHARE_ENV_ALLOWED_USERS": f"U1X,{BOT}"},
        [
            (
                "WECHAT_AUTHORIZER_APPID holds an AppSecret or a signing secret, which is not an appid. "
                "Set it to wx and 16 digits or letters a to f."
            ),
            (
                "SHARE_ENV_ALLOWED_USERS holds a bot token. "
                "Use ids such as U012ABCDEF, separated by commas."
            ),
            "PORT holds a bot token. Set it to a whole number from 1 to 65535.",
            "LOG_LEVEL holds an app-level token. Set it to one of DEBUG, INFO, WARNING, ERROR.",
        ],
    ),
    "channels, but nobody allowed": (without_people(SHARE_ENV_ALLOWED_CHANNELS="C1X"), [NOBODY]),
    "people by name": (
        changed(SHARE_ENV_ALLOWED_USERS="U1X,@ann,*"),
        [
            "SHARE_ENV_ALLOWED_USERS: “*” is not an id. Use ids such as U012ABCDEF, separated by commas.",
            "SHARE_ENV_ALLOWED_USERS: “@ann” is not an id. Use ids such as U012ABCDEF, separated by commas.",
        ],
    ),
    "users in place of groups, and channels by name": (
        changed(SHARE_ENV_ALLOWED_GROUPS="U1X", SHARE_ENV_ALLOWED_CHANNELS="#ops"),
        [
            "SHARE_ENV_ALLOWED_GROUPS: “U1X” is not an id. Use ids such as S012ABCDEF, separated by commas.",
            "SHARE_ENV_ALLOWED_CHANNELS: “#ops” is not an id. Use ids such as C012ABCDEF, separated by commas.",
        ],
    ),
    "a policy file that is not there, and settings for people": (
        changed(POLICY_FILE="no.toml"),
        [
            (
                "The policy file “no.toml” cannot be read: No such file or directory. "
                "Put it there, let the bot's user read it (the unit hides /home), or correct the path."
            ),
        ],
    ),
    "invalid numbers": (
        changed(WECHAT_TIMEOUT="0", PORT="http", SHUTDOWN_GRACE="601"),
        [
            "WECHAT_TIMEOUT is “0”. Set it to a number from 0.1 to 60.",
            "PORT is “http”. Set it to a whole number from 1 to 65535.",
            "SHUTDOWN_GRACE is “601”. Set it to a number from 0 to 600.",
        ],
    ),
    "invalid choices": (
        changed(LANGUAGE="zh-TW", LOG_LEVEL="loud", LOG_FORMAT="xml"),
        [
            "LANGUAGE is “zh-TW”. Set it to one of en, zh-CN. 请设为 en 或 zh-CN。",
            "LOG_LEVEL is “loud”. Set it to one of DEBUG, INFO, WARNING, ERROR.",
            "LOG_FORMAT is “xml”. Set it to one of text, json.",
        ],
    ),
    "almost nothing": ({"WECHAT_TIMEOUT": "5"}, [NO_BOT, NO_APP, NO_TOKEN, NOBODY]),
    "problems with several groups of settings": (
        {
            **changed(SLACK_BOT_TOKEN=APP, SLACK_APP_TOKEN=BOT, WECHAT_AUTHORIZER_APPID=""),
            "WECHAT_API_URL": "weixin",
            "PORT": "0",
            "LOG_FORMAT": "xml",
            "SHARE_ENV_ALLOWED_USERS": "",
        },
        [
            f"SLACK_BOT_TOKEN holds an app-level token. Put the bot token (xoxb-…) there; {BOT_PAGE}",
            (
                "SLACK_APP_TOKEN holds a bot token. Put the app-level token (xapp-…) there; it is on "
                "your Slack app's page “Basic Information”."
            ),
            NOT_WHOSE,
            NOBODY,
            f"WECHAT_API_URL {NO_ADDRESS}",
            "PORT is “0”. Set it to a whole number from 1 to 65535.",
            "LOG_FORMAT is “xml”. Set it to one of text, json.",
        ],
    ),
}


@pytest.mark.parametrize(("environ", "problems"), PROBLEMS.values(), ids=list(PROBLEMS))
def test_each_problem_has_one_sentence_with_the_fix_that_the_redaction_does_not_change(
    environ: dict[str, str], problems: list[str]
) -> None:
    assert load(environ) == problems
    clean = Redactor(read_parts(environ).secrets).clean
    assert [*map(clean, problems)] == problems


def test_an_address_without_tls_and_people_by_name_are_no_parts_that_can_be_used() -> None:
    wrong = {"SLACK_API_URL": "http://a.example", "WECHAT_API_URL": "http://b.example"}
    parts = read_parts(changed(**wrong, SHARE_ENV_ALLOWED_USERS="@ann"))
    assert (parts.slack, parts.wechat_url, parts.policy) == (None, None, None)


def test_the_secrets_of_invalid_settings_are_known_too_and_an_appid_is_not_a_secret() -> None:
    given = with_platform(
        SLACK_BOT_TOKEN="",
        SLACK_API_URL="http://slack.example",
        SLACK_SIGNING_SECRET=SIGNING,
        WECHAT_AUTHORIZER_ACCESS_TOKEN=A,
        WECHAT_TOKEN_SERVER_AUTHORIZATION=HEADER,
        POLICY_FILE="54_pasted-here",
        DATABASE_URL="postgresql://bot:pass-phrase@[",
    )
    known = read_parts(given).secrets
    expected = (APP, SIGNING, HEADER, *PLATFORM_SECRETS, "54_pasted-here", "pass-phrase")
    assert set(expected) <= set(known)
    assert A not in known


INVALID_FILES: dict[str, tuple[dict[str, str], bytes, list[str]]] = {
    "settings for people in addition to the file": (
        GOOD,
        RULE.encode(),
        [f"There is a policy file (policy.toml) {ONE_WAY}"],
    ),
    "settings for channels in addition to the file": (
        without_people(SHARE_ENV_ALLOWED_CHANNELS="C1X"),
        RULE.encode(),
        [f"There is a policy file (policy.toml) {ONE_WAY}"],
    ),
    "another encoding": (
        without_people(),
        b"# caf\xe9\n" + RULE.encode(),
        [("The policy file “policy.toml” cannot be read: it is not UTF-8 text. Save it as UTF-8.")],
    ),
    "problems in the file, each with its name": (
        without_people(LOG_FORMAT="xml"),
        b'contact = ""\n[[rule]]\neffect = "allow"\nuser = []\n',
        [
            "policy.toml: contact: it is empty. Fill it in, or leave the key out.",
            "policy.toml: rule 1, user: there is no such key. Did you mean users?",
            "LOG_FORMAT is “xml”. Set it to one of text, json.",
        ],
    ),
}


@pytest.mark.parametrize(
    ("environ", "content", "problems"), INVALID_FILES.values(), ids=list(INVALID_FILES)
)
def test_an_invalid_policy_file_has_a_sentence_for_each_problem(
    directory: Path, environ: dict[str, str], content: bytes, problems: list[str]
) -> None:
    (directory / "policy.toml").write_bytes(content)
    assert load(environ) == problems


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param(GOOD, (BOT, APP, TOKEN), id="a fixed token"),
        pytest.param(
            changed(SLACK_APP_TOKEN="", SLACK_SIGNING_SECRET=SIGNING),
            (BOT, SIGNING, TOKEN),
            id="a signing secret",
        ),
        pytest.param(
            with_token_server(EACH, WECHAT_TOKEN_SERVER_AUTHORIZATION=HEADER),
            (BOT, APP, HEADER, "server-key"),
            id="a token server",
        ),
        pytest.param(
            with_token_server("https://tokens.example/&{appid}?key=k-1&v=2&for={appid}"),
            (BOT, APP, "?key=k-1", "&v=2"),
            id="a token server with keys in its address",
        ),
        pytest.param(with_platform(), (BOT, APP, *PLATFORM_SECRETS), id="a platform"),
        pytest.param(
            changed(DATABASE_URL="sqlite:////var/lib/share-env.db"),
            (BOT, APP, TOKEN),
            id="a database without a password",
        ),
        pytest.param(
            changed(DATABASE_URL="postgresql+psycopg://bot:pass-word@db.example:5432/ledger"),
            (BOT, APP, "pass-word", TOKEN),
            id="a database with a password",
        ),
        pytest.param(
            changed(DATABASE_URL="postgresql+psycopg://bot:p%40ss+1@db.example/ledger"),
            (BOT, APP, "p%40ss+1", "p@ss+1", "p@ss 1", TOKEN),
            id="a database with a password, as written and as it is read",
        ),
        pytest.param(
            changed(DATABASE_URL="postgresql+psycopg://bot:a/b#c?d[e@db.example/ledger"),
            (BOT, APP, "a/b#c?d[e", TOKEN),
            id="a database whose password looks like another part of the address",
        ),
        pytest.param(
            changed(DATABASE_URL="postgresql+psycopg://bot:S3cr@tPart2@127.0.0.1:5/db"),
            (BOT, APP, "S3cr", "S3cr@tPart2", TOKEN),
            id="a database whose password contains the @ that ends it",
        ),
        pytest.param(
            changed(DATABASE_URL="postgresql+psycopg:///ledger?host=/tmp&password=pass-word"),
            (BOT, APP, "pass-word", TOKEN),
            id="a database with a password in the query",
        ),
        pytest.param(
            changed(DATABASE_URL="postgresql+psycopg://bot:@[no database/"),
            (BOT, APP, TOKEN),
            id="an address that is not a database's",
        ),
    ],
)
def test_every_secret_is_recognised(environ: dict[str, str], expected: tuple[str, ...]) -> None:
    lists = {environ.get("TOKEN_ENCRYPTION_KEY")}
    assert set(settings(environ).secrets) - lists == set(expected)


def test_settings_never_show_a_secret() -> None:
    url = "https://tokens.example/{appid}?key=k-12345"
    database = "postgresql+psycopg://bot:pass-phrase@db.example/ledger"
    fixed = settings(changed(SLACK_SIGNING_SECRET=SIGNING, DATABASE_URL=database))
    served = settings(with_token_server(url, WECHAT_TOKEN_SERVER_AUTHORIZATION=HEADER))
    platform = settings(with_platform())
    shown = " ".join(f"{each!r} {each}" for each in (fixed, served, platform))
    hidden = (
        *(BOT, APP, SIGNING, TOKEN, HEADER, "server-key", "pass-phrase", "k-12345"),
        *PLATFORM_SECRETS,
    )
    assert [secret for secret in hidden if secret in shown] == []


@pytest.mark.parametrize("swapped", [(BOT, APP), (APP, BOT), (TOKEN, SIGNING)])
def test_problems_never_show_a_secret(swapped: tuple[str, str]) -> None:
    bot, signing = swapped
    problems = load(
        with_token_server(
            f"http://me:{TOKEN}@tokens.example/?key=k-12345",
            SLACK_BOT_TOKEN=bot,
            SLACK_APP_TOKEN=signing,
            SLACK_SIGNING_SECRET=bot,
            WECHAT_AUTHORIZER_ACCESS_TOKEN=TOKEN,
            WECHAT_TOKEN_SERVER_AUTHORIZATION=HEADER,
            DATABASE_URL="postgresql+psycopg://bot:pass-phrase@[",
        )
    )
    assert isinstance(problems, list)
    hidden = (BOT, APP, SIGNING, TOKEN, HEADER, "pass-phrase", "k-12345")
    assert [secret for secret in hidden if secret in " ".join(problems)] == []
