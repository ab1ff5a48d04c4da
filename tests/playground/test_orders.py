"""Lines that can be typed at the demo's prompt or be in a script, with the real bot."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from rich.console import Console

from bot.command.grammar import FIRST_WORDS
from bot.playground.acts import Acts
from bot.playground.guide import HELP, STEPS, completions
from bot.playground.orders import Orders
from bot.playground.screen import Screen
from bot.playground.stage import stage
from bot.playground.terminal import Offers
from bot.playground.world import APPID, POLICY
from bot.runtime.clock import Runtime


class Prompt:
    """The prompt without a terminal, and its output since the last look."""

    def __init__(self, acts: Acts) -> None:
        self.file = io.StringIO()
        self.acts = acts
        screen = Screen(acts.stage.slack.world, Console(file=self.file, highlight=False))
        acts.stage.slack.on_change = screen.observe
        acts.stage.slack.on_view = screen.observe_view
        self.orders = Orders(acts, screen)

    async def play(self, *lines: str) -> str:
        """Run the lines, and return the output."""
        self.file.seek(0)
        self.file.truncate()
        for line in lines:
            done = len(self.acts.lines)
            assert await self.orders.follow(line)
            if len(self.acts.lines) > done:
                await self.acts.stage.quiet()
        return self.said

    async def sees(self, words: str) -> None:
        """Wait until this was printed."""
        await self.acts.stage.slack.until(lambda _: words in self.said)

    @property
    def said(self) -> str:
        """The output since the last lines were run."""
        return " ".join(self.file.getvalue().replace("│", " ").split())


@pytest.fixture
async def prompt() -> AsyncIterator[Prompt]:
    numbers = count(1)

    async def briefly(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))

    runtime = Runtime(sleep=briefly, new_id=lambda: f"demo{next(numbers):04}")
    async with stage(runtime, WECHAT_TIMEOUT="1") as on:
        yield Prompt(Acts(replace(on, moment=0.2)))


async def test_every_action_of_the_page_has_a_line(prompt: Prompt, tmp_path: Path) -> None:
    await prompt.play(f"/share-env {APPID} core-1")
    await prompt.sees("[ Approve ]")
    said = await prompt.play(":as approver", ":click", ":click Approve")
    assert "Approve demo0001 Reject demo0001" in said
    await prompt.play(':submit comment="Fine, by me"')
    await prompt.sees(": shared.")
    said = await prompt.play(":as requester", ":in approvals", ":in releases", ":say Ready & <set>")
    assert prompt.orders.where == "#releases"
    assert "Ready & <set>" in said
    said = await prompt.play(":open Ready", f":submit env=test-1 appids={APPID}")
    assert "in the thread" in said
    assert "✅ @requester shared test-1" in said
    assert "I am" in await prompt.play(':reply Ready "I am"')
    said = await prompt.play(":open home", ":json", ":audit demo0001", ":click Nonsense")
    assert "What you may share" in said
    assert '"text": "I am"' in said
    assert "approved demo0001" in said
    assert (
        "There is no “Nonsense” to click. There is “What is left to do”, “Share without approval”."
        in said
    )
    assert '"event_type": "share_env_request"' in await prompt.play(":json demo0001")
    found = prompt.acts.stage.inside(prompt.acts.targets.message("U0REQUESTER", "demo0001"))
    assert "“core envs”: it matches" in str(found["decision"])
    said = await prompt.play(":open", ":submit env=prod-1 appids=nonsense", ":close")
    assert "appids: “nonsense” is not an appid" in said
    assert await prompt.play(":close") == "No form is open. :open opens one."
    saved = tmp_path / "saved.txt"
    assert f"--script {saved}" in await prompt.play(f":save {saved}")
    lines = (await asyncio.to_thread(saved.read_text, "utf-8")).splitlines()
    assert lines == prompt.acts.lines
    again = tmp_path / "again.txt"
    again.write_text("# two lines\n:as second\n/share-env whoami\n", encoding="utf-8")
    assert "“testers”" in await prompt.play(f":replay {again}")
    assert "cannot be written" in await prompt.play(f":save {tmp_path}")
    assert "or help." in await prompt.play(":replay")
    assert lines[:5] == [
        *(":as requester", ":in public", f"/share-env {APPID} core-1", ":as approver"),
        ":click Approve demo0001",
    ]


async def test_lines_can_change_wechat_and_the_policy(prompt: Prompt, tmp_path: Path) -> None:
    wechat = prompt.acts.stage.wechat
    assert "the owner's token has just expired" in await prompt.play(":wechat expired")
    assert "2 tries" in await prompt.play(f"/share-env {APPID} prod-1")
    await prompt.play(":wechat 85088", f"/share-env {APPID} prod-4")
    assert "✅ @requester shared prod-4" in await prompt.play(":click Try again")
    said = await prompt.play(":wechat no-function", f"/share-env {APPID} prod-1 --again")
    assert "Shared, not usable yet" in said
    await prompt.play(":wechat 85088", ":wechat 48001", ":wechat no-function", ":wechat revoked")
    assert "cloudbase_auth" not in wechat.functions["prod-1"]
    assert wechat.platform.authorized == {}
    await prompt.play(":wechat ok")
    assert "cloudbase_auth" in wechat.functions["prod-1"]
    assert "✅ @requester shared prod-2" in await prompt.play(f"/share-env {APPID} prod-2")
    assert "rule “platform team”" in await prompt.play(":as outsider", f"/share-env {APPID} prod-3")
    rules = tmp_path / "policy.toml"
    rules.write_text(POLICY.replace('["U0CHINESE"]', '["U0CHINESE", "U0STRANGER"]'))
    said = await prompt.play(f":policy {rules}", f"/share-env {APPID} prod-3")
    assert "The policy is in force." in said
    assert "✅ @outsider shared prod-3" in said
    assert "policy.toml" in await prompt.play(':policy "nonsense"')
    assert "U0STRANGER" in await prompt.play(":policy")
    assert "cannot be read" in await prompt.play(":policy nowhere.toml")


async def test_lines_of_each_role_are_understood_and_a_wrong_one_is_explained(
    prompt: Prompt,
) -> None:
    orders = prompt.orders
    said = await prompt.play("help")
    assert [typed for typed, _ in HELP if typed not in said] == []
    assert "Type /share-env … as in Slack, or help." in await prompt.play("hello")
    said = await prompt.play(":as nobody", ":as", ":in nowhere", ":in")
    assert "There is no role “nobody”. The roles: requester" in said
    assert "There is no place “nowhere”. The places: public" in said
    assert (orders.role, orders.where) == ("requester", "#releases")
    assert "Use an errcode such as 85088" in await prompt.play(":wechat weather")
    assert "No message says “x”." in await prompt.play(":json x", ":open x")
    assert "There is no message yet." in await prompt.play(":json")
    for zero in ("0", "007"):
        assert "Use an errcode such as 85088" in await prompt.play(f":wechat {zero}")
    assert await prompt.play("", "# a remark") == ""
    said = await prompt.play(":in private", "/lunch", "/invite @share-env")
    assert "/lunch is not a valid command here. In channels you can type /share-env and" in said
    assert "was added to this conversation." in said
    said = await prompt.play(":say", ':reply "/lunch is" ""')
    assert said.count("There is nothing to send.") == 2
    assert "has no thread" in await prompt.play(':reply "/lunch is" hello')
    await prompt.play(":in releases", ":say Where?", ":in lounge", ":reply Where? Here")
    asked, answered = prompt.acts.stage.slack.messages[-2:]
    assert (answered.channel, answered.thread_ts) == ("C0RELEASES", asked.ts)
    for word in ("exit", "quit", ":quit", ":q"):
        assert not await orders.follow(word)


async def test_a_form_on_top_is_named_where_its_buttons_are_clicked(prompt: Prompt) -> None:
    await prompt.play(f"/share-env {APPID} live-1")
    assert "There is “Share it”, “Cancel”." in await prompt.play(":click Nonsense")
    await prompt.play(":open")
    for line in (":click", ":click Share"):
        assert "A form is open: :submit sends it, and :close" in await prompt.play(line)
    await prompt.play(f":submit env=prod-1 appids={APPID} dry_run=dry_run")
    await prompt.sees("🧪 Dry run")


async def test_a_click_with_a_request_goes_to_the_older_of_two_questions(prompt: Prompt) -> None:
    for env in ("live-1", "live-2"):
        await prompt.play(f"/share-env {APPID} {env}")
    await prompt.play(":click Cancel demo0001", ":click Share it")
    await prompt.sees("✅ @requester shared live-2")
    assert [each.env for each in prompt.acts.stage.wechat.calls] == ["live-2"]


async def test_a_command_can_have_a_line_for_each_appid(prompt: Prompt) -> None:
    said = await prompt.play(f':say "/share-env\\n{APPID}\\nwx0000000000000001\\nprod-1"')
    assert "with 2 apps: 2 shared." in said


async def test_nobody_joins_a_direct_message(prompt: Prompt) -> None:
    said = await prompt.play(":as requester", ":in dm", "/invite @share-env")
    assert "/invite is not a valid command here." in said
    members = prompt.acts.stage.slack.channels["D0DIRECT"].members
    assert members == {"U0REQUESTER", "U0SECOND"}


async def test_what_wechat_was_told_last_is_what_it_does_next(prompt: Prompt) -> None:
    wechat = prompt.acts.stage.wechat
    await prompt.play(":wechat hang", ":wechat 48001", f"/share-env {APPID} prod-1")
    assert [call.errcode for call in wechat.calls] == [48001]
    await prompt.play(f"/share-env {APPID} prod-2")
    assert [call.errcode for call in wechat.calls] == [48001, 0]


async def test_a_line_is_completed_with_the_possible_next_words(prompt: Prompt) -> None:
    offers = Offers(prompt.acts, prompt.orders)

    def offered(line: str) -> list[str]:
        found = offers.get_completions(Document(line), CompleteEvent())
        return [line[: len(line) + each.start_position] + each.text for each in found]

    assert ":click" in offered(":c")
    assert offered("/sh") == ["/share-env "]
    assert offered(":as app") == [":as approver"]
    assert ":in approvals" in offered(":in a")
    assert offered(":wechat 8508") == [":wechat 85088"]
    assert offered("nonsense") == []
    await prompt.play(f"/share-env {APPID} live-1")
    assert offered(":click S") == [":click Share it"]
    assert offered(":click ") == [":click Share it", ":click Cancel"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/", ["/share-env", "/invite @share-env"]),
        ("/share-env ", [APPID, *sorted(FIRST_WORDS)]),
        ("/share-env wh", ["whoami", "why"]),
        (f"/share-env why {APPID} c", ["core-1"]),
        (
            f"/share-env {APPID} ",
            ["prod-1", "test-1", "live-1", "core-1", "books-1", "pay-1", "vault-1"],
        ),
        (f"/share-env {APPID} prod-1 --", []),
        ("/share-env help ", []),
        ("/lunch ", []),
        ("hello", []),
    ],
)
def test_the_next_word_of_a_command_is_offered(line: str, words: list[str]) -> None:
    assert [word.rstrip(" ") for word, _ in completions(line)] == words


async def test_the_steps_of_the_first_minute_are_done_by_their_own_lines(prompt: Prompt) -> None:
    slack, acts = prompt.acts.stage.slack, prompt.acts
    await prompt.play(f"/share-env why {APPID} prod-1")
    assert not STEPS[0].is_done(slack.messages, acts.lines)
    acts.lines.clear()
    for step in STEPS:
        assert not step.is_done(slack.messages, acts.lines), step.title
        trouble = [f":wechat {step.wechat}"] if step.wechat else []
        await prompt.play(*trouble, f":as {step.role}", step.line)
        if step.then:
            await prompt.play(f":as {step.then}", ":click Approve", ":submit")
        await slack.until(lambda _, step=step: step.is_done(slack.messages, acts.lines))  # type: ignore[misc]  # mypy
