import pytest

from tests.faults.table import README, WORKED, Fault, faults, tables, written


def test_the_readme_has_the_tables_of_all_faults() -> None:
    _, now, _ = written(README.read_text(encoding="utf-8"))
    assert now == tables(faults()), "python -m tests.faults writes them anew"


def test_no_fault_is_listed_twice() -> None:
    rows = [(fault.where, fault.what) for fault in faults()]
    assert len(rows) == len(set(rows))


def test_each_place_has_its_table_and_troubles_with_the_same_result_share_a_row() -> None:
    some = [
        Fault("`/wechat/events`", "GET", "405"),
        Fault("Slack", "`chat.update`: silence", "✅"),
        Fault("Slack", "`chat.update`: `is_archived`", "It is archived."),
        Fault("Slack", "`chat.update`: HTTP 503", WORKED),
    ]
    assert tables(some) == (
        "<details><summary>Slack: 3</summary>\n\n"
        "| What goes wrong | What comes of it |\n|---|---|\n"
        f"| `chat.update`: silence; HTTP 503 | {WORKED} |\n"
        "| `chat.update`: `is_archived` | It is archived. |\n"
        "\n</details>\n\n"
        "<details><summary><code>/wechat/events</code>: 1</summary>\n\n"
        "| What goes wrong | What comes of it |\n|---|---|\n"
        "| GET | 405 |\n"
        "\n</details>\n\n"
    )


def test_a_place_without_an_order_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        tables([Fault("Nowhere", "silence", "no answer")])
