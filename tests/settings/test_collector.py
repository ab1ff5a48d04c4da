from base64 import b64encode

import pytest

from bot.settings.access import CollectorSettings, read_collector
from bot.settings.environ import Reader

URL = "https://siem.example/events"
KEY = b"made-up-key-of-a-webhook"
SECRET = f"whsec_{b64encode(KEY).decode()}"


def test_the_collector_is_read_from_its_settings() -> None:
    read = Reader({"AUDIT_URL": URL, "AUDIT_SECRET": SECRET, "AUDIT_INCLUDE_TEXT": "1"})
    expected = CollectorSettings(url=URL, authorization=None, key=KEY, include_text=True)
    assert (read_collector(read), read.problems) == (expected, [])
    assert read_collector(Reader({})) is None


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"AUDIT_URL": "http://siem.example/"}, "AUDIT_URL"),
        ({"AUDIT_SECRET": SECRET}, "AUDIT_URL"),
        ({"AUDIT_URL": URL, "AUDIT_SECRET": SECRET.removeprefix("whsec_")}, "AUDIT_SECRET"),
        ({"AUDIT_URL": URL, "AUDIT_SECRET": "whsec_c2hvcnQ="}, "AUDIT_SECRET"),
        ({"AUDIT_URL": URL, "AUDIT_SECRET": "whsec_密"}, "AUDIT_SECRET"),
        ({"AUDIT_URL": URL, "AUDIT_INCLUDE_TEXT": "maybe"}, "AUDIT_INCLUDE_TEXT"),
    ],
)
def test_a_wrong_setting_is_named_without_showing_a_secret(
    environ: dict[str, str], name: str
) -> None:
    read = Reader(environ)
    assert read_collector(read) is None
    (problem,) = read.problems
    assert name in problem
    assert KEY.decode() not in problem
    assert SECRET.removeprefix("whsec_") not in problem
