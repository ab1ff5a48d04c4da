import pytest

from bot.slack.payloads import KINDS, kind_of


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"command": "/share-env", "text": "help"}, "command"),
        ({"type": "block_actions", "actions": []}, "click"),
        ({"type": "block_suggestion"}, "options"),
        ({"type": "event_callback", "event": {}}, "event"),
        ({"type": "shortcut"}, "shortcut"),
        ({"type": "message_action"}, "shortcut"),
        ({"type": "view_submission", "view": {}}, "form"),
        ({"type": "view_closed"}, "other"),
        ({"type": ["not", "text"]}, "other"),
        ({}, "other"),
    ],
)
def test_a_payload_is_of_one_of_a_few_kinds(payload: dict[str, object], kind: str) -> None:
    assert kind_of(payload) == kind
    assert kind in KINDS
