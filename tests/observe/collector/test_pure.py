import json
from base64 import b64decode

import pytest

from bot.ledger.events import TYPED
from bot.observe.collector.cloudevents import cloud_event
from bot.observe.collector.signature import webhook_headers

ROW: dict[str, object] = {
    "id": 7,
    "at": 1764725166.1234,
    "kind": "dry run",
    "request": "7kq2mhx4",
    "team": "T1",
    "env": "prod-1",
    "rule": None,
    "detail": "fact",
    "reason": "typed reason",
    "comment": "typed comment",
}


def test_a_row_becomes_an_event_of_cloudevents() -> None:
    assert cloud_event(ROW, text=False) == {
        "specversion": "1.0",
        "id": "7-1764725166123",
        "source": "/share-env-bot/T1",
        "type": "share_env.dry_run",
        "subject": "7kq2mhx4",
        "time": "2025-12-03T01:26:06.123Z",
        "datacontenttype": "application/json",
        "data": {
            "kind": "dry run",
            "request": "7kq2mhx4",
            "team": "T1",
            "env": "prod-1",
            "detail": "fact",
        },
    }


@pytest.mark.parametrize("kind", sorted(TYPED))
def test_what_people_typed_is_sent_only_if_asked(kind: str) -> None:
    row = ROW | {"kind": kind, "detail": "typed detail"}
    assert "typed" not in json.dumps(cloud_event(row, text=False))
    assert json.dumps(cloud_event(row, text=True)).count("typed") == 3


def test_a_message_is_signed_as_the_published_vector_is() -> None:
    # github.com/svix/svix-webhooks, "go/webhook_test.go" (TestWebhookSign), whose scheme Standard Webhooks is.
    key = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    assert webhook_headers(message, 1614265330.0, body, key) == {
        "webhook-id": message,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_without_a_key_a_message_is_not_signed() -> None:
    assert webhook_headers("7-9", 1.0, b"[]", None) == {
        "webhook-id": "7-9",
        "webhook-timestamp": "1",
    }
