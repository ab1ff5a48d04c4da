"""Each table of sentences is complete, so that whoever adds a mistake, an outcome or the like cannot forget its words."""

from collections.abc import Iterator, Mapping
from enum import Enum
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_args, get_type_hints

import bot.messages
from bot.domain.outcome import (
    Called,
    Denied,
    Expired,
    Finished,
    Ground,
    Outcome,
    Skipped,
    SkipReason,
)
from bot.domain.request import State
from bot.guidance import Fixer
from bot.messages.endings import ENDINGS
from bot.policy.kinds import Miss

LEFT_OUT: dict[str, set[Enum]] = {
    "bot.messages.answers._WHO": {Fixer.OPERATOR},  # told by when a retry helps
    "bot.messages.history._HOW_FAR": {*State} - {State.CONFIRMING, State.WAITING},  # under way
    "bot.messages.rules._MISSED": {Miss.GUEST, Miss.APPID, Miss.ENV},  # a member in a rule about it
}


def tables() -> Iterator[tuple[str, Mapping[Any, object]]]:
    """Yield each table in the room that has members of an enum among its keys."""
    for module in iter_modules(bot.messages.__path__, "bot.messages."):
        for name, value in vars(import_module(module.name)).items():
            if isinstance(value, Mapping) and any(isinstance(key, Enum) for key in value):
                yield f"{module.name}.{name}", value


def test_a_table_has_a_row_for_each_member_of_its_enums() -> None:
    found = dict(tables())
    assert len(found) > 5
    for name, table in found.items():
        members: set[Enum] = {key for key in table if isinstance(key, Enum)}
        expected = {member for some in members for member in type(some)}
        assert members == expected - LEFT_OUT.get(name, set()), name


def test_every_kind_of_outcome_has_its_words_and_a_reason_if_wechat_was_not_called() -> None:
    told_by_why = {Denied, Skipped, Expired}
    classes = set(get_args(Outcome)) - {Finished} - told_by_why
    kinds = {*classes, *Ground, *SkipReason, *get_args(get_type_hints(Expired)["waited_for"])}
    assert set(ENDINGS) == kinds
    answered = {kind for kind, ending in ENDINGS.items() if ending.why and ending.then}
    assert answered == kinds - set(get_args(Called))
