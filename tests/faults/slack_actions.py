"""Actions in Slack while one method of the Web API fails: each returns what the person is told."""

from collections.abc import Callable, Coroutine

from bot.playground.faults import Code, Drop
from bot.playground.faults import Fault as Injected
from tests.faults.workspace import Member

Action = Callable[[Member, Injected], Coroutine[None, None, str]]

POST, RESPOND = "chat.postMessage", "response_url"


async def look_up_requester(member: Member, trouble: Injected) -> str:
    member.slack.fail("users.info", trouble, user=member.user)
    return await member.request_share()


async def look_up_channel(member: Member, trouble: Injected) -> str:
    member.slack.fail("conversations.info", trouble, channel=member.channel)
    return await member.request_share()


async def post_parent(member: Member, trouble: Injected) -> str:
    member.slack.fail(POST, trouble, channel=member.channel)
    return await member.request_share()


async def post_reply(member: Member, trouble: Injected) -> str:
    fail, here = member.slack.fail, member.channel
    member.workspace.on_message(here, lambda _: fail(POST, trouble, channel=here))
    return await member.request_share()


async def edit_parent(member: Member, trouble: Injected) -> str:
    member.slack.fail("chat.update", trouble, channel=member.channel)
    return await member.request_share()


async def find_parent(member: Member, trouble: Injected) -> str:
    member.slack.fail(POST, Drop(), channel=member.channel)
    member.slack.fail("conversations.history", trouble, channel=member.channel)
    return await member.request_share()


async def find_reply(member: Member, trouble: Injected) -> str:
    def lose(_: object) -> None:
        member.slack.fail(POST, Drop(), channel=member.channel)
        member.slack.fail("conversations.replies", trouble, channel=member.channel)

    member.workspace.on_message(member.channel, lose)
    return await member.request_share()


async def use_response_url(member: Member, trouble: Injected) -> str:
    member.remove_bot()
    member.slack.fail(RESPOND, trouble, user=member.user)
    return await member.request_share()


async def send_direct_message(member: Member, trouble: Injected) -> str:
    member.remove_bot()
    member.slack.fail(POST, trouble, channel=member.user)
    return await member.request_share()


async def find_direct_message(member: Member, trouble: Injected) -> str:
    member.remove_bot()
    member.slack.fail(POST, Drop(), channel=member.user)
    member.slack.fail("conversations.open", trouble, users=member.user)
    return await member.request_share()


async def delete_reply(member: Member, trouble: Injected) -> str:
    member.slack.orphans = "top level"
    member.slack.fail("chat.delete", trouble, channel=member.channel)
    member.workspace.on_message(member.channel, lambda parent: member.slack.delete(parent.ts))
    return await member.request_share()


async def open_form(member: Member, trouble: Injected) -> str:
    trigger_id = member.slack.next_trigger()
    member.slack.fail("views.open", trouble, trigger_id=trigger_id)
    await member.command("", trigger_id)
    return await member.wait_for_words("form")


async def send_ephemeral(member: Member, trouble: Injected) -> str:
    member.slack.fail("chat.postEphemeral", trouble, user=member.user)
    member.slack.fail(RESPOND, Code("expired_url"), user=member.user)
    return await open_form(member, Code("internal_error"))


async def publish_home(member: Member, trouble: Injected) -> str:
    member.slack.fail("views.publish", trouble, user_id=member.user)
    await member.slack.open_home(member.user)
    if isinstance(trouble, Code):  # nothing is shown until the person opens it again
        lost = "an App Home was not shown"
        await member.slack.until(lambda _: lost in member.workspace.rig.bot.log)
        await member.slack.open_home(member.user)
    await member.slack.until(lambda slack: slack.home(member.user) is not None, 60)
    home = member.slack.home(member.user)
    return str(home.blocks) if home else ""
