"""The page of a real playground, in a real browser: one browser for a module, and a playground for each test."""

import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Locator, async_playwright, expect
from playwright.async_api import Page as Tab

from bot.playground.acts import Acts
from bot.playground.page.server import served
from bot.playground.stage import Stage, stage
from bot.runtime.clock import Runtime

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
)
PATIENCE = 15_000  # milliseconds; a busy machine takes its time


@dataclass
class Play:
    """A running demo: the stage, its recorded actions, and the page's address."""

    on: Stage
    acts: Acts
    url: str


@dataclass
class Seat:
    """One person at a tab of the browser."""

    tab: Tab

    @property
    def box(self) -> Locator:
        """The message box."""
        return self.tab.locator("#box")

    @property
    def log(self) -> Locator:
        """The messages of the open conversation."""
        return self.tab.get_by_role("log", name="Messages")

    @property
    def pane(self) -> Locator:
        """The open side pane."""
        return self.tab.get_by_role("complementary")

    @property
    def dialog(self) -> Locator:
        """The modal on top."""
        return self.tab.get_by_role("dialog")

    async def type(self, text: str) -> None:
        """Type a line and send it."""
        await self.box.fill(text)
        await self.box.press("Enter")

    async def click(self, name: str, within: Locator | None = None) -> None:
        """Click the last button with this text or accessible name."""
        here = within or self.tab.locator("body")
        called = here.get_by_role("button", name=name, exact=True)
        shown = re.compile(rf"^\s*{re.escape(name)}\s*$")
        await here.get_by_role("button").filter(has_text=shown).or_(called).last.click()

    async def sees(self, text: str, within: Locator | None = None) -> None:
        """Wait until this text is shown."""
        await expect((within or self.log).get_by_text(text).last).to_be_visible()

    async def look_inside(self, of: str) -> None:
        """Click “look inside” of the message with the text `of`."""
        message = self.log.get_by_role("article").filter(has_text=of).last
        await message.get_by_role("button", name="Look inside").click()

    async def menu(self, item: str, of: str) -> None:
        """Choose from the menu of the message with the text `of`."""
        message = self.log.get_by_role("article").filter(has_text=of).last
        await message.get_by_role("button", name="More actions").click()
        await message.get_by_role("button", name=item).click()


def is_bad(said: ConsoleMessage) -> bool:
    """Return whether a console message is an error, other than the network errors that tests cause."""
    return said.type == "error" and "ERR_INTERNET_DISCONNECTED" not in said.text


Sit = Callable[..., Awaitable[Seat]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        why = "There is no chromium here, so nobody looks at the page: apt-get install chromium"
        (pytest.fail if os.environ.get("NOTHING_SKIPPED") else pytest.skip)(why)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def play() -> AsyncIterator[Play]:
    numbers = count(1)
    runtime = replace(Runtime(), new_id=lambda: f"demo{next(numbers):04}")
    async with stage(runtime, WECHAT_TIMEOUT="2") as on:
        acts = Acts(on)
        async with served(acts) as page:
            yield Play(on, acts, page.url)


@pytest_asyncio.fixture(loop_scope="module")
async def sit(browser: Browser, play: Play) -> AsyncIterator[Sit]:
    """A factory of seats; no script of the page may fail."""
    failed: list[str] = []

    async def sit(role: str = "requester", place: str = "C0RELEASES", **more: Any) -> Seat:
        context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **more})
        stack.push_async_callback(context.close)
        context.set_default_timeout(PATIENCE)
        tab = await context.new_page()
        tab.on("pageerror", lambda error: failed.append(str(error)))
        tab.on("console", lambda said: failed.append(said.text) if is_bad(said) else None)
        await tab.goto(f"{play.url}#{role}/{place}")
        await tab.get_by_role("heading", level=1).wait_for()
        return Seat(tab)

    expect.set_options(timeout=PATIENCE)
    async with AsyncExitStack() as stack:
        yield sit
    assert failed == []
