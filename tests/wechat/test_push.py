from collections.abc import Mapping
from encodings.aliases import aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.playground.wechat.pushes import Push as Posted
from bot.playground.wechat.pushes import PushKeys, Stamp, event, sealed, xml
from bot.settings.access import PlatformSettings
from bot.wechat.push import (
    RANDOM_BYTES,
    STALE_AFTER,
    Authorized,
    Push,
    PushRefusal,
    Ticket,
    Unauthorized,
    aes_key,
    encrypt,
    read_push,
    signature,
)
from tests.wechat.conftest import OWNER
from tests.wechat.replicas import known_platform
from tests.wechat.test_encryption import SIGNED, V1

COMPONENT = "wxc0de00000000c0de"
ANOTHER = "wxc0de00000000beef"
SEAL = PushKeys(COMPONENT, "m3ss4get0ken", "MadeUpEncodingAESKeyOfTheLocalWeChat0000004")
OLDER_KEY = "AnOlderEncodingAESKeyOfTheLocalWeChat000004"
KEY = aes_key(SEAL.encoding_aes_key)
PLATFORM = known_platform(COMPONENT, [SEAL.message_token], [SEAL.encoding_aes_key])
NOW = 1_715_943_329
TICKET = "ticket@@@made-up"
OF_OWNER: dict[str, str | int] = {"AuthorizerAppid": OWNER}
OF_CODE: dict[str, str | int] = {**OF_OWNER, "AuthorizationCode": "queryauthcode@@@made-up"}


def push_of(info_type: str, **more: str | int) -> Posted:
    return of(event(COMPONENT, info_type, NOW, **more))


def of(fields: Mapping[str, str | int], seal: PushKeys = SEAL, timestamp: int = NOW) -> Posted:
    return sealed(fields, seal, Stamp(timestamp, "1590219412", b"r" * RANDOM_BYTES))


def read(
    posted: Posted, platform: PlatformSettings = PLATFORM, now: float = NOW
) -> Push | PushRefusal | None:
    return read_push(platform, posted.query, posted.body, now)


def signed(encrypted: str, body: bytes) -> Posted:
    """Return a push with a valid signature of `encrypted`."""
    query = {
        "timestamp": str(NOW),
        "nonce": "17",
        "msg_signature": signature(SEAL.message_token, str(NOW), "17", encrypted),
    }
    return Posted("", query, body)


def containing(message: bytes, appid: str = COMPONENT) -> Posted:
    """Return a push that encrypts and signs this message correctly."""
    encrypted = encrypt(KEY, message, appid, b"r" * RANDOM_BYTES)
    return signed(encrypted, xml({"Encrypt": encrypted}))


TICKET_PUSH = push_of("component_verify_ticket", ComponentVerifyTicket=TICKET)


@pytest.mark.parametrize(
    ("posted", "meaning"),
    [
        (TICKET_PUSH, Ticket(NOW, TICKET)),
        (push_of("authorized", **OF_CODE), Authorized(NOW, OWNER, "queryauthcode@@@made-up")),
        (push_of("updateauthorized", **OF_CODE), Authorized(NOW, OWNER, "queryauthcode@@@made-up")),
        (push_of("unauthorized", **OF_OWNER), Unauthorized(NOW, OWNER)),
        (push_of("notify_third_fasteregister", status=0), None),
        (push_of("秘密"), None),
        (of({"AppId": COMPONENT, "InfoType": "notify_something"}), None),
        (of({"AppId": COMPONENT, "InfoType": "notify_something", "CreateTime": "soon"}), None),
        (push_of(""), None),
    ],
    ids=lambda value: type(value).__name__ + (value.info_type if isinstance(value, Posted) else ""),
)
def test_each_kind_of_push_is_understood(posted: Posted, meaning: Push | None) -> None:
    assert read(posted) == meaning


@pytest.mark.parametrize(
    "posted",
    [
        push_of("component_verify_ticket"),
        push_of("component_verify_ticket", ComponentVerifyTicket=" "),
        push_of("authorized", **OF_OWNER),
        push_of("authorized", AuthorizationCode="c"),
        push_of("authorized", **OF_CODE | {"AuthorizerAppid": OWNER.upper()}),
        push_of("updateauthorized", **OF_CODE | {"AuthorizerAppid": "component"}),
        push_of("unauthorized"),
        push_of("unauthorized", AuthorizerAppid="ticket"),
        *(
            of({**event(COMPONENT, "unauthorized", NOW, **OF_OWNER), "CreateTime": created})
            for created in ("", "soon", "-1", "１７１５９４３３２９", "1e9", "nan", "²")
        ),
        of({"AppId": COMPONENT, "InfoType": "unauthorized", **OF_OWNER}),
    ],
)
def test_a_push_without_a_required_member_is_incomplete(posted: Posted) -> None:
    assert read(posted) is PushRefusal.INCOMPLETE


def test_the_documented_push_is_verified_and_decrypted_and_is_not_an_event_of_the_platform() -> (
    None
):
    _, timestamp, nonce, encrypted, sign = SIGNED["V1"]
    query = {"timestamp": timestamp, "nonce": nonce, "msg_signature": sign}
    posted = Posted("", query, xml({"ToUserName": "gh_97417a04a28d", "Encrypt": encrypted}))
    platform = known_platform(V1.appid, ["AAAAA"], [V1.key])
    assert read(posted, platform) is PushRefusal.OTHER_PLATFORM
    unverified = {**query, "msg_signature": SIGNED["V1-without-a-message"].signature}
    assert read_push(platform, unverified, posted.body, NOW) is PushRefusal.SIGNATURE


@pytest.mark.parametrize(
    ("fields", "seal"),
    [
        (event(ANOTHER, "unauthorized", NOW, **OF_OWNER), SEAL),
        (
            event(COMPONENT, "unauthorized", NOW, **OF_OWNER),
            PushKeys(ANOTHER, SEAL.message_token, SEAL.encoding_aes_key),
        ),
        (
            event(ANOTHER, "unauthorized", NOW, **OF_OWNER),
            PushKeys(ANOTHER, SEAL.message_token, SEAL.encoding_aes_key),
        ),
        ({"CreateTime": NOW, "InfoType": "unauthorized", **OF_OWNER}, SEAL),
        ({}, SEAL),
    ],
    ids=["in the message", "in the envelope", "in both", "missing in the message", "no message"],
)
def test_a_push_for_another_platform_is_refused(
    fields: Mapping[str, str | int], seal: PushKeys
) -> None:
    assert read(of(fields, seal)) is PushRefusal.OTHER_PLATFORM


@pytest.mark.parametrize(("off", "accepted"), [(0, True), (300, True), (301, False)])
@pytest.mark.parametrize("sign", [1, -1], ids=["later", "earlier"])
def test_a_timestamp_may_be_five_minutes_off(off: int, sign: int, *, accepted: bool) -> None:
    assert STALE_AFTER == 300
    assert (read(TICKET_PUSH, now=NOW + sign * off) is not PushRefusal.STALE) == accepted


@pytest.mark.parametrize(
    "timestamp",
    [
        *("", " ", "-1715943329", "+1715943329", "１７１５９４３３２９", "1715943329.0"),
        *("1_715_943_329", "0x6647", "²", "٣", "nan", "1e9", "9" * 12, "9" * 5000, "\0"),
        *("\ud800", f" {NOW}", f"{NOW}\n"),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_an_invalid_timestamp_is_stale_even_if_signed(timestamp: str) -> None:
    sign = signature(SEAL.message_token, timestamp, "17", "abc")
    query = {"timestamp": timestamp, "nonce": "17", "msg_signature": sign}
    assert read_push(PLATFORM, query, xml({"Encrypt": "abc"}), NOW) is PushRefusal.STALE


@pytest.mark.parametrize(
    ("missing", "refusal"),
    [
        ("timestamp", PushRefusal.STALE),
        ("nonce", PushRefusal.SIGNATURE),
        ("msg_signature", PushRefusal.SIGNATURE),
    ],
)
def test_a_push_without_a_part_of_its_signature_is_refused(
    missing: str, refusal: PushRefusal
) -> None:
    query = {name: value for name, value in TICKET_PUSH.query.items() if name != missing}
    assert read_push(PLATFORM, query, TICKET_PUSH.body, NOW) is refusal


def test_the_signature_that_does_not_cover_the_message_is_ignored() -> None:
    weak = TICKET_PUSH.query["signature"]
    changed = {**TICKET_PUSH.query, "msg_signature": weak}
    assert read_push(PLATFORM, changed, TICKET_PUSH.body, NOW) is PushRefusal.SIGNATURE
    without = {**TICKET_PUSH.query, "signature": ""}
    assert read_push(PLATFORM, without, TICKET_PUSH.body, NOW) == Ticket(NOW, TICKET)


def test_another_message_token_is_refused() -> None:
    assert (
        read(TICKET_PUSH, known_platform(COMPONENT, ["other"], [SEAL.encoding_aes_key]))
        is PushRefusal.SIGNATURE
    )
    assert (
        read(TICKET_PUSH, known_platform(COMPONENT, [], [SEAL.encoding_aes_key]))
        is PushRefusal.SIGNATURE
    )


def test_a_push_with_the_previous_message_token_is_accepted() -> None:
    both = known_platform(COMPONENT, ["newer", SEAL.message_token], [SEAL.encoding_aes_key])
    assert read(TICKET_PUSH, both) == Ticket(NOW, TICKET)


def test_a_push_with_the_previous_key_is_accepted_and_one_with_an_unknown_key_is_not() -> None:
    under_older = of(
        event(COMPONENT, "unauthorized", NOW, **OF_OWNER),
        PushKeys(COMPONENT, SEAL.message_token, OLDER_KEY),
    )
    both = known_platform(COMPONENT, [SEAL.message_token], [SEAL.encoding_aes_key, OLDER_KEY])
    assert read(under_older, both) == Unauthorized(NOW, OWNER)
    assert read(TICKET_PUSH, both) == Ticket(NOW, TICKET)
    assert read(under_older) is PushRefusal.DECRYPTION
    assert (
        read(TICKET_PUSH, known_platform(COMPONENT, [SEAL.message_token], []))
        is PushRefusal.DECRYPTION
    )


@pytest.mark.parametrize("encrypted", ["abc", "秘密", "====", "QUJD", "A" * 64], ids=ascii)
def test_a_push_that_is_signed_but_not_encrypted_is_refused(encrypted: str) -> None:
    assert read(signed(encrypted, xml({"Encrypt": encrypted}))) is PushRefusal.DECRYPTION


BOMB = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
ODD_XML = {
    "document type": b"<!DOCTYPE xml><xml><Encrypt>%s</Encrypt></xml>",
    "entity": b'<!DOCTYPE xml [<!ENTITY e "x">]><xml><Encrypt>%s</Encrypt><a>&e;</a></xml>',
    "billion laughs": b'<!DOCTYPE xml [<!ENTITY l0 "lol">'
    + BOMB.encode()
    + b"]><xml><Encrypt>%s</Encrypt><a>&l9;</a></xml>",
    "external entity": b'<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    b"<xml><Encrypt>%s</Encrypt><a>&e;</a></xml>",
    "external document type": b'<!DOCTYPE xml SYSTEM "http://127.0.0.1:1/x.dtd">'
    b"<xml><Encrypt>%s</Encrypt></xml>",
    "parameter entity": b'<!DOCTYPE xml [<!ENTITY %% p SYSTEM "http://127.0.0.1:1/"> %%p;]>'
    b"<xml><Encrypt>%s</Encrypt></xml>",
    "unknown entity": b"<xml><Encrypt>%s</Encrypt><a>&nope;</a></xml>",
    "cut off": b"<xml><Encrypt>%s</Encrypt>",
    "two roots": b"<xml><Encrypt>%s</Encrypt></xml><xml/>",
    "no root": b"%s",
    "encrypted further in": b"<xml><a><Encrypt>%s</Encrypt></a></xml>",
    "another name": b"<xml><encrypt>%s</encrypt></xml>",
    "in a namespace": b'<xml xmlns="urn:x"><Encrypt>%s</Encrypt></xml>',
    "empty": b"<xml><Encrypt> </Encrypt><a>%s</a></xml>",
    "not UTF-8": b"<xml><Encrypt>%s</Encrypt><a>\xff</a></xml>",
    "NUL": b"<xml><Encrypt>%s</Encrypt><a>\0</a></xml>",
    "JSON": b'{"Encrypt":"%s"}',
}


@pytest.mark.parametrize("oddity", ODD_XML)
def test_odd_xml_is_refused_even_if_it_is_signed(oddity: str) -> None:
    encrypted = encrypt(KEY, b"<xml/>", COMPONENT, b"r" * RANDOM_BYTES)
    assert read(signed(encrypted, ODD_XML[oddity] % encrypted.encode())) is PushRefusal.NOT_XML


@pytest.mark.parametrize("oddity", ODD_XML)
def test_odd_xml_is_refused_even_if_it_was_encrypted(oddity: str) -> None:
    posted = containing(ODD_XML[oddity] % b"x")
    assert read(posted) is PushRefusal.OTHER_PLATFORM  # none of its content is repeated


@pytest.mark.parametrize("text", ["%s", "\n%s\n", "\n<![CDATA[%s]]>\n", "<![CDATA[\n%s\n]]>"])
def test_a_body_may_have_line_breaks_and_be_without_cdata(text: str) -> None:
    encrypted = encrypt(KEY, b"<xml/>", COMPONENT, b"r" * RANDOM_BYTES)
    body = f"<xml>\n<Encrypt>{text % encrypted}</Encrypt>\n</xml>\n".encode()
    assert read(signed(encrypted, body)) is PushRefusal.OTHER_PLATFORM


def test_a_body_is_read_as_utf_8_whatever_encoding_it_declares() -> None:
    for encoding in {*aliases, *aliases.values(), "undefined", "unicode_escape", "idna", "no", ""}:
        head = f'<?xml version="1.0" encoding="{encoding}"?>'.encode()
        found = read(Posted("", TICKET_PUSH.query, head + TICKET_PUSH.body))
        assert found in {Ticket(NOW, TICKET), PushRefusal.NOT_XML}, encoding


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-32", "utf-7", "cp037", "utf-8-sig"]
)
def test_a_body_in_another_encoding_is_refused_or_read_alike(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{TICKET_PUSH.body.decode()}'
    found = read(Posted("", TICKET_PUSH.query, text.encode(encoding)))
    assert found in {Ticket(NOW, TICKET), PushRefusal.NOT_XML, PushRefusal.SIGNATURE}


@pytest.mark.parametrize("oddity", ODD_XML)
def test_no_xml_is_parsed_before_its_signature_is_verified(oddity: str) -> None:
    posted = signed("", ODD_XML[oddity] % b"x")
    has_encrypted = b"<Encrypt>x" in posted.body
    assert read(posted) is (PushRefusal.SIGNATURE if has_encrypted else PushRefusal.NOT_XML)


@pytest.mark.parametrize("piece", [b"<Encrypt>", b"</Encrypt>", b"<Encrypt></Encrypt>"])
def test_the_encrypted_element_is_parsed_once(piece: bytes) -> None:
    body = piece * 7000
    assert read(Posted("", TICKET_PUSH.query, body)) is PushRefusal.NOT_XML
    assert read(Posted("", TICKET_PUSH.query, body + TICKET_PUSH.body)) in {*PushRefusal}


@pytest.mark.parametrize("nesting", [b"<a>" * 340_000, b"<a>" * 140_000 + b"</a>" * 140_000])
def test_a_mebibyte_of_nested_elements_is_refused(nesting: bytes) -> None:
    assert read(Posted("", TICKET_PUSH.query, nesting)) is PushRefusal.NOT_XML


@pytest.mark.parametrize("flip", [1, 2, 32, 128, 255])
def test_a_change_of_any_byte_is_refused_unless_it_is_in_an_ignored_place(flip: int) -> None:
    encrypted = next(piece for piece in TICKET_PUSH.body.split(b"]]>") if b"<Encrypt>" in piece)
    encrypted = encrypted.rpartition(b"[")[2]
    for at in range(len(TICKET_PUSH.body)):
        body = bytearray(TICKET_PUSH.body)
        body[at] ^= flip
        found = read(Posted("", TICKET_PUSH.query, bytes(body)))
        ignored = found == Ticket(NOW, TICKET) and encrypted in body
        assert ignored or isinstance(found, PushRefusal), at


def test_a_truncated_push_is_refused() -> None:
    ends = range(len(TICKET_PUSH.body))
    found = {read(Posted("", TICKET_PUSH.query, TICKET_PUSH.body[:end])) for end in ends}
    assert found == {PushRefusal.NOT_XML}


@pytest.mark.parametrize("name", ["timestamp", "nonce", "msg_signature"])
@given(st.data())
def test_a_change_of_any_signed_character_is_refused(name: str, data: st.DataObject) -> None:
    right = TICKET_PUSH.query[name]
    at = data.draw(st.integers(0, len(right) - 1))
    letter = data.draw(st.characters() | st.just(""))
    wrong = right[:at] + letter + right[at + 1 :]
    found = read(Posted("", {**TICKET_PUSH.query, name: wrong}, TICKET_PUSH.body))
    assert isinstance(found, PushRefusal) == (wrong != right)


QUERIES = st.dictionaries(
    st.sampled_from(["timestamp", "nonce", "msg_signature", "signature", "encrypt_type"]),
    st.just(str(NOW)) | st.text(st.characters()),
)


@given(QUERIES, st.binary() | st.text().map(lambda text: xml({"Encrypt": text})))
def test_an_unsigned_push_is_refused_and_never_raises(query: dict[str, str], body: bytes) -> None:
    assert isinstance(read_push(PLATFORM, query, body, NOW), PushRefusal)


def test_the_secrets_of_a_push_are_not_in_its_repr() -> None:
    for posted in (TICKET_PUSH, push_of("authorized", **OF_CODE)):
        assert "made-up" not in repr(read(posted))
    assert SEAL.message_token not in repr(PLATFORM)
    assert repr(KEY) not in repr(PLATFORM)
