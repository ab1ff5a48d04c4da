"""The commands on the ledger: `audit` prints, deletes or sends events, `request` prints the history of one request."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any

from sqlalchemy import Engine

from bot.domain.batch import groups_of
from bot.domain.finding import Problem, at
from bot.domain.in_general import in_general
from bot.domain.kept import KeptShare
from bot.domain.outcome import Failed, Outcome, Unknown
from bot.domain.request import State
from bot.domain.sentence import Sentence, joined
from bot.ledger.audit import (
    EventFilter,
    delete_before,
    find,
    find_kept_share,
    items,
    open_for_audit,
    read,
)
from bot.ledger.engine import CannotOpenError
from bot.ledger.entries import Entry, name_of
from bot.ledger.items import Item
from bot.ledger.sending import first_unsent, leave_out, send_since
from bot.messages.blocks import read_ref
from bot.messages.words import Words
from bot.observe.collector.cloudevents import id_of
from bot.observe.output import FAILED, FINE, complain, padded, printable, speaking, write_rows
from bot.policy.kinds import Policy
from bot.policy.reasons import reference_of
from bot.runtime.clock import Runtime
from bot.settings.environ import Reader
from bot.settings.load import Parts, read_parts
from bot.settings.table import Table
from bot.slack.payloads import link_to

_PATIENCE = 3.0  # seconds; without an answer the links are left out
_DOCTOR = Sentence("Run share-env-bot doctor.")
_BLANK = "", ""
_NAMES = 9  # columns
_FACTS = ("user", "outcome", "errcode", "rid", "detail", "seconds")
"""The facts of an event that are printed after its kind and time, in order."""


def audit(environ: Mapping[str, str], about: Mapping[str, Any], shape: str) -> int:
    """Print the events that match `about`; return the exit code."""
    try:
        engine = open_for_audit(Table.DATABASE_URL.value(Reader(environ)))
        rows = read(engine, EventFilter(**about), words=shape != "table")
        if shape != "table":
            rows = map(partial(_with_address, read_parts(environ).policy), rows)
        if (first := next(rows, None)) is None:
            print(speaking(environ).told(Sentence("No events match.")), file=sys.stderr)
        else:
            write_rows(chain([first], rows), shape)
    except CannotOpenError as error:
        return _failed(error, read_parts(environ), speaking(environ))
    return FINE


def change(
    environ: Mapping[str, str], about: Mapping[str, Any], name: str, wanted: datetime | str
) -> int:
    """Do what the option `name` of `audit` wants with a day or an event, and say so; return the exit code."""
    parts, words = read_parts(environ), speaking(environ)
    try:
        done = _change(environ, about, name, wanted)
    except CannotOpenError as error:
        return _failed(error, parts, words)
    if isinstance(done, Problem):
        return complain([done], parts.secrets, words)
    print(words.told(done))
    return FINE


def _change(
    environ: Mapping[str, str], about: Mapping[str, Any], name: str, wanted: datetime | str
) -> Sentence:
    """Return what was done, or the Problem that prevents it."""
    if about:
        named = joined([f"--{option}" for option in about])
        return Problem(
            Sentence("{option} concerns everybody", option=name),
            Sentence("Leave out {named}.", named=named),
        )
    if isinstance(wanted, datetime) and wanted > datetime.fromtimestamp(Runtime().now(), UTC):
        return Problem(
            Sentence("{day} has not begun yet, in UTC", day=_day(wanted)),
            Sentence("Name an earlier day."),
        )
    # Of a wrong setting too: what was sent before it was changed is known by it.
    url = Reader(environ).text(Table.AUDIT_URL.name) or ""
    if not url and name != "--delete-before":
        return Problem(
            Sentence("{name} is missing", name=Table.AUDIT_URL.name),
            Sentence("Set it to where events are to be sent."),
        )
    engine = open_for_audit(Table.DATABASE_URL.value(Reader(environ)))
    if isinstance(wanted, str):
        return _leave_out(engine, url, wanted)
    return (_send if name == "--send-since" else _delete)(engine, url, wanted)


def _delete(engine: Engine, url: str, before: datetime) -> Sentence:
    done = delete_before(engine, before, url)
    if isinstance(done, int):
        return Problem(
            Sentence(
                "AUDIT_URL does not have {count} events from before {day} yet, so they are kept",
                count=done,
                day=_day(before),
            ),
            Sentence(
                "Run share-env-bot doctor, which says why. To delete them unsent, empty AUDIT_URL first."
            ),
        )
    requests, events = done
    return Sentence(
        "Deleted {requests} requests and {events} events from before {day}.",
        requests=requests,
        events=events,
        day=_day(before),
    )


def _send(engine: Engine, url: str, since: datetime) -> Sentence:
    return Sentence(
        "Events that the bot sends to AUDIT_URL while it runs: {count}, which are those since {day} and any that are still to be sent.",
        count=send_since(engine, url, since),
        day=_day(since),
    )


def _leave_out(engine: Engine, url: str, event: str) -> Sentence:
    first = first_unsent(engine, url)
    if first and id_of(first) == event and leave_out(engine, url, first, event):
        return Sentence(
            "AUDIT_URL does not get event {event}, but a later one that says so. It stays in the ledger.",
            event=event,
        )
    found = Sentence("Event {event} is not the next one that AUDIT_URL is to get", event=event)
    if first is None:
        return Problem(found, Sentence("It has all of them."))
    return Problem(found, Sentence("The next one is {event}.", event=id_of(first)))


def _day(of: datetime) -> str:
    return f"{of:%Y-%m-%d}"


def _with_address(policy: Policy | None, row: Mapping[str, object]) -> Mapping[str, object]:
    """Return an event with the address of what its reason names, if the policy has that."""
    rule, reason = str(row["rule"]), str(row["reason"] or "")
    found = reference_of(policy, rule, reason) if policy and reason else None
    return {**row, "reason_url": found[1] if found else None}


def _failed(error: CannotOpenError, parts: Parts, words: Words) -> int:
    """Print why the ledger cannot be used; return the exit code, which tells a cause that may pass from a wrong setup."""
    code = complain([error.problem], parts.secrets, words)
    return FAILED if error.transient else code


def tell_request(environ: Mapping[str, str], request: str) -> int:
    """Print everything about a request or an item of a batch; return the exit code."""
    parts, words = read_parts(environ), speaking(environ)
    try:
        engine = open_for_audit(parts.database_url)
        entry = find(engine, request)
        kept = None if entry else find_kept_share(engine, request)
        batch = find(engine, entry.request.batch) if entry and entry.request.batch else None
        wanted = EventFilter(request=request, batch=batch.request.id if batch else None)
        events = list(read(engine, wanted, words=True))
        its = items(engine, entry.request) if entry and entry.request.appids else []
    except CannotOpenError as error:
        return _failed(error, parts, words)
    if kept:
        print(words.told(_kept(kept)))
        return FINE
    if entry is None:
        problem = Problem(
            Sentence("No request “{request}” is in the ledger", request=request),
            Sentence("Its id is in the answer in Slack and in the log."),
        )
        complain([problem], parts.secrets, words)
        return FAILED
    for name, value in story(
        entry, batch or entry, its, events, _workspace(parts), policy=parts.policy
    ):
        begin = f"{padded(words.told(name), _NAMES)} " if name else ""
        print(f"{begin}{printable(words.told(value))}")
    return FINE


def _kept(share: KeptShare) -> Sentence:
    return Sentence(
        "Request {request} shared {env} with {appid} on {day}. Its record was deleted since, and with it who asked.",
        request=share.request,
        env=share.env,
        appid=share.appid,
        day=_day(datetime.fromtimestamp(share.ended, UTC)),
    )


def _workspace(parts: Parts) -> str | None:
    """Return the URL of the Slack workspace."""
    slack = parts.slack
    if slack is None:
        return None
    # Imported here: an audit makes no call to Slack.
    from bot.ops.doctor.slack_calls import web_api  # noqa: PLC0415
    from bot.ops.doctor.transport import promptly, session  # noqa: PLC0415
    from bot.slack.api import Answered, Result  # noqa: PLC0415

    async def fetch() -> Result:
        async with asyncio.timeout(_PATIENCE), session() as http:
            return await web_api(slack, slack.bot_token, http).read("auth.test")

    try:
        found = promptly(fetch())
    except TimeoutError:
        return None
    url = found.data.get("url") if isinstance(found, Answered) else None
    return str(url) if url else None


def story(  # noqa: PLR0913  # all that it tells of
    entry: Entry,
    whole: Entry,
    its: Sequence[Item],
    events: Sequence[Mapping[str, object]],
    workspace: str | None,
    *,
    policy: Policy | None,
) -> Iterator[tuple[str, str]]:
    """Yield the lines, with the name of what each tells, which may be empty.

    `whole` is what was asked for together, which has the messages, `its` are the items of a batch.

    `workspace` is the URL of Slack's workspace, for links, and `policy` has the address of what the reason names, if known.
    """
    comments = (str(event["comment"]) for event in events if event.get("comment"))
    about = (*_about(entry, its, policy), (Sentence("comment"), next(comments, "")))
    yield from ((name, value) for name, value in about if value)
    yield _BLANK
    yield from (("", _step(event)) for event in events)
    stands = [
        *((Sentence("answer"), each) for each in _links(whole.place, workspace)),
        *((Sentence("asked"), each) for each in _links(whole.asked, workspace)),
    ]
    if stands:
        yield _BLANK
        yield from stands
    if its:
        for group in groups_of([(item.appid, item.outcome) for item in its]):
            some = Sentence("{count} of {all}", count=len(group.appids), all=len(its))
            yield from (("", line) for line in _what_to_do(group.outcome, some))
    else:
        yield from (("", line) for line in _what_to_do(entry.outcome))


def _what_to_do(outcome: Outcome | None, how_many: str | None = None) -> Iterator[str]:
    """Yield what a failure means, what to do, and what WeChat said; nothing for any other outcome."""
    if not isinstance(outcome, Failed | Unknown):
        return
    guidance, said = outcome.guidance, outcome.said
    found: str = in_general(guidance.title)
    if outcome.status:
        found = Sentence("{title} (HTTP {status})", title=found, status=outcome.status)
    if how_many:
        found = at(how_many, found)
    yield ""
    yield Problem(found, in_general(guidance.meaning, guidance.found))
    doctor = (_DOCTOR,) if guidance.doctor else ()
    steps = (*doctor, *guidance.steps_with(said.errmsg if said else ""))
    for number, step in enumerate(steps, 1):
        yield Sentence("{number}. {step}", number=number, step=in_general(step, guidance.found))
    if said:
        what = f"{said.errcode} {said.errmsg}".rstrip()
        yield Sentence("WeChat said: {what}", what=what)


def _about(entry: Entry, its: Sequence[Item], policy: Policy | None) -> Iterator[tuple[str, str]]:
    request, origin = entry.request, entry.request.origin
    yield Sentence("request"), request.id
    yield Sentence("who"), Sentence("{user} of {team}", user=origin.user_id, team=origin.team_id)
    name = f"#{origin.channel_name}" if origin.channel_name else ""
    yield Sentence("where"), f"{origin.channel_id} {name}".strip()
    yield Sentence("env"), Sentence("{env}, owned by {owner}", env=request.env, owner=request.owner)
    yield Sentence("batch"), request.batch or ""
    yield (
        Sentence("appid"),
        request.appid or Sentence("{count} of a batch", count=len(request.appids)),
    )
    yield Sentence("rule"), request.rule
    yield Sentence("reason"), request.reason or ""
    found = reference_of(policy, request.rule, request.reason or "") if policy else None
    yield "", found[1] if found else ""
    yield Sentence("state"), entry.state.value
    if entry.until and entry.state in {State.CONFIRMING, State.WAITING}:
        yield Sentence("until"), _time(datetime.fromtimestamp(entry.until, UTC))
    yield Sentence("outcome"), name_of(entry.outcome) if entry.outcome else ""
    ends = Counter(name_of(item.outcome) if item.outcome else "open" for item in its)
    yield Sentence("items"), ", ".join(f"{count} {name}" for name, count in ends.most_common())


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _step(event: Mapping[str, object]) -> str:
    at = datetime.fromisoformat(str(event["at"])).astimezone(UTC)
    facts = (f"{name}={event[name]}" for name in _FACTS if event.get(name) not in {None, ""})
    item = event.get("request") or ""
    line = f"{_time(at)}  {item!s:<12} {event['kind']!s:<14} {' '.join(facts)}"
    return line.rstrip()


def _links(ref: str | None, workspace: str | None) -> Iterator[str]:
    for each in read_ref(ref):
        if workspace is None:
            yield Sentence("{channel}, message {ts}", channel=each.channel, ts=each.ts)
        else:
            yield link_to(workspace, each)
