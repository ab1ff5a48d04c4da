from itertools import product

import pytest

from bot.request import MOVES, Origin, State, before

LAWFUL = {
    (State.ACCEPTED, State.PLACED),
    (State.ACCEPTED, State.ANSWERED),
    (State.ACCEPTED, State.ENDED),
    (State.PLACED, State.ANSWERED),
    (State.ANSWERED, State.ENDED),
}
EVERY_PAIR = list(product(State, State))


@pytest.mark.parametrize(("start", "target"), EVERY_PAIR, ids=lambda state: state.value)
def test_a_move_is_lawful_exactly_if_the_table_says_so(start: State, target: State) -> None:
    assert (target in MOVES[start]) == ((start, target) in LAWFUL)


@pytest.mark.parametrize(("start", "target"), EVERY_PAIR, ids=lambda state: state.value)
def test_looking_back_agrees_with_looking_ahead(start: State, target: State) -> None:
    assert (start in before(target)) == (target in MOVES[start])


def test_every_state_says_where_it_leads() -> None:
    assert set(MOVES) == set(State)


def test_every_state_can_be_reached_from_the_first() -> None:
    reached, ahead = set[State](), {State.ACCEPTED}
    while ahead:
        reached |= ahead
        ahead = {target for state in ahead for target in MOVES[state]} - reached
    assert reached == set(State)


def test_only_the_end_is_final() -> None:
    assert [state for state in State if not MOVES[state]] == [State.ENDED]


def test_no_way_leads_back() -> None:
    order = list(State)
    assert all(order.index(start) < order.index(target) for start, target in LAWFUL)


def test_the_key_to_a_conversation_is_not_shown() -> None:
    origin = Origin("T", "U", "C", "name", "trigger", "https://hooks.example/secret")
    assert "secret" not in repr(origin)
