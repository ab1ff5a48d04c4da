import re
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.server import LocalSlack
from tests.conftest import Clock, opened
from tests.playground.conftest import (
    App,
    a_trigger,
    asks,
    buttons,
    error_of,
    home,
    line,
    modal,
    option,
    plain,
)


def boxes(*options: dict[str, Any]) -> dict[str, Any]:
    return {"type": "checkboxes", "options": [*options]}


SECTION = {"type": "section", "text": plain("x")}


async def sent_back(slack: LocalSlack, api: AsyncWebClient, view: dict[str, Any]) -> dict[str, Any]:
    answer = await api.views_open(trigger_id=a_trigger(slack), view=view)
    return dict(answer["view"])


async def test_a_modal_opens_for_the_person_behind_the_trigger(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("ask")
    ack = await slack.shortcut("U0SECOND", "ask")
    shown = (await api.views_open(trigger_id=ack.trigger_id, view=modal(SECTION)))["view"]
    view = await opened(slack, "U0SECOND")
    assert slack.modal("U0REQUESTER") is None
    assert shown["id"] == view.id
    assert shown["private_metadata"] == ""
    assert (view.kind, view.body["callback_id"]) == ("modal", "form")
    assert view.blocks[0]["block_id"]


async def test_a_view_has_slacks_fields_and_another_hash_after_each_update(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    first = await sent_back(slack, api, modal(asks("appid", line("appid"))))
    assert re.fullmatch(r"\d+\.[0-9a-f]{8}", first["hash"])
    assert (first["root_view_id"], first["previous_view_id"]) == (first["id"], None)
    assert first["external_id"] == ""
    assert (first["clear_on_close"], first["notify_on_close"]) == (False, False)
    app.acks("form", response_action="errors", errors={"appid": "no"})
    for _ in range(2):
        await slack.submit("U0SECOND", await opened(slack, "U0SECOND"), {"appid": "wx1"})
    assert [body["view"]["hash"] for body in app.bodies] == [first["hash"]] * 2
    user, shown = "U0REQUESTER", home(SECTION)
    hashes = {(await api.views_publish(user_id=user, view=shown))["view"]["hash"] for _ in "12"}
    assert len(hashes) == 2


async def test_a_trigger_id_is_valid_once_and_for_three_seconds(
    slack: LocalSlack, api: AsyncWebClient, clock: Clock
) -> None:
    used, late, last = a_trigger(slack), a_trigger(slack), a_trigger(slack)
    await api.views_open(trigger_id=used, view=modal())
    clock.now += 2.9
    await api.views_open(trigger_id=last, view=modal())
    clock.now += 0.1
    errors = {used: "exchanged_trigger_id", late: "expired_trigger_id"}
    errors |= {"1.2.unknown": "invalid_trigger_id", "": "invalid_arguments"}
    for trigger, error in errors.items():
        assert await error_of(api.views_open(trigger_id=trigger, view=modal())) == error


async def test_a_commands_trigger_opens_a_modal(slack: LocalSlack, api: AsyncWebClient) -> None:
    ack = await slack.command("U0SECOND", "C0RELEASES", "")
    await api.views_open(trigger_id=ack.trigger_id, view=modal())
    assert slack.modal("U0SECOND")


@pytest.mark.parametrize(
    ("view", "problem", "at"),
    [
        (modal(title=plain("x" * 25)), "less than 25", "/view/title/text"),
        (modal(submit=plain("x" * 25)), "less than 25", "/view/submit/text"),
        (modal(close=plain("x" * 25)), "less than 25", "/view/close/text"),
        (modal(private_metadata="x" * 3001), "less than 3001", "/view/private_metadata"),
        (modal(callback_id="x" * 256), "less than 256", "/view/callback_id"),
        (modal(*[SECTION] * 101), "more than 100 items", "/view/blocks"),
        (modal(type="home"), "valid enum value (modal)", "/view/type"),
        (modal(notify_on_close=True), "property: notify_on_close", "/view"),
        (modal({"type": "marquee"}), "unsupported type", "/view/blocks/0/type"),
        (modal(*buttons("a"), *buttons("b")), "'b' already exists", "/view/blocks/1/block_id"),
        (
            {k: v for k, v in modal(asks("name", line("n"))).items() if k != "submit"},
            "must define `submit`",
            "/view",
        ),
        ({"type": "modal", "blocks": []}, "missing required field: title", "/view"),
        (modal(asks("name", buttons("a")[0]["elements"][0])), "type: button", "/element/type"),
        (modal(asks("b", boxes())), "less than 1 items", "/element/options"),
        (modal(asks("b", boxes(*[option("a")] * 11))), "more than 10", "/element/options"),
        (modal(asks("b", boxes(option("a", "x" * 76)))), "less than 76", "/options/0/text/text"),
        (modal(asks("b", boxes(option("x" * 151, "x")))), "less than 151", "/options/0/value"),
        (modal(asks("name", line("n", max_length=3001))), "1 and 3000", "/element/max_length"),
        (modal(asks("name", line("n", max_length="1"))), "an integer", "/element/max_length"),
    ],
)
async def test_an_invalid_modal_is_refused(
    slack: LocalSlack, api: AsyncWebClient, view: dict[str, Any], problem: str, at: str
) -> None:
    with pytest.raises(SlackApiError) as caught:
        await sent_back(slack, api, view)
    answer = caught.value.response
    [message] = answer["response_metadata"]["messages"]
    assert answer["error"] == "invalid_arguments"
    assert problem in message
    assert message.endswith(f"{at}]")
    assert slack.modal("U0SECOND") is None


async def test_a_view_must_be_given_and_not_be_huge(slack: LocalSlack, api: AsyncWebClient) -> None:
    none = api.api_call("views.open", json={"trigger_id": a_trigger(slack)})
    assert await error_of(none) == "invalid_arguments"
    sections = [{"type": "section", "text": plain("x" * 3000)} for _ in range(90)]
    huge = api.views_open(trigger_id=a_trigger(slack), view=modal(*sections))
    assert await error_of(huge) == "view_too_large"


async def test_a_home_is_published_to_one_person(slack: LocalSlack, api: AsyncWebClient) -> None:
    first = (await api.views_publish(user_id="U0CHINESE", view=home(SECTION)))["view"]
    await api.views_publish(user_id="U0CHINESE", view=home())
    view = slack.home("U0CHINESE")
    assert view is not None
    assert (view.id, view.blocks) == (first["id"], [])
    assert slack.home("U0SECOND") is None
    for user, wrong in (("U0GONE", home()), ("U0SECOND", modal())):
        call = api.views_publish(user_id=user, view=wrong)
        assert await error_of(call) == "invalid_arguments"


async def test_input_blocks_are_allowed_in_views_only(api: AsyncWebClient) -> None:
    blocks = [asks("name", line("name"))]
    call = api.chat_postMessage(channel="C0RELEASES", text="x", blocks=blocks)
    assert await error_of(call) == "invalid_blocks"
    await api.views_publish(user_id="U0SECOND", view=home(*blocks))


async def test_an_observer_sees_each_change_of_a_view(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    seen: list[str] = []
    slack.on_view = lambda view, change: seen.append(f"{view.kind} {change}")
    app.acks("form", response_action="errors", errors={"a": "no"})
    app.acks("again", response_action="update", view=modal())
    for form in ("form", "again"):
        await sent_back(slack, api, modal(asks("a", line("a")), callback_id=form))
        await slack.submit("U0SECOND", await opened(slack, "U0SECOND"), {"a": "x"})
    slack.close("U0SECOND", await opened(slack, "U0SECOND"))
    await api.views_publish(user_id="U0SECOND", view=home())
    assert seen == [
        "modal opened",
        "modal refused",
        "modal opened",
        "modal updated",
        "modal closed",
        "home published",
    ]
