import pytest
from cryptography.fernet import Fernet
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.ledger.seal import Seal, Sealed

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "refreshtoken@@@made-up"
SECRETS = st.text(st.characters(exclude_categories=["Cs"]))  # UTF-8 has no surrogates

PLAIN, OLDER, NEWEST = Seal(), Seal([OLD]), Seal([NEW, OLD])


@pytest.mark.parametrize("seal", [PLAIN, OLDER, NEWEST], ids=["no key", "one key", "two keys"])
@given(secret=SECRETS)
def test_a_sealed_secret_can_be_opened(seal: Seal, secret: str) -> None:
    assert seal.decrypt(seal.encrypt(secret)) == secret


@given(secret=SECRETS.filter(lambda secret: len(secret) > 5))
def test_a_sealed_secret_cannot_be_read_without_its_key(secret: str) -> None:
    closed = OLDER.encrypt(secret)
    assert secret not in closed
    assert closed != OLDER.encrypt(secret)
    assert closed.isascii()


def test_the_repr_of_a_seal_has_no_keys() -> None:
    assert [key for key in (OLD, NEW) if key in f"{NEWEST!r} {NEWEST}"] == []


@pytest.mark.parametrize(
    ("closed", "by", "secret", "state"),
    [
        pytest.param(PLAIN, PLAIN, SECRET, Sealed.PLAIN, id="never a key"),
        pytest.param(PLAIN, OLDER, SECRET, Sealed.PLAIN, id="a key was set since"),
        pytest.param(OLDER, OLDER, SECRET, Sealed.NEWEST, id="the only key"),
        pytest.param(OLDER, NEWEST, SECRET, Sealed.OLDER, id="a new key was put first"),
        pytest.param(NEWEST, NEWEST, SECRET, Sealed.NEWEST, id="the first of two keys"),
        pytest.param(NEWEST, Seal([NEW]), SECRET, Sealed.NEWEST, id="the old key was removed"),
        pytest.param(OLDER, Seal([NEW]), None, Sealed.LOST, id="removed too early"),
        pytest.param(NEWEST, OLDER, None, Sealed.LOST, id="back to the old key alone"),
        pytest.param(OLDER, PLAIN, None, Sealed.LOST, id="all keys were removed"),
    ],
)
def test_a_secret_can_be_opened_as_long_as_its_key_is_configured(
    closed: Seal, by: Seal, secret: str | None, state: Sealed
) -> None:
    stored = closed.encrypt(SECRET)
    assert by.decrypt(stored) == secret
    assert by.state(stored) is state


@pytest.mark.parametrize("seal", [PLAIN, OLDER, NEWEST], ids=["no key", "one key", "two keys"])
def test_an_empty_column_opens_as_none(seal: Seal) -> None:
    assert seal.decrypt(None) is None


@given(at=st.integers(0, 80), letter=st.characters(exclude_categories=["Cs"]))
def test_a_corrupted_secret_opens_as_none(at: int, letter: str) -> None:
    stored = NEWEST.encrypt(SECRET)
    at += len("fernet:")
    same = {frozenset(stored[at]), frozenset("-+"), frozenset("_/")}  # base64 has two alphabets
    assume(frozenset({letter, stored[at]}) not in same)
    corrupted = stored[:at] + letter + stored[at + 1 :]
    assert NEWEST.decrypt(corrupted) is None
    assert NEWEST.state(corrupted) is Sealed.LOST


@pytest.mark.parametrize("seal", [OLDER, NEWEST], ids=["one key", "two keys"])
@given(length=st.integers(0, 200))
def test_a_truncated_secret_opens_as_none(seal: Seal, length: int) -> None:
    stored = NEWEST.encrypt(SECRET)
    assume(length < len(stored))
    assert seal.decrypt(stored[:length]) is None


@pytest.mark.parametrize("seal", [PLAIN, OLDER], ids=["no key", "a key"])
@given(stored=st.text().filter(lambda text: not text.startswith("plain:")))
def test_any_other_text_opens_as_none(seal: Seal, stored: str) -> None:
    assert seal.decrypt(stored) is None
    assert seal.state(stored) is Sealed.LOST
