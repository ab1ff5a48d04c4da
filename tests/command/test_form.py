import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.command.form import Fields, Mistakes, env_in, read_fields
from bot.command.grammar import MOST_APPIDS, REASON_LIMIT, Share, is_appid, is_env
from bot.command.mistake import Mistake, Wrong
from bot.domain.request import Origin
from bot.messages.modals import APPIDS, ENV, MOST_OPTIONS, REASON, errors, form, options
from bot.messages.words import Words
from bot.playground.slack.block_kit import OFFERED
from bot.playground.slack.views import view_errors
from tests.command.test_tokenizer import LOOK_BLANK
from tests.languages import ENGLISH, in_each_language

A, B = "wx5fe6bb43205e9e70", "wx0123456789abcdef"
GOOD = Fields("prod-1", A)
ORIGIN = Origin(
    team_id="T1",
    user_id="U1",
    channel_id="C1",
    channel_name="releases",
    trigger_id="trigger",
    response_url="",
)


def appids(count: int) -> list[str]:
    return [f"wx{number:016x}" for number in range(count)]


# Reading.


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        (GOOD, Share((A,), "prod-1")),
        (
            replace(GOOD, reason=" because \n of\u200b it ", dry_run=True),
            Share((A,), "prod-1", "because of it", dry_run=True),
        ),
        (replace(GOOD, reason=" \n "), Share((A,), "prod-1")),
        *((replace(GOOD, reason=blank), Share((A,), "prod-1")) for blank in LOOK_BLANK.values()),
        (replace(GOOD, env=" prod-1 "), Share((A,), "prod-1")),
        (replace(GOOD, reason="r" * REASON_LIMIT), Share((A,), "prod-1", "r" * REASON_LIMIT)),
    ],
)
def test_a_form_without_mistakes_asks_for_a_share(fields: Fields, asked: Share) -> None:
    assert read_fields(fields) == asked


@pytest.mark.parametrize(
    "between",
    [
        "\n",
        "\r\n",
        " ",
        "\t",
        ",",
        ", ",
        ";\n",
        "，",
        "、",
        "；",
        "\u3000",
        "\u00a0",
        '"\n"',
        "，\n\n",
    ],
)
def test_appids_are_separated_by_any_separator_of_words(between: str) -> None:
    assert read_fields(replace(GOOD, appids=f"{between}{A}{between}{B}{between}")) == Share(
        (A, B), "prod-1"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"• {A}\n• {B}",
        f"1. {A}\n2. {B}",
        f"1、{A}\n２）{B}",
        f" - {A}\n\n\t* {B}",
        f"1\t{A}\n12\t{B}",
    ],
)
def test_the_signs_and_numbers_of_a_pasted_list_are_left_out(text: str) -> None:
    assert read_fields(replace(GOOD, appids=text)) == Share((A, B), "prod-1")


@pytest.mark.parametrize(
    "text",
    [
        f"{A} → {B}",
        f"{A} - {B}",
        f"> {A}",
        f"1{A}",
        f"-{A[2:]}",
        f"• 12 {A}",
        f"{A} 2",
        f"• {A.upper()}",
    ],
)
def test_other_signs_and_numbers_may_mean_something(text: str) -> None:
    assert not isinstance(read_fields(replace(GOOD, appids=text)), Share)


@pytest.mark.parametrize(
    "text", ["ｗｘ５ｆｅ６ｂｂ４３２０５ｅ９ｅ７０", f"\ufeff{A}\u200b", f"“{A}”", f"{A}."]
)
def test_appids_that_only_look_different_are_accepted(text: str) -> None:
    assert read_fields(replace(GOOD, appids=text)) == Share((A,), "prod-1")


def test_a_repeated_appid_counts_once() -> None:
    assert read_fields(replace(GOOD, appids=f"{A}\n{B}\n{A}")) == Share((A, B), "prod-1")
    assert read_fields(replace(GOOD, appids=f"{A} {A}")) == Share((A,), "prod-1")
    many = appids(MOST_APPIDS)
    assert read_fields(replace(GOOD, appids=" ".join(many * 2))) == Share(tuple(many), "prod-1")


@pytest.mark.parametrize(
    ("fields", "mistakes"),
    [
        (
            Fields(),
            {"env": Mistake(Wrong.MISSING_ENV), "appids": Mistake(Wrong.MISSING_APPID)},
        ),
        (replace(GOOD, env="-a-"), {"env": Mistake(Wrong.NOT_AN_ENV, ("-a-",))}),
        (replace(GOOD, env="env"), {"env": Mistake(Wrong.NOT_AN_ENV, ("env",))}),
        (replace(GOOD, env=A), {"env": Mistake(Wrong.NOT_AN_ENV, (A,))}),
        (replace(GOOD, appids=" ,,\n"), {"appids": Mistake(Wrong.MISSING_APPID)}),
        (
            replace(GOOD, appids=f"{A}\nwx12\n{B}\nprod-1"),
            {"appids": Mistake(Wrong.NOT_APPIDS, ("wx12", "prod-1"))},
        ),
        (
            replace(GOOD, appids=A.upper()),
            {"appids": Mistake(Wrong.NOT_AN_APPID, (A.upper(),))},
        ),
        (
            replace(GOOD, appids="\n".join(appids(MOST_APPIDS + 1))),
            {"appids": Mistake(Wrong.TOO_MANY_APPIDS, tuple(appids(501)), most=500)},
        ),
        (replace(GOOD, reason="<reason>"), {"reason": Mistake(Wrong.MISSING_REASON)}),
        (
            replace(GOOD, reason="r" * 301),
            {"reason": Mistake(Wrong.REASON_TOO_LONG, ("r" * 301,), most=300)},
        ),
    ],
)
def test_each_mistake_is_reported_at_its_field(fields: Fields, mistakes: Mistakes) -> None:
    assert read_fields(fields) == mistakes


@given(st.text(), st.text(), st.text(), st.booleans())
def test_any_form_is_accepted_or_has_a_mistake_at_a_field(
    env: str, typed: str, reason: str, dry_run: bool
) -> None:
    match read_fields(Fields(env, typed, reason, dry_run)):
        case Share(appids, env):
            assert appids
            assert all(map(is_appid, appids))
            assert is_env(env)
        case mistakes:
            assert errors(ENGLISH, mistakes)


@pytest.mark.parametrize(
    ("text", "env"),
    [
        ("prod-7", "prod-7"),
        (" prod-7， ", "prod-7"),
        ("", None),
        ("a b", None),
        ("prod-", None),
        ("a—b", None),
    ],
)
def test_a_typed_env_is_parsed_as_in_a_command(text: str, env: str | None) -> None:
    assert env_in(text) == env


# Wording.

PLACES = {
    "channel": ORIGIN,
    "thread": replace(ORIGIN, thread_ts="1.0"),
    "nowhere": replace(ORIGIN, channel_id="U1"),
}


@in_each_language
@pytest.mark.parametrize("origin", PLACES.values(), ids=PLACES.keys())
def test_the_form_is_valid_for_slack(words: Words, origin: Origin) -> None:
    view = form(words, origin, "kept")
    assert view_errors(json.loads(json.dumps(view)), "modal") == []
    assert view["private_metadata"] == "kept"
    assert '"min_query_length": 0' in json.dumps(
        view
    )  # the envs are listed before anything is typed


def test_the_form_says_where_the_answer_comes_unless_it_comes_in_the_channel() -> None:
    channel, thread, nowhere = (str(form(ENGLISH, place, "")) for place in PLACES.values())
    assert "by direct message" not in channel
    assert (
        "thread of the message that you chose or, if I may not post there, by direct message"
        in thread
    )
    assert "by direct message" in nowhere


@in_each_language
@given(st.sampled_from([*Wrong]), st.lists(st.text(min_size=1), min_size=1, max_size=9).map(tuple))
def test_the_errors_in_a_form_are_short_and_without_markup(
    words: Words, wrong: Wrong, said: tuple[str, ...]
) -> None:
    (text,) = errors(words, {"env": Mistake(wrong, said)}).values()
    assert 0 < len(text) < 700
    assert "`" not in text


def test_the_errors_in_a_form_stand_at_its_fields_and_quote_the_words_as_they_were_typed() -> None:
    bad = Mistake(Wrong.NOT_APPIDS, ("<a>&", "b", "c", "d", "e"))
    said = errors(ENGLISH, {"env": Mistake(Wrong.MISSING_ENV), "appids": bad})
    assert said == {
        ENV: "The env is missing: the id of the cloud environment to share.",
        APPIDS: "Not appids: “<a>&”, “b”, “c”, “d” and “e”. An appid is “wx” and 16 of the characters 0-9 and a-f, in lower case.",
    }
    wrong = read_fields(replace(GOOD, reason="…"))
    assert not isinstance(wrong, Share)
    assert set(errors(ENGLISH, wrong)) == {REASON}


@in_each_language
def test_the_options_are_valid_for_slack(words: Words) -> None:
    envs = [f"{number:064}" for number in range(150)]
    offered = options(words, envs, "t" * 64)
    assert len(offered) == MOST_OPTIONS
    assert offered[-1]["value"] == "t" * 64
    assert [*OFFERED(json.loads(json.dumps({"options": offered})), "")] == []


def test_a_typed_env_that_is_listed_is_not_offered_twice() -> None:
    assert [option["value"] for option in options(ENGLISH, ["a", "b"], "a")] == ["a", "b"]
    assert options(ENGLISH, [], None) == []
