"""What must hold of the words that people read: answers, the sentences at once, and what Slack can show."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote_plus

import orjson

from bot.playground.loopback import Json
from bot.playground.slack.transcript import PostedMessage
from tests.simulation import keeping
from tests.simulation.facts import DELIVERY
from tests.simulation.oracle import MEMBERS, Groups
from tests.simulation.policies import ENVS
from tests.simulation.services import TOKENS, WECHAT

if TYPE_CHECKING:
    from bot.ledger.events import Event
    from tests.simulation.network import Sent
    from tests.simulation.world import World

FINAL: Final[Mapping[str, str]] = {
    "shared": "✅",
    "failed": "❌",
    "unknown": "❔",
    "rejected": "🚫",
    "cancelled": "🚫",
    "denied": "🚫",
    "stopped": "🚫",
    "expired": "⌛",
}
"""With which sign people are told of each outcome; of one that was left to another request, it is ✅ or 🚫."""
_ELSEWHERE = (WECHAT, TOKENS)
_SIGNS = "✅❌❔🚫⌛⏳"
_COUNTED: Final[Mapping[str, tuple[str, str]]] = {
    "shared": ("shared", "已共享"),
    "skipped": ("skipped", "已跳过"),
    "failed": ("not shared", "未共享"),
    "unknown": ("unknown", "结果未知"),
    "cancelled": ("cancelled", "已取消"),
    "stopped": ("stopped by the policy", "被策略中止"),
}
"""How the answer to a batch counts each outcome, in both languages."""
_OUTCOMES = {words: outcome for outcome, both in _COUNTED.items() for words in both}
_COUNTS = re.compile(rf"(\d+) (?:个)?({'|'.join(_OUTCOMES)})")
_GROUP = re.compile(r"^([✅❌❔🚫⌛]) \*.+\* (?:[((]\d+[))]|· \d+ 个)")
_APPID = re.compile(r"wx[0-9a-f]{16}")
_NAMED = re.compile(r"(?:[Rr]equest|申请|请求) ?`([2-9a-z]{8})`")
NOTHING = ("Nothing was done", "nothing was done", "未执行任何操作")
_PROBABLY_NOTHING = ("so this probably did not happen", "很可能没有生效")
_PRIVATE = {"chat.postEphemeral", "chat.postMessage", "views.open", "views.update"}
_DONE = {
    *("confirming", "waiting", "accepted", "confirmed", "approved", "broke glass", "rejected"),
    "cancelled",
}
_TAKEN_BACK = {"taken back", "withdrawn"}
_MALFORMED = {
    "cannot_parse_attachment",
    "invalid_arguments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_metadata_format",
    "metadata_too_large",
    "msg_too_long",
    "msg_blocks_too_long",
    "no_text",
    "too_many_attachments",
}


# At the end.


def the_answer_is_true(world: "World") -> Iterator[str]:
    """The answer to each request that was delivered has the sign of its outcome, and of no other."""
    answers = answers_in(world)
    for id_, outcome in _delivered(world, batches=False):
        for said in answers.get(id_, ()):
            signs = {sign for sign in said.text if sign in _SIGNS}
            if outcome in FINAL and signs != {FINAL[outcome]}:
                yield f"{id_} is {outcome}, and its answer says “{said.text.splitlines()[0]}”"


def each_item_is_told(world: "World") -> Iterator[str]:
    """The answer to a batch counts its items as they are recorded, and names each under the sign of its outcome."""
    answers = answers_in(world)
    for id_, _ in _delivered(world, batches=True):
        items = dict(
            world.database.rows("SELECT appid, outcome FROM requests WHERE batch = :id", id=id_)
        )
        for said in answers.get(id_, ()) if items else ():
            yield from _of_batch(id_, items, said)


def _all_shared(count: int) -> tuple[str, str]:
    return f"All {count} shared.", f"{count} 个已全部共享。"


def _of_batch(id_: str, items: Mapping[str, str], said: PostedMessage) -> Iterator[str]:
    first, *rest = said.text.splitlines()
    told = {_OUTCOMES[words]: int(count) for count, words in _COUNTS.findall(first)}
    there = dict(Counter(items.values()))
    whole = any(f"*{all_}*" in first for all_ in _all_shared(len(items)))
    if (not whole and told != there) or (whole and there != {"shared": len(items)}):
        yield f"the items of {id_} are {there}, and its answer says “{first}”"
    sign = ""
    for line in rest:
        if group := _GROUP.match(line):
            sign = group[1]
        elif sign and line.startswith("`wx"):
            for appid in _APPID.findall(line):
                outcome = items.get(appid, "nothing")
                if outcome in FINAL and FINAL[outcome] != sign:
                    yield f"{appid} of {id_} is {outcome}, and is told under {sign}"
            sign = ""


def each_row_is_true(world: "World") -> Iterator[str]:
    """The tables below the answer to a batch have each item that was not shared, with the sign of its outcome."""
    tables = defaultdict[str, list[PostedMessage]](list)
    for message in world.slack.messages:
        request, _, kind = mark_of(message).partition("-")
        if kind.startswith("ends") and message.blocks[0]["type"] == "data_table":
            tables[request].append(message)
    for id_, _ in _delivered(world, batches=True):
        items = dict(
            world.database.rows("SELECT appid, outcome FROM requests WHERE batch = :id", id=id_)
        )
        told = dict(row for message in tables[id_] for row in _rows(message))
        for appid, sign in told.items():
            if sign != FINAL.get(items[appid], sign):
                yield f"{appid} of {id_} is {items[appid]}, and has {sign} in a table"
        missing = {appid for appid, outcome in items.items() if outcome != "shared"} - {*told}
        if told and missing:
            yield f"{len(missing)} of the apps that {id_} did not share are in no table"


def _rows(message: PostedMessage) -> Iterator[tuple[str, str]]:
    """Yield the appid and the sign of each row of a table of what failed."""
    for appid, ended, *_ in cast(
        "Sequence[Sequence[Mapping[str, str]]]", message.blocks[0]["rows"]
    )[1:]:
        yield appid["text"], ended["text"][0]


def nothing_is_under_way_for_ever(world: "World") -> Iterator[str]:
    """No message about a request that has ended says that it goes on; but what only one person sees cannot be edited."""
    ended = {id_ for each in (False, True) for id_, _ in _delivered(world, batches=each)}
    for message in world.slack.messages:
        request = mark_of(message).partition("-")[0]
        if message.deleted or message.channel in world.closed:
            continue
        if request in ended and message.text.startswith(("⏳", "🕓")):
            first = message.text.splitlines()[0]
            yield f"{request} has ended, and {message.channel} says “{first}”"


def what_is_named_is_recorded(world: "World") -> Iterator[str]:
    """A request that somebody is told of at once is recorded, and has the env that they were told, if any."""
    known = {
        id_: (user, env)
        for id_, user, env in world.database.rows(
            f'SELECT id, "user", env FROM {keeping.ever(world, "requests")}'  # noqa: S608  # ours
        )
    }
    for ack in world.acks:
        said = str((ack.payload or {}).get("text", ""))
        for id_ in _NAMED.findall(said):
            if id_ not in known:
                yield f"{id_} is named, and is not recorded: {said.splitlines()[0]}"
            elif (named := {env for env in ENVS if env in said}) and known[id_][1] not in named:
                yield f"{id_} is about {known[id_][1]}, and is answered: {said.splitlines()[0]}"


def note_private_reply(sent: "Sent") -> None:
    """Note what only the person is told because of a payload: in reply to a click, in a modal, or in a direct message."""
    delivery, method = DELIVERY.get(None), sent.url.rpartition("/api/")[2]
    body = unquote_plus(sent.body.decode())
    private = "/api/" not in sent.url or method in _PRIVATE
    if delivery and private and not sent.url.startswith(_ELSEWHERE) and "event_payload" not in body:
        delivery.said.append(body)


def told_nothing_is_nothing(world: "World") -> Iterator[str]:
    """Who was told privately that nothing was done, because of what they sent, had nothing done for that.

    What probably did not happen was taken back, unless another replica took it over first; but for the rest of a batch,
    which stays cancelled.
    """
    for delivery in world.deliveries:
        done = list["Event"]()
        for event in delivery.did:
            if event.kind in _TAKEN_BACK:
                done[-1:] = []
            elif event.kind in _DONE:
                done.append(event)
        for said in delivery.said if done else ():
            probably = () if _may_stand(world, done[-1]) else _PROBABLY_NOTHING
            for words in (*NOTHING, *probably):
                if words in said:
                    yield f"{delivery.what} was answered “{words}”, and had {done[-1].kind} recorded"


def _may_stand(world: "World", event: "Event") -> bool:
    """Tell whether nobody could take this back, or nobody is to."""
    if event.kind == "cancelled" and "outcome" not in event.facts:
        return True
    events = [each for _, each in world.events]
    later = events[events.index(event) :]
    request = event.facts.get("request")
    return any(each.kind == "taken over" and each.facts.get("request") == request for each in later)


def slack_can_show_it(world: "World") -> Iterator[str]:
    """No call was refused since what it sends is malformed or too long; but Slack says the same of a person who is gone."""
    members = [cast("Groups", groups)[MEMBERS] for _, groups in world.groups.since]
    for call in world.slack.calls:
        whom = call.args.get("user_id")
        gone = whom is not None and not all(whom in each for each in members)
        if call.error in _MALFORMED and not gone:
            yield f"{call.method} is refused as {call.error}"


# Of each message, as it is posted or edited.


def of_size(message: PostedMessage) -> Iterator[str]:
    """Yield which of Slack's limits a message breaks (docs.slack.dev, reference/block-kit)."""
    blocks = [*message.blocks]
    if len(blocks) > 50:  # a message's
        yield f"within limits: {len(blocks)} blocks in {message.channel}"
    has_table = any(block["type"] == "data_table" for block in blocks)
    if len(message.text) > (
        40_000 if has_table else 4000
    ):  # of a table, all; else as Slack recommends
        yield f"within limits: {len(message.text)} characters in {message.channel}"
    for block in blocks:
        for kind, length, most in _lengths(block):
            if length > most:
                yield f"within limits: {length} characters or elements in a {kind}, at most {most}"


def _lengths(block: Mapping[str, Json]) -> Iterator[tuple[str, int, int]]:
    elements = block.get("elements")
    text = block.get("text")
    if block.get("type") == "section" and isinstance(text, dict):
        yield "section", len(str(text.get("text", ""))), 3000
    if isinstance(elements, list):
        yield str(block["type"]), len(elements), 10 if block["type"] == "context" else 25
        for element in elements:
            if isinstance(element, dict) and element.get("type") == "button":
                label = element.get("text")
                yield "button", len(str(label.get("text"))) if isinstance(label, dict) else 0, 75
                yield "button's value", len(str(element.get("value", ""))), 2000


# What they read.


def mark_of(message: PostedMessage) -> str:
    """Return the mark of a message about a request; empty if it has none."""
    payload = (message.metadata or {}).get("event_payload")
    return str(payload.get("request", "")) if isinstance(payload, dict) else ""


def shown(message: PostedMessage) -> str:
    """Return all that a message shows."""
    return message.text + orjson.dumps(message.blocks).decode()


def answers_in(world: "World") -> dict[str, list[PostedMessage]]:
    """Return the answers that stand in threads, by the ids of their requests; in a direct message they begin otherwise."""
    answers = dict[str, list[PostedMessage]]()
    for message in world.slack.messages:
        mark = mark_of(message)
        reply = message.thread_ts and (mark.endswith("-answer") or "-" not in mark)
        parent = message.thread_ts and world.slack.sought(message.thread_ts)
        to_its_own = mark.endswith("-answer") or (parent and mark_of(parent) == mark)
        if mark and reply and to_its_own and not message.deleted:
            answers.setdefault(mark.partition("-")[0], []).append(message)
    return answers


def _delivered(world: "World", *, batches: bool) -> Iterator[tuple[str, str]]:
    delivered = {e.facts.get("request") for _, e in world.events if e.kind == "delivered"}
    for id_, outcome, appids in world.database.rows(
        "SELECT id, outcome, appids FROM requests WHERE state = 'ended' AND batch IS NULL"
    ):
        if id_ in delivered and bool(appids) == batches:
            yield id_, outcome


AT_THE_END = (
    the_answer_is_true,
    each_item_is_told,
    each_row_is_true,
    nothing_is_under_way_for_ever,
    what_is_named_is_recorded,
    told_nothing_is_nothing,
    slack_can_show_it,
)
