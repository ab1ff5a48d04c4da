"""What the form offers, and forms that are submitted after a change; over real sockets."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from bot.app.running import running
from bot.ledger import Ledger
from bot.messages.modals import APPIDS, ENV
from bot.playground.environments import environment
from bot.playground.faults import Code, Slow
from bot.playground.slack.server import LocalSlack, View
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from bot.runtime.clock import Runtime
from tests.conftest import Clock, kinds, ledger_down, request_of, rows, settings_of
from tests.databases import Database
from tests.said import ACCEPTED, NEEDS_APPROVAL

RELEASES, REQUESTER = "C0RELEASES", "U0REQUESTER"
OTHER_OWNER = "wxfedcba9876543210"
OWNERS = f"""
[[owner]]
appid = "{OTHER_OWNER}"
envs = ["theirs-*", "named-2"]
[[owner]]
appid = "{OWNER}"
envs = ["*"]
"""
ANYTHING = """
[[rule]]
name = "platform team"
groups = ["S0PLATFORM"]
effect = "allow"
"""
ASKED = """
[[rule]]
name = "four eyes"
groups = ["S0PLATFORM"]
effect = "approve"
approvers = { groups = ["S0APPROVERS"], channel = "C0APPROVALS", expires = "2h" }
"""
NAMED = """
[[rule]]
name = "named"
users = ["U0REQUESTER"]
envs = ["named-1", "test-*"]
effect = "allow"
"""
NOTHING = """
[[rule]]
name = "frozen"
effect = "deny"
"""


class Bots:
    """Starts bots with different policies on one ledger."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder
        self._numbers = count(1)
        self.clock = Clock()

    def __call__(self, *rules: str) -> AbstractAsyncContextManager[str]:
        """Run a bot whose policy has these rules."""
        policy = self._folder / f"policy{next(self._numbers)}.toml"
        policy.write_text("\n".join([OWNERS, *rules]), encoding="utf-8")
        runtime = Runtime(clock=self.clock, new_id=lambda: f"request{next(self._numbers)}")
        return running(settings_of(self._environ | {"POLICY_FILE": str(policy)}), runtime)


@pytest.fixture
def bots(slack: LocalSlack, wechat: LocalWeChat, database: Path, tmp_path: Path) -> Bots:
    environ = environment(slack, wechat) | {"DATABASE_URL": f"sqlite:///{database}"}
    return Bots(environ, tmp_path)


async def opened(slack: LocalSlack, user: str = REQUESTER) -> View:
    await slack.command(user, RELEASES, "")
    await slack.until(lambda slack: bool(slack.views(user)))
    return slack.views(user)[0]


async def offered(slack: LocalSlack, view: View, typed: str = "") -> list[str]:
    return [str(each["value"]) for each in await slack.options(view.user, view, ENV, typed)]


@asynccontextmanager
async def ledger_at(database: Path) -> AsyncIterator[Ledger]:
    """Open the ledger before a bot does."""
    ledger = Ledger.open(f"sqlite:///{database}", "before")
    await ledger.start()
    yield ledger
    await ledger.close()


# Offered envs.


async def test_the_form_offers_the_policys_envs_then_past_ones_then_the_owners(
    slack: LocalSlack, wechat: LocalWeChat, bots: Bots, database: Path
) -> None:
    wechat.envs[OTHER_OWNER] = {"theirs-1": "NORMAL", "halted": "HALTED", "not-theirs": "NORMAL"}
    async with ledger_at(database) as ledger:
        for number, env in enumerate(["old-1", "old-2", "old-1"]):
            request = replace(request_of(slack), id=f"past{number}", env=env, again=True)
            await ledger.accept(replace(request, appid=f"wx{number:016x}"))
            rows(database, "UPDATE requests SET state = 'ended', created = substr(id, 5)")
    async with bots(ANYTHING, NAMED):
        view = await opened(slack)
        assert await offered(slack, view) == [
            *("named-1", "named-2", "old-1", "old-2"),
            *("theirs-1", "prod-1", "test-1"),
        ]
        assert await offered(slack, view, "LD-2") == ["old-2", "LD-2"]
        assert await offered(slack, view, "old-1") == ["old-1"]


async def test_the_form_offers_only_envs_that_the_person_may_share(
    slack: LocalSlack, wechat: LocalWeChat, bots: Bots
) -> None:
    del wechat
    async with bots(NAMED):
        view = await opened(slack)
        assert await offered(slack, view) == ["named-1", "test-1"]
        assert await offered(slack, view, "test-77") == ["test-77"]
        assert await offered(slack, view, "prod-1") == []
        other = await opened(slack, "U0SECOND")
        assert await offered(slack, other) == []


async def test_a_typed_env_is_marked_as_typed(slack: LocalSlack, bots: Bots) -> None:
    async with bots(ANYTHING):
        view = await opened(slack)
        options = await slack.options(REQUESTER, view, ENV, " prod-7，")
        assert [(o["value"], "description" in o) for o in options] == [("prod-7", True)]
        assert await offered(slack, view, "no env!") == []
        assert await offered(slack, view, "prod-1") == ["prod-1"]


async def test_while_wechat_is_silent_only_its_envs_are_missing(
    slack: LocalSlack, wechat: LocalWeChat, bots: Bots
) -> None:
    wechat.fail("getenvinfo", Code(61007), Slow())
    async with bots(ANYTHING, NAMED):
        view = await opened(slack)
        with pytest.MonkeyPatch.context() as hurry:
            hurry.setattr("bot.workflow.form._WECHAT_SECONDS", 0.2)
            assert await offered(slack, view) == ["named-1", "named-2"]
        wechat.clear("getenvinfo")
        assert set(await offered(slack, view)) > {"named-1", "named-2"}


async def test_the_envs_of_owners_are_cached(
    slack: LocalSlack, wechat: LocalWeChat, bots: Bots
) -> None:
    async with bots(ANYTHING):
        view = await opened(slack)
        for typed in ("", "p", "pr"):
            await offered(slack, view, typed)
        assert wechat.transcript().count(f"getenvinfo of {OWNER}") == 1
        wechat.envs[OWNER]["prod-2"] = "NORMAL"
        bots.clock.now += 301
        assert "prod-2" in await offered(slack, view)


async def test_while_the_ledger_is_silent_only_its_envs_are_missing(
    slack: LocalSlack, bots: Bots, database: Path
) -> None:
    async with bots(ANYTHING):
        view = await opened(slack)
        with ledger_down(database):
            assert await offered(slack, view) == ["named-2", "prod-1", "test-1"]


async def test_a_person_who_cannot_be_looked_up_may_type_an_env(
    slack: LocalSlack, bots: Bots
) -> None:
    async with bots(ANYTHING):
        slack.fail("users.info", *[Slow(8)] * 4)
        view = await opened(slack)
        assert await offered(slack, view) == []
        assert await offered(slack, view, "prod-1") == ["prod-1"]


# The policy at the time of the submission.


async def test_a_form_that_is_submitted_after_a_change_of_the_policy_is_decided_by_the_new_one(
    slack: LocalSlack, wechat: LocalWeChat, bots: Bots, database: Path
) -> None:
    async with bots(ANYTHING):
        view = await opened(slack)
        assert "prod-1" in await offered(slack, view)
    async with bots(NOTHING, ANYTHING):
        ack = await slack.submit(REQUESTER, view, {ENV: "prod-1", APPIDS: APPID})
        assert (ack.error, ack.errors, slack.views(REQUESTER)) == (None, {}, [])
        await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
        told = slack.shown_to(REQUESTER)[0].text
        assert "You may not share `prod-1`" in told
        assert "frozen" in told
    assert wechat.calls == []
    assert kinds(database) == ["denied"]


async def test_a_person_who_left_the_group_since_the_form_opened_is_refused(
    slack: LocalSlack, wechat: LocalWeChat, bots: Bots
) -> None:
    async with bots(ANYTHING):
        view = await opened(slack)
        await offered(slack, view)
        slack.groups["S0PLATFORM"] = replace(slack.groups["S0PLATFORM"], members=frozenset())
        bots.clock.now += 61
        await slack.submit(REQUESTER, view, {ENV: "prod-1", APPIDS: APPID})
        await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
        assert "You may not share `prod-1`" in slack.shown_to(REQUESTER)[0].text
    assert wechat.calls == []


async def test_a_form_that_was_opened_before_a_restart_is_accepted(
    slack: LocalSlack, wechat: LocalWeChat, bots: Bots
) -> None:
    async with bots(ANYTHING):
        view = await opened(slack)
        await offered(slack, view)
    async with bots(ANYTHING):
        await slack.submit(REQUESTER, view, {ENV: "prod-1", APPIDS: APPID})
        await slack.until(lambda slack: any(m.text.startswith("✅") for m in slack.messages))
    assert wechat.shared == [(OWNER, "prod-1", APPID)]


@pytest.mark.parametrize(
    ("rules", "shown"), [(ANYTHING, "✅"), (ASKED, "🕓")], ids=["carried out", "waits"]
)
async def test_the_announcement_of_an_answer_never_comes_after_the_answer(
    slack: LocalSlack, wechat: LocalWeChat, bots: Bots, rules: str, shown: str
) -> None:
    del wechat
    async with bots(rules):
        view = await opened(slack)
        await offered(slack, view)
        slack.fail("response_url", Slow(0.2), user=REQUESTER)
        await slack.submit(REQUESTER, view, {ENV: "prod-1", APPIDS: APPID})
        await slack.until(lambda slack: any(m.text.startswith(shown) for m in slack.messages))
    follows = [m.text for m in slack.messages if ACCEPTED in m.text or NEEDS_APPROVAL in m.text]
    assert follows == []


async def test_all_appids_must_be_allowed_by_one_rule(
    slack: LocalSlack, wechat: LocalWeChat, bots: Bots
) -> None:
    one = '[[rule]]\nname = "one"\nappids = ["wx0000000000000001"]\neffect = "deny"\n'
    async with bots(one, ANYTHING):
        view = await opened(slack)
        await offered(slack, view)
        entered = {ENV: "prod-1", APPIDS: f"{APPID}\nwx0000000000000001"}
        await slack.submit(REQUESTER, view, {**entered})
        await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
        assert "wx0000000000000001" in slack.shown_to(REQUESTER)[0].text
    assert wechat.calls == []


async def check_past_envs(slack: LocalSlack, database: Database) -> None:
    ledger = database.ledger("me")
    await ledger.start()
    for number, env in enumerate(["a", "b", "c", "a"]):
        past = replace(request_of(slack), id=f"past{number}", env=env, appid=f"wx{number:016x}")
        await ledger.accept(past)
        # The order of two in one millisecond would be undefined.
        when = {"at": 1_000.0 + number, "id": past.id}
        database.execute("UPDATE requests SET created = :at WHERE id = :id", **when)
    assert await ledger.envs(9) == ["a", "c", "b"]
    assert await ledger.envs(2) == ["a", "c"]


async def test_past_envs_are_listed_once_and_the_latest_first(
    slack: LocalSlack, sqlite: Database
) -> None:
    await check_past_envs(slack, sqlite)


async def test_past_envs_are_the_same_on_postgresql(
    slack: LocalSlack, on_postgresql: Database
) -> None:
    await check_past_envs(slack, on_postgresql)
