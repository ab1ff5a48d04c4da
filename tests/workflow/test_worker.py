import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import event

from bot.domain.outcome import (
    NOTHING_KNOWN,
    Called,
    Failed,
    Outcome,
    Readiness,
    Shared,
    Step,
    Unknown,
)
from bot.domain.request import Request, State
from bot.guidance import Trouble, for_code
from bot.ledger.acceptance import Accepted
from bot.ledger.database import Opened, open_database
from bot.ledger.engine import engine_of
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.messages.conversation import answer, parent
from bot.playground.faults import Code, Drop, Late, Slow
from bot.playground.slack.server import LocalSlack
from bot.playground.world import BOT, OWNER, TEAM
from bot.policy.kinds import Effect, Policy, Rule
from bot.runtime.clock import Runtime, since_boot
from bot.runtime.observers import Transacted, no_op
from bot.runtime.tasks import Tasks
from bot.settings.policy import SETTINGS_RULE
from bot.slack.api import SlackApi
from bot.slack.approvals import ApproverMessages
from bot.slack.directory import Directory
from bot.slack.posts import Posts
from bot.slack.thread import Threads
from bot.wechat.api import NoAnswer
from bot.wechat.client import WeChat
from bot.wechat.tokens import TokenServer, TokenSource
from bot.wechat.transport import WeChatApi, client_over
from bot.workflow.batches import Batches
from bot.workflow.brake import Brake
from bot.workflow.judge import Judge
from bot.workflow.leased import LeasedSteps
from bot.workflow.ports import Owners, Places, PolicyInForce
from bot.workflow.retrying import RetryingLedger
from bot.workflow.worker import MOST_TAKE_OVERS, Worker
from tests.conftest import (
    RELEASES,
    REQUESTER,
    Clock,
    Sleep,
    Start,
    appids,
    ended,
    kinds,
    ledger_down,
    replies,
    request_of,
    rows,
    soon,
    states,
    use_up,
    without_history,
)
from tests.databases import ledger_of, writes
from tests.languages import ENGLISH, LANGUAGES
from tests.said import CALLED_TWICE, MAY_BE_TWO, USABLE
from tests.token_server import TokenWeChat

Told = Callable[[Step], None]
May = Callable[[], bool]
APPIDS = tuple(appids(4))
"""Items of a batch that are written at once."""
PAUSE = 3.0
"""Seconds after an unforeseen error."""
LONGEST_PAUSE = 2.0
"""Seconds between two tries while the ledger is down."""
GIVEN_UP = Unknown(Trouble.GIVEN_UP.value, tries=0)


@pytest.fixture
def opened(database: Path) -> Iterator[Opened]:
    opened = open_database(f"sqlite:///{database}", Runtime())
    yield opened
    opened.engine.dispose()
    opened.release()


@pytest.fixture
def places(api: SlackApi, sleep: Sleep, clock: Clock) -> Threads:
    url = "https://playground.slack.com/"
    return Threads(
        api, Posts(api, BOT, sleep, time.time), Directory(api, TEAM, clock), LANGUAGES, url
    )


@pytest.fixture
def owners(wechat: TokenWeChat, http: aiohttp.ClientSession, clock: Clock, sleep: Sleep) -> WeChat:
    client = client_over(http)
    tokens = TokenServer(client, wechat.token_url, wechat.authorization, clock, clock)
    return WeChat(
        WeChatApi(client, wechat.url, time.monotonic),
        tokens,
        timeout=30,
        clock=clock,
        sleep=sleep,
        jitter=lambda: 0.5,
    )


Make = Callable[..., Worker]


@pytest.fixture
def make(
    slack: LocalSlack, api: SlackApi, places: Threads, owners: WeChat, sleep: Sleep, tasks: Tasks
) -> Make:
    """A factory of the worker of a ledger's requests, by default for the stand-ins."""
    in_force = PolicyInForce(Policy((Rule(SETTINGS_RULE, Effect.ALLOW),), default_owner=OWNER))
    posts = Posts(api, BOT, sleep, time.time)
    people = Directory(api, slack.world.team_id, time.monotonic)
    approvals = ApproverMessages(posts, in_force, LANGUAGES, places.link, people)
    brake = Brake(Judge(in_force, people, time.time), 5.0)

    async def readiness(_owner: str, _env: str) -> Readiness:
        return Readiness.UNKNOWN

    def make(
        ledger: Ledger,
        places: Places = places,
        owners: Owners = owners,
    ) -> Worker:
        retrying = RetryingLedger(ledger, sleep)
        leased = LeasedSteps(
            ledger=retrying,
            clock=time.monotonic,
            sleep=sleep,
            idle=asyncio.sleep,
            stopping=tasks.stopping,
        )
        batches = Batches(ledger=retrying, leased=leased, owners=owners, brake=brake, now=time.time)
        return Worker(
            ledger=retrying,
            leased=leased,
            places=places,
            owners=owners,
            approvals=approvals,
            batches=batches,
            brake=brake,
            start=tasks.start,
            readiness=readiness,
            changed=no_op,
        )

    return make


@pytest.fixture
def several(opened: Opened) -> Opened:
    """The database as one that several replicas may use."""
    return replace(opened, exclusive=False)


@asynccontextmanager
async def held(
    opened: Opened,
    holder: str = "a",
    lease: float = 12.0,
    clock: Callable[[], float] = since_boot,
    transacted: Transacted = no_op,
) -> AsyncIterator[Ledger]:
    """Yield the started ledger of one replica; closing it leaves the database open for others."""
    engine = (
        opened.engine if holder == "a" else engine_of(opened.engine.url, time.time)
    )  # each has its own connection
    own = replace(opened, engine=engine, release=lambda: None)
    ledger = ledger_of(own, holder, lease, transacted=transacted, clock=clock, silence=0.0)
    await ledger.start()
    yield ledger
    await ledger.close()


@pytest.fixture
async def ledger(opened: Opened) -> AsyncIterator[Ledger]:
    async with held(opened) as ledger:
        yield ledger


async def accepted(ledger: Ledger, request: Request) -> Entry:
    found = await ledger.accept(request)
    assert isinstance(found, Accepted)
    return found.entry


# After a crash. The parts of the first bot are called directly, up to the point where it was killed.


Leave = Callable[..., Awaitable[None]]
Resume = Callable[[], Awaitable[None]]


@pytest.fixture
def leave(database: Path, places: Threads) -> Leave:
    """A function that leaves a request in the ledger as a killed bot does."""

    async def leave(
        request: Request,
        *,
        posted: bool = False,
        placed: bool = False,
        answered: Outcome | None = None,
        told: Outcome | None = None,
    ) -> None:
        ledger = ledger_of(open_database(f"sqlite:///{database}", Runtime()), "dead")
        await ledger.start()
        entry = await accepted(ledger, request)
        if posted:
            ref = await places.open(request)
            assert ref is not None
            if placed:
                assert await ledger.place(entry, ref)
            if answered:
                assert await ledger.record_outcome(
                    entry, answered, 0.1, [Step("call", 0.1, "done")]
                )
            if told:
                assert await places.close(request, ref, told)
        await ledger.close()
        rows(database, "UPDATE requests SET holder = 'dead'")  # a kill releases nothing

    return leave


@pytest.fixture
def resume(start: Start, database: Path) -> Resume:
    """A function that runs a second bot on the same file until it has ended the request."""

    async def resume() -> None:
        async with start():
            await soon(lambda: states(database) == ["ended"])

    return resume


LEFT: dict[str, dict[str, object]] = {
    "accepted": {},
    "accepted, parent posted": {"posted": True},
    "placed": {"posted": True, "placed": True},
    "answered": {"posted": True, "placed": True, "answered": Shared()},
    "answered, reply posted": {
        "posted": True,
        "placed": True,
        "answered": Shared(),
        "told": Shared(),
    },
}
EVERY_STATE = pytest.mark.parametrize("left", LEFT)


@EVERY_STATE
async def test_after_any_crash_a_request_has_one_parent_with_one_answer(
    slack: LocalSlack,
    wechat: TokenWeChat,
    leave: Leave,
    database: Path,
    resume: Resume,
    left: str,
) -> None:
    request = request_of(slack)
    await leave(request, **LEFT[left])
    await resume()
    [shown] = slack.parents(RELEASES)
    assert shown.text == parent(ENGLISH, request, Shared()).text
    after = NOTHING_KNOWN if "reply posted" in left else USABLE
    called_again = left == "placed"
    assert replies(slack) == [
        answer(ENGLISH, request, Shared(), after=after, called_again=called_again).text
    ]
    assert len(wechat.calls) == (0 if left.startswith("answered") else 1)
    assert slack.shown_to(REQUESTER) == []
    assert kinds(database, "request1")[-1] == "delivered"
    assert slack.violations == []


@EVERY_STATE
async def test_after_a_crash_in_a_private_place_there_is_one_answer_and_a_repeated_start_says_so(
    slack: LocalSlack,
    wechat: TokenWeChat,
    leave: Leave,
    resume: Resume,
    left: str,
) -> None:
    request = request_of(slack, "C0SECRET")
    await leave(request, **LEFT[left])
    await resume()
    alone = [message.text for message in slack.shown_to(REQUESTER)]
    starts = [text for text in alone if text.startswith("⏳")]
    [told] = [message.text for message in slack.parents("D0BOT")]
    assert [MAY_BE_TWO in text for text in starts] == {
        "accepted": [True],
        "accepted, parent posted": [False, True],
    }.get(left, [False])
    assert told.startswith("✅")
    assert MAY_BE_TWO not in told
    assert (CALLED_TWICE in told) is (left == "placed")
    assert len(wechat.calls) == (0 if left.startswith("answered") else 1)


async def test_a_parent_that_cannot_be_found_is_replaced_with_a_note(
    slack: LocalSlack, leave: Leave, database: Path, start: Start
) -> None:
    await leave(request_of(slack), posted=True)
    without_history(slack)
    async with start():
        await slack.until(lambda slack: len(slack.parents(RELEASES)) == 2)
        assert MAY_BE_TWO in slack.parents(RELEASES)[1].text
        await soon(lambda: states(database) == ["ended"])
    old, new = slack.parents(RELEASES)
    assert old.text.startswith("⏳")
    assert new.text.startswith("✅")
    assert slack.thread(RELEASES, old.ts) == []


@pytest.mark.parametrize("left", ["placed", "answered, reply posted"])
async def test_a_reply_that_may_be_there_is_repeated_with_a_note_if_the_thread_cannot_be_read(
    slack: LocalSlack,
    leave: Leave,
    resume: Resume,
    left: str,
) -> None:
    request = request_of(slack)
    await leave(request, **LEFT[left])
    without_history(slack)
    before = len(replies(slack))
    await resume()
    [reply] = replies(slack)[before:]
    assert answer(ENGLISH, request, Shared(), after=USABLE).text in reply
    assert MAY_BE_TWO in reply


async def test_a_reply_that_was_not_recorded_is_edited_to_the_result_of_the_second_call(
    slack: LocalSlack,
    leave: Leave,
    resume: Resume,
) -> None:
    request, failed = request_of(slack), Failed(for_code(85088))
    await leave(request, posted=True, placed=True, told=failed)
    await resume()
    [shown] = slack.parents(RELEASES)
    assert shown.text == parent(ENGLISH, request, Shared()).text
    assert replies(slack) == [
        answer(ENGLISH, request, Shared(), after=USABLE, called_again=True).text
    ]


async def test_an_answer_after_two_calls_still_says_so_if_it_is_told_after_another_crash(
    slack: LocalSlack, leave: Leave, database: Path, resume: Resume
) -> None:
    request = request_of(slack)
    await leave(request, posted=True, placed=True, answered=Shared())
    rows(database, "UPDATE requests SET called_again = true")
    await resume()
    assert replies(slack) == [
        answer(ENGLISH, request, Shared(), after=USABLE, called_again=True).text
    ]


@pytest.mark.parametrize("left", ["accepted", "placed"])
async def test_a_request_that_was_taken_over_too_often_is_abandoned_without_a_call_and_says_so(
    slack: LocalSlack,
    wechat: TokenWeChat,
    leave: Leave,
    database: Path,
    resume: Resume,
    left: str,
) -> None:
    request = request_of(slack)
    await leave(request, **LEFT[left])
    rows(database, "UPDATE requests SET taken_over = 5")
    await resume()
    assert replies(slack) == [answer(ENGLISH, request, GIVEN_UP).text]
    assert wechat.calls == []


async def test_a_reply_that_was_not_recorded_stays_if_its_request_is_abandoned(
    slack: LocalSlack, leave: Leave, database: Path, resume: Resume
) -> None:
    request = request_of(slack)
    await leave(request, posted=True, placed=True, told=Shared())
    rows(database, "UPDATE requests SET taken_over = 5")
    await resume()
    assert replies(slack) == [answer(ENGLISH, request, Shared()).text]


@pytest.mark.parametrize(("left", "mark"), [("accepted, parent posted", "❌"), ("placed", "❔")])
async def test_an_error_of_the_second_call_leaves_the_outcome_of_the_first_unknown(
    slack: LocalSlack,
    wechat: TokenWeChat,
    leave: Leave,
    resume: Resume,
    left: str,
    mark: str,
) -> None:
    await leave(request_of(slack), **LEFT[left])
    wechat.fail("shareenv", Code(85088))
    await resume()
    [reply] = replies(slack)
    assert reply.startswith(mark)
    assert ("may or may not have been shared" in reply) == (mark == "❔")


async def test_after_the_fifth_take_over_the_call_is_still_made(
    wechat: TokenWeChat,
    slack: LocalSlack,
    leave: Leave,
    database: Path,
    resume: Resume,
) -> None:
    await leave(request_of(slack), posted=True, placed=True)
    rows(database, "UPDATE requests SET taken_over = 4")
    await resume()
    assert len(wechat.calls) == 1


# What is recorded.


@pytest.mark.parametrize(
    ("answers", "written"),
    [
        pytest.param([], ["call"], id="shared"),
        pytest.param([Code(85088)], ["call"], id="refused"),
        pytest.param([Code(-1), Code(42001)], ["call", "call", "renewal"], id="with a renewal"),
    ],
)
async def test_a_request_takes_four_transactions(
    slack: LocalSlack,
    wechat: TokenWeChat,
    ledger: Ledger,
    opened: Opened,
    make: Make,
    database: Path,
    answers: list[Code],
    written: list[str],
) -> None:
    wechat.fail("shareenv", *answers)
    commits: list[object] = []
    event.listen(opened.engine, "commit", commits.append)
    await make(ledger).process(await accepted(ledger, request_of(slack)))
    assert len(commits) == 4
    assert kinds(database) == ["accepted", "placed", *written, "answered", "delivered"]
    about = {request for (request,) in rows(database, "SELECT request FROM events")}
    assert about == {"request1"}


async def test_the_events_of_a_call_have_wechats_answer(
    slack: LocalSlack, wechat: TokenWeChat, ledger: Ledger, make: Make, database: Path
) -> None:
    wechat.fail("shareenv", Code(85088, "no rid: 686cab53-686d2226-2e40eeeb"))
    await make(ledger).process(await accepted(ledger, request_of(slack)))
    query = "SELECT kind, errcode, rid, detail, outcome FROM events WHERE errcode IS NOT NULL"
    rid = "686cab53-686d2226-2e40eeeb"
    assert rows(database, query) == [
        ("call", 85088, rid, "85088", None),
        ("answered", 85088, rid, "85088", "failed"),
    ]


# Failures of the ledger during a request.


class HookedOwners:
    """Owners that call a function after each step of a call to WeChat, and another after its last."""

    def __init__(
        self,
        owners: Owners,
        hook: Callable[[Step], object] = no_op,
        after: Callable[[], object] = no_op,
    ) -> None:
        self._owners = owners
        self._hook = hook
        self._after = after

    async def share(
        self, owner: str, env: str, appid: str, on_step: Told, may_call: May
    ) -> Called | None:
        """Share, with the hooks."""

        def hear(step: Step) -> None:
            on_step(step)
            self._hook(step)

        called = await self._owners.share(owner, env, appid, hear, may_call)
        self._after()
        return called


async def test_an_answer_is_posted_only_after_it_is_recorded(
    slack: LocalSlack,
    owners: WeChat,
    opened: Opened,
    make: Make,
    database: Path,
    sleep: Sleep,
    tasks: Tasks,
) -> None:
    async with held(opened) as ledger:
        entry = await accepted(ledger, request_of(slack))
        with ExitStack() as stack:
            down = HookedOwners(owners, lambda _: stack.enter_context(ledger_down(database)))
            tasks.start(make(ledger, owners=down).process(entry))
            await soon(lambda: sum(sleep.naps) > 60)
            assert max(sleep.naps) == LONGEST_PAUSE
            assert replies(slack) == []
        await slack.until(ended)
        await soon(lambda: states(database) == ["ended"])
    assert replies(slack) == [answer(ENGLISH, entry.request, Shared()).text]
    assert kinds(database) == ["accepted", "placed", "call", "answered", "delivered"]


# Lost leases.


class HookedPlaces:
    """Places that call a function once they are opened, and when they are about to be closed."""

    def __init__(
        self,
        places: Threads,
        *,
        opened: Callable[[], object] = no_op,
        closing: Callable[[], object] = no_op,
    ) -> None:
        self.go_on, self.progress, self.find = places.go_on, places.progress, places.find
        self._places = places
        self._opened = opened
        self._closing = closing

    async def open(
        self, request: Request, *, look_since: float | None, waiting: bool
    ) -> str | None:
        """Open the place, and call the hook."""
        ref = await self._places.open(request, look_since=look_since, waiting=waiting)
        self._opened()
        return ref

    async def close(self, *what: Any, **how: Any) -> bool:
        """Call the hook, and close the place."""
        self._closing()
        return await self._places.close(*what, **how)


async def test_a_replica_that_lost_the_request_before_its_place_stops_silently(
    slack: LocalSlack,
    wechat: TokenWeChat,
    places: Threads,
    ledger: Ledger,
    make: Make,
    database: Path,
) -> None:
    entry = await accepted(ledger, request_of(slack))
    lost = HookedPlaces(places, opened=lambda: take_away(database))
    await make(ledger, places=lost).process(entry)
    assert states(database) == ["accepted"]
    assert kinds(database) == ["accepted"]
    assert wechat.calls == []


async def test_a_post_that_the_lease_cut_short_is_looked_for_only_after_a_pause(
    slack: LocalSlack, several: Opened, make: Make
) -> None:
    async def land(_: float) -> None:
        slack.clear("chat.postMessage")
        await slack.settled()

    clock = Clock()
    slack.fail("chat.postMessage", Late(None, Drop(silence=None)))
    async with held(several, clock=clock) as ledger:
        worker = make(ledger)
        worker = replace(worker, leased=replace(worker.leased, sleep=land))
        processing = asyncio.create_task(worker.process(await accepted(ledger, request_of(slack))))
        await slack.until(lambda slack: len(slack.faults.late) == 1)
        clock.now += 60
        await processing
    assert len(slack.parents(RELEASES)) == 1
    assert len(replies(slack)) == 1


def take_away(database: Path) -> None:
    """Take the request over as another replica."""
    rows(database, "UPDATE requests SET holder = 'b', fence = fence + 1 WHERE batch IS NULL")


# Unforeseen errors.


def failing(times: int, error: type[Exception] = RuntimeError) -> Callable[[], None]:
    """Return a function whose first calls raise."""
    calls = count()

    def fail() -> None:
        if next(calls) < times:
            raise error("made up")

    return fail


@pytest.mark.parametrize(
    ("opens", "closes", "error"),
    [
        (1, 0, RuntimeError),
        (0, 1, RuntimeError),
        (2, 2, RuntimeError),
        (1, 0, TimeoutError),  # which is not the lease's
    ],
)
async def test_a_request_with_an_unforeseen_error_is_retried(
    slack: LocalSlack,
    wechat: TokenWeChat,
    places: Threads,
    ledger: Ledger,
    make: Make,
    database: Path,
    sleep: Sleep,
    caplog: pytest.LogCaptureFixture,
    opens: int,
    closes: int,
    error: type[Exception],
) -> None:
    entry = await accepted(ledger, request_of(slack))
    hooks = {"opened": failing(opens, error), "closing": failing(closes, error)}
    await make(ledger, places=HookedPlaces(places, **hooks)).process(entry)
    assert replies(slack) == [answer(ENGLISH, entry.request, Shared()).text]
    assert len(wechat.calls) == 1
    assert states(database) == ["ended"]
    assert caplog.messages.count("unforeseen error") == opens + closes
    assert sleep.naps.count(PAUSE) == opens + closes


async def test_an_unforeseen_error_after_a_call_leaves_its_outcome_unknown_unless_the_next_succeeds(
    slack: LocalSlack,
    wechat: TokenWeChat,
    owners: WeChat,
    ledger: Ledger,
    make: Make,
    database: Path,
) -> None:
    wechat.fail("shareenv", Code(85088), Code(85088))
    entry, broken = (
        await accepted(ledger, request_of(slack)),
        HookedOwners(owners, after=failing(1)),
    )
    await make(ledger, owners=broken).process(entry)
    assert rows(database, "SELECT outcome, called_again FROM requests") == [("unknown", 1)]


@pytest.mark.parametrize(("opens", "closes"), [(99, 0), (0, 99)])
async def test_a_request_that_always_raises_is_abandoned_and_blocks_no_other(
    slack: LocalSlack,
    places: Threads,
    ledger: Ledger,
    make: Make,
    database: Path,
    opens: int,
    closes: int,
) -> None:
    entry = await accepted(ledger, request_of(slack))
    hooks = {"opened": failing(opens), "closing": failing(closes)}
    await make(ledger, places=HookedPlaces(places, **hooks)).process(entry)
    assert states(database) == ["ended"]
    assert kinds(database)[-1] == "given up"
    assert len(slack.parents(RELEASES)) == 1


async def test_a_batch_whose_items_cannot_be_read_is_abandoned_and_blocks_no_other(
    slack: LocalSlack, wechat: TokenWeChat, ledger: Ledger, make: Make, database: Path
) -> None:
    batches = [
        await accepted(ledger, replace(request_of(slack), id=name, appid="", appids=pair))
        for name, pair in (("broken", APPIDS[:2]), ("whole", APPIDS[2:]))
    ]
    broken, whole = batches
    assert await ledger.place(broken, "C0RELEASES/1.1")
    placed = replace(broken, state=State.PLACED, place="C0RELEASES/1.1")
    assert await ledger.batches.queue(placed)
    wrong = "UPDATE requests SET state = 'ended', outcome = 'shared', ending = '{' WHERE id = 'broken-1'"
    rows(database, wrong)
    rows(database, "UPDATE requests SET lane = 'batches' WHERE id = 'broken'")
    await make(ledger).process(placed)
    await make(ledger).process(whole)
    assert states(database) == ["ended"] * 6
    assert sorted(appid for _, _, appid in wechat.shared) == [*APPIDS[2:]]
    assert "given up" in kinds(database, "broken")


# Leases and take-overs.


class SuspendedTokens:
    """Tokens that are read while the machine is suspended."""

    def __init__(self, tokens: TokenSource, suspend: Callable[[], None]) -> None:
        self._tokens = tokens
        self._suspend = suspend

    async def token(self, owner: str, refused: str | None = None) -> str | NoAnswer:
        """Return the owner's token, after the suspension."""
        self._suspend()
        return await self._tokens.token(owner, refused)


@pytest.mark.parametrize("taken", [True, False], ids=["taken over", "left alone"])
@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
@pytest.mark.parametrize("before", [True, False], ids=["before the call", "before its second try"])
async def test_after_a_suspension_only_the_holder_of_the_request_calls_wechat(
    slack: LocalSlack,
    wechat: TokenWeChat,
    owners: WeChat,
    several: Opened,
    make: Make,
    database: Path,
    *,
    before: bool,
    batch: bool,
    taken: bool,
) -> None:
    clock, request = Clock(), request_of(slack)
    if batch:
        request = replace(request, appid="", appids=(request.appid,))
    suspensions = iter([60.0])

    def suspend(_: Step | None = None) -> None:
        clock.now += next(suspensions, 0.0)
        if taken:
            take_away(database)

    suspended: Owners = replace(owners, tokens=SuspendedTokens(owners.tokens, suspend))
    if not before:
        wechat.fail("shareenv", Code(-1))
        suspended = HookedOwners(owners, suspend)
    async with held(several, clock=clock) as ledger:
        await make(ledger, owners=suspended).process(await accepted(ledger, request))
    assert len(wechat.calls) == (not before) + (not taken)
    assert ("answered" in kinds(database)) != taken
    assert ("delivered" in kinds(database)) != taken


@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
async def test_a_call_is_given_up_when_the_lease_expires_and_made_once_more_by_whoever_holds_the_request(
    slack: LocalSlack,
    wechat: TokenWeChat,
    several: Opened,
    make: Make,
    *,
    batch: bool,
) -> None:
    clock, request = Clock(), request_of(slack)
    if batch:
        request = replace(request, appid="", appids=APPIDS[:2])
    wechat.fail("shareenv", Slow())
    async with held(several, clock=clock) as ledger:
        entry = await accepted(ledger, request)
        processing = asyncio.create_task(make(ledger).process(entry))
        await wechat.until(lambda wechat: wechat.in_flight == 1)
        clock.now += 60  # no heartbeat has reached the ledger
        await processing
    first, *others = [call.appid for call in wechat.calls]
    assert others.count(first) == 1
    (told,) = replies(slack)
    (line,) = [line for line in told.split("\n") if CALLED_TWICE in line]
    assert re.findall("wx[0-9a-f]{16}", line) == [first]


async def test_a_request_whose_lease_expires_during_each_call_is_given_up(
    wechat: TokenWeChat, slack: LocalSlack, several: Opened, make: Make, database: Path
) -> None:
    clock = Clock()
    wechat.fail("shareenv", Slow(), times=None)
    async with held(several, clock=clock) as ledger:
        entry = await accepted(ledger, request_of(slack))
        processing = asyncio.create_task(make(ledger).process(entry))
        for number in range(1, MOST_TAKE_OVERS + 2):
            await wechat.until(lambda wechat, number=number: wechat.in_flight == number)  # type: ignore[misc]  # a default binds it
            clock.now += 60
        await processing
    assert replies(slack) == [answer(ENGLISH, entry.request, GIVEN_UP).text]
    assert rows(database, "SELECT outcome FROM requests") == [("unknown",)]


def lease_until(database: Path, holder: str) -> float:
    [(until,)] = rows(database, f"SELECT lease_until FROM replicas WHERE id = '{holder}'")  # noqa: S608
    return float(until)


def start_replica(worker: Worker, lease: float) -> asyncio.Task[None]:
    """Start the heartbeats and take-overs of a replica."""
    return asyncio.create_task(worker.leased.run(worker.resume, lease))


@asynccontextmanager
async def kept(worker: Worker, lease: float) -> AsyncIterator[None]:
    """Renew a replica's lease while the context is open."""
    task = start_replica(worker, lease)
    yield
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_bot_that_is_alone_writes_nothing_while_it_has_nothing_to_do(
    opened: Opened, make: Make, database: Path, slack: LocalSlack
) -> None:
    looks = list[float]()
    async with held(opened, transacted=lambda seconds, _: looks.append(seconds)) as ledger:
        with writes(database) as version:
            before, looked = version(), len(looks)
            async with kept(make(ledger), 0.1):
                await soon(lambda: len(looks) > looked + 50)
                assert version() == before
            await accepted(ledger, request_of(slack))
            assert version() != before


async def test_all_requests_without_a_holder_are_taken_over_at_once(
    slack: LocalSlack, several: Opened, make: Make, database: Path
) -> None:
    many = 51
    async with held(several, "dead", lease=0.0) as dead, held(several) as ledger:
        for number in range(many):
            request = replace(request_of(slack), id=f"request{number}", env=f"env-{number}")
            await accepted(dead, request)
        async with kept(make(ledger), 9999):  # it looks once
            await soon(lambda: states(database) == ["ended"] * many)
    assert kinds(database).count("taken over") == many
    assert len(slack.parents(RELEASES)) == many


async def test_a_replica_that_stops_keeps_its_lease_and_takes_over_nothing(
    slack: LocalSlack, several: Opened, make: Make, tasks: Tasks, database: Path
) -> None:
    async with held(several, "dead", lease=0.0) as dead, held(several) as ledger:
        await accepted(dead, request_of(slack))
        began = lease_until(database, "a")
        await tasks.drain(0.0)
        async with kept(make(ledger), 0.1):
            await soon(lambda: lease_until(database, "a") > began + 0.2)
        assert kinds(database) == ["accepted"]


async def test_a_single_bot_waits_for_no_other_once_the_ledger_is_up(
    slack: LocalSlack,
    ledger: Ledger,
    make: Make,
    database: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.workflow.leased._LOOKS_PER_LEASE", 1000)
    await accepted(ledger, request_of(slack))
    rows(database, "UPDATE requests SET holder = NULL")
    with ledger_down(database):
        task = start_replica(make(ledger), 99)
        await soon(lambda: "the ledger is down" in caplog.messages)
    await soon(lambda: states(database) == ["ended"])
    task.cancel()
    await asyncio.wait([task])


async def test_an_unreadable_row_does_not_end_the_renewal_of_the_lease(
    slack: LocalSlack,
    ledger: Ledger,
    make: Make,
    database: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    await accepted(ledger, request_of(slack))
    rows(database, "UPDATE requests SET holder = NULL, state = 'unheard of'")
    async with kept(make(ledger), 0.2):
        await soon(lambda: caplog.messages.count("unforeseen error") > 1)
        rows(database, "UPDATE requests SET state = 'accepted'")
        await soon(lambda: states(database) == ["ended"])


async def test_a_direct_message_instead_of_a_used_up_response_url_is_resumed_as_a_thread(
    slack: LocalSlack,
    http: aiohttp.ClientSession,
    leave: Leave,
    resume: Resume,
) -> None:
    request = request_of(slack, "C0SECRET")
    await use_up(http, request.origin.response_url)
    await leave(request, posted=True, placed=True, answered=Shared())
    await resume()
    assert replies(slack, "D0BOT") == [answer(ENGLISH, request, Shared(), after=USABLE).text]
