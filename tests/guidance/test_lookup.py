import re
from dataclasses import astuple
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.in_general import in_general
from bot.guidance import (
    CODES,
    AutoRetry,
    EnvFine,
    Fixer,
    Guidance,
    RetryHelps,
    Trouble,
    all_guidance,
    by_key,
    explained,
    for_code,
)
from tests.checking import checks

DOCUMENTED = (
    *(-1, -1000, 40001, 40013, 40014, 40066, 40097, 40101, 40125, 40164, 41001, 41002, 41004),
    *(41018, 42001, 42006, 43002, 43003, 44002, 45009, 45011, 45035, 47001, 48001, 48004),
    *(50001, 50002, 61003, 61004, 61005, 61006, 61007, 61009, 61010, 61011, 61014, 61015),
    *(61016, 61017, 61023, 61028, 85088, 86000),
    *(-501001, -501002, -501003, -501004, -501005, -501007, -501009, -501018, -501019),
    *(-601001, -601003, -601008, -601009, -601012, -601013, -601026, -601048, -601049),
    *(-604102, -604103),
)
UNKNOWN = for_code(1)


def texts(row: Guidance) -> tuple[str, ...]:
    steps = row.steps_with("as WeChat words it")
    return (row.title, row.meaning, *steps)


def test_every_documented_code_has_a_row_of_its_own() -> None:
    with checks() as check:
        for code in DOCUMENTED:
            with check(str(code)):
                assert for_code(code) is CODES[code]
                assert for_code(code).key not in {"unknown", "cloudbase"}


def test_the_table_holds_the_documented_codes_and_no_others() -> None:
    assert set(CODES) == {*DOCUMENTED}


@pytest.mark.parametrize(
    ("code", "first"),
    [
        (41018, "41002"),
        (45035, "40164"),
        (61006, "61005"),
        (61010, "61009"),
        (61015, "61014"),
        (61017, "61016"),
        (86000, "61014"),
        (-601001, "-501001"),
        (-601003, "-501001"),
        (-601008, "-501002"),
        (-604102, "-501002"),
        (-604103, "-501002"),
        (-601026, "-601009"),
        (-601048, "-601009"),
        (-601049, "-601009"),
    ],
)
def test_codes_with_the_same_advice_share_a_row(code: int, first: str) -> None:
    assert for_code(code) is for_code(int(first))
    assert for_code(code).key == first


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (-501000, "cloudbase"),
        (-501006, "cloudbase"),
        (-100000, "cloudbase"),
        (-999999, "cloudbase"),
        (-601000, "cloudbase"),
        (-601999, "cloudbase"),
        (-99999, "unknown"),
        (-1000000, "unknown"),
        (501001, "unknown"),
        (-2, "unknown"),
        (0, "unknown"),
        (99999, "unknown"),
    ],
)
def test_other_codes_fall_to_cloudbase_or_to_the_unknown_row(code: int, key: str) -> None:
    assert for_code(code).key == key


@given(st.integers() | st.integers(-1_000_001, 100_000))
def test_any_integer_has_guidance(code: int) -> None:
    assert for_code(code) in all_guidance()


def a_row_is_found_again_by_its_key_and_by_those_that_its_codes_may_have_had(row: Guidance) -> None:
    assert all(by_key(key) is row for key in (row.key, *map(str, row.also)))


@pytest.mark.parametrize("key", ["stopped", "40014 ", "", "TIMEOUT"])
def test_a_key_of_another_version_falls_to_the_unknown_row(key: str) -> None:
    assert by_key(key) is UNKNOWN


def test_each_row_is_listed_once_and_each_can_be_reached() -> None:
    keys = [row.key for row in all_guidance()]
    reached = {
        *(row.key for row in CODES.values()),
        *(trouble.value.key for trouble in Trouble),
        *("cloudbase", "unknown"),
    }
    assert len(keys) == len(set(keys))
    assert set(keys) == reached


def test_no_two_rows_say_the_same() -> None:
    assert len({row.title for row in all_guidance()}) == len(all_guidance())
    assert len({astuple(row)[1:] for row in all_guidance()}) == len(all_guidance())


def a_key_can_stand_in_a_link_and_in_a_metric(row: Guidance) -> None:
    assert re.fullmatch(r"-?\d+|[a-z0-9]+(-[a-z0-9]+)*", row.key)


def a_title_is_a_short_line_and_the_rest_is_sentences(row: Guidance) -> None:
    assert 0 < len(row.title) <= 70
    assert row.title[0].isupper()
    assert row.title[-1] not in ".!?"
    assert row.steps
    assert len(row.steps_with("as WeChat words it")) <= 5
    assert 1 <= len(re.findall(r"\.(?= |$)", row.meaning)) <= 2
    for text in texts(row)[1:]:
        assert text[0].isupper() or text.startswith("{owner}")
        assert text[-1] == "."
        assert text == " ".join(text.split())


def a_row_fits_in_one_section_of_a_slack_message(row: Guidance) -> None:
    assert sum(map(len, texts(row))) < 2000


SLACK_MARKUP = re.compile(
    r"""[<>&*~`@#|]               # links, mentions, escapes, bold, struck out, code, channels
    | (?<!\w)_\S                  # italics: an underscore that does not stand inside a word
    | \S_(?!\w)
    | (?<!\w):[a-z0-9_+-]+:       # emoji
    | https?://""",
    re.VERBOSE,
)


def no_text_reads_as_markup_to_slack(row: Guidance) -> None:
    assert [text for text in texts(row) if SLACK_MARKUP.search(text)] == []


def test_only_these_rows_are_retried_by_the_bot_itself() -> None:
    retried = {row.key: row.retry for row in all_guidance() if row.retry is not AutoRetry.NEVER}
    assert retried == {
        "-1": AutoRetry.BACKOFF,
        "-1000": AutoRetry.ONCE,
        "40014": AutoRetry.RENEW,
        "42001": AutoRetry.RENEW,
        "40001": AutoRetry.RENEW,
        "42006": AutoRetry.RENEW,
        "not-sent-connect": AutoRetry.BACKOFF,
        "not-sent-tls": AutoRetry.BACKOFF,
        "timeout": AutoRetry.BACKOFF,
        "lost": AutoRetry.BACKOFF,
    }


def no_row_mentions_the_bots_own_retries(row: Guidance) -> None:
    assert "by itself" not in " ".join(texts(row))  # the last line of the answer counts the tries


def test_only_these_rows_are_in_doubt() -> None:
    assert {row.key for row in all_guidance() if row.in_doubt} == {
        *("-1", "-1000", "-501001", "-501002"),
        *("timeout", "lost", "gateway-broken", "not-json", "no-errcode", "given-up", "bug"),
        *("stopped-midway", "cancelled-midway"),
    }


def a_row_has_only_placeholders_that_messages_fill(row: Guidance) -> None:
    places = {place for text in texts(row) for place in re.findall(r"{(.*?)}", text)}
    assert places <= {"owner", "env", "contact"}
    assert "{" not in row.title


def the_first_step_for_the_doctor_needs_no_more_than_the_owner(row: Guidance) -> None:
    if row.doctor:
        assert set(re.findall(r"{(.*?)}", row.steps[0])) <= {"owner", "env"}


def a_row_refers_to_wechats_text_only_if_it_is_shown(row: Guidance) -> None:
    without_it = " ".join((row.title, row.meaning, *row.steps_with("")))
    assert "WeChat said below" not in without_it
    assert row.read is None or "WeChat said below" in row.read


def the_authorisation_link_is_sent_by_somebody(row: Guidance) -> None:
    for step in row.steps:
        if "link" in step:
            assert re.search(r"^Send |which you send", step)


def test_only_owners_whose_tokens_no_event_brings_are_to_withdraw_first() -> None:
    # Withdrawing ends the platform's access; after a set was added, scanning the link again is enough.
    told = [row.key for row in all_guidance() if "withdraw" in " ".join(row.steps)]
    assert told == ["61009", "61023"]


def no_row_claims_that_the_share_is_done_or_not_done(row: Guidance) -> None:
    # An earlier try may have done it, whatever came of the last one.
    claims = r"\b(done|shared it|was shared|is shared|not (shared|asked)|never got|nothing was|succeeded|success)\b"
    assert not re.search(claims, " ".join(texts(row)))


def no_row_blames_people_or_sends_them_to_the_logs(row: Guidance) -> None:
    wrong = (
        r"(?i)\b(simply|just|obviously|please|you should|your fault|stack trace|see the logs?)\b"
    )
    assert not re.search(wrong, " ".join(texts(row)))


def only_what_operators_fix_says_when_to_retry(row: Guidance) -> None:
    assert (row.retry_helps is not None) is (row.fixer is Fixer.OPERATOR)


SETTINGS = {
    "DATABASE_URL",
    "HTTPS_PROXY",  # not the bot's own
    "POLICY_FILE",
    "WECHAT_API_URL",
    "WECHAT_AUTHORIZER_ACCESS_TOKEN",
    "WECHAT_AUTHORIZER_APPID",
    "WECHAT_AUTHORIZER_REFRESH_TOKEN",
    "WECHAT_COMPONENT_APPID",
    "WECHAT_COMPONENT_APPSECRET",
    "WECHAT_ENCODING_AES_KEY",
    "WECHAT_MESSAGE_TOKEN",
    "WECHAT_TIMEOUT",
    "WECHAT_TOKEN_SERVER_AUTHORIZATION",
    "WECHAT_TOKEN_SERVER_URL",
}


def settings_are_named_as_they_are_spelt(row: Guidance) -> None:
    named = re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", " ".join(texts(row)))
    assert set(named) <= SETTINGS


def test_each_row_passes_all_checks() -> None:
    with checks() as check:
        for row, each in product(
            all_guidance(),
            (
                a_row_is_found_again_by_its_key_and_by_those_that_its_codes_may_have_had,
                a_key_can_stand_in_a_link_and_in_a_metric,
                a_title_is_a_short_line_and_the_rest_is_sentences,
                a_row_fits_in_one_section_of_a_slack_message,
                no_text_reads_as_markup_to_slack,
                no_row_mentions_the_bots_own_retries,
                a_row_has_only_placeholders_that_messages_fill,
                the_first_step_for_the_doctor_needs_no_more_than_the_owner,
                a_row_refers_to_wechats_text_only_if_it_is_shown,
                the_authorisation_link_is_sent_by_somebody,
                no_row_claims_that_the_share_is_done_or_not_done,
                no_row_blames_people_or_sends_them_to_the_logs,
                only_what_operators_fix_says_when_to_retry,
                settings_are_named_as_they_are_spelt,
            ),
        ):
            with check(f"{row.key}: {each.__name__}"):
                each(row)


@pytest.mark.parametrize(
    ("key", "fixer", "helps"),
    [
        ("40097", Fixer.REQUESTER, None),
        ("40013", Fixer.REQUESTER, None),
        ("-501009", Fixer.REQUESTER, None),
        ("85088", Fixer.OPERATOR, RetryHelps.AFTER_FIX),
        # The platform holds sets 49 and 18: the owner cannot open its CloudBase console.
        ("-501003", Fixer.OPERATOR, RetryHelps.AFTER_FIX),
        ("-501018", Fixer.OPERATOR, RetryHelps.AFTER_FIX),
        ("61007", Fixer.ADMIN, None),
        ("61004", Fixer.OPERATOR, RetryHelps.AFTER_FIX),
        ("45009", Fixer.OPERATOR, RetryHelps.IN_HOURS),
        ("45011", Fixer.NOBODY, None),
        ("given-up", Fixer.OPERATOR, RetryHelps.AFTER_FIX),
        ("-1", Fixer.WECHAT, None),
        ("61028", Fixer.OPERATOR, RetryHelps.AFTER_FIX),
        ("no-ticket", Fixer.OPERATOR, RetryHelps.LATER),
        ("no-token-answer", Fixer.OPERATOR, RetryHelps.LATER),
        ("renewal-slow", Fixer.OPERATOR, RetryHelps.LATER),
        ("tokens-not-kept", Fixer.OPERATOR, RetryHelps.AFTER_FIX),
        ("unknown", Fixer.OPERATOR, RetryHelps.AFTER_FIX),
    ],
)
def test_the_right_people_are_asked(key: str, fixer: Fixer, helps: RetryHelps | None) -> None:
    (row,) = (row for row in all_guidance() if row.key == key)
    assert (row.fixer, row.retry_helps) == (fixer, helps)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (85088, "/tcb/createclouduser"),
        (61007, "云开发管理权限 (49)"),
        (61007, "开发管理与数据分析权限 (18)"),
        (48001, "微信开发者平台"),
        (61016, "authorisation link"),
        (61023, "管理授权"),
        (61004, "白名单IP"),
        (45009, "a token against the platform's"),
        (85088, "a wrong owner is likeliest"),
        *((code, "extAppid {owner}") for code in (85088, -501003, -501018)),
        (Trouble.TOKEN_FIXED_DEAD, "two hours"),
        (Trouble.GATEWAY_LENGTH, "Content-Length"),
        (Trouble.GATEWAY_CLOSED, "HTTPS_PROXY"),
        (61005, "api_start_push_ticket"),
        (61023, "api_get_authorizer_info"),
        (40097, "主体"),
        (-601012, "owns {env}"),
        (-601013, "主体"),
        (-601049, "/tcb/createclouduser"),
        (-601049, "服务通知"),
        (-601026, "call /tcb/createclouduser again"),
        (61028, "全网发布"),
        (Trouble.NO_TICKET, "授权事件接收URL"),
        (Trouble.NO_TICKET, "/wechat/events"),
        (Trouble.NO_TICKET, "/cgi-bin/getcallbackip"),
        (Trouble.NO_PUSH, "a mini program's"),
        *((code, "WECHAT_TOKEN_SERVER_URL") for code in (40014, 42006, 61009)),
        (Trouble.UNCHECKED, "Reinstall to Workspace"),
        *((each, "share-env-bot request") for each in (Trouble.GIVEN_UP, Trouble.BUG)),
        (Trouble.NO_TOKEN_ANSWER, "api.weixin.qq.com"),
        (Trouble.RENEWAL_SLOW, "DATABASE_URL"),
        (Trouble.TOKENS_NOT_KEPT, "DATABASE_URL"),
    ],
)
def test_the_step_that_matters_is_named(code: int | Trouble, words: str) -> None:
    row = code.value if isinstance(code, Trouble) else for_code(code)
    assert words in " ".join(texts(row))


def test_no_receiver_is_told_to_enable_cloudbase_since_it_can_use_a_share_without() -> None:
    alone, in_batch = for_code(85088), explained(for_code(85088), EnvFine())
    for row in (alone, in_batch):
        assert "receiver's" not in " ".join(texts(row))
    assert "unexpected" in in_batch.meaning
    assert "rid" in " ".join(in_batch.steps)


def test_no_step_promises_what_the_doctor_does_not_print() -> None:
    assert [row.key for row in all_guidance() if "doctor tells" in " ".join(row.steps)] == []


def test_steps_for_operators_name_no_particular_owner_or_env() -> None:
    assert in_general("{owner} shares {env}; ask {contact}.") == (
        "The owner shares the env; ask the people who run this bot."
    )


def test_no_step_sends_operators_to_themselves() -> None:
    with checks() as check:
        for row in all_guidance():
            with check(row.key):
                steps = " ".join(map(in_general, row.steps))
                assert "the people who run this bot" not in steps
                assert "this message" not in steps
