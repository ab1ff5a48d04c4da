from base64 import b64decode, b64encode
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from bot.wechat.push import (
    RANDOM_BYTES,
    Decrypted,
    aes_key,
    decrypt,
    encrypt,
    signature,
)

KEY = bytes(32)
ALL_A = "A" * 43
STRAY_BITS = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
"""Two of the last character's six bits are beyond the 32 bytes, and one of them is set."""

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Vector(NamedTuple):
    """An encrypted message that WeChat has published."""

    key: str
    random: bytes
    message: bytes
    appid: str
    encrypted: str


class Signed(NamedTuple):
    """A signature that WeChat has published."""

    token: str
    timestamp: str
    nonce: str
    encrypted: str
    signature: str


# Source: developers.weixin.qq.com, oplatform, "message_push", miniprogram, "message-push", and the Java demo of the
# first page as it stands in WxJava's WxCryptUtilTest.
V1 = Vector(
    ALL_A,
    b"1205899eaf019bbd",
    b"<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName>\n"
    b"<FromUserName><![CDATA[o9AgO5Kd5ggOC-bXrbNODIiE3bGY]]></FromUserName>\n"
    b"<CreateTime>1715943329</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n"
    b"<Event><![CDATA[debug_demo]]></Event>\n<debug_str><![CDATA[hello world]]></debug_str>\n</xml>",
    "wx134c8103faa5a59e",
    "D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE//1vr7oA"
    "bqjDv8KenVp+ajKYpJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5DkyuzkhQN8OBqCzFhizGm"
    "y0xpM0MEA4agpvE+RuNO1rhHTtuJB5yltw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7Is6ookXIFxTfyeNyeHxMeT4K"
    "N5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCxgfoUlYEZPk4FUL/TK7ShriFDMVCLyjQJ15Ob++agDWtcxhfU"
    "fe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmdnX4zrF6kIaR9P4xQrWXbsTFHTYe0Mg==",
)
V2 = Vector(
    ALL_A,
    b"",  # not on the page; taken from the message
    b'{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY",'
    b'"CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}',
    "wxba5fad812f8e6fb9",
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzD"
    "pVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2I"
    "uQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F"
    "9mFUPAJGj04=",
)
V4 = Vector(
    STRAY_BITS,
    b"aaaabbbbccccdddd",
    "我是中文abcd123".encode(),
    "wxb11529c136998cb6",
    "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==",
)
VECTORS = {"V1": V1, "V2": V2, "V4": V4}

SIGNED = {
    "V1": Signed(
        "AAAAA",
        "1715943329",
        "1590219412",
        V1.encrypted,
        "6c12a4205838198b8fa631b3220723bb07f1015c",
    ),
    "V2": Signed(
        "AAAAA",
        "1714112445",
        "415670741",
        V2.encrypted,
        "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
    ),
    "V1-without-a-message": Signed(
        "AAAAA", "1715943329", "1590219412", "", "cc0c594499c1634947d5b502f158ee518947db27"
    ),
    "first-check-of-an-address": Signed(
        "AAAAA", "1714036504", "1514711492", "", "f464b24fc39322e44b38aa78f5edd27bd1441696"
    ),
    "second-check-of-an-address": Signed(
        "AAAAA", "1714037059", "486452656", "", "899cf89e464efb63f54ddac96b0a0a235f53aa78"
    ),
}


def opened(key: bytes, encrypted: str) -> bytes:
    """Decrypt with AES only; return the plaintext with its padding."""
    decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
    return decryptor.update(b64decode(encrypted)) + decryptor.finalize()


def closed(key: bytes, padded: bytes) -> str:
    """Encrypt bytes with any padding, with AES only."""
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    return b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


@pytest.mark.parametrize("name", VECTORS)
def test_wechats_published_messages_are_decrypted_exactly(name: str) -> None:
    vector = VECTORS[name]
    found = decrypt(aes_key(vector.key), vector.encrypted)
    assert found == Decrypted(vector.message, vector.appid)


@pytest.mark.parametrize("name", VECTORS)
def test_wechats_published_messages_are_encrypted_exactly(name: str) -> None:
    vector = VECTORS[name]
    key = aes_key(vector.key)
    random = vector.random or opened(key, vector.encrypted)[:RANDOM_BYTES]
    assert encrypt(key, vector.message, vector.appid, random) == vector.encrypted


@pytest.mark.parametrize("name", SIGNED)
def test_wechats_published_messages_are_signed_exactly(name: str) -> None:
    *parts, published = SIGNED[name]
    assert signature(*parts) == published


@pytest.mark.parametrize("name", VECTORS)
def test_a_truncated_message_is_refused(name: str) -> None:
    vector = VECTORS[name]
    key = aes_key(vector.key)
    assert {decrypt(key, vector.encrypted[:at]) for at in range(len(vector.encrypted))} == {None}


@pytest.mark.parametrize("padding", range(1, 33))
def test_a_padding_of_each_length_is_written_and_read(padding: int) -> None:
    message = b"m" * (64 - RANDOM_BYTES - len("\0\0\0\0wx134c8103faa5a59e") - padding + 32)
    encrypted = encrypt(KEY, message, "wx134c8103faa5a59e", b"r" * RANDOM_BYTES)
    assert opened(KEY, encrypted)[-padding - 1 :] == b"e" + bytes([padding]) * padding
    assert decrypt(KEY, encrypted) == Decrypted(message, "wx134c8103faa5a59e")


@pytest.mark.parametrize(
    "padding",
    [b"\0" * 12, b"\x21" * 12, b"\xff" * 12, b"\x0b" + b"\x0c" * 11, b"\x0c" * 11 + b"\x0d", b""],
    ids=repr,
)
def test_an_invalid_padding_is_refused(padding: bytes) -> None:
    plain = b"r" * RANDOM_BYTES + b"\0\0\0\x0e" + b"m" * 14 + b"wx134c8103faa5a59e"  # 52 bytes
    assert decrypt(KEY, closed(KEY, plain + b"\x0c" * 12)) is not None
    assert decrypt(KEY, closed(KEY, (plain + padding).ljust(64, b"."))) is None


def test_a_padding_to_16_byte_blocks_is_refused() -> None:
    plain = b"r" * RANDOM_BYTES + b"\0\0\0\x02mm" + b"wx134c8103faa5a59e"  # 40 bytes
    assert decrypt(KEY, closed(KEY, plain + b"\x18" * 24)) is not None
    assert decrypt(KEY, closed(KEY, plain + b"\x08" * 8)) is None


@pytest.mark.parametrize("length", [b"\0\0\0\x23", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"])
def test_a_length_beyond_the_plaintext_is_refused(length: bytes) -> None:
    plain = b"r" * RANDOM_BYTES + length + b"m" * 34  # 54 bytes
    assert decrypt(KEY, closed(KEY, plain + b"\x0a" * 10)) is None


def test_a_plaintext_shorter_than_its_head_is_refused() -> None:
    assert decrypt(KEY, closed(KEY, b"r" * 19 + b"\x0d" * 13)) is None


def test_an_appid_that_is_not_text_is_refused() -> None:
    plain = b"r" * RANDOM_BYTES + b"\0\0\0\0" + b"\xff" * 12
    assert decrypt(KEY, closed(KEY, plain + b"\x20" * 32)) is None


@given(
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=300),
    st.text(max_size=40),
    st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES),
)
def test_an_encrypted_message_decrypts_to_itself(
    key: bytes, message: bytes, appid: str, random: bytes
) -> None:
    assert decrypt(key, encrypt(key, message, appid, random)) == Decrypted(message, appid)


@given(st.text(st.characters()) | st.binary().map(lambda some: b64encode(some).decode()))
def test_any_other_bytes_are_refused_and_never_raise(encrypted: str) -> None:
    assert decrypt(KEY, encrypted) is None


@given(st.integers(0, 42), st.sampled_from(BASE64))
def test_another_key_decrypts_nothing(at: int, letter: str) -> None:
    other = aes_key(V4.key[:at] + letter + V4.key[at + 1 :])
    found = decrypt(other, V4.encrypted)
    assert (found is None) == (other != aes_key(V4.key))


@pytest.mark.parametrize("last", "EFGH")
def test_stray_bits_at_the_end_of_a_key_are_ignored(last: str) -> None:
    assert aes_key(STRAY_BITS[:-1] + last) == aes_key(STRAY_BITS)


@given(st.text(BASE64, min_size=43, max_size=43))
def test_each_key_of_43_letters_is_32_bytes(encoding_aes_key: str) -> None:
    assert len(aes_key(encoding_aes_key)) == 32


def test_a_decrypted_message_is_not_in_the_repr() -> None:
    assert "debug_demo" not in repr(decrypt(aes_key(V1.key), V1.encrypted))
