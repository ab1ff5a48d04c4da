"""How the page looks and is read: by a keyboard, a screen reader, in light and dark, on a phone, and in README."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.playground import page as room
from bot.playground.world import APPID
from tests.playground.page.conftest import Seat, Sit

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

HERE = Path(__file__).parent
AXE = HERE / "axe.min.js"
AXE_HASH = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
"""SHA-256 of axe.min.js in axe-core 4.14.1, as npm has it."""
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True}
SOURCES = Path(room.__file__).parent
PICTURES = SOURCES.parent / "pictures"
NOTE = PICTURES / "taken-from.txt"
TAKE = (
    "The page's sources are others by now. Take new pictures of it: "
    ".venv/bin/python -m pytest tests/playground/page/test_looks.py -k readme --pictures"
)


async def shared(seat: Seat) -> None:
    await seat.type(f"/share-env {APPID} prod-1")
    await seat.sees("shared prod-1")


async def thread(seat: Seat) -> None:
    await shared(seat)
    await seat.click("1 reply")
    await seat.sees("must let the appid in", seat.pane)


async def form(seat: Seat) -> None:
    await seat.type("/share-env")
    await seat.click("Share", seat.dialog)
    await seat.dialog.get_by_label("Env").press("ArrowDown")
    await seat.dialog.get_by_role("option").first.wait_for()


async def offers(seat: Seat) -> None:
    await seat.box.fill("/share-env ")
    await seat.tab.get_by_role("option").first.wait_for()


async def inside(seat: Seat) -> None:
    await shared(seat)
    await seat.look_inside("shared prod-1")
    await seat.sees("What Slack holds", seat.pane)


async def menu(seat: Seat) -> None:
    await shared(seat)
    await seat.log.get_by_role("button", name="More actions").last.click()


async def wechat(seat: Seat) -> None:
    await shared(seat)
    await seat.click("WeChat")


async def policy(seat: Seat) -> None:
    await seat.click("Policy")


async def home(seat: Seat) -> None:
    await seat.tab.get_by_role("link", name="Home").click()
    await seat.sees("What you may share")


SCENES: list[Callable[[Seat], Awaitable[None]]] = [
    *(thread, form, offers, inside, menu, wechat, policy, home),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_violation(sit: Sit, scheme: str) -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_HASH
    found: list[str] = []
    for scene in SCENES:
        seat = await sit(color_scheme=scheme)
        await scene(seat)
        await seat.tab.evaluate(
            AXE.read_text(encoding="utf-8")
        )  # as the debugger does, past the CSP
        result = await seat.tab.evaluate("axe.run({resultTypes: ['violations']})")
        found += [
            f"{scene.__name__}: {each['id']}: {node['html'][:120]}"
            for each in result["violations"]
            for node in each["nodes"]
        ]
        await seat.tab.keyboard.press("Escape")
        await seat.tab.keyboard.press("Escape")
        await expect(seat.dialog).to_have_count(0)
        await seat.tab.close()
    assert found == []


async def test_everything_is_done_with_the_keyboard_alone(sit: Sit) -> None:
    seat = await sit()
    keyboard = seat.tab.keyboard
    await seat.log.focus()
    await keyboard.press("/")
    await expect(seat.box).to_be_focused()
    await keyboard.type("/sha")
    await seat.tab.get_by_role("option", name="/share-env").wait_for()
    await keyboard.press("Tab")
    await expect(seat.box).to_have_value("/share-env ")
    await seat.tab.get_by_role("option", name=APPID).wait_for()
    await keyboard.press("ArrowDown")
    await keyboard.press("Enter")
    await expect(seat.box).to_have_value(f"/share-env {APPID} ")
    await keyboard.type("live-1")
    await keyboard.press("Enter")
    await seat.log.get_by_role("button", name="Share it").focus()
    await keyboard.press("Enter")
    await seat.sees("shared live-1")
    await expect(seat.log.locator("article :focus")).to_have_count(1)
    await seat.log.get_by_role("button", name="More actions").last.focus()
    await keyboard.press("Enter")
    await expect(seat.tab.get_by_role("button", name="Share env in this thread")).to_be_focused()
    await keyboard.press("Tab")
    await expect(seat.tab.get_by_role("button", name="Reply in thread")).to_be_focused()
    await keyboard.press("Enter")
    await expect(seat.pane.get_by_role("heading", name="Thread")).to_be_visible()
    await keyboard.press("Escape")
    await expect(seat.pane).to_have_count(0)
    await seat.click("First minute 1/5")
    await seat.box.press("Escape")
    await expect(seat.pane).to_have_count(1)
    await keyboard.press("Alt+ArrowDown")
    await expect(seat.tab.get_by_role("heading", name="# share-approvals")).to_be_visible()


async def test_on_a_phone_nothing_is_wider_than_the_screen(sit: Sit) -> None:
    seat = await sit(**PHONE)
    await expect(seat.pane).to_have_count(0)
    await shared(seat)
    await seat.click("1 reply")
    await seat.sees("must let the appid in", seat.pane)
    width = "document.scrollingElement.scrollWidth"
    assert await seat.tab.evaluate(width) == 390
    await seat.click("Close", seat.pane)
    await seat.tab.get_by_role("button", name="People and places").click()
    await seat.tab.get_by_role("link", name="approver").click()
    await expect(seat.tab.get_by_role("navigation")).to_be_hidden()
    await seat.type("/share-env help")
    await seat.sees("Only visible to you")
    assert await seat.tab.evaluate(width) == 390
    await seat.click("First minute 1/5")
    await seat.pane.get_by_role("button", name="Type it").first.click()
    await expect(seat.pane).to_have_count(0)
    await expect(seat.box).to_have_value(f"/share-env {APPID} prod-1")


async def test_the_page_says_when_the_demo_has_ended(sit: Sit) -> None:
    seat = await sit()
    await seat.tab.context.set_offline(True)
    await seat.box.fill("hello")
    await seat.box.press("Enter")
    await seat.sees("The demo does not answer.", seat.tab.get_by_role("status").last)
    await expect(seat.box).to_have_value("hello")


def sources_hash() -> str:
    """Return a hash of all that the page's looks are made of."""
    looks = sorted(
        each for each in SOURCES.iterdir() if each.suffix in {".js", ".css", ".html", ".svg"}
    )
    return hashlib.sha256(b"".join(each.read_bytes() for each in looks)).hexdigest()


async def test_readme_shows_the_page_as_it_looks(sit: Sit, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--pictures"):
        PICTURES.mkdir(exist_ok=True)
        wide = await sit(viewport={"width": 1200, "height": 720})
        await a_minute(wide)
        phone = await sit("approver", "C0APPROVALS", **PHONE, color_scheme="dark")
        await phone.sees("asks to share core-1")
        await wide.tab.screenshot(path=PICTURES / "page.png")
        await phone.tab.screenshot(path=PICTURES / "phone.png")
        NOTE.write_text(f"{sources_hash()}\n", encoding="utf-8")
    assert NOTE.read_text(encoding="utf-8").strip() == sources_hash(), TAKE


async def a_minute(seat: Seat) -> None:
    """Do what there is to see in README's picture."""
    for number in (0, 1, 2):
        await seat.pane.get_by_role("button", name="Type it").nth(number).click()
        await expect(seat.box).not_to_have_value("")
        await seat.box.press("Enter")
        await seat.sees(["shared prod-1", ": not shared.", "It waits for an approval"][number])
    await seat.log.get_by_role("button", name="repl").nth(1).click()
    await seat.sees("WeChat said 85088", seat.pane)
