import pytest

from bot.playground.faults import Code, Fault, Faults

ONE, TWO, THREE = Code("one"), Code("two"), Code("three")


@pytest.fixture
def faults() -> Faults:
    return Faults(("call", "other"))


def met(faults: Faults, times: int = 1, **args: str) -> list[Fault | None]:
    return [faults.meet("call", args) for _ in range(times)]


def test_a_repeated_fault_comes_after_all_others_and_lasts_until_it_is_cleared(
    faults: Faults,
) -> None:
    faults.plan("call", THREE, times=None)
    faults.plan("call", ONE, TWO)
    assert met(faults, 4) == [ONE, TWO, THREE, THREE]
    faults.clear("call")
    assert met(faults) == [None]


def test_a_fault_for_certain_arguments_applies_to_them_only_and_takes_precedence(
    faults: Faults,
) -> None:
    faults.plan("call", ONE)
    faults.plan("call", TWO, times=None, env="a")
    assert met(faults, 2, env="a", owner="b") == [TWO, TWO]
    assert met(faults, 2, env="c") == [ONE, None]
