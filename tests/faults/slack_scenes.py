"""Actions in Slack while one method of the Web API fails: each scene returns what the person is told."""

from collections.abc import Callable, Coroutine

from bot.playground.faults import Code, Drop
from bot.playground.faults import Fault as Trouble
from tests.faults.corners import Corner

Scene = Callable[[Corner, Trouble], Coroutine[None, None, str]]

POST, RESPOND = "chat.postMessage", "response_url"


def twice(trouble: Trouble) -> tuple[Trouble, ...]:
    """Repeat a dropped connection, since aiohttp itself retries a call that only reads."""
    return (trouble, trouble) if isinstance(trouble, Drop) else (trouble,)


async def asking_who(corner: Corner, trouble: Trouble) -> str:
    corner.slack.fail("users.info", *twice(trouble), user=corner.user)
    return await corner.ask()


async def asking_where(corner: Corner, trouble: Trouble) -> str:
    corner.slack.fail("conversations.info", *twice(trouble), channel=corner.channel)
    return await corner.ask()


async def posting_the_parent(corner: Corner, trouble: Trouble) -> str:
    corner.slack.fail(POST, trouble, channel=corner.channel)
    return await corner.ask()


async def replying(corner: Corner, trouble: Trouble) -> str:
    fail, here = corner.slack.fail, corner.channel
    corner.workspace.on_message(here, lambda _: fail(POST, trouble, channel=here))
    return await corner.ask()


async def editing(corner: Corner, trouble: Trouble) -> str:
    corner.slack.fail("chat.update", trouble, channel=corner.channel)
    return await corner.ask()


async def looking_for_the_parent(corner: Corner, trouble: Trouble) -> str:
    corner.slack.fail(POST, Drop(), channel=corner.channel)
    corner.slack.fail("conversations.history", *twice(trouble), channel=corner.channel)
    return await corner.ask()


async def looking_for_the_reply(corner: Corner, trouble: Trouble) -> str:
    def lose(_: object) -> None:
        corner.slack.fail(POST, Drop(), channel=corner.channel)
        corner.slack.fail("conversations.replies", *twice(trouble), channel=corner.channel)

    corner.workspace.on_message(corner.channel, lose)
    return await corner.ask()


async def responding(corner: Corner, trouble: Trouble) -> str:
    corner.slack.remove_bot(corner.channel)
    corner.slack.fail(RESPOND, trouble, user=corner.user)
    return await corner.ask()


async def telling_directly(corner: Corner, trouble: Trouble) -> str:
    corner.slack.remove_bot(corner.channel)
    corner.slack.fail(POST, trouble, channel=corner.user)
    return await corner.ask()


async def opening_the_form(corner: Corner, trouble: Trouble) -> str:
    trigger_id = corner.slack.next_trigger()
    corner.slack.fail("views.open", trouble, trigger_id=trigger_id)
    await corner.command("", trigger_id)
    return await corner.hears("form")


async def telling_alone(corner: Corner, trouble: Trouble) -> str:
    corner.slack.fail("chat.postEphemeral", trouble, user=corner.user)
    corner.slack.fail(RESPOND, Code("expired_url"), user=corner.user)
    return await opening_the_form(corner, Code("internal_error"))


async def showing_the_home(corner: Corner, trouble: Trouble) -> str:
    corner.slack.fail("views.publish", trouble, user_id=corner.user)
    await corner.slack.open_home(corner.user)
    if isinstance(trouble, Code):  # nothing is shown until the person opens it again
        lost = "an App Home was not shown"
        await corner.slack.until(lambda _: lost in corner.workspace.fire.bot.log)
        await corner.slack.open_home(corner.user)
    await corner.slack.until(lambda slack: slack.home(corner.user) is not None, 60)
    home = corner.slack.home(corner.user)
    return str(home.blocks) if home else ""
