"""Wire the parts between Slack, the ledger and WeChat together."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from bot import __version__
from bot.app.resources import Resources
from bot.app.token_source import Source, token_source
from bot.domain.language import Language
from bot.locale import languages
from bot.messages.words import Languages
from bot.observe.collector.sender import Sender
from bot.settings.access import CollectorSettings, TokenSettings
from bot.slack.approvals import ApproverMessages
from bot.slack.buttons import ClickListeners
from bot.slack.directory import Directory
from bot.slack.forms import FormListeners
from bot.slack.home import Homes
from bot.slack.listeners import App
from bot.slack.mentions import MentionListener
from bot.slack.posts import Posts
from bot.slack.preflight import MENTIONS
from bot.slack.private import PrivateReplies
from bot.slack.thread import Threads
from bot.slack.twins import TwinMessages
from bot.wechat.client import Envs, WeChat
from bot.workflow.batches import Batches
from bot.workflow.brake import Brake
from bot.workflow.clicks import ClickHandler
from bot.workflow.deadline import has_ended
from bot.workflow.form import FormHandler
from bot.workflow.home import Home
from bot.workflow.judge import Judge
from bot.workflow.leased import LeasedSteps
from bot.workflow.ports import Ports
from bot.workflow.recheck import Recheck
from bot.workflow.retention import Retention
from bot.workflow.retrying import RetryingLedger
from bot.workflow.slash_command import SlashCommands
from bot.workflow.submit import Intake
from bot.workflow.worker import Worker

_REFERENCE = 4  # bytes of the reference to an error in the log, which people read out


@dataclass(frozen=True, slots=True)
class Wired:
    """The app, which takes Slack's payloads, and the parts that work on what was recorded.

    `source` has their tokens; `sender` sends events elsewhere, if they are to be sent; `retention` deletes what is old,
    if that is not to be kept for ever.
    """

    app: App
    worker: Worker
    recheck: Recheck
    source: Source
    sender: Sender | None
    retention: Retention | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slack:
    """The parts that look up people, decide what they may, and write messages in Slack, and the languages."""

    people: Directory
    judge: Judge
    places: Threads
    approvals: ApproverMessages
    twins: TwinMessages
    languages: Languages


def wire(  # noqa: PLR0913  # each of the settings that it passes on
    stack: AsyncExitStack,
    resources: Resources,
    tokens: TokenSettings,
    language: Language,
    timeout: float,
    *,
    collector: CollectorSettings | None = None,
    keep_days: int | None = None,
) -> Wired:
    """Return the parts, wired together; their reads and renewals under way are ended when the stack is closed.

    `language` is that of channels and operators, `timeout` the seconds for a call to WeChat, `keep_days` for how many days
    requests are kept after they ended.
    """
    api, runtime, start = resources.slack.api, resources.runtime, resources.tasks.start
    ready = resources.slack.ready
    source = token_source(stack, resources, tokens, timeout)
    slack = _slack(stack, resources, language)
    wechat = _wechat(resources, source, timeout)
    envs = Envs(wechat, runtime.clock, runtime.ready_for)
    stack.push_async_callback(envs.close)
    judge, homes = slack.judge, _homes(resources, source, slack)
    stack.push_async_callback(homes.close)
    worker = _worker(resources, wechat, envs, slack, homes)
    ended = partial(has_ended, resources.ledger)
    new_reference = partial(runtime.token_hex, _REFERENCE)
    private = PrivateReplies(api, slack.languages.channel, start, ended, new_reference)
    ports = Ports(
        installation=ready.installation,
        people=slack.people,
        ledger=resources.ledger,
        process=worker.process,
        link=slack.places.link,
        token_states=source.states,
        new_id=runtime.new_id,
        start=start,
        stopping=resources.tasks.stopping,
        languages=slack.languages,
        tell_privately=private.send,
        readiness=envs.readiness,
        env_list=envs.listed,
        changed=homes.changed,
        mentions=MENTIONS in (ready.scopes or ()),
    )
    intake = Intake(ports)
    handler = FormHandler(intake, judge, ports, envs.reread)
    commands = SlashCommands(intake, judge, ports)
    mentions = MentionListener(commands.mention, private, start, ready.field("user_id"))
    forms = FormListeners(handler, private, start)
    handle_click = ClickHandler(intake, judge, ports, runtime.sleep)
    clicks = ClickListeners(api, handle_click, private, homes.publish_for)
    app = App(
        resources.slack.client,
        ready.identity,
        slack.languages.channel,
        commands.command,
        forms.open,
        forms.listen,
        homes.listen,
        clicks.listen,
        mentions.listen,
        send=private.answer_once,
        clock=runtime.clock,
        new_reference=new_reference,
        unheard=resources.observers.unheard,
    )
    recheck = Recheck(
        ledger=resources.ledger,
        places=slack.places,
        approvals=slack.approvals,
        twins=slack.twins,
        batches=worker.batches,
        idle=runtime.idle,
        every=runtime.recheck_every,
    )
    sender = _sender(resources, collector) if collector else None
    retention = _retention(resources, collector, keep_days) if keep_days else None
    return Wired(app, worker, recheck, source, sender, retention)


def _retention(resources: Resources, collector: CollectorSettings | None, days: int) -> Retention:
    runtime = resources.runtime
    return Retention(
        ledger=resources.ledger,
        days=days,
        url=collector.url if collector else None,
        now=runtime.now,
        idle=runtime.idle,
        every=runtime.delete_every,
    )


def _sender(resources: Resources, collector: CollectorSettings) -> Sender:
    runtime = resources.runtime
    return Sender(
        collector=resources.ledger.collector(collector.url),
        settings=collector,
        http=resources.wechat.http,
        clock=runtime.clock,
        now=runtime.now,
        idle=runtime.idle,
        jitter=runtime.jitter,
        posted=resources.observers.sent_events,
    )


def _slack(stack: AsyncExitStack, resources: Resources, language: Language) -> _Slack:
    api, ready = resources.slack.api, resources.slack.ready
    runtime, in_force = resources.runtime, resources.in_force
    spoken = languages(language, lambda: in_force.policy)
    in_doubt = resources.ledger.rechecks.in_doubt
    posts = Posts(api, ready.field("user_id"), runtime.sleep, runtime.now, in_doubt)
    people = Directory(api, ready.field("team_id"), runtime.since_boot)
    stack.push_async_callback(people.close)
    people.prefetch(in_force.policy.groups)
    in_force.subscribe(lambda policy: people.prefetch(policy.groups))
    places = Threads(api, posts, people, spoken, ready.field("url"))
    approvals = ApproverMessages(posts, in_force, spoken, places.link, people)
    twins = TwinMessages(posts, spoken)
    judge = Judge(in_force, people, runtime.now)
    return _Slack(
        people=people,
        judge=judge,
        places=places,
        approvals=approvals,
        twins=twins,
        languages=spoken,
    )


def _wechat(resources: Resources, source: Source, timeout: float) -> WeChat:
    runtime = resources.runtime
    return WeChat(
        resources.wechat,
        source.tokens,
        timeout=timeout,
        clock=runtime.clock,
        sleep=runtime.sleep,
        jitter=runtime.jitter,
        answered=source.answered,
    )


def _homes(resources: Resources, source: Source, slack: _Slack) -> Homes:
    runtime = resources.runtime
    home = Home(
        installation=resources.slack.ready.installation,
        judge=slack.judge,
        ledger=resources.ledger,
        languages=slack.languages,
        link=slack.places.link,
        token_states=source.states,
        version=__version__,
    )
    homes = Homes(resources.slack.api, home.page, runtime.clock, runtime.sleep)
    resources.in_force.subscribe(lambda _: homes.changed())
    return homes


def _worker(
    resources: Resources, wechat: WeChat, envs: Envs, slack: _Slack, homes: Homes
) -> Worker:
    runtime = resources.runtime
    ledger = RetryingLedger(resources.ledger, runtime.sleep)
    leased = LeasedSteps(
        ledger=ledger,
        clock=runtime.clock,
        sleep=runtime.sleep,
        idle=runtime.idle,
        stopping=resources.tasks.stopping,
    )
    brake = Brake(slack.judge, runtime.brake_every)
    return Worker(
        ledger=ledger,
        leased=leased,
        places=slack.places,
        owners=wechat,
        approvals=slack.approvals,
        batches=Batches(
            ledger=ledger,
            leased=leased,
            owners=wechat,
            brake=brake,
            now=runtime.now,
            prefetch_readiness=envs.readiness,
        ),
        brake=brake,
        start=resources.tasks.start,
        readiness=envs.readiness,
        env_list=envs.listed,
        changed=homes.changed,
    )
