from collections.abc import Sequence
from typing import Any

import pytest

from bot.domain.request import Click
from bot.messages.blocks import Posted, read_ref, ref_of
from bot.slack.payloads import click_of, decision_of, is_private
from tests.command.test_tokenizer import LOOK_BLANK

# Places of messages, as stored in the ledger.


@pytest.mark.parametrize(
    ("posted", "ref"),
    [
        ([Posted("C1", "1.5")], "C1/1.5"),
        ([Posted("C1", "1.5", "1.2")], "C1/1.5/1.2"),
        ([Posted("C1", "1.5"), Posted("D2", "1.6", "1.3")], "C1/1.5 D2/1.6/1.3"),
    ],
)
def test_a_place_is_read_back_as_it_was_written(posted: Sequence[Posted], ref: str) -> None:
    assert ref_of(*posted) == ref
    assert [(at.channel, at.ts, at.root) for at in read_ref(ref)] == [
        (at.channel, at.ts, at.root) for at in posted
    ]


@pytest.mark.parametrize("ref", [None, "", "private"])
def test_a_text_that_is_no_place_is_read_as_none(ref: str | None) -> None:
    assert read_ref(ref) == []


# Clicks.


def fact(click: Click, name: str) -> object:
    """Return a field of a click or of its origin."""
    return getattr(click if hasattr(click, name) else click.origin, name)


BODY: dict[str, Any] = {
    "user": {"id": "U1", "team_id": "T1"},
    "team": {"id": "T1"},
    "trigger_id": "1.2.x",
    "response_url": "https://hooks.example/1",
    "channel": {"id": "C1", "name": "releases"},
    "message": {"ts": "1.5"},
    "container": {"type": "message", "message_ts": "1.5", "channel_id": "C1"},
    "actions": [{"action_id": "approve", "value": "r1"}],
}


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        pytest.param(
            {"container": {"is_ephemeral": True, "channel_id": "C1"}},
            {"message": None},
            id="ephemeral, with its message",
        ),
        pytest.param(
            {"user": {"id": "U1", "team_id": "T2"}},
            {"team_id": "T1"},
            id="another team of their own",
        ),
        pytest.param({"user": {"id": "U1"}}, {"team_id": "T1"}, id="no team of their own"),
        pytest.param(
            {"team": {"id": "T2"}, "view": {"app_installed_team_id": "T1"}},
            {"team_id": "T1"},
            id="a view opened from another workspace",
        ),
        pytest.param(
            {"team": None, "user": {"id": "U1", "team_id": "T1"}},
            {"team_id": "T1"},
            id="no team but their own",
        ),
        pytest.param({}, {"organisation": ""}, id="no organisation"),
        pytest.param(
            {"enterprise": {"id": "E1"}},
            {"team_id": "T1", "organisation": "E1"},
            id="in an organisation",
        ),
        pytest.param(
            {
                "team": None,
                "enterprise": {"id": "E1"},
                "view": {"team_id": "T2", "app_installed_team_id": "E1"},
            },
            {"team_id": "T2", "organisation": "E1"},
            id="a view in an organisation",
        ),
        pytest.param(
            {"team": {"id": "E1"}, "enterprise": {"id": "E1"}, "user": {"id": "U1"}},
            {"team_id": ""},
            id="an organisation is no workspace",
        ),
        pytest.param({"actions": [{"action_id": "approve"}]}, {"request_id": ""}, id="no value"),
        pytest.param({}, {"request_id": "r1", "reason": None}, id="no reason"),
        pytest.param(
            {"actions": [{"action_id": "again", "value": "r1 a <b> & c"}]},
            {"request_id": "r1", "reason": "a <b> & c"},
            id="a reason",
        ),
        pytest.param(
            {"actions": [{"action_id": "again", "value": "r1 a &lt;b&gt; &amp; c"}]},
            {"request_id": "r1", "reason": "a <b> & c"},
            id="a reason, escaped",
        ),
    ],
)
def test_a_click_is_read_whatever_else_its_payload_has(
    changes: dict[str, Any], read: dict[str, str | None]
) -> None:
    click = click_of({**BODY, **changes})
    assert {name: fact(click, name) for name in read} == read
    assert (click.origin.user_id, click.origin.trigger_id) == ("U1", "1.2.x")


def test_a_direct_message_may_be_replaced_by_a_reply_since_nobody_else_sees_it() -> None:
    assert is_private(click_of({**BODY, "channel": {"id": "D1"}}))


@pytest.mark.parametrize(
    ("metadata", "read"),
    [
        ("r1 C1/1.5", {"message": "C1/1.5", "channel_id": "C1", "active_thread": ""}),
        ("r1 C1/1.7/1.5", {"message": "C1/1.7/1.5", "channel_id": "C1", "active_thread": "1.5"}),
        ("r1", {"message": None, "channel_id": "", "active_thread": ""}),
    ],
    ids=["message", "in a thread", "App Home"],
)
def test_a_decision_is_read_as_a_click_at_the_place_of_its_button(
    metadata: str, read: dict[str, str | None]
) -> None:
    values = {"comment": {"comment": {"value": " fi\u202ene\u200b\x00 "}}}
    view = {"id": "V1", "hash": "2.x", "private_metadata": metadata, "state": {"values": values}}
    body = {"user": {"id": "U2"}, "team": {"id": "T1"}, "enterprise": {"id": "E1"}, "view": view}
    click = decision_of(body)
    assert click.organisation == "E1"
    assert {name: fact(click, name) for name in read} == read
    assert (click.request_id, click.origin.user_id, click.comment) == ("r1", "U2", "fine")
    assert click.origin.trigger_id == "V1 2.x"


@pytest.mark.parametrize("blank", LOOK_BLANK.values(), ids=LOOK_BLANK)
def test_a_comment_that_looks_blank_is_none(blank: str) -> None:
    values = {"comment": {"comment": {"value": blank}}}
    view = {"id": "V1", "private_metadata": "r1", "state": {"values": values}}
    click = decision_of({"user": {"id": "U2"}, "team": {"id": "T1"}, "view": view})
    assert click.comment is None
