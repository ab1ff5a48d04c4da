import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from bot.domain.link import Link
from bot.domain.outcome import Called, Failed, Said, Shared, Step, Unknown
from bot.guidance import AutoRetry, Guidance, Trouble, for_code
from bot.playground.faults import Code, Drop, Fault, Status
from bot.playground.wechat.server import ShareCall
from bot.runtime.observers import no_op
from bot.wechat.api import NoAnswer
from bot.wechat.client import MOST_TRIES, TOTAL_SECONDS, WeChat
from bot.wechat.tokens import FixedToken, TokenServer, TokenSource
from bot.wechat.transport import WeChatApi
from tests.conftest import Clock
from tests.cut_off import CUT_OFF
from tests.gzip_bomb import GZIP_BOMB
from tests.token_server import TokenWeChat
from tests.wechat.conftest import APPID, ENV, OTHER, OWNER, Pauses, always

SHORT = 1.0  # seconds, half of which is for connecting; enough for a busy machine

Maker = Callable[..., WeChat]


@pytest.fixture
def bot(http: httpx.AsyncClient, wechat: TokenWeChat, clock: Clock, pauses: Pauses) -> Maker:
    """A factory of the client, by default for the stand-ins and with a jitter of one half."""

    def make(
        *,
        tokens: TokenSource | None = None,
        url: str = "",
        timeout: float = 30,
        jitter: float = 0.5,
    ) -> WeChat:
        return WeChat(
            WeChatApi(http, url or wechat.url, time.monotonic),
            tokens or TokenServer(http, wechat.token_url, wechat.authorization, clock, clock),
            timeout=timeout,
            clock=clock,
            sleep=pauses,
            jitter=lambda: jitter,
        )

    return make


async def share(bot: WeChat) -> Called:
    called = await bot.share(OWNER, ENV, APPID, no_op, always)
    assert called is not None
    return called


def advice(outcome: Called) -> Guidance:
    assert isinstance(outcome, Failed | Unknown)
    return outcome.guidance


async def test_a_share_uses_the_owners_token(bot: Maker, wechat: TokenWeChat) -> None:
    assert await share(bot()) == Shared(1)
    assert wechat.shared == [(OWNER, ENV, APPID)]


async def test_an_error_has_its_guidance_and_wechats_errmsg(
    bot: Maker, wechat: TokenWeChat
) -> None:
    wechat.fail("shareenv", Code(85088, "no qbase privilege rid: 686cab53-686d2226-2e40eeeb"))
    said = Said(85088, "no qbase privilege", "686cab53-686d2226-2e40eeeb")
    assert await share(bot()) == Failed(for_code(85088), said, 1)


class Tokens:
    """A token source that calls a function for each token, and another one for each renewal."""

    def __init__(
        self, token: Callable[[], str], renew: Callable[[], str | NoAnswer] | None = None
    ) -> None:
        self._token, self._renew = token, renew or token

    async def token(self, owner: str, refused: str | None = None) -> str | NoAnswer:  # noqa: ARG002  # from the port
        """Return a token; in place of a refused one another, or why there is none."""
        return self._renew() if refused else self._token()


def issued(wechat: TokenWeChat) -> Tokens:
    """Return a source of tokens that WeChat has just issued."""
    return Tokens(lambda: wechat.issue(OWNER))


def broken() -> str:
    raise RuntimeError("made up")


async def test_a_bug_leaves_the_outcome_unknown_and_is_logged(
    bot: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    assert await share(bot(tokens=Tokens(broken))) == Unknown(Trouble.BUG.value)
    assert "unforeseen error" in caplog.messages


@pytest.mark.parametrize(
    ("retry", "code", "tries", "waited"),
    [
        (AutoRetry.NEVER, 40097, 1, []),
        (AutoRetry.ONCE, -1000, 2, [0.5]),
        (AutoRetry.BACKOFF, -1, 4, [0.5, 1.0, 2.0]),
    ],
    ids=lambda value: value.name if isinstance(value, AutoRetry) else "",
)
async def test_each_error_is_tried_as_often_as_its_guidance_says(
    bot: Maker,
    wechat: TokenWeChat,
    pauses: Pauses,
    retry: AutoRetry,
    code: int,
    tries: int,
    waited: list[float],
) -> None:
    assert for_code(code).retry is retry
    wechat.fail("shareenv", Code(code), times=None)
    outcome = await share(bot())
    assert not isinstance(outcome, Shared)
    assert (outcome.guidance, outcome.tries) == (for_code(code), tries)
    assert (len(wechat.calls), pauses) == (tries, waited)
    assert tries == 1 + MOST_TRIES[retry]


@pytest.mark.parametrize("code", [-601001, -601003, -601008, -604102, -604103])
async def test_internal_errors_of_cloudbase_are_unknown_outcomes(
    bot: Maker, wechat: TokenWeChat, code: int
) -> None:
    wechat.fail("shareenv", Code(code))
    ended = await share(bot())
    assert isinstance(ended, Unknown)
    assert (advice(ended).in_doubt, ended.tries) == (True, 1)


async def test_after_a_renewal_the_call_is_repeated_once_at_once(
    bot: Maker, wechat: TokenWeChat, pauses: Pauses
) -> None:
    wechat.expire(wechat.issue(OWNER))
    old = wechat.issue(OWNER)
    client = bot()
    assert await share(client) == Shared(1)
    wechat.expire(old)
    assert await share(client) == Shared(2)
    assert pauses == [0.0]
    assert [call.token == old for call in wechat.calls] == [True, True, False]


@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_token_is_renewed_only_once_per_share(
    bot: Maker, wechat: TokenWeChat, code: int
) -> None:
    fresh = NumberedTokens()
    wechat.fail("shareenv", Code(code, "no rid: 686cab53-686d2226-2e40eeeb"), times=None)
    said = Said(code, "no", "686cab53-686d2226-2e40eeeb")
    assert await share(bot(tokens=fresh)) == Failed(for_code(code), said, 2)
    assert fresh.refused == ["token-0"]
    assert [call.token for call in wechat.calls] == ["token-0", "token-1"]


async def test_wechats_advice_that_does_not_apply_to_platforms_is_left_out(
    bot: Maker, wechat: TokenWeChat
) -> None:
    wechat.fail("shareenv", Code(40001), times=None)
    ended = await share(bot(tokens=NumberedTokens()))
    assert isinstance(ended, Failed)
    assert ended.said
    words = "invalid credential, access_token is invalid or not latest"
    assert (ended.said.errmsg, ended.said.rid is None) == (words, False)


class NumberedTokens:
    """A token source with a new token after each renewal; a renewal takes `takes` seconds."""

    def __init__(self, clock: Clock | None = None, takes: float = 0.0) -> None:
        self.refused: list[str] = []
        self._clock = clock
        self._takes = takes

    async def token(self, owner: str, refused: str | None = None) -> str | NoAnswer:  # noqa: ARG002  # from the port
        """Return the newest token, or the next one in place of a refused one."""
        if refused:
            self.refused.append(refused)
            if self._clock:
                self._clock.now += self._takes
        return f"token-{len(self.refused)}"


async def test_many_refusals_of_one_token_make_one_renewal(bot: Maker, wechat: TokenWeChat) -> None:
    client = bot()
    await share(client)
    wechat.supersede(wechat.calls[0].token)
    outcomes = await asyncio.gather(*(share(client) for _ in range(20)))
    assert outcomes == [Shared(2)] * 20
    assert wechat.token_calls == [OWNER, OWNER]


async def test_after_a_renewal_each_error_keeps_its_own_count(
    bot: Maker, wechat: TokenWeChat, pauses: Pauses
) -> None:
    wechat.fail("shareenv", Code(-1), Code(42001), Code(-1000), Code(-1), Code(-1), Code(0))
    assert await share(bot(tokens=issued(wechat))) == Shared(6)
    assert pauses == [0.5, 0.0, 0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("jitter", "waited"),
    [(0.0, [0.25, 0.5, 1.0]), (0.25, [0.375, 0.75, 1.5]), (1.0, [0.75, 1.5, 3.0])],
)
async def test_pauses_double_with_jitter(
    bot: Maker, wechat: TokenWeChat, pauses: Pauses, jitter: float, waited: list[float]
) -> None:
    wechat.fail("shareenv", Code(-1), times=None)
    await share(bot(jitter=jitter))
    assert pauses == waited


@pytest.mark.parametrize(
    ("seconds_for_each", "tries"), [(0.0, 4), (3.0, 4), (4.0, 3), (7.0, 2), (14.6, 1), (60.0, 1)]
)
async def test_no_try_begins_after_the_time_limit(
    bot: Maker,
    wechat: TokenWeChat,
    clock: Clock,
    pauses: Pauses,
    seconds_for_each: float,
    tries: int,
) -> None:
    wechat.fail("shareenv", Code(-1), times=None)
    wechat.calls = Ticking(clock, seconds_for_each)
    outcome = await share(bot())
    assert isinstance(outcome, Unknown)
    assert (outcome.tries, len(wechat.calls), len(pauses)) == (tries, tries, tries - 1)
    assert sum(pauses) + seconds_for_each * (tries - 1) < TOTAL_SECONDS


class Ticking(list[ShareCall]):
    """A list of calls, each of which takes some seconds of the clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._seconds = seconds

    def append(self, call: ShareCall) -> None:
        """Keep the call, and let the time pass."""
        super().append(call)
        self._clock.now += self._seconds


async def test_the_last_try_has_only_the_remaining_time(
    bot: Maker, wechat: TokenWeChat, clock: Clock
) -> None:
    wechat.fail("shareenv", Code(-1), Drop(silence=60))
    wechat.calls = Ticking(clock, 14.2)  # and half a second of pause
    async with asyncio.timeout(30):
        outcome = await share(bot(timeout=60))
    assert outcome == Unknown(Trouble.TIMEOUT.value, None, 2)


async def test_a_call_follows_a_renewal_however_long_that_took(
    bot: Maker, wechat: TokenWeChat, clock: Clock
) -> None:
    wechat.fail("shareenv", Code(42001, "expired"), Code(45011))
    outcome = await share(bot(tokens=NumberedTokens(clock, takes=19.9)))
    assert isinstance(outcome, Failed)
    assert (advice(outcome), outcome.tries) == (for_code(45011), 2)
    assert [call.token for call in wechat.calls] == ["token-0", "token-1"]


async def test_the_time_of_a_renewal_is_not_given_to_other_tries(
    bot: Maker, wechat: TokenWeChat, clock: Clock
) -> None:
    wechat.fail("shareenv", Code(42001), *[Code(-1)] * 4)
    wechat.calls = Ticking(clock, 7.4)
    outcome = await share(bot(tokens=NumberedTokens(clock, takes=19.9)))
    assert (type(outcome), len(wechat.calls)) == (Unknown, 2)


@pytest.mark.parametrize(
    ("answers", "outcome", "key"),
    [
        ([Drop(silence=60), Code(40097)], Unknown, "40097"),
        ([Drop(silence=60), Code(0)], Shared, ""),
        ([Drop(), Code(85088)], Unknown, "85088"),
        ([Drop(after_effect=True), Drop(), Code(0)], Shared, ""),
        ([CUT_OFF, Code(61007)], Unknown, "61007"),
        ([Code(-1), Code(40097)], Unknown, "40097"),
        ([Code(-1000), Code(0)], Shared, ""),
        ([Drop(), Status(502)], Unknown, "gateway-broken"),
        ([Drop(), Status(403)], Unknown, "gateway-closed"),
        ([Drop(), Code(42001), Code(40097)], Unknown, "40097"),
        ([Code(42001), Code(40097)], Failed, "40097"),
        ([Code(42001), Drop(), Code(48001)], Unknown, "48001"),
    ],
    ids=lambda value: "-".join(map(repr, value)) if isinstance(value, list) else "",
)
async def test_after_a_try_in_doubt_the_outcome_is_unknown_unless_a_later_try_succeeds(
    bot: Maker, wechat: TokenWeChat, answers: list[Fault], outcome: type[Called], key: str
) -> None:
    wechat.fail("shareenv", *answers)
    ended = await share(
        bot(tokens=issued(wechat), timeout=SHORT if Drop(silence=60) in answers else 30)
    )
    assert type(ended) is outcome
    assert ended.tries == len(answers) == len(wechat.calls)
    assert isinstance(ended, Shared) or ended.guidance.key == key


@pytest.mark.parametrize(
    ("fault", "trouble", "outcome", "tries"),
    [
        (Status(502), Trouble.GATEWAY_BROKEN, Unknown, 1),
        (Status(504, b'{"errcode":0}'), Trouble.GATEWAY_BROKEN, Unknown, 1),
        (Status(408), Trouble.GATEWAY_BROKEN, Unknown, 1),
        (Status(303, headers={"Location": "http://127.0.0.1:1/"}), Trouble.NOT_JSON, Unknown, 1),
        (Status(407), Trouble.GATEWAY_CLOSED, Failed, 1),
        (Status(412), Trouble.GATEWAY_LENGTH, Failed, 1),
        (Status(404), Trouble.GATEWAY_REFUSED, Failed, 1),
        (Status(302, headers={"Location": "http://127.0.0.1:1/"}), Trouble.REDIRECTED, Failed, 1),
        (Status(200), Trouble.NOT_JSON, Unknown, 1),
        (Status(200, b""), Trouble.NOT_JSON, Unknown, 1),
        (Status(200, b"{}"), Trouble.NO_ERRCODE, Unknown, 1),
        (GZIP_BOMB, Trouble.NOT_JSON, Unknown, 1),
        (Status(200, bytes(100_000_000)), Trouble.NOT_JSON, Unknown, 1),
        (Drop(), Trouble.LOST, Unknown, 4),
        (Drop(silence=0.01), Trouble.LOST, Unknown, 4),
        (Drop(silence=60), Trouble.TIMEOUT, Unknown, 4),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, Fault) else "",
)
async def test_an_answer_that_is_not_wechats_has_the_right_outcome_and_guidance(
    bot: Maker,
    wechat: TokenWeChat,
    fault: Fault,
    trouble: Trouble,
    outcome: type[Failed | Unknown],
    tries: int,
) -> None:
    wechat.fail("shareenv", fault, times=None)
    ended = await share(bot(timeout=SHORT if trouble is Trouble.TIMEOUT else 30))
    status = fault.code if isinstance(fault, Status) and fault.code != 200 else None
    assert ended == replace(outcome(trouble.value, None, tries), status=status)
    assert len(wechat.calls) == tries


async def test_a_refused_connection_is_a_failure_not_an_unknown_outcome(
    bot: Maker, pauses: Pauses, unused_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    ended = await share(bot(url=url, tokens=FixedToken(OWNER, "t", Clock())))
    assert ended == Failed(Trouble.NOT_SENT_CONNECT.value, None, 4)
    assert pauses == [0.5, 1.0, 2.0]


async def test_the_fixed_token_cannot_be_renewed(bot: Maker, wechat: TokenWeChat) -> None:
    token = wechat.issue(OWNER)
    wechat.expire(token)
    ended = await share(bot(tokens=FixedToken(OWNER, token, Clock())))
    assert isinstance(ended, Failed)
    assert advice(ended) == Trouble.TOKEN_FIXED_DEAD.value
    assert ended.said is not None
    assert (ended.said.errcode, ended.tries, len(wechat.calls)) == (42001, 1, 1)


async def test_a_fixed_token_is_not_used_for_another_owners_env(
    bot: Maker, wechat: TokenWeChat
) -> None:
    client = bot(tokens=FixedToken(OTHER, wechat.issue(OTHER), Clock()))
    assert await share(client) == Failed(Trouble.TOKEN_FIXED_OTHER_OWNER.value, None, 0)
    assert wechat.calls == []


async def test_without_a_token_wechat_is_not_called(bot: Maker, wechat: TokenWeChat) -> None:
    wechat.fail("token", Status(503))
    assert await share(bot()) == Failed(Trouble.TOKEN_SERVER_ANSWER.value, None, 0, status=503)
    assert wechat.calls == []


async def test_a_failed_renewal_names_the_token_server_and_keeps_wechats_errmsg(
    bot: Maker, wechat: TokenWeChat
) -> None:
    wechat.fail("shareenv", Code(42001, "access_token expired rid: 686cab53-686d2226-2e40eeeb"))
    said = Said(42001, "access_token expired", "686cab53-686d2226-2e40eeeb")
    assert await share(bot()) == Failed(Trouble.TOKEN_SERVER_STALE.value, said, 1)


async def test_a_renewal_that_wechat_refuses_is_reported_in_wechats_words(
    bot: Maker, wechat: TokenWeChat
) -> None:
    wechat.fail("shareenv", Code(42001))
    why = NoAnswer(for_code(61023), Said(61023, "no", "rid"), link=Link.OWNER)
    ended = await share(bot(tokens=Tokens(lambda: wechat.issue(OWNER), lambda: why)))
    assert ended == Failed(for_code(61023), Said(61023, "no", "rid"), 1, Link.OWNER)


async def test_a_failed_renewal_after_a_try_in_doubt_leaves_the_outcome_unknown(
    bot: Maker, wechat: TokenWeChat
) -> None:
    wechat.fail("shareenv", Drop(after_effect=True), Code(42001))
    ended = await share(bot())
    assert isinstance(ended, Unknown)
    assert (advice(ended), ended.tries) == (Trouble.TOKEN_SERVER_STALE.value, 2)


def test_each_kind_of_retry_has_a_number_of_tries() -> None:
    assert set(MOST_TRIES) == set(AutoRetry)


@pytest.mark.parametrize(
    "answer",
    [
        Code(0),
        Code(42001),
        Code(-1),
        Status(502),
        Drop(),
        Drop(silence=60),
        Status(200, bytes(9_000_000)),
    ],
    ids=repr,
)
async def test_no_log_line_and_no_outcome_shows_a_token(
    bot: Maker, wechat: TokenWeChat, caplog: pytest.LogCaptureFixture, answer: Fault
) -> None:
    caplog.set_level(logging.DEBUG)
    wechat.fail("shareenv", *[answer] * 2)
    ended = await share(bot(timeout=SHORT if answer == Drop(silence=60) else 30))
    tokens = {call.token for call in wechat.calls} | {wechat.authorization}
    assert tokens
    for token in tokens:
        assert token not in repr(ended)
        assert token not in caplog.text


async def test_a_call_that_is_cancelled_ends_at_once(bot: Maker, wechat: TokenWeChat) -> None:
    wechat.fail("shareenv", Drop(silence=60), times=None)
    calling = asyncio.create_task(share(bot()))
    await wechat.until(lambda wechat: len(wechat.calls) == 1)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert len(wechat.calls) == 1


async def test_a_hundred_shares_at_once_all_arrive(bot: Maker, wechat: TokenWeChat) -> None:
    client = bot()
    outcomes = await asyncio.gather(
        *(client.share(OWNER, f"e-{n}", APPID, no_op, always) for n in range(100))
    )
    assert outcomes == [Shared(1)] * 100
    assert {env for _, env, _ in wechat.shared} == {f"e-{n}" for n in range(100)}
    assert wechat.token_calls == [OWNER]


# The reported steps.


async def steps(bot: WeChat) -> list[Step]:
    reported = list[Step]()
    await bot.share(OWNER, ENV, APPID, reported.append, always)
    return reported


@pytest.mark.parametrize("tries", [0, 1, 2])
async def test_each_call_is_made_only_if_the_caller_permits_it(
    bot: Maker, wechat: TokenWeChat, tries: int
) -> None:
    asked = list[int]()

    def may_call() -> bool:
        asked.append(len(wechat.calls))
        return len(asked) <= tries

    wechat.fail("shareenv", Drop(), Drop(), Drop(), Drop())
    assert await bot().share(OWNER, ENV, APPID, no_op, may_call) is None
    assert asked == [*range(tries + 1)]
    assert len(wechat.calls) == tries


async def test_no_permission_is_asked_for_once_nothing_is_left_to_call(
    bot: Maker, wechat: TokenWeChat
) -> None:
    asked = list[int]()

    def may_call() -> bool:
        asked.append(len(wechat.calls))
        return True

    wechat.fail("shareenv", Code(85088))
    assert isinstance(await bot().share(OWNER, ENV, APPID, no_op, may_call), Failed)
    assert asked == [0]


async def test_a_success_is_reported_as_one_step(
    bot: Maker, wechat: TokenWeChat, clock: Clock
) -> None:
    wechat.calls = Ticking(clock, 0.25)
    assert await steps(bot()) == [Step("call", 0.25, "done")]


async def test_each_call_and_each_renewal_is_reported_as_a_step_with_its_result_and_duration(
    bot: Maker, wechat: TokenWeChat, clock: Clock
) -> None:
    wechat.fail(
        "shareenv", Code(-1, "busy rid: 1-2-3"), Code(42001, "expired"), Drop(), Code(85088, "no")
    )
    wechat.calls = Ticking(clock, 0.5)
    reported = await steps(bot(tokens=NumberedTokens(clock, takes=2.0)))
    assert [(step.kind, step.seconds, step.result) for step in reported] == [
        ("call", 0.5, "-1"),
        ("call", 0.5, "42001"),
        ("renewal", 2.0, "renewed"),
        ("call", 0.5, Trouble.LOST.value.key),
        ("call", 0.5, "85088"),
    ]
    words = [step.said and step.said.errcode for step in reported]
    assert words == [-1, 42001, None, None, 85088]


async def test_a_failed_renewal_is_reported_as_a_step_with_its_reason(
    bot: Maker, wechat: TokenWeChat
) -> None:
    wechat.fail("shareenv", Code(42001))
    reported = await steps(bot(tokens=FixedToken(OWNER, "t", Clock())))
    assert [(step.kind, step.result) for step in reported] == [
        ("call", "42001"),
        ("renewal", Trouble.TOKEN_FIXED_DEAD.value.key),
    ]


async def test_without_a_token_no_step_is_reported(bot: Maker) -> None:
    assert await steps(bot(tokens=FixedToken(OTHER, "t", Clock()))) == []
