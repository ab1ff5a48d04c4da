import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot import sharing as room
from bot.app import Nature, Tasks, running
from bot.guidance import Trouble, for_trouble
from bot.messages.answers import accepted, answer, parent
from bot.messages.notices import stopping
from bot.outcome import Outcome, Shared, Unknown
from bot.playground.slack import Ack, Hangs, LocalSlack, Refuses, ServerError
from bot.playground.stage import APPID, OWNER
from bot.playground.wechat import Code, Drop, LocalWeChat
from bot.playground.world import BOT, TEAM
from bot.policy import Effect, Person, Policy, Rule
from bot.request import Origin, Request
from bot.sharing import Ports, Sharing
from bot.slack.api import SlackApi
from bot.slack.directory import Directory
from bot.slack.posts import Posts
from bot.slack.thread import Threads
from tests.conftest import (
    ASK,
    ENV,
    RELEASES,
    REQUESTER,
    Clock,
    Sleep,
    ended,
    request_of,
    settings_of,
)

RULES = f"""\
contact = "the platform team"
[[owner]]
appid = "{OWNER}"
envs = ["prod-*", "secret-*", "careful-*", "big-*"]
[[rule]]
name = "no secrets"
users = ["*"]
envs = ["secret-*"]
effect = "deny"
[[rule]]
name = "careful"
groups = ["S0PLATFORM"]
envs = ["careful-*"]
effect = "allow"
confirm = true
[[rule]]
name = "four eyes"
groups = ["S0PLATFORM"]
envs = ["big-*"]
effect = "approve"
approvers = {{ users = ["U0APPROVER"], channel = "C0RELEASES" }}
[[rule]]
name = "platform team"
groups = ["S0PLATFORM"]
effect = "allow"
"""
POLICY = Policy((Rule("all", Effect.ALLOW),), default_owner=OWNER)


@pytest.fixture
async def ruled(environ: dict[str, str], nature: Nature, tmp_path: Path) -> AsyncIterator[None]:
    """Run the bot under rules of every kind."""
    path = tmp_path / "policy.toml"
    path.write_text(RULES, encoding="utf-8")
    del environ["SHARE_ENV_ALLOWED_GROUPS"], environ["WECHAT_AUTHORIZER_APPID"]
    async with running(settings_of(environ | {"POLICY_FILE": str(path)}), nature):
        yield


def said(ack: Ack) -> str:
    assert ack.payload is not None, ack.error
    return str(ack.payload["text"])


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == room.__name__]


# Commands.


@pytest.mark.usefixtures("bot")
async def test_an_allowed_share_is_acked_and_answered_in_a_thread(
    slack: LocalSlack, wechat: LocalWeChat
) -> None:
    ack = await slack.command(REQUESTER, RELEASES, ASK)
    request = request_of(slack)
    assert said(ack) == accepted(request).text
    await slack.until(ended)
    [shown] = slack.parents(RELEASES)
    assert shown.text == parent(request, Shared()).text
    [reply] = slack.thread(RELEASES, shown.ts)
    assert reply.text == answer(request, Shared()).text
    assert wechat.shared == [(OWNER, ENV, APPID)]
    assert slack.violations == []


@pytest.mark.usefixtures("bot")
async def test_a_reason_is_shown_with_the_request(slack: LocalSlack) -> None:
    await slack.command(REQUESTER, RELEASES, f'{ASK} --reason "release 4.2 & more"')
    await slack.until(ended)
    assert "Reason: release 4.2 &amp; more" in slack.parents(RELEASES)[0].text


@pytest.mark.usefixtures("ruled")
@pytest.mark.parametrize(
    ("user", "text", "says"),
    [
        pytest.param(REQUESTER, "help", "What you can type", id="help"),
        pytest.param(REQUESTER, "", "What you can type", id="nothing"),
        pytest.param(REQUESTER, "whoami", "“platform team”", id="whoami"),
        pytest.param(REQUESTER, f"why {ASK}", "✅ You may share", id="why yes"),
        pytest.param("U0SECOND", f"why {ASK}", "🚫 You may not share", id="why no"),
        pytest.param(REQUESTER, f"prod-1 {APPID}", f"/share-env {APPID} prod-1", id="mistake"),
        pytest.param(REQUESTER, f"{ASK} --dry-run", "nothing was shared", id="dry run"),
        pytest.param("U0SECOND", f"{ASK} --dry-run", "may not share", id="dry run of a no"),
        pytest.param("U0SECOND", ASK, "🚫 You may not share", id="no rule"),
        pytest.param("U0GUEST", ASK, "🚫 You may not share", id="guest"),
        pytest.param(REQUESTER, f"{APPID} secret-1", "“no secrets” says no", id="a rule says no"),
        pytest.param(REQUESTER, f"{APPID} careful-1", "needs a confirmation", id="confirm"),
        pytest.param(REQUESTER, f"{APPID} big-1", "needs an approval", id="approve"),
        pytest.param(REQUESTER, f"{APPID} lost-1", "which mini program owns", id="no owner"),
        pytest.param(
            REQUESTER, f"{APPID} lost-1 --dry-run", "which mini program owns", id="dry, no owner"
        ),
    ],
)
async def test_what_is_no_allowed_share_is_answered_at_once_and_never_reaches_wechat(
    slack: LocalSlack, wechat: LocalWeChat, user: str, text: str, says: str
) -> None:
    ack = await slack.command(user, RELEASES, text)
    assert says in said(ack)
    assert slack.parents(RELEASES) == []
    assert (wechat.calls, wechat.token_calls) == ([], [])
    assert slack.violations == []


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("text", ["help", "whoami", f"why {ASK}", ASK, f"{ASK} --dry-run"])
async def test_whom_slack_does_not_tell_may_nothing_and_learns_why(
    slack: LocalSlack, wechat: LocalWeChat, text: str
) -> None:
    slack.fail("users.info", ServerError())
    ack = await slack.command(REQUESTER, RELEASES, text)
    assert "in time" in said(ack)
    assert wechat.calls == []


async def test_a_group_that_cannot_be_read_lets_nobody_through(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], nature: Nature
) -> None:
    slack.scopes.discard("usergroups:read")
    async with running(settings_of(environ), nature):
        ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert "You may not share" in said(ack)
    assert "usergroups:read" in said(ack)
    assert wechat.calls == []


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
async def test_an_ack_is_in_time_however_long_slack_takes_to_tell_who_asks(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], nature: Nature, method: str
) -> None:
    slack.fail(method, Hangs(30))
    async with running(settings_of(environ), nature):
        ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert ack.seconds < 2.5
    assert "in time" in said(ack)
    assert wechat.calls == []


# The same command twice.


@pytest.mark.usefixtures("bot")
async def test_a_command_that_is_delivered_again_runs_once(
    slack: LocalSlack, wechat: LocalWeChat
) -> None:
    first = await slack.command(REQUESTER, RELEASES, ASK)
    again = await slack.redeliver(first)
    assert again.payload == first.payload
    await slack.until(ended)
    assert (await slack.redeliver(first)).payload == first.payload
    assert len(wechat.calls) == 1
    assert len(slack.parents(RELEASES)) == 1


@pytest.mark.usefixtures("bot")
async def test_a_command_that_is_delivered_twice_at_once_runs_once(
    slack: LocalSlack, wechat: LocalWeChat
) -> None:
    acks = await asyncio.gather(
        *(slack.command(REQUESTER, RELEASES, ASK, trigger_id="1.2.same") for _ in range(5))
    )
    assert {said(ack) for ack in acks} == {said(acks[0])}
    await slack.until(ended)
    assert len(wechat.calls) == 1
    assert len(slack.parents(RELEASES)) == 1


@pytest.mark.usefixtures("bot")
async def test_the_same_words_typed_twice_are_two_requests(
    slack: LocalSlack, wechat: LocalWeChat
) -> None:
    await slack.command(REQUESTER, RELEASES, ASK)
    await slack.command(REQUESTER, RELEASES, ASK)
    await wechat.until(lambda wechat: len(wechat.calls) == 2)


# Ports that fail.


class Broken:
    """Breaks, whichever port it stands for."""

    async def open(self, request: Request) -> None:
        """Break."""
        raise RuntimeError(request.id)

    async def share(self, owner: str, env: str, appid: str) -> Outcome:
        """Break."""
        raise RuntimeError(owner + env + appid)


class Owners:
    """Shares everything, and remembers it."""

    def __init__(self) -> None:
        self.shared: list[str] = []

    async def share(self, owner: str, env: str, appid: str) -> Outcome:
        """Say yes."""
        self.shared.append(f"{owner} {env} {appid}")
        return Shared()


class Everybody:
    """Knows everybody, and counts how often it was asked."""

    asked = 0

    async def person(self, team_id: str, user_id: str) -> Person:
        """Return a member."""
        self.asked += 1
        return Person(team_id, user_id)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.drain(5)


@pytest.fixture
def people(api: SlackApi, clock: Clock) -> Directory:
    return Directory(api, TEAM, (), clock)


@pytest.fixture
def places(api: SlackApi, sleep: Sleep, clock: Clock) -> Threads:
    return Threads(api, Posts(api, BOT, sleep), clock)


async def test_a_failure_that_nobody_foresaw_leaves_the_outcome_unknown_and_is_told(  # noqa: PLR0913, PLR0917  # ports
    slack: LocalSlack,
    people: Directory,
    places: Threads,
    tasks: Tasks,
    nature: Nature,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ports = Ports(people, places, Broken(), nature.new_id, tasks.start)
    request = request_of(slack)
    await Sharing(POLICY, ports).command(request.origin, ASK)
    await slack.until(ended)
    [shown] = slack.parents(RELEASES)
    [reply] = slack.thread(RELEASES, shown.ts)
    assert reply.text == answer(request, Unknown(for_trouble(Trouble.BUG))).text
    assert "unforeseen error" in events(caplog)


async def test_without_a_settled_place_nothing_is_shared(
    slack: LocalSlack,
    people: Directory,
    tasks: Tasks,
    nature: Nature,
    caplog: pytest.LogCaptureFixture,
) -> None:
    owners = Owners()
    ports = Ports(people, Broken(), owners, nature.new_id, tasks.start)
    await Sharing(POLICY, ports).command(request_of(slack).origin, ASK)
    await tasks.drain(5)
    assert owners.shared == []
    assert events(caplog)[-1] == "not delivered"


async def command_with_a_dead_response_url(slack: LocalSlack, channel: str) -> None:
    asked = await slack.command("U0STRANGER", channel, "help")
    more = {
        "user_id": REQUESTER,
        "text": ASK,
        "response_url": f"{asked.request['response_url']}-no-more",
        "trigger_id": slack.next_trigger(),
    }
    await slack.deliver("slash_commands", {**asked.request, **more})


async def not_delivered(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(5):
        while "not delivered" not in events(caplog):  # noqa: ASYNC110  # nobody tells of new lines
            await asyncio.sleep(0)


@pytest.mark.usefixtures("bot")
async def test_where_nobody_would_hear_the_answer_wechat_is_not_called(
    slack: LocalSlack, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("chat.postMessage", Refuses("messages_tab_disabled"))
    await command_with_a_dead_response_url(slack, "C0SECRET")
    await not_delivered(caplog)
    assert "nowhere to answer" in events(caplog)
    assert (wechat.calls, wechat.token_calls) == ([], [])


@pytest.mark.usefixtures("bot")
async def test_an_answer_that_slack_takes_nowhere_is_at_least_in_the_log(
    slack: LocalSlack, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    wechat.latency = 0.1
    caplog.set_level(logging.INFO)
    await command_with_a_dead_response_url(slack, RELEASES)
    await slack.until(lambda slack: len(slack.parents(RELEASES)) == 1)
    slack.archive(RELEASES)
    slack.fail("chat.postMessage", Refuses("is_archived"), Refuses("messages_tab_disabled"))
    await not_delivered(caplog)
    assert events(caplog)[-2:] == ["ended", "not delivered"]
    assert len(wechat.shared) == 1


# What is logged.


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    ("answers", "facts"),
    [
        pytest.param([], {"outcome": "shared", "tries": 1}, id="shared"),
        pytest.param([Code(85088)], {"outcome": "failed", "errcode": 85088}, id="failed"),
        pytest.param(
            [Drop()] * 4, {"outcome": "unknown", "guidance": Trouble.LOST.value}, id="unknown"
        ),
    ],
)
async def test_each_end_is_one_line_with_who_what_and_how(
    slack: LocalSlack,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    answers: list[Code | Drop],
    facts: dict[str, object],
) -> None:
    caplog.set_level(logging.INFO)
    wechat.next(*answers)
    await slack.command(REQUESTER, RELEASES, ASK)
    await slack.until(ended)
    [line] = [vars(record) for record in caplog.records if record.getMessage() == "ended"]
    who = {"team": TEAM, "user": REQUESTER, "channel": RELEASES}
    what = {"request": "request1", "env": ENV, "appid": APPID, "owner": OWNER}
    assert (who | what | facts).items() <= line.items()


# The memory for commands, and the stop.


async def test_only_so_many_commands_are_remembered(nature: Nature, tasks: Tasks) -> None:
    people = Everybody()
    ports = Ports(people, Broken(), Broken(), nature.new_id, tasks.start)
    sharing = Sharing(POLICY, ports)
    most = room._TRIGGERS_KEPT  # noqa: SLF001  # the bound itself
    for number in [*range(most), 0, most, 0]:
        await sharing.command(Origin(TEAM, REQUESTER, RELEASES, "", str(number), ""), "help")
    assert people.asked == most + 2


async def test_once_it_stops_the_bot_takes_nothing_on_and_says_so(
    slack: LocalSlack, people: Directory, places: Threads, tasks: Tasks, nature: Nature
) -> None:
    owners = Owners()
    sharing = Sharing(POLICY, Ports(people, places, owners, nature.new_id, tasks.start))
    sharing.stop()
    answers = [
        await sharing.command(request_of(slack).origin, text)
        for text in (ASK, "whoami", f"{ASK} --dry-run")
    ]
    assert answers[0] == stopping()
    assert stopping() not in answers[1:]
    assert owners.shared == []
    assert slack.parents(RELEASES) == []
