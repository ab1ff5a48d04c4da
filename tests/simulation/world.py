"""The world: replicas, Slack, WeChat, the database and people in one loop, and the story of what happens.

All that is decided by chance is decided by the seed.
"""

import asyncio
import copy
import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import orjson

from bot.ledger.events import Event
from bot.ledger.writer import PATIENCE
from bot.observe.logs.lines import LineFormatter
from bot.observe.logs.redaction import Redactor
from bot.playground.loopback import Json, JsonObject, json_object
from bot.playground.slack.surfaces import View, ViewChange
from bot.playground.slack.transcript import Change, PostedMessage
from bot.playground.wechat.pushes import Push
from bot.playground.wechat.server import SHARE
from bot.playground.world import ORGANISATION, OWNER, UserGroup
from bot.playground.world import World as Workspace
from bot.policy.kinds import Policy
from tests.simulation import (
    checks,
    checks_at_rest,
    checks_of_state,
    checks_of_wechat,
    checks_of_words,
    collector,
    keeping,
)
from tests.simulation.chain import PLATFORM, SimulatedPlatform, request_of
from tests.simulation.collector import COLLECTOR, SimulatedCollector
from tests.simulation.database import Commit, Database, WriteFate
from tests.simulation.facts import DELIVERY, Attempt, Delivery, History, Memory, rule_of
from tests.simulation.loop import PROCESS, SimulatedLoop
from tests.simulation.network import Ending, Fate, Network, Reply, Sent, Service
from tests.simulation.oracle import MEMBERS, is_full_member
from tests.simulation.policies import ENVS, OTHER_OWNER, POLICIES
from tests.simulation.policy_file import Reading, SimulatedFile
from tests.simulation.replica import SECRETS, TOKEN_SERVER, Machine, Replica, policy_of
from tests.simulation.services import TOKENS, WECHAT, SimulatedSlack, SimulatedWeChat

if TYPE_CHECKING:
    from aiohttp import web

_BIRTH = 1_790_000_000.0  # Unix time at the loop's zero
_FUNCTION = "cloudbase_auth"
_ACK_SECONDS = 3.0
_PUSH_SECONDS = 5.0
_TO_SETTLE = 600.0
_AT_MOST = 4 * 3600.0
"""Seconds after the last step, of which one may take two hours, by which all is over."""
_MOST_BROKEN = 100
_TO_TAKE = 8.0
"""Seconds within which a policy file that is settled is in force: two looks, two seconds apart."""
_LATEST = {
    "slack": (15.5, 30.0),
    "wechat": (5.5, 20.0),
    "tokens": (5.5, 10.0),
    "collector": (10.5, 40.0),
}
"""When what is late has its effect: after the client has given up, and for Slack before the bot looks again."""


T = TypeVar("T")


class Step(Protocol):
    """Something that happens at a planned time, in seconds from the beginning."""

    @property
    def at(self) -> float:
        """When it happens."""

    async def act(self, world: "World", dice: Random) -> None:
        """Let it happen; `dice` are this step's own."""


class World(Memory):
    """One run of a seed."""

    def __init__(
        self,
        seed: int,
        steps: Sequence[Step],
        replicas: int,
        *,
        limits: bool,
        chain: int = 0,
        sends: bool = False,
        keeps: bool = False,
        organisation: bool = False,
        until: str = "",
    ) -> None:
        """Prepare it, for one workspace or an `organisation`; with the name of a rule as `until`, it ends once that is broken."""
        super().__init__()
        self.seed = seed
        self.steps = sorted(steps, key=lambda step: step.at)
        self.loop = SimulatedLoop(seed)
        self.dice = Random(f"world {seed}")  # noqa: S311  # no secret
        self.began = self.loop.true_time()
        self.loop.ends_at = self.began + max((step.at for step in steps), default=0.0) + _AT_MOST
        self.born = _BIRTH + self.began
        self._times_broken = 0
        self._until = until
        self.passed = 0.0
        """The seconds that all clocks were set ahead."""
        self.database_ahead = 0.0
        self.machines_ahead: dict[str, float] = {}
        self.acted: list[asyncio.Task[None]] = []
        self.armed: dict[str, tuple[str, Callable[[], object]]] = {}
        """What befalls a replica when it begins such a call."""
        self.hands: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Held by a person who is busy."""
        self.newest_policy = POLICIES["an organisation" if organisation else "the usual"]
        """The one that was written last and has no mistake."""
        self.file = SimulatedFile(self.loop, seed, self.newest_policy, self._read_fate)
        self.policies: dict[str, History] = {}
        """What was in force on each replica."""
        self.groups = History()
        workspace = ORGANISATION if organisation else Workspace()
        self.slack = SimulatedSlack(self.now, self._hand_over, workspace)
        self.slack.limits.on = limits
        self.slack.on_change, self.slack.on_view = self._on_change, self._on_view
        self._remember_people()
        self.wechat = SimulatedWeChat(self.loop.true_time, self._on_effect)
        self.wechat.envs[OTHER_OWNER] = {}
        for env in ENVS:
            for owner in (OWNER, OTHER_OWNER):
                self.wechat.add_env(owner, env)
            self.ready[env] = History([(0.0, True)])
        self.poisoned: set[str] = set()
        """The appids over which replicas die."""
        self._keep_chain(chain)
        self.database = Database(self.database_now, exclusive=replicas == 1)
        self._record(sends=sends, keeps=keeps)
        self.network = Network(self.loop, self._route, self._fate, self._begin, self.note)
        self.replicas: dict[str, Replica] = {}
        self._down_until: dict[str, float] = {}
        self._names = [f"r{number}" for number in range(1, replicas + 1)]
        self._ending = self._over = False

    def _record(self, *, sends: bool, keeps: bool) -> None:
        self.sends, self.keeps = sends, keeps
        """Whether the bot sends its record to the collector, and deletes what is old."""
        self.collector = SimulatedCollector()
        if sends:
            collector.begin(self)
        if keeps:
            keeping.begin(self)

    def _keep_chain(self, seconds: int) -> None:
        """Let the bot keep the token chain itself, whose tokens live for so many seconds; not if that is 0."""
        self.chain = bool(seconds)
        """Whether the bot keeps the token chain itself."""
        self.withdrawn: dict[str, float] = {}
        """Since when a replica has known that an owner withdrew, by the loop's clock."""
        self.lost_codes: set[str] = set()
        """The owners of whose last code WeChat was told success, and which the ledger did not have then."""
        if seconds:
            tell, own = partial(self.note, "WeChat"), Random(f"chain {self.seed}")  # noqa: S311  # no secret
            self.wechat.keep_chain(self.now, tell, own, self._carry, self._on_push)
            self.wechat.platform.expires_in = seconds

    # Clocks and the story.

    def seconds(self) -> float:
        """Return the seconds since the beginning."""
        return self.loop.true_time() - self.began

    def now(self) -> float:
        """Return the true Unix time."""
        return _BIRTH + self.loop.true_time() + self.passed

    def database_now(self) -> float:
        """Return the time by the database's clock."""
        return self.now() + self.database_ahead

    def machine_now(self, name: str) -> float:
        """Return the time by the clock of a replica's machine."""
        return self.now() + self.machines_ahead.get(name, 0.0)

    def note(self, who: str, what: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{self.seconds():9.3f}  {who:<12} {what}")

    def violation(self, what: str) -> None:
        """Note that something is not as it must be; after the hundredth time the world ends."""
        self._times_broken += 1
        if self._times_broken >= _MOST_BROKEN or rule_of(what) == self._until:
            self.loop.ends_at = 0.0
        if what not in self.broken:
            self.broken.append(what)
            self.note("BROKEN", what)

    @property
    def digest(self) -> str:
        """A digest of the whole story."""
        return hashlib.sha256("\n".join(self.story).encode()).hexdigest()

    # Its life.

    def run(self) -> None:
        """Live through the plan, heal, wait until all that waits for nobody has ended, and stop; then close everything."""
        with self._listening():
            try:
                self.loop.run_until_complete(self._live())
            finally:
                self._over = True
                self.loop.close()
                self.database.close()

    async def _live(self) -> None:
        for name in self._names:
            self._start(name)
        supervisor = self.loop.create_task(self._supervise())
        pushing = self._grant_all()
        for step in self.steps:
            await asyncio.sleep(max(0.0, self.began + step.at - self.loop.true_time()))
            dice = Random(f"{self.seed} {step}")  # noqa: S311  # no secret
            task = self.loop.create_task(step.act(self, dice))
            self.acted.append(task)
        await asyncio.gather(*self.acted)
        self._heal()
        await self._settle()
        for check in checks.AT_THE_END:
            for what in check(self):
                self.violation(f"{check.__name__.replace('_', ' ')}: {what}")
        if pushing:
            pushing.cancel()
        await self._stop(supervisor)

    def _grant_all(self) -> asyncio.Task[None] | None:
        """Let WeChat push, and all owners grant, if the bot keeps the chain."""
        platform = self.wechat.platform
        if not isinstance(platform, SimulatedPlatform):
            return None
        for owner in (OWNER, OTHER_OWNER):
            self.acted.append(self.loop.create_task(platform.grant(owner)))
        return self.loop.create_task(platform.push_for_ever())

    def _heal(self) -> None:
        """End all faults."""
        self.note("the world", "all faults are over")
        self.troubles.clear()
        self.armed.clear()
        self.poisoned.clear()
        self.collector.disliked = ""
        self.slack.clear()
        if isinstance(self.wechat.platform, SimulatedPlatform):
            self.wechat.platform.silent = False
        self.file.replace(self.newest_policy)
        for replica in self.replicas.values():
            replica.process.dies_at = None
            replica.process.thaw()

    async def _settle(self) -> None:
        """Wait until nothing is open but what waits for people, also for the next try of what waits for a quota."""
        until = self.loop.true_time() + _TO_SETTLE
        while self.loop.true_time() < until:
            until = max(until, self.began + checks_of_wechat.tried_again(self) + _TO_SETTLE)
            self.loop.ends_at = max(self.loop.ends_at, until + _AT_MOST)
            await asyncio.sleep(5)
            if not self._is_busy():
                await asyncio.sleep(10)
                if not self._is_busy():  # something may have expired
                    return

    def _is_busy(self) -> bool:
        """Tell whether anything is open that waits for no person, or a private reply is to be sent again."""
        if len(self._up()) < len(self._names):
            return True
        return bool(checks.unfinished(self)) or any(checks_at_rest.only_the_kept_tasks_run(self))

    async def _stop(self, supervisor: asyncio.Task[None]) -> None:
        self._ending = True
        await supervisor
        for replica in self.replicas.values():
            replica.stop()
        await asyncio.sleep(60)
        for replica in self.replicas.values():
            if not replica.over:
                self.violation(f"{replica.name} does not stop")
            if left := replica.process.unfinished:
                self.violation(f"{replica.name} leaves {len(left)} tasks: {left[0].get_coro()}")
        for trouble in self.loop.troubles:
            self.violation(f"asyncio: {trouble}")

    async def _supervise(self) -> None:
        """Start what has died or stopped once more."""
        while not self._ending:
            await asyncio.sleep(1)
            for name in self._names:
                replica = self.replicas[name]
                gone = replica.over or not replica.process.alive
                if gone and self.loop.true_time() >= self._down_until.setdefault(
                    name, self.loop.true_time() + self.dice.uniform(1, 15)
                ):
                    del self._down_until[name]
                    self._start(name)

    def _start(self, name: str) -> None:
        self.note(name, "starts")
        machine = Machine(
            loop=self.loop,
            network=self.network,
            database=self.database,
            write_fate=self._write_fate,
            now=partial(self.machine_now, name),
            file=self.file,
            heard_policy=self._on_policy,
            slack_url=self.slack.api_url,
            note=self.note,
            listeners=[self._on_event],
            tokens=PLATFORM if self.chain else TOKEN_SERVER,
            collector=collector.SETTINGS if self.sends else None,
            keep_days=keeping.KEEP_DAYS if self.keeps else None,
        )
        replica = self.replicas[name] = Replica(name, machine, self.dice)
        replica.process.on_death = partial(self._died, replica)

    def _died(self, replica: Replica) -> None:
        self.under_way = [each for each in self.under_way if each[1] is not replica]
        self._note_policy(replica, None)
        self.wechat.forget(replica.name)
        if replica.ledger:
            self.died.add(replica.ledger.replica.holder)
        self.note(replica.name, "dies")

    def _up(self) -> list[Replica]:
        return [each for each in self.replicas.values() if each.accepts]

    # What people and operators change.

    def change_function(self, env: str, state: str | None) -> None:
        """Put an env's function for others into a state, or take it away."""
        functions = self.wechat.functions[env]
        functions.pop(_FUNCTION, None)
        if state:
            functions[_FUNCTION] = state
        self.ready[env].since.append((self.seconds(), state == "Active"))

    async def write_policy(self, text: str, half: str | None = None, seconds: float = 0.0) -> None:
        """Put a policy into its file, in place if that takes some seconds; each replica finds it soon."""
        self.newest_policy = text
        if seconds:
            await self.file.write(text, half, seconds)
        else:
            self.file.replace(text)
        self._look_soon()

    def spoil_policy(self, text: str | None) -> None:
        """Put a text that is no policy into the file, or take that away."""
        self.file.replace(text)
        self._look_soon()

    def reload_policies(self) -> None:
        """Tell all replicas to read the file, as SIGHUP does."""
        for replica in self.replicas.values():
            replica.process.later(0, replica.reload.set)

    def _look_soon(self) -> None:
        """See to it that the replicas that are up have judged the file, once they have had the time."""
        up = [(each, each.process.freezes) for each in self._up() if not each.process.frozen]
        now = self.loop.true_time()
        self.loop.call_later(_TO_TAKE, self._look_at_policies, self.file.versions, now, up)

    def _look_at_policies(
        self, version: int, since: float, up: Sequence[tuple[Replica, int]]
    ) -> None:
        """Check those that were up, unless something kept them from reading the file as it is."""
        if version != self.file.versions:
            return
        for replica, freezes in up:
            hampered = self.file.hampered_until.get(replica.name, 0.0) > since
            if replica.accepts and replica.process.freezes == freezes and not hampered:
                for what in checks.of_policy(self, replica):
                    self.violation(f"a policy comes into force: {what}")

    def move_in_group(self, user: str, group: str) -> None:
        """Let a person leave a group, or join it again."""
        before = self.slack.groups[group]
        self.slack.groups[group] = replace(before, members=before.members ^ {user})
        self._remember_people()

    def become(self, user: str, kind: str) -> None:
        """Let a person be "a member", "a guest", "a stranger", or "nobody" once deactivated."""
        self.slack.people[user] = replace(
            self.slack.people[user],
            deleted=kind == "nobody",
            is_restricted=kind == "a guest",
            is_stranger=kind == "a stranger",
        )
        if kind == "nobody":
            self.slack.views = {at: view for at, view in self.slack.views.items() if at[0] != user}
        self._remember_people()

    def _remember_people(self) -> None:
        groups = {self._name_of(each): each.members for each in self.slack.groups.values()}
        full = [each.id for each in self.slack.people.values() if is_full_member(each)]
        self.groups.since.append((self.seconds(), {**groups, MEMBERS: frozenset(full)}))

    def _name_of(self, group: UserGroup) -> str:
        """Return how a policy names a group: in an organisation, with its workspace."""
        return f"{group.team_id}/{group.id}" if self.slack.world.organisation else group.id

    def keep_down(self, name: str, seconds: float) -> None:
        """Stop a replica cleanly, and start it again only after so long."""
        self._down_until[name] = self.loop.true_time() + seconds
        self.replicas[name].stop()

    # The ways between the world and the replicas.

    async def _hand_over(self, _kind: str, payload: JsonObject) -> Json:
        """Deliver a payload, and return the ack; raises as Slack's delivery does."""
        ending = self._meet("delivery", "")
        if ending is Ending.LATE:
            self.note("Slack", "delivers this late")
            await asyncio.sleep(self.dice.uniform(0.5, 6))
        if ending is Ending.CUT:
            self.note("Slack", "delivers this twice")
            first = self.loop.create_task(self._deliver(payload))
            await asyncio.sleep(self.dice.choice([0.0, 0.1, 2.0]))
            second = self.loop.create_task(self._deliver(payload))
            await asyncio.wait([first, second])
            first.exception()  # its ack is lost either way
            return second.result()
        return await self._deliver(payload)

    async def _deliver(self, payload: JsonObject) -> Json:
        able = [each for each in self._up() if not self._is_cut(each.name)]
        if not able:
            raise ConnectionError
        replica = self.dice.choice(able)
        self.triggers.add(_trigger_of(payload))
        answer: asyncio.Future[Json] = self.loop.create_future()
        delay, freezes = self._delay(), replica.process.freezes
        hampered = replica.process.frozen
        replica.process.later(delay, self._take, replica, payload, answer)
        try:
            return await asyncio.wait_for(asyncio.shield(answer), _ACK_SECONDS)
        except TimeoutError:
            hampered = hampered or replica.process.freezes > freezes
            if replica.accepts and not hampered:
                self.violation(f"acks within 3 s: {replica.name} does not ack")
            raise

    def _take(self, replica: Replica, payload: JsonObject, answer: asyncio.Future[Json]) -> None:
        replica.process.spawn(self._ack(replica, payload, answer))

    async def _ack(
        self, replica: Replica, payload: JsonObject, answer: asyncio.Future[Json]
    ) -> None:
        if replica.parts is None:
            return
        delivery = Delivery(str(payload.get("type", "command")))
        self.deliveries.append(delivery)
        DELIVERY.set(delivery)
        said = await replica.parts.app.answer(copy.deepcopy(payload))
        delivery.said.append(orjson.dumps(said).decode())
        body: Json = json_object(said) if said else None
        self.loop.world.later(self._delay(), _set, answer, body)

    async def _carry(self, push: Push) -> tuple[int, str]:
        """Deliver a push of WeChat's to one replica; return the status and text of its answer, 0 if there is none."""
        able = self._up()
        if not able:
            return 0, "nobody"
        replica = self.dice.choice(able)
        fate = self._meet("pushes", replica.name)
        if fate in {Ending.UNREACHABLE, Ending.BROKEN, Ending.SILENT}:
            return 0, "lost"
        if fate in {Ending.BAD_GATEWAY, Ending.LIMITED}:
            return 502, "a gateway"
        self._befall(replica.name, "push")
        answer: asyncio.Future[tuple[int, str]] = self.loop.create_future()
        delay = self._delay()
        replica.process.later(delay, self._take_push, replica, push, answer)
        try:
            status, text = await asyncio.wait_for(asyncio.shield(answer), _PUSH_SECONDS)
        except TimeoutError:
            return 0, "late"
        return (0, "cut") if fate is not None else (status, text)

    def _take_push(
        self, replica: Replica, push: Push, answer: asyncio.Future[tuple[int, str]]
    ) -> None:
        replica.process.spawn(self._answer_push(replica, push, answer))

    async def _answer_push(
        self, replica: Replica, push: Push, answer: asyncio.Future[tuple[int, str]]
    ) -> None:
        handler = replica.parts.source.pushes if replica.parts else None
        if handler is None:
            return
        said = cast("web.Response", await handler(request_of(push)))
        self.loop.world.later(self._delay(), _set, answer, (said.status, said.text or ""))

    def _route(self, sent: Sent) -> Service:
        if sent.url.startswith(COLLECTOR):
            return self.collector
        return self.wechat if sent.url.startswith((WECHAT, TOKENS)) else self.slack

    def _delay(self) -> float:
        return self.dice.uniform(0.005, 0.15)

    def _is_cut(self, name: str) -> bool:
        return any(
            each.service == "slack"
            and each.replica == name
            and each.chance == 1
            and each.method is None
            for each in self.troubles
        )

    def _meet(
        self, service: str, name: str, method: str | None = None
    ) -> Ending | Commit | Reading | None:
        for each in self.troubles:
            meets = each.service == service and each.replica in {None, name}
            meets = meets and each.method in {None, method}
            if meets and self.dice.random() < each.chance:
                return each.ending
        return None

    def _fate(self, sent: Sent) -> Fate:
        url = urlsplit(sent.url)
        services = {WECHAT: "wechat", TOKENS: "tokens", COLLECTOR: "collector"}
        service = services.get(f"{url.scheme}://{url.netloc}", "slack")
        ending = self._meet(service, sent.replica, url.path.rpartition("/")[2])
        met = ending if isinstance(ending, Ending) else Ending.ANSWERED
        self.slack_late = self.slack_late or (service == "slack" and met is Ending.LATE)
        there = self.dice.uniform(*_LATEST[service]) if met is Ending.LATE else self._delay()
        return Fate(met, there, self._delay())

    def _write_fate(self, name: str) -> WriteFate:
        for what in checks_of_state.of_open_requests(self):
            self.violation(f"events tell the state: {what}")
        ending = self._meet("ledger", name)
        met = ending if isinstance(ending, Commit) else Commit.DONE
        if met is not Commit.DONE:
            self.slowed[name] = self.seconds()
            self.note(name, f"the ledger: {met.name.lower().replace('_', ' ')}")
        there = self.dice.uniform(2.5, 4) if met is Commit.HANGS else self.dice.uniform(0.001, 0.01)
        slow = self.dice.uniform(0.5, PATIENCE - 0.1) if met is Commit.SLOW else 0.0
        return WriteFate(met, there, slow or self.dice.uniform(0.001, 0.01))

    def _read_fate(self, name: str) -> Reading | None:
        ending = self._meet("disk", name)
        if not isinstance(ending, Reading):
            return None
        self.note(name, f"the policy file: {ending.name.lower()}")
        return ending

    def _befall(self, name: str, begun: str) -> None:
        """Let happen to a replica what waits for a call whose address ends so."""
        after, befall = self.armed.get(name, ("", _nothing))
        if after and begun.endswith(after):
            del self.armed[name]
            befall()

    def _begin(self, sent: Sent, reaches: bool) -> Callable[[Reply | None], None]:
        """Check a share as it leaves a replica, and keep it until its client knows its end."""
        try:
            return self._begin_share(sent, reaches=reaches)
        except Exception as error:  # the bot would take it for one of the network's
            self.violation(f"the world ends: {error!r}")
            raise

    def _begin_share(self, sent: Sent, *, reaches: bool) -> Callable[[Reply | None], None]:
        path, replica = sent.url.partition("?")[0], self.replicas[sent.replica]
        checks_of_words.note_private_reply(sent)
        if reaches:
            self._befall(sent.replica, path)
        if not path.endswith(SHARE):
            return _nothing
        ledger = replica.ledger
        if ledger is None:
            raise LookupError(f"{replica.name} asks before it has a ledger")
        share = checks.share_of(self, sent, ledger)
        attempt = Attempt(share, replica.process.freezes)
        for what in checks_of_wechat.of_attempt(self, attempt):
            self.violation(what)
        self.attempts.append(attempt)
        if not reaches:
            return partial(self._ended, attempt)
        for what in checks.of_share(self, share, sent):
            self.violation(what)
        self.note(sent.replica, f"asks WeChat to share {share.env} with {share.appid}")
        self.shares.append(share)
        self.under_way.append((share, replica))
        if share.appid in self.poisoned:
            replica.process.dies_at = replica.process.turns + self.dice.randint(1, 12)
        return partial(self._ended, attempt)

    def _ended(self, attempt: Attempt, reply: Reply | None) -> None:
        attempt.met, attempt.over = checks_of_wechat.met_by(reply), self.seconds()
        self.under_way = [each for each in self.under_way if each[0] is not attempt.share]

    # What the world hears.

    def _on_effect(self, replica: str, owner: str, env: str, appid: str) -> None:
        self.effects.append((self.seconds(), replica, owner, env, appid))
        self.note("WeChat", f"shares {env} with {appid}, for {replica}")

    def _on_push(self, info_type: str, owner: str, created: int) -> None:
        """Note what WeChat may take for known from now on: it does not push that again."""
        if info_type == "unauthorized":
            self.withdrawn[owner] = self.loop.true_time()
        elif info_type == "authorized":
            kept = self.database.rows(
                "SELECT 1 FROM tokens WHERE name = :owner AND told >= :created",
                owner=owner,
                created=created,
            )
            (self.lost_codes.discard if kept else self.lost_codes.add)(owner)

    def _on_event(self, event: Event) -> None:
        self.events.append((self.seconds(), event))
        facts = {name: value for name, value in event.facts.items() if value is not None}
        told = " ".join(f"{name}={value}" for name, value in facts.items())
        self.note(PROCESS.get().name, f"records {event.kind}: {told}")
        if delivery := DELIVERY.get(None):
            delivery.did.append(event)
        for what in (*checks.of_event(self, event), *checks_of_wechat.of_outcome(self, event)):
            self.violation(what)

    def _on_policy(self, replica: Replica, policy: Policy) -> None:
        """Note what a replica decides by from now on."""
        known = [each for each in POLICIES.items() if policy_of(each[1]) == policy]
        name, whole = known[0] if known else ("half a policy", None)
        self.note(replica.name, f"puts into force: {name}")
        if whole is None:
            self.violation(f"a policy comes into force: {replica.name} has one that nobody wrote")
        self._note_policy(replica, whole)

    def _note_policy(self, replica: Replica, text: str | None) -> None:
        history = self.policies.setdefault(replica.name, History())
        history.since.append((self.seconds(), text))

    def _on_view(self, view: View, change: ViewChange) -> None:
        if view.kind == "modal" and change in {"opened", "updated"}:
            self.modals.append(view)

    def _on_change(self, message: PostedMessage, change: Change) -> None:
        text = message.text.split("\n")[0][:90]
        whom = f" to {message.ephemeral_to}" if message.ephemeral_to else ""
        self.note("Slack", f"{message.channel}{whom} {message.ts[-10:]} {change}: {text}")
        if message.ephemeral_to and not message.deleted:
            self.told.append((self.seconds(), message.ephemeral_to, message.text))
        if any(block.get("type") == "actions" for block in message.blocks):
            self.screens.append(message)
        for what in checks.of_post(self, message, change):
            self.violation(what)
        for what in checks.of_text(self, message.text + orjson.dumps(message.blocks).decode()):
            self.violation(what)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Hear what the bot logs."""
        logger, handler = logging.getLogger("bot"), _Lines(self._on_line)
        level, propagates = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagates

    def _on_line(self, line: str, level: int) -> None:
        if self._over:
            return  # what is thrown away is no part of the story
        self.lines.append(line)
        process = PROCESS.get(self.loop.world)
        if level >= logging.WARNING:
            self.note(process.name, f"logs {line.splitlines()[0]}")
        if "unforeseen error" in line:
            self.violation(f"no unforeseen errors: {line}")
        for what in checks.of_text(self, line):
            self.violation(what)


class _Lines(logging.Handler):
    """Passes on each formatted line, without its time."""

    def __init__(self, hear: Callable[[str, int], None]) -> None:
        super().__init__()
        self.setFormatter(LineFormatter(Redactor(SECRETS), as_json=False))
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        """Hear one record."""
        self._hear(self.format(record).partition(" ")[2], record.levelno)


def _set(answer: asyncio.Future[T], body: T) -> None:
    if not answer.done():
        answer.set_result(body)


def _nothing(_reply: object = None) -> None:
    """Nothing has to be done at the end of an exchange."""


def _trigger_of(payload: JsonObject) -> str:
    """Return the id of what somebody did; empty for an event that asks for nothing, such as an edited mention."""
    event = payload.get("event")
    if not isinstance(event, dict):
        return str(payload.get("trigger_id"))
    if event["type"] != "app_mention" or "edited" in event:
        return ""
    return f"{payload['team_id']} {event['channel']} {event['ts']}"
