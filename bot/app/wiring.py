"""Furnish the rooms between Slack, the ledger and WeChat, each with what it needs of the others."""

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot import __version__
from bot.app.token_source import Source
from bot.domain.request import Request
from bot.ledger import Ledger
from bot.locale import tongues
from bot.runtime.cache import Cache
from bot.runtime.clock import Runtime
from bot.runtime.observers import Observers
from bot.runtime.topic import Topic
from bot.settings.load import Settings
from bot.slack.api import SlackApi
from bot.slack.approvals import Approvals
from bot.slack.audience import Audience
from bot.slack.clicks import Clicks
from bot.slack.commands import Commands
from bot.slack.connection import Ready
from bot.slack.directory import Directory
from bot.slack.forms import Forms
from bot.slack.home import Homes
from bot.slack.listeners import bolt_app
from bot.slack.posts import Posts
from bot.slack.private import Alone
from bot.slack.thread import Threads
from bot.wechat.client import WeChat
from bot.wechat.envs import Envs
from bot.workflow.approval import Waiting
from bot.workflow.batches import Batches
from bot.workflow.brake import Brake
from bot.workflow.clicks import ClickHandler
from bot.workflow.form import Forming
from bot.workflow.home import Home
from bot.workflow.leased import Holding
from bot.workflow.policy_in_force import InForce
from bot.workflow.ports import Ports
from bot.workflow.slash_command import Sharing
from bot.workflow.submit import Submitting
from bot.workflow.worker import Carrying


@dataclass(frozen=True, slots=True)
class Outside:
    """What has been opened to the world, and `start` for work in the background."""

    settings: Settings
    in_force: InForce
    runtime: Runtime
    client: AsyncWebClient
    api: SlackApi
    slack: Ready
    http: httpx.AsyncClient
    ledger: Ledger
    source: Source
    start: Callable[[Coroutine[None, None, None]], None]
    observers: Observers = field(default_factory=Observers)


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the composition root goes on to talk to."""

    app: AsyncApp
    carrying: Carrying
    submitting: Submitting


def furnish(stack: AsyncExitStack, outside: Outside) -> Rooms:
    """Return the rooms; what they are reading is given up when the stack is left."""
    settings, runtime, api = outside.settings, outside.runtime, outside.api
    in_force = outside.in_force
    spoken, changes = tongues(settings.language), Topic[Request](_facts_of)
    posts = Posts(api, outside.slack.told("user_id"), runtime.sleep, runtime.now)
    places = Threads(api, posts, runtime.clock, spoken, outside.slack.told("url"))
    stack.push_async_callback(places.close)
    people = Directory(api, outside.slack.told("team_id"), runtime.clock)
    stack.push_async_callback(people.close)
    where = Audience(places.why_private, people).where
    approvals = Approvals(posts, in_force, spoken, places.link, where)
    people.ahead(in_force.policy.groups)
    in_force.hear(lambda policy: people.ahead(policy.groups))
    brake = Brake(in_force, people, runtime.now, runtime.brake)
    carrying = _carrying(outside, places, approvals, changes, brake)
    ports = Ports(
        people,
        outside.ledger,
        carrying.carry,
        places.link,
        outside.source.states,
        runtime.new_id,
        outside.start,
        spoken,
        Alone(api, runtime.sleep).tell,
        changes.tell,
    )
    submitting = Submitting(in_force, ports)
    homes = Homes(api, Home(submitting, ports, __version__), runtime.clock, runtime.sleep)
    stack.callback(homes.close)
    changes.hear(homes.changed)
    in_force.hear(lambda _: homes.all_changed())
    forms = _forms(stack, outside, submitting, ports)
    app = bolt_app(
        outside.client,
        outside.slack.identity,
        settings.slack.signing_secret,
        spoken.channel,
        Commands(Sharing(submitting, ports), forms),
        forms,
        homes,
        Clicks(api, ClickHandler(submitting, ports), outside.start, runtime.sleep),
    )
    return Rooms(app, carrying, submitting)


def _carrying(
    outside: Outside, places: Threads, approvals: Approvals, changes: Topic[Request], brake: Brake
) -> Carrying:
    runtime, settings = outside.runtime, outside.settings
    owners = WeChat(
        outside.http,
        settings.wechat_url,
        outside.source.tokens,
        timeout=settings.wechat_timeout,
        clock=runtime.clock,
        sleep=runtime.sleep,
        jitter=runtime.jitter,
        called=outside.observers.called_wechat,
    )
    holding = Holding(outside.ledger, runtime.sleep)
    return Carrying(
        outside.ledger,
        holding,
        places,
        owners,
        Waiting(outside.ledger, holding, places, approvals),
        Batches(outside.ledger, holding, owners, brake, runtime.now),
        brake,
        outside.start,
        changed=changes.tell,
    )


def _forms(stack: AsyncExitStack, outside: Outside, submitting: Submitting, ports: Ports) -> Forms:
    settings = outside.settings
    tokens, timeout = outside.source.tokens, settings.wechat_timeout
    envs = Envs(outside.http, settings.wechat_url, tokens, timeout, outside.observers.called_wechat)
    owned = Cache(envs.of, outside.runtime.clock)
    stack.push_async_callback(owned.close)
    forming = Forming(submitting, ports, owned)
    return Forms(outside.api, forming, outside.start, outside.runtime.sleep)


def _facts_of(request: Request) -> dict[str, object]:
    return {"request": request.id}
