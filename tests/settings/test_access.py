import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ledger.seal import Seal
from bot.policy.kinds import Owner, Policy
from bot.settings.access import (
    FixedTokenSettings,
    PlatformSettings,
    TokenServerSettings,
    TokenSettings,
    check_owners,
    read_tokens,
)
from bot.settings.environ import Reader

A, B, C = "wx5fe6bb43205e9e70", "wx0123456789abcdef", "wxaaaaaaaaaaaaaaaa"
PLATFORM = "wxc0de00000000c0de"
TOKEN, HEADER = "80_wechat-token", "Bearer server-key"
ONE, EACH = "https://tokens.example/one", "https://tokens.example/{appid}"
APPSECRET, MESSAGE_TOKEN = "5f1e" * 8, "made-up-message-token"
OLD_MESSAGE_TOKEN = "made-up-and-older"
AES_KEY = "MadeUpEncodingAESKeyOfTheLocalWeChat0000004"
OLD_AES_KEY = "MadeUpEncodingAESKeyOfTheLocalWeChat+/00008"
SEED = "refreshtoken@@@made-up"
NEW_KEY, OLD_KEY = (
    urlsafe_b64encode(f"a made-up key, the {age} of both".encode()).decode()
    for age in ("newer", "older")
)

FIXED = {"WECHAT_AUTHORIZER_ACCESS_TOKEN": TOKEN}
SERVER = {"WECHAT_TOKEN_SERVER_URL": ONE}
CHAIN = {
    "WECHAT_COMPONENT_APPID": PLATFORM,
    "WECHAT_COMPONENT_APPSECRET": APPSECRET,
    "WECHAT_MESSAGE_TOKEN": MESSAGE_TOKEN,
    "WECHAT_ENCODING_AES_KEY": AES_KEY,
}
WHOLE_PLATFORM = CHAIN | {
    "WECHAT_MESSAGE_TOKEN_PREVIOUS": OLD_MESSAGE_TOKEN,
    "WECHAT_ENCODING_AES_KEY_PREVIOUS": OLD_AES_KEY,
    "WECHAT_AUTHORIZER_REFRESH_TOKEN": SEED,
    "TOKEN_ENCRYPTION_KEY": f"{NEW_KEY},{OLD_KEY}",
}

NO_SOURCE = (
    "There is no source for WeChat tokens. Set WECHAT_COMPONENT_APPID to your third-party platform, "
    "or WECHAT_TOKEN_SERVER_URL to your central token server or, to try things, "
    "WECHAT_AUTHORIZER_ACCESS_TOKEN to a token."
)
NOT_WHOSE = (
    "WECHAT_AUTHORIZER_APPID is missing. Set it to the appid that WECHAT_AUTHORIZER_ACCESS_TOKEN "
    "belongs to."
)
NOT_WHICH = (
    "WECHAT_AUTHORIZER_APPID is missing. Set it to the appid whose token the token server gives, "
    "or put {appid} into WECHAT_TOKEN_SERVER_URL."
)
NOT_WHOSE_SEED = (
    "WECHAT_AUTHORIZER_APPID is missing. Set it to the appid that WECHAT_AUTHORIZER_REFRESH_TOKEN "
    "belongs to."
)
NO_PLATFORM = (
    "WECHAT_COMPONENT_APPID is not an appid. Copy the platform's AppID from open.weixin.qq.com."
)
NO_OWNER = (
    "No mini program is known to own any env. Set WECHAT_AUTHORIZER_APPID, or add [[owner]] to the "
    "policy file."
)
IS_MISSING = "is missing. Copy the platform's {} from open.weixin.qq.com."
NO_AES_KEY = "is no EncodingAESKey, which has 43 letters and digits. Copy 消息加解密Key from open.weixin.qq.com."
NO_FERNET_KEY = (
    f"is no Fernet key. Make one with: {sys.executable} -c 'from cryptography.fernet import Fernet; "
    "print(Fernet.generate_key().decode())'"
)


def reader_of(environ: Mapping[str, str], owner: str | None) -> Reader:
    return Reader({"WECHAT_AUTHORIZER_APPID": owner or ""} | dict(environ))


def read(environ: Mapping[str, str], owner: str | None = A) -> TokenSettings:
    reader = reader_of(environ, owner)
    tokens = read_tokens(reader, owner)
    assert reader.problems == []
    assert tokens is not None
    return tokens


def problems(environ: Mapping[str, str], owner: str | None = A) -> list[str]:
    reader = reader_of(environ, owner)
    read_tokens(reader, owner)
    return [*reader.problems]


@pytest.mark.parametrize(
    ("environ", "tokens"),
    [
        pytest.param(FIXED, FixedTokenSettings(A, TOKEN), id="a fixed token"),
        pytest.param(SERVER, TokenServerSettings(ONE, None), id="a token server"),
        pytest.param(
            SERVER | {"WECHAT_TOKEN_SERVER_AUTHORIZATION": HEADER},
            TokenServerSettings(ONE, HEADER),
            id="a token server with a key",
        ),
        pytest.param(
            CHAIN,
            PlatformSettings(
                appid=PLATFORM,
                appsecret=APPSECRET,
                message_tokens=(MESSAGE_TOKEN,),
                encoding_aes_keys=(AES_KEY,),
                refresh_token=None,
                encryption_keys=(),
            ),
            id="a platform",
        ),
        pytest.param(
            WHOLE_PLATFORM,
            PlatformSettings(
                appid=PLATFORM,
                appsecret=APPSECRET,
                message_tokens=(MESSAGE_TOKEN, OLD_MESSAGE_TOKEN),
                encoding_aes_keys=(AES_KEY, OLD_AES_KEY),
                refresh_token=SEED,
                encryption_keys=(NEW_KEY, OLD_KEY),
            ),
            id="a platform with all optional settings",
        ),
    ],
)
def test_each_source_is_read(environ: dict[str, str], tokens: TokenSettings) -> None:
    assert read(environ) == tokens


def test_a_platform_and_a_server_for_each_owner_need_no_default_owner() -> None:
    assert isinstance(read(CHAIN, None), PlatformSettings)
    assert isinstance(read({"WECHAT_TOKEN_SERVER_URL": EACH}, None), TokenServerSettings)


@pytest.mark.parametrize("between", [",", " , ", " ", "\n", ",,", "，"])
def test_keys_are_separated_by_commas_or_blanks_in_their_order(between: str) -> None:
    tokens = read(CHAIN | {"TOKEN_ENCRYPTION_KEY": f"{NEW_KEY}{between}{OLD_KEY}"})
    assert isinstance(tokens, PlatformSettings)
    assert tokens.encryption_keys == (NEW_KEY, OLD_KEY)


def chain_with(**changes: str) -> dict[str, str]:
    return CHAIN | changes


OTHER_PLACEHOLDER = (
    "WECHAT_TOKEN_SERVER_URL holds another placeholder than {appid}. "
    "Write {appid} where the owner's appid belongs."
)
PROBLEMS: dict[str, tuple[dict[str, str], list[str]]] = {
    "only the key of a token server": ({"WECHAT_TOKEN_SERVER_AUTHORIZATION": HEADER}, [NO_SOURCE]),
    "only the other settings of a platform": (
        WHOLE_PLATFORM | {"WECHAT_COMPONENT_APPID": ""},
        [NO_SOURCE],
    ),
    "a token server with the placeholder as browsers copy it": (
        {"WECHAT_AUTHORIZER_APPID": A, "WECHAT_TOKEN_SERVER_URL": "https://a.example/%7bappid%7d"},
        [OTHER_PLACEHOLDER],
    ),
    "a token server with the placeholder in the braces of a Chinese keyboard": (
        {"WECHAT_AUTHORIZER_APPID": A, "WECHAT_TOKEN_SERVER_URL": "https://a.example/｛appid｝"},
        [OTHER_PLACEHOLDER],
    ),
    "a token server with a placeholder in angle brackets, and no default owner": (
        {"WECHAT_TOKEN_SERVER_URL": "https://tokens.example/<appid>"},
        [OTHER_PLACEHOLDER],
    ),
    "all three sources": (
        CHAIN | SERVER | FIXED,
        [
            (
                "WECHAT_COMPONENT_APPID and WECHAT_TOKEN_SERVER_URL and "
                "WECHAT_AUTHORIZER_ACCESS_TOKEN are set together. Keep one of them."
            )
        ],
    ),
    "the secret where the appid belongs": (
        chain_with(WECHAT_COMPONENT_APPID=APPSECRET),
        [NO_PLATFORM],
    ),
    "only the previous AES key": (
        chain_with(WECHAT_ENCODING_AES_KEY="", WECHAT_ENCODING_AES_KEY_PREVIOUS=OLD_AES_KEY),
        [f"WECHAT_ENCODING_AES_KEY {IS_MISSING.format('消息加解密Key')}"],
    ),
    "an AES key that is too short": (
        chain_with(WECHAT_ENCODING_AES_KEY=AES_KEY[:-1]),
        [f"WECHAT_ENCODING_AES_KEY {NO_AES_KEY}"],
    ),
    "an AES key with other characters": (
        chain_with(WECHAT_ENCODING_AES_KEY=AES_KEY.replace("M", "-")),
        [f"WECHAT_ENCODING_AES_KEY {NO_AES_KEY}"],
    ),
    "two invalid AES keys": (
        chain_with(WECHAT_ENCODING_AES_KEY="k", WECHAT_ENCODING_AES_KEY_PREVIOUS="k"),
        [
            f"WECHAT_ENCODING_AES_KEY {NO_AES_KEY}",
            f"WECHAT_ENCODING_AES_KEY_PREVIOUS {NO_AES_KEY}",
        ],
    ),
    "a Fernet key that was cut short": (
        chain_with(TOKEN_ENCRYPTION_KEY=NEW_KEY[:-2]),
        [f"TOKEN_ENCRYPTION_KEY {NO_FERNET_KEY}"],
    ),
    "a Fernet key with a letter of another alphabet": (
        chain_with(TOKEN_ENCRYPTION_KEY=f"{NEW_KEY}é"),
        [f"TOKEN_ENCRYPTION_KEY {NO_FERNET_KEY}"],
    ),
    "several Fernet keys, some of them invalid": (
        chain_with(TOKEN_ENCRYPTION_KEY=f"{NEW_KEY},second,{OLD_KEY},fourth"),
        [
            f"TOKEN_ENCRYPTION_KEY (number 2) {NO_FERNET_KEY}",
            f"TOKEN_ENCRYPTION_KEY (number 4) {NO_FERNET_KEY}",
        ],
    ),
    "nothing but the platform's appid": (
        {"WECHAT_COMPONENT_APPID": PLATFORM},
        [
            f"WECHAT_COMPONENT_APPSECRET {IS_MISSING.format('AppSecret')}",
            f"WECHAT_MESSAGE_TOKEN {IS_MISSING.format('消息校验Token')}",
            f"WECHAT_ENCODING_AES_KEY {IS_MISSING.format('消息加解密Key')}",
        ],
    ),
}


@pytest.mark.parametrize(("environ", "expected"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_each_problem_has_one_sentence_with_the_fix(
    environ: dict[str, str], expected: list[str]
) -> None:
    assert problems(environ) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param(FIXED, NOT_WHOSE, id="a fixed token"),
        pytest.param(SERVER, NOT_WHICH, id="a token server for one owner"),
        pytest.param(
            chain_with(WECHAT_AUTHORIZER_REFRESH_TOKEN=SEED), NOT_WHOSE_SEED, id="a refresh token"
        ),
    ],
)
def test_a_token_of_one_owner_needs_the_owner(environ: dict[str, str], expected: str) -> None:
    assert problems(environ, None) == [expected]


@pytest.mark.parametrize(
    "value",
    [
        APPSECRET,
        MESSAGE_TOKEN,
        f"{OLD_MESSAGE_TOKEN}x",
        AES_KEY,
        f"{OLD_AES_KEY}x",
        SEED,
        NEW_KEY,
        f"{OLD_KEY}x",
    ],
)
def test_no_problem_shows_a_value_in_the_wrong_setting(value: str) -> None:
    found = [
        problem
        for name in WHOLE_PLATFORM
        for problem in problems(WHOLE_PLATFORM | {name: value}, None)
    ]
    assert found
    assert [problem for problem in found if value in problem] == []


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("AZaz09-_=+/", min_size=40))
def test_every_accepted_key_can_encrypt(value: str) -> None:
    environ = CHAIN | {"TOKEN_ENCRYPTION_KEY": value}
    if not problems(environ):
        tokens = read(environ)
        assert isinstance(tokens, PlatformSettings)
        seal = Seal(tokens.encryption_keys)
        assert seal.decrypt(seal.encrypt(SEED)) == SEED


def owners(*appids: str, default: str | None = A) -> Policy:
    return Policy((), tuple(Owner(appid, ("*",)) for appid in appids), default)


SEVERAL = (
    "WECHAT_TOKEN_SERVER_URL gives one token, but the policy file names several owners. Put "
    "{appid} into the address where the owner's appid belongs."
)
SERVES = (
    f"WECHAT_AUTHORIZER_ACCESS_TOKEN serves {A} only, but the policy file also names {B}, {C}. "
    "Use WECHAT_TOKEN_SERVER_URL for several owners."
)
FIXED_TOKEN, ONE_TOKEN = FixedTokenSettings(A, TOKEN), TokenServerSettings(ONE, None)
A_TOKEN_EACH, PLATFORMS = TokenServerSettings(EACH, None), read(CHAIN)


@pytest.mark.parametrize(
    ("tokens", "policy", "expected"),
    [
        pytest.param(FIXED_TOKEN, owners(), [], id="a fixed token of the default owner"),
        pytest.param(FIXED_TOKEN, owners(A), [], id="a fixed token of the only owner"),
        pytest.param(FIXED_TOKEN, owners(C, A, B, B), [SERVES], id="a fixed token for several"),
        pytest.param(
            FixedTokenSettings("", TOKEN),
            owners(B, default=None),
            [],
            id="a fixed token without an owner, which is another problem",
        ),
        pytest.param(ONE_TOKEN, owners(), [], id="a token server for the default owner"),
        pytest.param(ONE_TOKEN, owners(A), [], id="a token server for the only owner"),
        pytest.param(ONE_TOKEN, owners(B), [SEVERAL], id="a token server with one token"),
        pytest.param(
            ONE_TOKEN,
            owners(B, default=None),
            [],
            id="a token server without an owner, which is another problem",
        ),
        pytest.param(A_TOKEN_EACH, owners(B, C), [], id="a token server for each"),
        pytest.param(A_TOKEN_EACH, owners(), [], id="a token server for each, the default owner"),
        pytest.param(A_TOKEN_EACH, owners(default=None), [NO_OWNER], id="a server and no owner"),
        pytest.param(PLATFORMS, owners(), [], id="a platform with the default owner"),
        pytest.param(PLATFORMS, owners(B, C), [], id="a platform with many owners"),
        pytest.param(PLATFORMS, owners(B, default=None), [], id="a platform without a default"),
        pytest.param(PLATFORMS, owners(default=None), [NO_OWNER], id="a platform and no owner"),
    ],
)
def test_each_owner_needs_a_source_of_its_token(
    tokens: TokenSettings, policy: Policy, expected: list[str]
) -> None:
    reader = Reader({})
    check_owners(reader, policy, tokens)
    assert reader.problems == expected
