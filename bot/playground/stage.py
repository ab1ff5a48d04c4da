"""The running bot with a local Slack and a local WeChat, on one machine."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import aiohttp
from sqlalchemy import select

from bot.app.running import running
from bot.domain.language import Language
from bot.domain.request import State
from bot.ledger.audit import EventFilter, open_for_audit, read
from bot.ledger.schema import requests
from bot.observe.health import READYZ
from bot.ops.policy_command import explanation
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.loopback import JsonObject, free_port
from bot.playground.slack.conversations import rendered
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.targets import request_of
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import OWNER, POLICY, SCOPES, World
from bot.policy.file import read_question
from bot.policy.kinds import Policy
from bot.runtime.clock import Runtime
from bot.settings.load import Settings, load, policy_of
from bot.slack.preflight import MENTIONS

_RESTING = (State.CONFIRMING, State.WAITING, State.ENDED)
_MOVING = select(requests.c.id).where(requests.c.state.not_in([each.value for each in _RESTING]))
_MORE_ENVS = (
    *(f"prod-{number}" for number in range(2, 10)),
    "test-2",
    "core-1",
    "core-2",
    "live-1",
    "live-2",
    "pay-1",
    "vault-1",
)
"""The owner's envs that the guide and the scenario share, besides the stand-in's own."""
_MOMENT = 0.4  # seconds
_LOOK = 0.02  # seconds


class Rules:
    """The bot's policy file, which can be edited while it runs."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self._judge = partial(policy_of, path, settings.policy.default_owner, settings.tokens)
        self.reload = asyncio.Event()
        self.taken = asyncio.Event()
        """Set when the bot has accepted or refused a newer file."""

    def judge(self, text: str) -> Policy | list[str]:
        """Parse a policy, or return the sentences with which the bot would refuse it."""
        judged = self._judge(text)
        if isinstance(judged, Policy):
            return judged
        return [each.replace(str(self.path), "policy.toml") for each in judged]

    async def change(self, text: str) -> list[str]:
        """Write a new policy and return once it is in force; return why, if it is refused."""
        judged = self.judge(text)
        if isinstance(judged, list):
            return judged
        another = judged != self.judge(self.text)
        self.taken.clear()
        self.path.write_text(text, encoding="utf-8")
        self.text = text
        if another:
            self.reload.set()
            await self.taken.wait()
        return []


class StagedBot:
    """The bot on the stage, which operators can start again with another LANGUAGE; `start` returns it running."""

    def __init__(self, start: Callable[[Language], AbstractAsyncContextManager[object]]) -> None:
        self.language = Language.ENGLISH
        self._start = start
        self._stack = AsyncExitStack()
        self._starting = asyncio.Lock()

    async def speak(self, language: Language) -> None:
        """Stop the bot if it runs, and return once it is ready in this language."""
        async with self._starting:
            await self._stack.aclose()
            await self._stack.enter_async_context(self._start(language))
            self.language = language

    async def stop(self) -> None:
        """Stop it for good."""
        await self._stack.aclose()


@dataclass(frozen=True, slots=True)
class Stage:
    """The running bot and its surroundings; after `moment` seconds without a change it counts as quiet."""

    slack: LocalSlack
    wechat: LocalWeChat
    rules: Rules
    database_url: str
    bot: StagedBot
    moment: float = _MOMENT

    def events(self, request: str | None = None) -> Iterator[JsonObject]:
        """Yield the ledger's events, oldest first: all, or those of one request."""
        for event in read(open_for_audit(self.database_url), EventFilter()):
            if request in {None, event["request"]}:
                yield {
                    name: value if isinstance(value, int | float) else str(value)
                    for name, value in event.items()
                    if value is not None
                }

    def inside(self, message: PostedMessage) -> JsonObject:
        """Return a message's JSON and, if it is about a request, its events and the policy's decision."""
        request = request_of(message)
        events = [*self.events(request)] if request else []
        return {
            "request": request,
            "message": rendered(self.slack, message, with_metadata=True),
            "events": [*events],
            "decision": self._decision(events[0]) if events else "",
        }

    def _decision(self, event: JsonObject) -> str:
        """Return the current policy's decision about the question in an event."""
        policy, user = self.rules.judge(self.rules.text), str(event.get("user", ""))
        person = self.slack.people.get(user)
        groups = [group.id for group in self.slack.groups.values() if user in group.members]
        asked = {"user": user, "groups": groups, "guest": bool(person and person.is_restricted)}
        asked |= {key: event[key] for key in ("channel", "appid", "env") if event.get(key)}
        question = read_question(asked)
        if isinstance(question, list) or isinstance(policy, list):
            return ""
        return "\n".join(explanation(policy, question.ask(Runtime().now())))

    async def quiet(self) -> None:
        """Return once no request is moving and nothing has changed for a moment."""
        change = asyncio.Event()
        calm = False
        with self.watched(change.set):
            while not calm:
                change.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(change.wait(), self.moment)
                calm = not change.is_set() and not self._moving()

    def _moving(self) -> bool:
        """Return whether the ledger has a request that neither waits for a person nor has been delivered."""
        with open_for_audit(self.database_url).connect() as connection:
            return connection.execute(_MOVING).first() is not None

    @contextmanager
    def watched(self, told: Callable[[], None]) -> Iterator[None]:
        """Call `told` after each change in Slack or WeChat while the context is open."""
        for each in (self.slack, self.wechat):
            each.watchers.add(told)
        try:
            yield
        finally:
            for each in (self.slack, self.wechat):
                each.watchers.discard(told)


@asynccontextmanager
async def stage(runtime: Runtime | None = None, **more: str) -> AsyncIterator[Stage]:
    """Start both stand-ins and, as `run` does, the bot; `more` are extra settings.

    The bot keeps the platform's token chain; the stage is ready once the bot knows its first tokens.
    """
    world = World(scopes=SCOPES | {MENTIONS})  # the demo shows mentions too
    async with LocalSlack(world) as slack, LocalWeChat() as wechat:
        wechat.envs[OWNER] |= dict.fromkeys(_MORE_ENVS, "NORMAL")
        with tempfile.TemporaryDirectory(prefix="share-env-") as folder:
            policy = Path(folder) / "policy.toml"
            policy.write_text(POLICY, encoding="utf-8")
            database_url = f"sqlite:///{folder}/ledger.db"
            kept = {"POLICY_FILE": str(policy), "DATABASE_URL": database_url}
            port = free_port()
            chain = chain_environment(wechat, port)
            environ = slack_environment(slack) | chain | kept | more
            settings = _settings(environ)
            rules = Rules(policy, settings)
            # Whoever takes an env's function away wants to see it at once.
            eager = replace(runtime or Runtime(), ready_for=0.0)

            @asynccontextmanager
            async def start(language: Language) -> AsyncIterator[None]:
                spoken = environ | {"LANGUAGE": language.value}
                async with running(
                    _settings(spoken), eager, rules.reload, lambda _: rules.taken.set()
                ):
                    await _ready(port)
                    yield

            bot = StagedBot(start)
            try:
                await bot.speak(settings.language)
                yield Stage(slack, wechat, rules, database_url, bot)
            finally:
                await bot.stop()


def _settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings, and the policy as it now is."""
    settings = load(environ)
    if not isinstance(settings, Settings):
        raise ValueError("; ".join(settings))
    return settings


async def _ready(port: int) -> None:
    """Wait until all parts are well: before that, the first `whoami` would tell that there are no tokens."""
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"http://127.0.0.1:{port}{READYZ}") as response:
                if (await response.json())["status"] == "ok":
                    return
            await asyncio.sleep(_LOOK)
