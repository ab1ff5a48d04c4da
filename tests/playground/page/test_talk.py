"""What people do in the page, as somebody before the browser sees it."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from playwright.async_api import Page as Tab

from bot.playground.faults import Code
from bot.playground.world import APPID, POLICY
from tests.playground.page.conftest import Play, Sit

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

OTHER = "wx00000000000000aa"
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
ACT = """(url) => fetch(url, { method: "POST", mode: "no-cors", body: JSON.stringify(
  { do: "say", channel: "C0RELEASES", text: "hello", thread: "" }) }).catch(() => null)"""
HOSTILE = '<script>alert(1)</script> <!channel> & <img src=x onerror="alert(2)"> \u202eabc'


async def test_a_mistake_is_corrected_by_the_line_that_the_bot_gives(sit: Sit) -> None:
    seat = await sit()
    await seat.type(f"/share-env prod-1 {APPID}")
    await seat.sees("The appid comes first, then the env.")
    corrected = seat.log.locator("pre", has_text=f"/share-env {APPID} prod-1").first
    await seat.type(await corrected.inner_text())
    await seat.sees("shared prod-1")


async def test_a_denial_says_who_can_grant_it_and_only_whoever_asked_sees_it(sit: Sit) -> None:
    outsider, requester = await sit("outsider"), await sit()
    await outsider.type(f"/share-env {APPID} prod-1")
    await outsider.sees("Who can grant it")
    await outsider.sees("Only visible to you")
    await requester.type("hello")
    await requester.sees("hello")
    await outsider.sees("hello")
    await expect(requester.log.get_by_role("article")).to_have_count(1)


async def test_two_people_in_two_tabs_ask_for_an_approval_and_give_it(sit: Sit) -> None:
    requester, approver = await sit(), await sit("approver", "C0APPROVALS")
    await requester.type(f'/share-env {APPID} core-1 --reason "release 4.2"')
    await requester.sees("It waits for an approval")
    await approver.sees("asks to share core-1")
    await approver.click("Approve")
    await approver.dialog.get_by_label("Comment for the requester").fill("Fine by me")
    await approver.click("Approve", approver.dialog)
    await approver.sees(": shared.")
    await requester.click("1 reply")
    await requester.sees("Approved by @approver", requester.pane)
    await requester.sees("They said: “Fine by me”", requester.pane)
    await expect(approver.dialog).to_be_hidden()


async def test_a_confirmation_is_asked_for_and_given(sit: Sit, play: Play) -> None:
    seat = await sit()
    await seat.type(f"/share-env {APPID} live-1")
    await seat.sees("A share cannot be undone through WeChat's API.")
    assert play.on.wechat.shared == []
    await seat.click("Share it")
    await seat.sees("shared live-1")


async def test_what_failed_of_a_batch_is_tried_again(sit: Sit, play: Play) -> None:
    play.on.wechat.fail("shareenv", Code(85088), appid=OTHER)
    seat = await sit()
    await seat.type(f"/share-env {APPID} {OTHER} prod-1")
    await seat.sees("1 shared, 1 not shared")
    await seat.log.get_by_role("button", name="repl").click()
    await seat.sees("1 not shared, of 2", seat.pane)
    await seat.click("Retry failed", seat.pane)
    await play.on.slack.until(lambda _: len(play.on.wechat.shared) == 2)
    await seat.sees("and must let the appid in", seat.pane)


async def test_one_failure_among_200_is_found_by_two_clicks(sit: Sit, play: Play) -> None:
    lone, *others = [f"wx{number:016x}" for number in range(200, 0, -1)]
    for appid in others:
        play.on.wechat.fail("shareenv", Code(85088), appid=appid)
    play.on.wechat.fail("shareenv", Code(-501018), appid=lone)
    seat = await sit()
    await seat.type(f"/share-env {' '.join([*others, lone])} prod-1")
    await seat.sees("200 not shared")
    await seat.log.get_by_role("button", name="repl").click()
    await seat.click("WeChat's code", seat.pane)
    first = seat.pane.get_by_role("table").get_by_role("row").nth(1)
    await expect(first).to_contain_text(lone)
    await expect(first).to_contain_text("-501018")


async def test_a_table_is_filtered_and_shown_whole(sit: Sit) -> None:
    seat = await sit()
    for number in range(1, 13):
        await seat.type(f"/share-env {APPID} prod-1{number:02}")
        await seat.sees(f"shared prod-1{number:02}")
    await seat.type("/share-env history")
    rows = seat.log.get_by_role("table").get_by_role("row")
    await expect(rows).to_have_count(11)
    await seat.click("All 12 rows")
    await expect(rows).to_have_count(13)
    await seat.log.get_by_role("searchbox").fill("prod-107")
    await expect(rows).to_have_count(2)


async def test_a_batch_moves_and_its_rest_is_cancelled(sit: Sit, play: Play) -> None:
    play.on.wechat.latency = 0.5
    seat = await sit()
    many = " ".join(f"wx{number:016x}" for number in range(1, 501))
    await seat.type(f"/share-env {many} prod-1")
    await expect(seat.log.get_by_text("of 500")).to_contain_text(re.compile(r"[1-9]\d* of 500"))
    await seat.click("Cancel the rest")
    await seat.sees("cancelled")
    assert len(play.on.wechat.shared) < 500


async def test_the_form_keeps_what_was_filled_in_and_shows_what_is_wrong(sit: Sit) -> None:
    seat = await sit()
    await seat.type("/share-env")
    await seat.click("Share", seat.dialog)
    await expect(seat.dialog.get_by_text("Please complete this required field.")).to_have_count(2)
    await seat.dialog.get_by_label("Env").fill("pro")
    await seat.dialog.get_by_role("option", name="prod-1").click()
    appids = seat.dialog.get_by_label("Appids")
    await appids.fill("nonsense")
    await seat.click("Share", seat.dialog)
    await seat.sees("“nonsense” is not an appid", seat.dialog)
    await expect(seat.dialog.get_by_label("Env")).to_have_value("prod-1")
    await expect(appids).to_have_value("nonsense")
    await expect(appids).to_be_focused()
    await expect(appids).to_have_attribute("aria-invalid", "true")
    await appids.fill(f"{APPID}\n{OTHER}")
    await seat.click("Share", seat.dialog)
    await seat.sees("2 shared")
    await expect(seat.dialog).to_be_hidden()


async def test_what_slack_does_not_take_is_said_in_the_form(sit: Sit) -> None:
    seat = await sit("second")
    await seat.type("/share-env")
    await seat.dialog.get_by_label("Env").fill("prod_1")
    await seat.dialog.get_by_label("Appids").fill(APPID)
    await seat.click("Share", seat.dialog)
    await seat.sees("“prod_1” is not among the options", seat.dialog)


async def test_the_messages_menu_shares_in_its_thread(sit: Sit) -> None:
    seat = await sit()
    await seat.type("Release 4.2 is ready")
    await seat.menu("Share env in this thread", "Release 4.2")
    await seat.dialog.get_by_label("Env").fill("prod-1")
    await seat.dialog.get_by_label("Appids").fill(APPID)
    await seat.click("Share", seat.dialog)
    await seat.log.get_by_role("button", name="repl").click()
    await seat.sees("and must let the appid in", seat.pane)


async def test_people_reply_in_a_thread_and_the_command_does_not_work_there(sit: Sit) -> None:
    seat = await sit()
    await seat.type("Who is on duty?")
    await seat.menu("Reply in thread", "duty")
    reply = seat.pane.get_by_label("Reply in the thread")
    await reply.fill("I am")
    await seat.click("Reply", seat.pane)
    await seat.sees("I am", seat.pane)
    await reply.fill("/share-env help")
    await reply.press("Enter")
    await seat.sees("/share-env is not supported in threads. Sorry!", seat.pane)


async def test_the_bot_is_invited_where_it_was_not(sit: Sit) -> None:
    seat = await sit(place="C0SECRET")
    await seat.sees("share-env was not invited", seat.tab.locator("#head"))
    await seat.type(f"/share-env {APPID} prod-6")
    await seat.sees("I am not in the conversation")
    await seat.type("/invite @share-env")
    await seat.sees("share-env is here", seat.tab.locator("#head"))
    await seat.type("/lunch")
    await seat.sees("/lunch is not a valid command here.")


async def test_home_lists_what_one_may_share_and_stays_up_to_date(sit: Sit) -> None:
    seat = await sit()
    await seat.tab.get_by_role("link", name="Home").click()
    await seat.sees("What you may share")
    other = await sit()
    await other.type(f"/share-env {APPID} prod-1")
    await seat.sees("✅ shared")
    await seat.log.get_by_role("button", name="thread").click()
    await seat.sees("and must let the appid in", seat.pane)


async def test_somebody_else_sees_other_places_and_reads_another_language(sit: Sit) -> None:
    seat = await sit()
    places = seat.tab.get_by_role("navigation")
    await expect(places.get_by_role("link", name="secret")).to_be_visible()
    await places.get_by_role("link", name="mei").click()
    await expect(places.get_by_role("link", name="secret")).to_have_count(0)
    await seat.type(f"/share-env {APPID} prod-8")
    await seat.sees("正在处理")


async def test_whole_channels_speak_another_language_once_the_bot_has_started_again(
    sit: Sit,
) -> None:
    seat = await sit()
    switch = seat.tab.get_by_role("switch", name="Channels in Chinese")
    await switch.click()
    await expect(switch).to_be_checked()
    await expect(switch).to_be_focused()
    await seat.type(f"/share-env {APPID} prod-1")
    await seat.sees("已将环境 prod-1 共享给")
    await switch.click()
    await expect(switch).not_to_be_checked()
    await seat.type(f"/share-env {APPID} prod-2")
    await seat.sees("shared prod-2")


async def test_what_one_began_to_write_is_kept_for_each_channel_and_over_a_reload(
    sit: Sit,
) -> None:
    seat = await sit()
    await seat.box.fill("first")
    await seat.tab.get_by_role("link", name="secret").click()
    await expect(seat.box).to_have_value("")
    await seat.box.fill("second")
    await seat.tab.reload()
    await expect(seat.box).to_have_value("second")
    await seat.tab.get_by_role("link", name="releases").click()
    await expect(seat.box).to_have_value("first")


async def test_a_time_is_shown_in_the_zone_of_the_browser(sit: Sit, play: Play) -> None:
    at = "<!date^1392734382^{date_short} {time}|18 February 2014 14:39 UTC>"
    play.on.slack.tell("U0REQUESTER", "C0RELEASES", f"Until {at}, {at.replace('^1', '^x')}", None)
    seat = await sit(timezone_id="Asia/Shanghai", locale="en-GB")
    await seat.sees("Until 18 Feb 2014 22:39, 18 February 2014 14:39 UTC")


async def test_the_newest_message_stays_in_sight_when_a_pane_opens(sit: Sit) -> None:
    seat = await sit()
    await seat.click("Close", seat.pane)
    for number in range(12):
        await seat.type(f"{number} " + "long enough to be broken into several lines " * 6)
    newest = seat.log.get_by_role("article").last
    await expect(newest).to_contain_text("11 long")
    await seat.click("WeChat")
    await expect(newest).to_be_in_viewport(ratio=0.9)


async def test_hostile_text_stays_text(sit: Sit) -> None:
    seat = await sit()
    seat.tab.on("dialog", lambda dialog: pytest.fail(dialog.message))
    await seat.type(HOSTILE)
    await seat.sees("<script>alert(1)</script>")
    await seat.sees("<!channel>")
    await seat.type(f"/share-env {APPID} test-1 --reason '{HOSTILE}'")
    await expect(seat.log.get_by_text("<script>alert(1)</script>")).to_have_count(2)
    assert await seat.tab.locator("#log script, #log img:not(.avatar), #log .mention").count() == 1
    assert await seat.tab.locator("#log .mention").inner_text() == "@requester"


async def test_the_policy_is_edited_and_decides_the_next_command(sit: Sit) -> None:
    seat = await sit("outsider")
    await seat.click("Policy")
    rules = seat.pane.get_by_label("policy.toml")
    await rules.fill(POLICY.replace('effect = "allow"', 'effect = "maybe"', 1))
    await seat.click("Put into force", seat.pane)
    await seat.sees("policy.toml", seat.pane.get_by_role("list"))
    await rules.fill(POLICY.replace('users = ["U0CHINESE"]', 'users = ["U0CHINESE", "U0STRANGER"]'))
    await seat.click("Put into force", seat.pane)
    await seat.sees("The next command is decided by it.", seat.pane)
    await seat.type(f"/share-env {APPID} prod-1")
    await seat.sees("shared prod-1")


async def test_wechat_is_told_what_to_do_and_tells_what_it_heard(sit: Sit, play: Play) -> None:
    seat = await sit()
    await seat.click("WeChat")
    await seat.pane.get_by_label("What WeChat does next").select_option("48001")
    await seat.click("Let it", seat.pane)
    await seat.sees("WeChat's next call meets 48001", seat.pane)
    await seat.sees("Still to come: 48001", seat.pane)
    await seat.sees("WeChat: 48001 to come", seat.tab.locator("#tools"))
    await seat.type(f"/share-env {APPID} prod-1")
    await seat.sees(": not shared.")
    await expect(seat.tab.get_by_text("to come")).to_have_count(0)
    await seat.sees(f"shareenv prod-1 {APPID}: 48001", seat.pane)
    await seat.type(f"/share-env {APPID} prod-2")
    await seat.sees("shared prod-2")
    await seat.type(f"/share-env {APPID} prod-2 --again")
    await expect(seat.pane.get_by_text(f"shareenv prod-2 {APPID}: 0")).to_have_count(2)
    await expect(seat.pane.get_by_role("row", name=f"prod-2 {APPID}")).to_have_count(1)
    told = await seat.pane.inner_text()
    assert [call.token for call in play.on.wechat.calls if call.token in told] == []


async def test_a_look_inside_shows_what_slack_the_ledger_and_the_policy_hold(sit: Sit) -> None:
    seat = await sit()
    await seat.type(f"/share-env {APPID} prod-1")
    await seat.sees("shared prod-1")
    await seat.look_inside("shared prod-1")
    await seat.sees("Rule “platform team” allows it.", seat.pane)
    await expect(seat.pane.get_by_role("listitem").filter(has_text="delivered")).to_be_visible()
    await seat.sees('"event_type": "share_env_request"', seat.pane)


async def test_the_first_minute_ticks_itself_off(sit: Sit) -> None:
    seat = await sit()
    steps = seat.pane.get_by_role("listitem")
    await seat.click("Close", seat.pane)
    await seat.click("First minute 0/5")
    for number in range(5):
        await expect(steps).to_have_count(5)
        await steps.nth(number).get_by_role("button", name="Type it").click()
        await expect(seat.box).to_be_focused()
        await expect(seat.box).not_to_have_value("")
        await seat.box.press("Enter")
        if number == 2:
            await seat.sees("It waits for an approval")
            await seat.pane.get_by_role("button", name="Be the approver").click()
            await seat.click("Approve", seat.log)
            await seat.click("Approve", seat.dialog)
        if number == 3:
            await expect(seat.log.get_by_text("of 60")).to_contain_text(
                re.compile(r"[1-9]\d* of 60")
            )
        await expect(steps.nth(number)).to_contain_text("(done)")
        if number == 1:
            await steps.nth(number).get_by_role("button", name="Read the answer").click()
            await seat.sees("WeChat said 85088", seat.pane)
            await seat.click("‹ First minute", seat.pane)
    await seat.sees("That was all of it.", seat.pane)
    await expect(seat.tab.get_by_role("button", name="First minute 5/5")).to_be_visible()


async def test_a_foreign_host_is_refused_and_a_foreign_page_changes_nothing(
    browser: Browser, play: Play
) -> None:
    tab = await browser.new_page()
    refused = await tab.goto(play.url.replace("127.0.0.1", "evil.example"))
    assert refused is not None
    assert refused.status == 403
    await tab.goto(play.on.wechat.url)
    async with tab.expect_event("requestfailed"):
        await tab.evaluate(ACT, f"{play.url}act?as=requester")
    assert play.on.slack.messages == []
    await tab.close()


async def look_at(one: Tab, tabs: list[Tab]) -> None:
    for tab in tabs:
        await tab.evaluate(HIDE, tab is not one)


async def test_tabs_in_the_background_leave_room_for_another(sit: Sit, play: Play) -> None:
    seat = await sit()
    tabs = [seat.tab, *[await seat.tab.context.new_page() for _ in range(6)]]
    for tab in tabs[1:]:
        await look_at(tab, tabs)
        await tab.goto(f"{play.url}#requester/C0RELEASES")
        await tab.get_by_role("heading", level=1).wait_for()
    await tabs[-1].locator("#box").fill("hello")
    await tabs[-1].locator("#box").press("Enter")
    await look_at(seat.tab, tabs)
    await seat.sees("hello")


async def test_what_was_done_is_saved_as_a_script(sit: Sit, play: Play, tmp_path: Path) -> None:
    seat = await sit()
    await seat.type(f"/share-env {APPID} live-1")
    await seat.click("Share it")
    await seat.sees("shared live-1")
    async with seat.tab.expect_download() as started:
        await seat.tab.get_by_role("link", name="Save script").click()
    await (await started.value).save_as(tmp_path / "script.txt")
    saved = await asyncio.to_thread((tmp_path / "script.txt").read_text, "utf-8")
    assert saved.splitlines() == [
        *(":as requester", ":in public", f"/share-env {APPID} live-1"),
        ':click "Share it" demo0001',
    ]
    assert saved.splitlines() == play.acts.lines
