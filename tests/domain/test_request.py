from bot.domain.request import MOVES, Origin, Request, State, before, item_ids, item_of

ORIGIN = Origin(
    team_id="T",
    user_id="U",
    channel_id="C",
    channel_name="name",
    trigger_id="trigger",
    response_url="https://hooks.example/secret",
    thread_ts="1.2",
)
FIRST = {State.CONFIRMING, State.WAITING, State.ACCEPTED, State.QUEUED}
"""The initial states, according to what the policy requires; `QUEUED` for the items of a batch."""
LAWFUL = {
    (State.CONFIRMING, State.WAITING),
    (State.CONFIRMING, State.ACCEPTED),
    (State.CONFIRMING, State.ANSWERED),
    (State.CONFIRMING, State.ENDED),
    (State.WAITING, State.ACCEPTED),
    (State.WAITING, State.PLACED),
    (State.WAITING, State.ANSWERED),
    (State.WAITING, State.ENDED),
    (State.ACCEPTED, State.PLACED),
    (State.ACCEPTED, State.ANSWERED),
    (State.ACCEPTED, State.ENDED),
    (State.QUEUED, State.ENDED),
    (State.PLACED, State.ANSWERED),
    (State.PLACED, State.ENDED),
    (State.ANSWERED, State.ENDED),
}


def test_a_move_is_lawful_exactly_if_the_table_says_so() -> None:
    assert {(start, target) for start in State for target in MOVES[start]} == LAWFUL


def test_previous_states_are_the_reverse_of_next_states() -> None:
    assert {(start, target) for target in State for start in before(target)} == LAWFUL


def test_every_state_has_its_next_states() -> None:
    assert set(MOVES) == set(State)


def test_every_state_can_be_reached_from_an_initial_one() -> None:
    reached, ahead = set[State](), FIRST
    while ahead:
        reached |= ahead
        ahead = {target for state in ahead for target in MOVES[state]} - reached
    assert reached == set(State)


def test_only_the_ended_state_is_final() -> None:
    assert [state for state in State if not MOVES[state]] == [State.ENDED]


def test_no_sequence_of_moves_returns_to_an_earlier_state() -> None:
    order = list(State)
    assert all(order.index(start) < order.index(target) for start, target in LAWFUL)


def test_a_response_url_is_not_in_the_repr() -> None:
    assert "secret" not in repr(ORIGIN)


def test_a_request_for_one_appid_is_not_a_batch() -> None:
    request = Request(id="r", origin=ORIGIN, appid="wx0", env="env", owner="wx1", rule="rule")
    assert request.receivers == ("wx0",)


def test_a_batch_has_all_its_appids() -> None:
    request = Request(
        id="r", origin=ORIGIN, appid="", env="env", owner="wx1", rule="rule", appids=("wx0", "wx2")
    )
    assert request.receivers == ("wx0", "wx2")


def test_the_ids_of_a_batchs_items_are_deterministic_and_count_from_one() -> None:
    appids = tuple(f"wx{number:016x}" for number in range(500))
    batch = Request(
        id="k7m2p9qx",
        origin=ORIGIN,
        appid="",
        env="env",
        owner="owner",
        rule="rule",
        reason="why",
        appids=appids,
    )
    items = [item_of(batch, id_, appid) for id_, appid in item_ids(batch).items()]
    assert [item.appid for item in items] == list(appids)
    assert [item.id for item in items] == [f"{batch.id}-{number}" for number in range(1, 501)]
    assert len({item.id for item in items} | {item.origin.trigger_id for item in items}) == 500
    assert {(item.env, item.rule, item.reason, item.batch) for item in items} == {
        ("env", "rule", "why", batch.id)
    }
    assert not any(item.appids or item.origin.response_url for item in items)
