"""What must hold: while the world runs, of each share, event and text; and at the end, of everything."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl, urlsplit

from bot.ledger.events import Event
from bot.ledger.ledger import Ledger
from bot.playground.loopback import objects
from bot.playground.slack.surfaces import placed
from bot.playground.slack.transcript import Change, PostedMessage
from bot.playground.world import World as Workspace
from tests.simulation import (
    chain,
    checks_at_rest,
    checks_of_people,
    checks_of_state,
    checks_of_wechat,
    checks_of_words,
    collector,
    keeping,
)
from tests.simulation.checks_of_people import broke_glass
from tests.simulation.checks_of_words import FINAL, NOTHING, mark_of
from tests.simulation.facts import Deed, Share
from tests.simulation.loop import PROCESS
from tests.simulation.oracle import (
    Groups,
    Question,
    Verdict,
    are_enough,
    escalates,
    may_decide,
    owner_of,
    verdict,
)
from tests.simulation.replica import AUTHORIZATION, Replica, policy_of

if TYPE_CHECKING:
    from tests.simulation.network import Sent
    from tests.simulation.world import World

_OVERLOOKED = 7.0
"""Seconds for which a freeze or the end of hours may be overlooked: five between two looks at a batch, and the call."""
_GRACE = 150.0
"""Seconds for which an earlier policy or group may still count: caches, and the minute without another check."""
_CACHED = 75.0
"""Seconds after which no replica may use a token that is void: a minute's cache, and the calls under way."""
_AT_A_CLICK = 25.0
"""Seconds for which they may count at a click, which reads them anew: a read that is under way, and the commit."""
_NOTHING_DONE = {"failed", "rejected", "cancelled", "denied", "stopped", "expired"}
_OF_RECORDED = {"approve", "reject", "cancel"}
_SECRETS = (
    Workspace().bot_token,
    Workspace().signing_secret,
    AUTHORIZATION.split()[1],
    "made-up-token-",
    "/made-up",
    *chain.SECRETS,
    *chain.SHAPES,
)
_WAITING = ("confirming", "waiting")


# Of each share, as it leaves a replica.


def share_of(world: "World", sent: "Sent", ledger: Ledger) -> Share:
    """Return what is asked, and for which request of the ledger."""
    body = json.loads(sent.body)
    found = world.database.rows(
        "SELECT one.id, coalesce(batch.fence, one.fence) FROM requests AS one"
        " LEFT JOIN requests AS batch ON batch.id = one.batch"
        " WHERE one.env = :env AND one.appid = :appid AND one.state IN ('placed', 'queued')",
        env=body["env"],
        appid=body["appid"],
    )
    request, fence = found[0] if found else ("", 0)
    holder = ledger.replica.holder
    return Share(world.seconds(), sent.replica, holder, body["env"], body["appid"], request, fence)


def of_share(world: "World", share: Share, sent: "Sent") -> Iterator[str]:
    """Yield what is wrong with asking WeChat now."""
    token = dict(parse_qsl(urlsplit(sent.url).query))["access_token"]
    if not share.request:
        yield f"asks for a request: WeChat is asked to share {share.env} with {share.appid} for no request"
        return
    yield from _allowed(world, share, token)
    yield from _refused_before(world, share, token)
    yield from _held_by_another(world, share)
    yield from _shared_before(world, share)
    yield from _cancelled_before(world, share)
    for other, replica in world.under_way:
        same = (other.env, other.appid) == (share.env, share.appid)
        if same and _covers(replica, other):
            yield f"one asks at a time: {share.replica} asks for {share.env} and {share.appid}, which {other.replica} holds and is asking for"
        ours, theirs = _batch(share), _batch(other)
        if ours and theirs and ours != theirs and _covers(replica, other):
            yield f"one batch runs at a time: {share.replica} asks for {ours}, and {other.replica} for {theirs}"


def _refused_before(world: "World", share: Share, token: str) -> Iterator[str]:
    """Yield an error if a token is used that WeChat refused, or its owner withdrew, longer ago than a cache lasts."""
    owner, now = world.wechat.owner_of(token), world.loop.true_time()
    if now - world.wechat.refused.get(token, (now, ""))[0] > _CACHED:
        yield f"no refused token is kept: {share.replica} uses {owner}'s"
    if world.chain and now - world.withdrawn.get(str(owner), now) > _CACHED:
        yield f"no withdrawn token is used: {share.replica} uses {owner}'s"


def _held_by_another(world: "World", share: Share) -> Iterator[str]:
    """Yield an error if another replica has taken the request, or its batch, over by now."""
    for (holder,) in world.database.rows(
        "SELECT coalesce(batch.holder, one.holder) FROM requests AS one"
        " LEFT JOIN requests AS batch ON batch.id = one.batch WHERE one.id = :id",
        id=share.request,
    ):
        if holder not in {None, share.holder}:
            yield f"only the holder asks: {share.replica} asks for {share.request}, which {holder} holds"


def _shared_before(world: "World", share: Share) -> Iterator[str]:
    """Yield an error if this was recorded as shared, unless the request is to share it again."""
    for (id_,) in world.database.rows(
        f"SELECT other.id FROM requests AS one JOIN {keeping.ever(world, 'requests')} AS other"  # noqa: S608  # ours
        " ON other.env = one.env AND other.appid = one.appid AND other.id <> one.id"
        " WHERE one.id = :id AND NOT one.again AND other.outcome = 'shared'",
        id=share.request,
    ):
        yield f"shared once: {share.replica} asks for what {id_} has shared, and nobody said again"


def _cancelled_before(world: "World", share: Share) -> Iterator[str]:
    """Yield an error if somebody cancelled the rest of its batch before this replica took that over."""
    if share.fence > world.cancelled.get(_batch(share), share.fence):
        yield f"a cancelled item is not called again: {share.replica} asks for {share.request}"


def _batch(share: Share) -> str:
    return share.request.rpartition("-")[0]


def _covers(replica: Replica, share: Share) -> bool:
    """Tell whether a replica's own lease still covers the request of a share, or its batch."""
    return any(replica.holds(each, share.fence) for each in (share.request, _batch(share)))


def _allowed(world: "World", share: Share, token: str) -> Iterator[str]:
    """Yield an error unless some policy of the last minutes allows the share, as confirmed and approved."""
    id_, batch, team, user, channel, rule, told, reason = world.database.rows(
        'SELECT id, batch, team, "user", channel, rule, owner, reason FROM requests WHERE id = :id',
        id=share.request,
    )[0]
    if world.wechat.owner_of(token) != told:
        yield f"asks with the owner's token: {id_} is about an env of {told}, and not {world.wechat.owner_of(token)}"
    about = {id_, batch}
    deeds = [deed for deed in world.deeds if deed.request in about]
    why, asked = set[str](), Question(team, user, channel, share.env, reason, world.now())
    for text, groups in _held(world, _GRACE):
        said = _latest(text, groups, asked)
        owner = owner_of(text, share.env)
        if world.wechat.owner_of(token) != owner:
            why.add(f"the token is not that of {owner}")
        elif (
            said.effect == "allow"
            or (said.effect == "confirm" and _is_confirmed(deeds, user))
            or (said.effect == "approve" and said.rule == rule and _is_approved(deeds, user))
            or (user in said.hasty and said.rule == rule and broke_glass(deeds, user))
        ):
            return
        else:
            why.add(f"{said.effect} by “{said.rule}”")
    yield f"asks for what is allowed: the policy does not let {user} share {share.env} ({', '.join(sorted(why))})"


def _latest(text: str, groups: Groups, asked: Question) -> Verdict:
    """Return what a policy says now or, if it denies, what it said as long ago as the time may be overlooked."""
    said = verdict(text, groups, asked)
    overlooked = _OVERLOOKED + PROCESS.get().seconds_frozen
    before = asked._replace(at=asked.at - overlooked)
    return verdict(text, groups, before) if said.effect == "deny" else said


def _held(world: "World", seconds: float) -> Iterator[tuple[str, Groups]]:
    now = world.seconds()
    held = [text for each in world.policies.values() for text in each.within(now - seconds, now)]
    for text in dict.fromkeys(filter(None, held)):
        for groups in world.groups.within(now - seconds, now):
            yield str(text), cast("Groups", groups)


def _is_confirmed(deeds: list[Deed], user: str) -> bool:
    confirmed = any(deed.act == "confirm" and deed.user == user for deed in deeds)
    return confirmed or any(deed.act == "approve" for deed in deeds)


def _is_approved(deeds: list[Deed], user: str) -> bool:
    return any(deed.act == "approve" and deed.user != user for deed in deeds)


# Of the policy, once each replica has had the time to read it.


def of_policy(world: "World", replica: Replica) -> Iterator[str]:
    """Yield what is wrong with the policy in force on a replica."""
    in_force, spoiled = replica.in_force, world.file.text != world.newest_policy
    # What stood in the file for less than two looks, before a mistake did, may never have been taken.
    newest = in_force and in_force.policy == policy_of(world.newest_policy)
    if in_force is None or not (newest or spoiled):
        yield f"{replica.name} decides by another one than the newest"
    elif (in_force.trouble is not None) != spoiled:
        yield f"{replica.name} says of its file: {in_force.trouble or 'nothing'}"


# Of each event, as it is committed.


def of_event(world: "World", event: Event) -> Iterator[str]:
    """Yield what is wrong with an event."""
    facts = event.facts
    checks_of_state.note_cancelled(world, event)
    checks_of_state.note_click(world, event)
    yield from checks_of_state.of_take_over(world, event)
    yield from checks_of_people.of_deadline(world, event)
    yield from checks_of_people.of_decision(world, event)
    if event.kind == "broke glass":
        yield from _breaks_glass(world, event)
    if event.kind == "escalated":
        yield from _escalates(world, event)
    if event.kind not in {"agreed", "approved", "rejected"}:
        return
    ((team, user, env, channel, rule, reason, when),) = world.database.rows(
        'SELECT team, "user", env, channel, rule, reason, escalated FROM requests WHERE id = :id',
        id=facts["request"],
    )
    by, escalated = str(facts["user"]), when is not None
    agrees = event.kind in {"agreed", "approved"}
    if by == user and agrees:
        yield f"nobody approves their own: {by} approves request {facts['request']}"
    asked = Question(team, user, channel, env, reason, world.now())
    seconds = _AT_A_CLICK + PROCESS.get().seconds_frozen
    said_yes = {
        deed.user
        for deed in world.deeds
        if (deed.act, deed.request) == ("approve", facts["request"])
    }
    may = enough = False
    for text, groups in _held(world, seconds):
        said = _latest(text, groups, asked)
        forbidden = agrees and said.effect == "deny"
        may |= not forbidden and by in may_decide(
            text, groups, said, rule, user, escalated=escalated
        )
        enough |= said.effect != "approve" or are_enough(said, said_yes, escalated=escalated)
    if not may:
        yield f"approvers decide: {by} has {event.kind} {facts['request']} and may not"
    if event.kind == "approved" and not enough:
        yield f"so many agree as have to: {', '.join(sorted(said_yes))} alone to {facts['request']}"


def _escalates(world: "World", event: Event) -> Iterator[str]:
    """Yield an error if a request escalates again, or before it waited as long as some policy of the last minutes wants."""
    id_ = str(event.facts["request"])
    times = [each.facts.get("request") for _, each in world.events if each.kind == "escalated"]
    if times.count(id_) > 1:
        yield f"a request escalates once: {id_} does so again"
    ((rule,),) = world.database.rows("SELECT rule FROM requests WHERE id = :id", id=id_)
    waited = world.database_now() - world.waits.get(id_, 0.0)
    if waited < min(escalates(text, rule) for text, _ in _held(world, _GRACE)) - 1:
        yield f"nobody is asked too soon: {id_} escalates after {waited:.0f} s"


def _breaks_glass(world: "World", event: Event) -> Iterator[str]:
    """Yield an error if no policy of the last seconds lets somebody share without the approval, or they did not say why."""
    id_, by = str(event.facts["request"]), str(event.facts["user"])
    ((team, user, env, channel, reason),) = world.database.rows(
        'SELECT team, "user", env, channel, reason FROM requests WHERE id = :id', id=id_
    )
    asked = Question(team, user, channel, env, reason, world.now())
    held = _held(world, _AT_A_CLICK + PROCESS.get().seconds_frozen)
    may = any(by in _latest(text, groups, asked).hasty for text, groups in held)
    if by != user or not may:
        yield f"who does not wait need not: {by} does not wait with {id_} of {user}"
    if not broke_glass([deed for deed in world.deeds if deed.request == id_], by):
        yield f"who does not wait says why: {by} does not of {id_}"


def of_post(world: "World", message: PostedMessage, change: Change) -> Iterator[str]:
    """Yield an error if a message is posted that stands: only one that comes late cannot be found by then."""
    yield from checks_of_words.of_size(message)
    mark, where = mark_of(message), (message.channel, message.thread_ts)
    if change != "posted" or world.slack_late or message.ephemeral_to or not mark:
        return
    for other in world.slack.messages:
        same = (other.channel, other.thread_ts) == where and mark_of(other) == mark
        if same and other.ts != message.ts and not other.deleted and not other.ephemeral_to:
            yield f"posted once: {mark} is posted in {message.channel}, where it stands"


def of_text(_world: "World", text: str) -> Iterator[str]:
    """Yield the secrets in something said or logged."""
    for secret in _SECRETS:
        if secret in text:
            yield f"no secret is told: {secret} in {text[:200]}"


# At the end.


def unfinished(world: "World") -> list[str]:
    """Return the requests that wait for no person, and the messages that are to be looked at."""
    rows = world.database.rows(
        "SELECT id, state, all_asked, recheck FROM requests WHERE recheck IS NOT NULL"
        " OR state NOT IN ('ended', 'confirming') AND NOT (state = 'waiting' AND all_asked)"
    )
    open_ones = [f"{id_} is {state}" for id_, state, *_ in rows]
    return [*open_ones, *chain.not_recovered(world), *collector.not_sent(world)]


def everything_ends(world: "World") -> Iterator[str]:
    """Whatever waits for no person has ended, and each message that was in doubt was looked at."""
    yield from unfinished(world)


def the_newest_policy_is_in_force(world: "World") -> Iterator[str]:
    """Each replica decides by the newest policy."""
    for replica in world.replicas.values():
        yield from of_policy(world, replica)


def one_outcome_each(world: "World") -> Iterator[str]:
    """Each request has at most one outcome, and is told once."""
    told = Counter[tuple[object, str]]()
    for _, event in world.events:
        if event.kind in {"answered", "delivered", "not delivered"}:
            told[event.facts.get("request"), event.kind] += 1
    for (request, kind), times in told.items():
        if times > 1:
            yield f"{request} is {kind} {times} times"


def recorded_is_true(world: "World") -> Iterator[str]:
    """What is recorded as shared was shared, and where nothing was done nothing was done."""
    done = {(env, appid) for _, _, _, env, appid in world.effects}
    for id_, env, appid, outcome in world.database.rows(
        "SELECT id, env, appid, outcome FROM requests WHERE appid <> '' AND outcome IS NOT NULL"
    ):
        asked = [share for share in world.shares if share.request == id_]
        if outcome == "shared" and (env, appid) not in done:
            yield f"{id_} is recorded as shared, and WeChat has not done it"
        if outcome in _NOTHING_DONE and asked and _took_effect(world, asked):
            yield f"{id_} is recorded as {outcome}, and WeChat has done it"


def _took_effect(world: "World", asked: list[Share]) -> bool:
    """Tell whether WeChat carried out one of these calls, and no other request asked for the same then."""
    pair = asked[0].env, asked[0].appid
    begin, end = asked[0].at, asked[-1].at + 30
    others = [s for s in world.shares if (s.env, s.appid) == pair and s.request != asked[0].request]
    if any(begin - 30 <= other.at <= end for other in others):
        return False  # it may be that one's
    return any(begin <= at <= end for at, _, _, *what in world.effects if tuple(what) == pair)


def told_is_recorded(world: "World") -> Iterator[str]:
    """The parent of each ended request says how it ended."""
    ended = world.database.rows(
        "SELECT id, outcome, place FROM requests"
        " WHERE state = 'ended' AND batch IS NULL AND outcome IS NOT NULL AND place LIKE '%/%'"
    )
    delivered = {e.facts.get("request") for _, e in world.events if e.kind == "delivered"}
    for id_, outcome, place in ended:
        message = world.slack.sought(place.split("/")[1])
        if id_ not in delivered or outcome not in FINAL or message is None:
            continue
        if message.deleted or message.channel in world.closed:
            continue
        if not message.text.startswith(FINAL[outcome]):
            yield f"{id_} is {outcome}, and its parent says “{message.text.splitlines()[0]}”"


def told_at_once_is_true(world: "World") -> Iterator[str]:
    """Who was told at once that nothing was done, or that it could not be recorded, had nothing done."""
    for ack in world.acks:
        said = str((ack.payload or {}).get("text", ""))
        if not any(words in said for words in NOTHING):
            continue
        for id_, outcome in world.database.rows(
            "SELECT id, outcome FROM requests WHERE trigger_id = :id", id=ack.trigger_id
        ):
            asked = [share for share in world.shares if share.request.startswith(id_)]
            if outcome is not None or asked:
                yield f"{id_} ended as {outcome}, and was answered: {said.splitlines()[0]}"


def stands_once(world: "World") -> Iterator[str]:
    """Each message about a request stands in one place."""
    marks = Counter[tuple[str, str, str | None]]()
    for message in world.slack.messages:
        if (mark := mark_of(message)) and not message.deleted:
            marks[mark, message.channel, message.thread_ts] += 1
    for (mark, channel, _), times in marks.items():
        if times > 1:
            yield f"{mark} stands {times} times in {channel}"


def no_question_after_the_end(world: "World") -> Iterator[str]:
    """No question keeps its buttons after its request has ended."""
    ended = {row[0] for row in world.database.rows("SELECT id FROM requests WHERE state = 'ended'")}
    for message in world.slack.messages:
        if message.deleted or message.ephemeral_to or message.channel in world.closed:
            continue
        for button in placed(objects([*message.blocks])):
            request = str(button.element.get("value", "")).partition(" ")[0]
            if button.action_id in _OF_RECORDED and request in ended:
                yield f"{request} has ended, and {message.channel} still has “{button.label}”"


def slack_takes_everything(world: "World") -> Iterator[str]:
    """Slack found nothing wrong with what the bot sent."""
    # Two clicks of one person may get the same reply, each in its own time.
    twice = "chat.postEphemeral: called again"
    yield from (each for each in world.slack.violations if not each.startswith(twice))


def events_tell_the_outcome(world: "World") -> Iterator[str]:
    """The outcome of each request is in its events."""
    told = {
        e.facts.get("request"): e.facts.get("outcome")
        for _, e in world.events
        if e.kind == "answered"
    }
    for id_, outcome in world.database.rows(
        "SELECT id, outcome FROM requests WHERE batch IS NULL AND outcome IS NOT NULL AND state = 'ended'"
    ):
        if id_ in told and told[id_] != outcome:
            yield f"{id_} is {outcome}, and its events say {told[id_]}"


AT_THE_END: Final[tuple[Callable[["World"], Iterator[str]], ...]] = (
    everything_ends,
    chain.no_secret_is_kept_in_clear,
    the_newest_policy_is_in_force,
    one_outcome_each,
    recorded_is_true,
    told_is_recorded,
    told_at_once_is_true,
    stands_once,
    no_question_after_the_end,
    slack_takes_everything,
    events_tell_the_outcome,
    collector.the_collector_has_every_event,
    *keeping.AT_THE_END,
    *checks_of_state.AT_THE_END,
    *checks_of_people.AT_THE_END,
    *checks_of_wechat.AT_THE_END,
    *checks_of_words.AT_THE_END,
    *checks_at_rest.AT_THE_END,
)
