import pytest

from tests.checking import checks


def test_all_checks_run_and_each_failure_is_reported_by_name() -> None:
    ran = []

    def some_fail() -> None:
        with checks() as check:
            for name in ("one", "two", "three"):
                with check(name):
                    ran.append(name)
                    assert name == "two"
            with check("four"):
                raise KeyError(name)

    with pytest.raises(pytest.fail.Exception) as failed:
        some_fail()
    assert ran == ["one", "two", "three"]
    told = str(failed.value)
    assert told.startswith("3 failed: one, three, four\n\none\n    ")
    assert "assert 'one' == 'two'" in told
    assert "KeyError: 'three'" in told


def test_checks_that_pass_report_nothing() -> None:
    with checks() as check, check("one"):
        pass
