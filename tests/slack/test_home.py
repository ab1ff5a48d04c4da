"""When pages are published: at once when opened, soon after a change, not too often, and only to people who look."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.messages.blocks import message
from bot.playground.faults import Code, Drop, Fault, RateLimited, Slow, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.world import TEAM
from bot.runtime.clock import Runtime
from bot.runtime.tasks import current_request_id, log_request
from bot.slack.api import SlackApi
from bot.slack.home import LATELY, Homes
from bot.slack.listeners import App
from bot.slack.socket_mode import socket_mode
from bot.workflow.home import Page
from tests.conftest import REQUESTER, Clock, Sleep, calls_of, request_of, soon
from tests.languages import ENGLISH
from tests.slack.echo import Echo

APPROVER = "U0APPROVER"
PUBLISH = "views.publish"
PAUSE, GAP = 0.05, 0.001


class NumberedPages:
    """Pages with numbers; only the approver decides about others' requests."""

    def __init__(self) -> None:
        self.made = 0
        self.teams: list[str] = []
        self.slow = 0.0
        self.logged_under: set[str | None] = set()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.broken = False

    async def page(self, team_id: str, user_id: str) -> Page:
        """Return the next page."""
        self.made += 1
        self.teams.append(team_id)
        self.logged_under.add(current_request_id())
        said = message(f"page {self.made} of {user_id}")
        await asyncio.sleep(self.slow)
        await self.go_on.wait()
        if self.broken:
            raise ValueError(user_id)
        return Page(said, decides=user_id == APPROVER)


@pytest.fixture
def pages() -> NumberedPages:
    return NumberedPages()


@pytest.fixture
async def homes(
    slack: LocalSlack, client: AsyncWebClient, api: SlackApi, pages: NumberedPages, clock: Clock
) -> AsyncIterator[Homes]:
    """The published pages of a workspace, with pauses short enough for a test."""
    homes = Homes(api, pages.page, clock, asyncio.sleep, PAUSE, GAP)
    async with listening(slack, client, homes):
        yield homes
    await homes.close()


@asynccontextmanager
async def listening(slack: LocalSlack, client: AsyncWebClient, homes: Homes) -> AsyncIterator[None]:
    identity = {"user_id": slack.world.bot_user_id, "team_id": TEAM, "bot_id": slack.world.bot_id}
    echo = Echo()
    app = App(
        client,
        identity,
        ENGLISH,
        echo.command,
        echo.open,
        homes.listen,
        send=echo.send,
        clock=time.monotonic,
        new_reference=lambda: "0badc0de",
    )
    socket = socket_mode(app, slack.world.app_token, None, Runtime())
    assert await socket.open()
    try:
        yield
    finally:
        await socket.close()


def text(slack: LocalSlack, user: str = REQUESTER) -> str:
    home = slack.home(user)
    return str(home.blocks[0]["text"]) if home else ""


def published(slack: LocalSlack) -> int:
    return calls_of(slack, PUBLISH)


async def opened(slack: LocalSlack, user: str = REQUESTER) -> None:
    """Open a page and wait until it is published."""
    before = published(slack)
    ack = await slack.open_home(user)
    assert ack.error is None
    await slack.until(lambda slack: published(slack) > before)
    await soon(lambda: text(slack, user))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the bot's own log messages."""
    return [record.message for record in caplog.records if record.name.startswith("bot.")]


async def quiet() -> None:
    """Wait until no page is due or being published."""
    await soon(lambda: not any("Homes." in repr(t.get_coro()) for t in asyncio.all_tasks()))


@pytest.mark.usefixtures("homes")
async def test_a_page_is_published_when_it_is_opened(slack: LocalSlack) -> None:
    await opened(slack)
    assert "page 1 of U0REQUESTER" in text(slack)
    await opened(slack)
    assert "page 2 of U0REQUESTER" in text(slack)


async def test_opening_the_messages_tab_publishes_no_page(slack: LocalSlack, homes: Homes) -> None:
    ack = await slack.open_home(REQUESTER, "messages")
    assert ack.error is None
    await opened(slack, "U0SECOND")
    homes.changed(request_of(slack))
    await quiet()
    assert (published(slack), text(slack)) == (1, "")


@pytest.mark.usefixtures("homes")
async def test_the_ack_does_not_wait_for_the_page(slack: LocalSlack, pages: NumberedPages) -> None:
    pages.go_on.clear()
    ack = await slack.open_home(REQUESTER)
    assert ack.error is None
    assert published(slack) == 0
    pages.go_on.set()
    await soon(lambda: text(slack))


async def test_a_change_is_published_to_the_requester_and_to_those_who_decide(
    slack: LocalSlack, homes: Homes
) -> None:
    for user in (REQUESTER, APPROVER, "U0SECOND"):
        await opened(slack, user)
    homes.changed(request_of(slack))
    await quiet()
    assert published(slack) == 5
    assert "page 3" in text(slack, "U0SECOND")
    shown = text(slack) + text(slack, APPROVER)
    assert all(number in shown for number in ("page 4", "page 5"))


async def test_the_same_user_id_in_another_workspace_is_another_person(
    slack: LocalSlack, homes: Homes
) -> None:
    await opened(slack)
    asked = request_of(slack)
    homes.changed(replace(asked, origin=replace(asked.origin, team_id="T0ELSEWHERE")))
    await quiet()
    assert published(slack) == 1


async def test_a_person_has_one_page_which_is_of_the_workspace_where_they_opened_it_last(
    slack: LocalSlack, homes: Homes, pages: NumberedPages
) -> None:
    await opened(slack)
    homes.publish_for("T0ELSEWHERE", REQUESTER)
    await quiet()
    assert pages.teams == [TEAM, "T0ELSEWHERE"]
    homes.changed()
    await quiet()
    assert pages.teams == [TEAM, "T0ELSEWHERE", "T0ELSEWHERE"]
    assert published(slack) == 3


async def test_a_change_while_a_page_is_being_made_is_published_after_it(
    slack: LocalSlack, homes: Homes, pages: NumberedPages
) -> None:
    pages.slow = 0.1
    await slack.open_home(REQUESTER)
    await soon(lambda: pages.made == 1)
    homes.changed(request_of(slack))  # before the person is looked up
    await soon(lambda: "page 2" in text(slack))
    assert published(slack) == 2


async def test_an_older_page_is_never_published_after_a_newer_one(
    slack: LocalSlack, homes: Homes, pages: NumberedPages
) -> None:
    pages.slow = 0.05
    homes.publish_for(TEAM, REQUESTER)
    await soon(lambda: pages.made == 1)
    pages.slow = 0.0
    for _ in range(20):
        homes.publish_for(TEAM, REQUESTER)
    await quiet()
    assert pages.made == published(slack) == 2
    assert "page 2 of" in text(slack)


async def test_changes_in_quick_succession_wait_for_one_pause(
    slack: LocalSlack, client: AsyncWebClient, pages: NumberedPages
) -> None:
    sleep = Sleep()
    homes = Homes(SlackApi(client, sleep), pages.page, Clock(), sleep)
    async with listening(slack, client, homes):
        await opened(slack)
        for _ in range(20):
            homes.changed(request_of(slack))
        await quiet()
    await homes.close()
    assert sleep.naps == [2.0, 0.6]


async def test_a_change_of_everything_refreshes_every_page(slack: LocalSlack, homes: Homes) -> None:
    people = REQUESTER, APPROVER, "U0SECOND"
    for person in people:
        await opened(slack, person)
    homes.changed()
    await quiet()
    assert published(slack) == 2 * len(people)


@pytest.mark.parametrize(
    "fault",
    [Status(503), Drop(), RateLimited(1), RateLimited(90), Slow(5)],
    ids=["away", "dropped", "rate limit", "long rate limit", "slow"],
)
async def test_a_page_that_slack_does_not_take_holds_up_no_others(
    slack: LocalSlack, client: AsyncWebClient, pages: NumberedPages, fault: Fault
) -> None:
    back = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await (asyncio.sleep(0.01) if seconds in {PAUSE, GAP} else back.wait())

    def calls(user: str) -> int:
        return sum(c.method == PUBLISH and c.args["user_id"] == user for c in slack.calls)

    def others_have(times: int) -> bool:
        return all(calls(each) == times for each in others)

    others = APPROVER, "U0SECOND", "U0CHINESE"
    homes = Homes(SlackApi(client, sleep), pages.page, Clock(), sleep, PAUSE, GAP)
    async with listening(slack, client, homes):
        for person in (REQUESTER, *others):
            await opened(slack, person)
        slack.fail(PUBLISH, fault, user_id=REQUESTER)
        for change in (2, 3):
            homes.changed()
            await soon(partial(others_have, change))
            assert calls(REQUESTER) == 2
        slack.clear(PUBLISH)
        back.set()
        await soon(lambda: f"page {pages.made} of" in text(slack))
        await quiet()
    await homes.close()
    assert others_have(3)


async def test_the_log_lines_of_a_refresh_are_not_those_of_the_request_that_changed_first(
    slack: LocalSlack, homes: Homes, pages: NumberedPages
) -> None:
    await opened(slack)
    with log_request("request1"):
        homes.changed(request_of(slack))
    await quiet()
    assert pages.made == 2
    assert pages.logged_under == {None}


async def test_nothing_is_published_to_people_who_do_not_look(
    slack: LocalSlack, homes: Homes
) -> None:
    for _ in range(50):
        homes.changed(request_of(slack))
    await quiet()
    assert published(slack) == 0


async def test_a_person_who_has_not_looked_for_an_hour_gets_no_more_pages(
    slack: LocalSlack, homes: Homes, clock: Clock
) -> None:
    await opened(slack)
    clock.now += LATELY - 1
    await opened(slack, APPROVER)
    clock.now += 2
    homes.changed(request_of(slack))
    await quiet()
    assert published(slack) == 3
    assert "page 1" in text(slack)
    await opened(slack)
    assert "page 4" in text(slack)


@pytest.mark.parametrize(
    ("faults", "naps"),
    [
        ([RateLimited(1)], [1.0]),
        ([RateLimited(90)], [90.0]),
        ([Status(503)], [2.0]),
        ([Drop(after_effect=True), Status(503)], [2.0, 8.0]),
    ],
)
async def test_an_error_of_slack_delays_a_page(
    slack: LocalSlack,
    client: AsyncWebClient,
    pages: NumberedPages,
    caplog: pytest.LogCaptureFixture,
    faults: list[Fault],
    naps: list[float],
) -> None:
    sleep = Sleep()
    homes = Homes(SlackApi(client, sleep), pages.page, Clock(), sleep)
    async with listening(slack, client, homes):
        slack.fail(PUBLISH, *faults)
        await slack.open_home(REQUESTER)
        await quiet()
    await homes.close()
    assert f"page {pages.made}" in text(slack)
    assert (sleep.naps, said(caplog)) == (naps, [])


async def test_a_page_that_slack_does_not_take_comes_at_the_next_opening_at_once(
    slack: LocalSlack, client: AsyncWebClient, pages: NumberedPages
) -> None:
    away, back = asyncio.Event(), asyncio.Event()

    async def until_back(_: float) -> None:
        away.set()
        await back.wait()

    homes = Homes(SlackApi(client, until_back), pages.page, Clock(), until_back)
    async with listening(slack, client, homes):
        slack.fail(PUBLISH, Status(503))
        await slack.open_home(REQUESTER)
        await away.wait()
        await opened(slack)
        back.set()
        await quiet()
    await homes.close()
    assert published(slack) == 2  # the first page is not published over the second


async def test_many_openings_while_slack_is_away_are_tried_again_as_one(
    slack: LocalSlack, client: AsyncWebClient, pages: NumberedPages, clock: Clock
) -> None:
    away, back = asyncio.Queue[float](), asyncio.Event()

    async def until_back(seconds: float) -> None:
        away.put_nowait(seconds)
        await back.wait()

    homes = Homes(SlackApi(client, until_back), pages.page, clock, until_back)
    async with listening(slack, client, homes):
        slack.fail(PUBLISH, Status(503), times=None)
        for _ in range(3):
            clock.now += 1
            await slack.open_home(REQUESTER)
            await away.get()
        back.set()
        await quiet()
    await homes.close()
    assert published(slack) == 3 + 3


@pytest.mark.parametrize(
    ("fault", "tries"), [(Code("not_enabled"), 1), (Status(503), 4)], ids=["refused", "away"]
)
async def test_a_page_that_slack_never_takes_is_logged_and_given_up(
    slack: LocalSlack,
    client: AsyncWebClient,
    pages: NumberedPages,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    tries: int,
) -> None:
    sleep = Sleep()
    homes = Homes(SlackApi(client, sleep), pages.page, Clock(), sleep)
    async with listening(slack, client, homes):
        slack.fail(PUBLISH, fault, times=None)
        await slack.open_home(REQUESTER)
        await soon(lambda: said(caplog))
    await homes.close()
    assert (published(slack), said(caplog)) == (tries, ["an App Home was not shown"])


async def test_a_page_that_raises_does_not_affect_other_people(
    slack: LocalSlack, homes: Homes, pages: NumberedPages, caplog: pytest.LogCaptureFixture
) -> None:
    await opened(slack)
    pages.broken = True
    homes.changed(request_of(slack))
    await soon(lambda: said(caplog))
    assert said(caplog) == ["unforeseen error"]
    pages.broken = False
    homes.changed(request_of(slack))
    await soon(lambda: "page 3" in text(slack))


async def test_nothing_is_published_after_the_stop(slack: LocalSlack, homes: Homes) -> None:
    await opened(slack)
    homes.changed(request_of(slack))
    await homes.close()
    homes.changed(request_of(slack))
    homes.publish_for(TEAM, REQUESTER)
    await quiet()
    assert published(slack) == 1
