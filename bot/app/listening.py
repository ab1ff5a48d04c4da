"""Accept what Slack and WeChat send: over Socket Mode, or by HTTP beside the probes."""

from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress

from bot.app.probes import probes
from bot.app.resources import CannotStartError, Resources
from bot.app.token_source import PUSHES
from bot.app.wiring import Wired
from bot.domain.finding import Problem
from bot.domain.sentence import Sentence
from bot.ledger.writer import LedgerDownError
from bot.runtime.listener import Handler, is_taken, listen, unusable
from bot.settings.access import SlackSettings
from bot.settings.load import Address
from bot.slack.events import PATH as EVENTS
from bot.slack.events import slack_events
from bot.slack.greeting import LINK_DISABLED, REFUSALS, Hello
from bot.slack.socket_mode import SocketClient, socket_mode


async def accept_payloads(
    stack: AsyncExitStack,
    resources: Resources,
    parts: Wired,
    slack: SlackSettings,
    address: Address | None,
) -> list[str]:
    """Accept what Slack and WeChat send until the stack is closed; return how, in words. Raises CannotStartError."""
    how, socket = list[str](), _socket(resources, parts, slack.app_token)
    if socket:
        stack.push_async_callback(socket.close)
    if address and (metrics := resources.metrics):
        posts = _posts(resources, parts, by_http=socket is None)
        gets = probes(stack, resources, parts, metrics, socket)
        url = await _listen(stack, resources, address, posts, gets)
        how.append(Sentence("at {url}", url=url))
    if socket:
        await _open(socket)
        how.insert(0, Sentence("over Socket Mode"))
    return how


def _socket(resources: Resources, parts: Wired, app_token: str | None) -> SocketClient | None:
    """Return the client for Socket Mode; None without an app token, where commands come over HTTP."""
    if not app_token:
        return None
    url, runtime = resources.slack.ready.socket_url, resources.runtime
    replica, start = resources.ledger.replica, resources.tasks.start

    async def record(noted: Hello | str) -> None:
        with suppress(LedgerDownError):  # the next one is recorded then
            if isinstance(noted, str):
                await replica.refused(noted)
            else:
                await replica.greeted(noted.connections, noted.app_id)

    return socket_mode(
        parts.app,
        app_token,
        url,
        runtime,
        observers=resources.observers,
        noted=lambda noted: start(record(noted)),
    )


def _posts(resources: Resources, parts: Wired, *, by_http: bool) -> Mapping[str, Handler]:
    """Return what handles posts from WeChat, if it pushes, and those from Slack, if commands come `by_http`, by path."""
    posts, observers = dict[str, Handler](), resources.observers
    in_use = resources.secrets
    if parts.source.pushes:
        posts[PUSHES] = parts.source.pushes
    if by_http:
        posts[EVENTS] = slack_events(
            parts.app,
            lambda: in_use.secrets.signing_secret,
            resources.runtime,
            observers.acked,
            observers.refused,
        )
    return posts


async def _listen(
    stack: AsyncExitStack,
    resources: Resources,
    address: Address,
    posts: Mapping[str, Handler],
    gets: Mapping[str, Handler],
) -> str:
    """Serve HTTP until the stack is closed; return the URL."""
    host, port = address.host, address.port
    try:
        return await listen(stack, host, port, posts, gets, resources.observers.refused)
    except (OSError, ValueError) as error:
        problems = (unusable(host, port, error),)
        raise CannotStartError(problems, wrong_setup=not is_taken(error)) from error


async def _open(socket: SocketClient) -> None:
    if await socket.open():
        return
    problem = socket.refused or Problem(
        Sentence("Slack's socket does not open"),
        Sentence("Check the network and the proxy, then start again."),
    )
    switched_off = problem == REFUSALS[LINK_DISABLED]
    raise CannotStartError((problem,), wrong_setup=switched_off)
