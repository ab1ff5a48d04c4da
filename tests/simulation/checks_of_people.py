"""What must hold of decisions: who may decide, when, and what they were shown before."""

import re
from collections.abc import Iterable, Iterator
from math import inf
from typing import TYPE_CHECKING

import orjson

from bot.ledger.events import Event
from bot.playground.loopback import objects
from bot.playground.slack.surfaces import placed
from tests.simulation.checks_of_words import mark_of, shown
from tests.simulation.facts import Deed
from tests.simulation.loop import PROCESS
from tests.simulation.oracle import expires

if TYPE_CHECKING:
    from bot.playground.slack.transcript import PostedMessage
    from tests.simulation.world import World

_CONFIRM_SECONDS = 600.0
_RULING = 10.0
"""Seconds from the ruling on a request to its commit, at most."""
_DECIDED = {"agreed", "approved", "rejected"}
_MOVED = {
    "approve": {"approved", "agreed"},
    "reject": {"rejected"},
    "confirm": {"confirmed"},
    "cancel": {"cancelled"},
    "break-glass": {"broke glass"},
}
_NOT_RECORDED = ("My ledger of requests does not work right now", "请求的记录库现在不可用")
INVISIBLE = "\u3164"
_TO_TELL = 12.0
"""Seconds within which a person is told what became of a click, at most."""


def of_deadline(world: "World", event: Event) -> Iterator[str]:
    """Remember until when a request may be decided on, by the database's clock; yield an error if it is decided on later."""
    id_ = str(event.facts.get("request"))
    now, until = world.database_now(), world.until.get(id_)
    if event.kind in {*_DECIDED, "confirmed"} and until is not None and now > until:
        yield f"decides in time: {event.kind} {id_} {now - until:.1f} s too late"
    if event.kind in {"accepted", "confirmed"}:
        ((state, rule),) = world.database.rows(
            "SELECT state, rule FROM requests WHERE id = :id", id=id_
        )
        if state == "waiting":
            world.waits[id_] = now
            at, held_back = world.seconds(), _RULING + PROCESS.get().seconds_frozen
            histories = world.policies.values()
            texts = {text for each in histories for text in each.within(at - held_back, at) if text}
            world.until[id_] = now + max(expires(str(text), rule) for text in texts)
        elif state == "confirming":
            world.until[id_] = now + _CONFIRM_SECONDS


def of_decision(world: "World", event: Event) -> Iterator[str]:
    """Yield what an approver decided on and was not shown, in the question or in the modal."""
    if event.kind not in _DECIDED:
        return
    id_, by = str(event.facts["request"]), str(event.facts["user"])
    ((user, env, appid, appids, rule),) = world.database.rows(
        'SELECT "user", env, appid, appids, rule FROM requests WHERE id = :id', id=id_
    )
    facts = [f"<@{user}>", env, *(appids.split() if appids else [appid])]
    question = "".join(
        shown(message)
        for message in [*world.screens, *world.slack.messages]
        if world.slack.sees(by, message) and _is_about(message, id_)
    )
    modal = "".join(
        orjson.dumps(view.body).decode()
        for view in world.modals
        if view.user == by and str(view.body.get("private_metadata", "")).startswith(id_)
    )
    for where, text, what in (
        ("the question", question, [*facts, f"“{rule}”"]),
        ("the modal", modal, facts),
    ):
        for each in what:
            if each not in text:
                yield f"what is decided on was shown: {where} of {id_} does not show {each} to {by}"


def a_click_that_did_nothing_did_nothing(world: "World") -> Iterator[str]:
    """Who was told after a click that it could not be recorded, and did nothing else meanwhile, has moved nothing."""
    for at, user, text in world.told:
        if any(words in text for words in _NOT_RECORDED):
            for deed in world.deeds:
                about = deed.user == user and at - _TO_TELL <= deed.at <= at
                if about and _is_all_they_did(world, deed, at) and _stands(world, deed):
                    yield f"{user} was told that nothing was done, and the {deed.act} of {deed.request} stands"


def _is_all_they_did(world: "World", deed: Deed, until: float) -> bool:
    """Tell whether somebody pressed nothing that is not for this one deed, so that an answer must be to that."""
    again = [
        each
        for each in world.deeds
        if (each.user, each.request) == (deed.user, deed.request)
        and deed.at - _TO_TELL <= each.at <= until
    ]
    return len(again) == 1 and not any(
        user == deed.user
        and deed.at - _TO_TELL <= at <= until
        and (request != deed.request or at > deed.at)
        for at, user, request in world.presses
    )


def _stands(world: "World", deed: Deed) -> bool:
    """Tell whether a click has moved its request before its next one, and was not taken back."""
    of_theirs = (
        at for at, user, request in world.presses if user == deed.user and request == deed.request
    )
    following = min((at for at in of_theirs if at > deed.at), default=inf)
    stands = False
    for at, event in world.events:
        if at >= deed.at and event.facts.get("request") == deed.request:
            moved = event.kind in _MOVED.get(deed.act, ()) and event.facts.get("user") == deed.user
            stands = (stands or (moved and at < following)) and event.kind != "taken back"
    return stands


def _is_about(message: "PostedMessage", id_: str) -> bool:
    if re.fullmatch(rf"{id_}(-.*)?", mark_of(message)):
        return True
    buttons = placed(objects([*message.blocks]))
    return any(str(each.element.get("value", "")).split(" ")[0] == id_ for each in buttons)


def broke_glass(deeds: Iterable[Deed], user: str) -> bool:
    """Tell whether somebody did not want to wait for an approval, and wrote why."""
    acts = [deed for deed in deeds if deed.act == "break-glass" and deed.user == user]
    return any(deed.wrote.strip(f"{INVISIBLE} ") for deed in acts)


def approvers_are_told_that_they_were_skipped(world: "World") -> Iterator[str]:
    """Below each question that still stands, or where it would, is one message with who did not wait, and why."""
    delivered = {e.facts.get("request") for _, e in world.events if e.kind == "delivered"}
    for id_, user, why, asked in world.database.rows(
        'SELECT id, "user", comment, asked FROM requests'
        " WHERE broke_glass AND state = 'ended' AND batch IS NULL"
    ):
        places = [each.split("/") for each in (asked or "").split()]
        if id_ not in delivered or world.closed.intersection(channel for channel, _ in places):
            continue
        told = [m for m in world.slack.messages if mark_of(m) == f"{id_}-glass" and not m.deleted]
        asked_in = [world.slack.sought(ts) for _, ts in places]
        stand = [question.ts for question in asked_in if question and not question.deleted]
        times = [sum(each.thread_ts == ts for each in told) for ts in stand]
        if times.count(1) < len(times) or not told:
            yield f"of {id_} it is told {times or len(told)} times below {stand or 'no question'}"
        for each in told:
            if f"<@{user}>" not in each.text or why not in each.text:
                yield f"who did not wait with {id_}, and why, is not in “{each.text}”"


AT_THE_END = (
    a_click_that_did_nothing_did_nothing,
    approvers_are_told_that_they_were_skipped,
)
