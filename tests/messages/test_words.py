"""Every message the bot can say: as golden text and blocks, and against the rules that hold for all of them."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from bot.command import Share, parse
from bot.command.mistake import (
    AppidFault,
    ExtraWords,
    Misread,
    MissingAppid,
    MissingEnv,
    Mistake,
    NotAnAppid,
    NotAnEnv,
    OptionNotHere,
    OptionTwice,
    OptionWithoutValue,
    ReasonTooLong,
    SeveralAppids,
    Swapped,
    UnclosedQuote,
    UnknownOption,
    UnknownWord,
)
from bot.guidance import Guidance, all_guidance, for_code, for_trouble
from bot.guidance.types import Trouble
from bot.link import Link, LinkState
from bot.messages import Message
from bot.messages.answers import (
    NoThread,
    accepted,
    answer,
    direct_start,
    parent,
    private_start,
    replacing,
    unconfirmed,
)
from bot.messages.chain import where_it_broke
from bot.messages.history import (
    Line,
    history,
    no_history,
    not_recorded,
    shared_before,
    under_way,
)
from bot.messages.mistakes import misread
from bot.messages.notices import broken, stopping
from bot.messages.permissions import denied, dry_run, help_, needs_more, no_owner, whoami, why
from bot.outcome import Failed, Outcome, Said, Shared, Unknown
from bot.playground.loopback import Json
from bot.playground.slack_blocks import block_errors
from bot.policy import (
    Allow,
    Approvers,
    Ask,
    Denial,
    DeniedByRule,
    Deny,
    Effect,
    GroupUnreadable,
    NeedsApproval,
    NeedsConfirmation,
    NoRule,
    Person,
    PersonUnreadable,
    Policy,
    Rule,
    Standing,
    Unreadable,
    decide,
    explain,
    nearest,
)
from bot.request import Origin, Request

APPID, OWNER, ENV = "wx5fe6bb43205e9e70", "wx0123456789abcdef", "prod-1"
RID = "686cab53-686d2226-2e40eeeb"
REASON = 'release 12 & "hotfix" <3'
TEAM, REQUESTER, OTHER = "T012ABCDEF", "U012ABCDEF", "U0OTHER123"
CHANNEL, GROUP, GROUP_2 = "C012ABCDEF", "S012ABCDEF", "S0OPS12345"
CONTACT = "the platform team, in #platform-help"
MENTIONS = {
    *(f"<@{user}>" for user in (REQUESTER, OTHER)),
    *(f"<!subteam^{group}>" for group in (GROUP, GROUP_2)),
    *(f"<#{channel}>" for channel in (CHANNEL, "C0RELEASES")),
}

NOW = 1_764_028_800.5  # 2025-11-25 00:00 UTC
LINK = "https://acme.slack.com/archives/C012ABCDEF/p1764028801000200"
DATE = r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|\d{4}-\d\d-\d\d \d\d:\d\d UTC>"
OWN_MARKUP = re.compile(rf"{DATE}|<{re.escape(LINK)}\|(?:this )?thread>")

TESTERS = Rule(
    "testers", Effect.ALLOW, users=frozenset({OTHER}), appids=("wx5*", "wx6*"), envs=("test-*",)
)
PLATFORM = Rule("platform team", Effect.ALLOW, groups=frozenset({GROUP}), envs=("prod-*", "test-*"))
RELEASES = Rule(
    "release & rollback",
    Effect.ALLOW,
    users=frozenset({OTHER, REQUESTER}),
    channels=frozenset({"C0RELEASES"}),
    confirm=True,
    guests=True,
)
APPROVAL = Rule(
    "everyone else",
    Effect.APPROVE,
    users=frozenset({"*"}),
    approvers=Approvers(frozenset(), frozenset({GROUP}), CHANNEL, timedelta(hours=24)),
)
NEVER = Rule("never", Effect.DENY, envs=("vault-*",))
UNSURE = Rule("unsure", Effect.ALLOW, groups=frozenset({GROUP}), confirm=True)
ASKING = Rule("asking", Effect.APPROVE, groups=frozenset({GROUP}))
KEPT_OUT = Rule("kept out", Effect.DENY, groups=frozenset({GROUP}))
ELSEWHERE = Rule(
    "elsewhere",
    Effect.ALLOW,
    groups=frozenset({GROUP, GROUP_2}),
    channels=frozenset({"C0RELEASES"}),
)
POLICY = Policy((NEVER, TESTERS, PLATFORM, RELEASES), (), OWNER, CONTACT)

MEMBER = Person(TEAM, REQUESTER, groups=frozenset({GROUP, GROUP_2}))
STRANGER = Person(TEAM, REQUESTER)
GUEST = Person(TEAM, REQUESTER, Standing.GUEST)
HALF_READ = Person(
    TEAM,
    REQUESTER,
    unreadable={GROUP: Unreadable.MISSING_SCOPE, GROUP_2: Unreadable.RATE_LIMITED},
)
ORIGIN = Origin(TEAM, REQUESTER, CHANNEL, "releases", "1.2", "https://hooks.example.org/x")
ASK = Ask(STRANGER, CHANNEL, APPID, ENV)


def request(reason: str | None = None) -> Request:
    return Request("7kq2m9xc", ORIGIN, APPID, ENV, OWNER, "platform team", reason)


def _mistakes() -> Iterator[tuple[str, Mistake, str, str]]:
    usage, fixed = "/share-env <appid> <env>", f"/share-env {APPID} {ENV}"
    yield "unclosed quote", UnclosedQuote(), f'{APPID} {ENV} --reason "go', f'{fixed} --reason "go"'
    words = {
        AppidFault.BLANK: "<appid>",
        AppidFault.CASE: APPID.upper(),
        AppidFault.PREFIX: "gh_5fe6bb43205e9e",
        AppidFault.LENGTH: APPID[:-1],
        AppidFault.LETTERS: APPID[:-1] + "g",
    }
    for fault in AppidFault:
        word = words[fault]
        typed = f"{word} {ENV}".replace("<", "&lt;").replace(">", "&gt;")
        yield f"appid, {fault.value}", NotAnAppid(word, fault), typed, fixed
    yield "not an env", NotAnEnv("prod_1"), f"{APPID} prod_1", f"/share-env {APPID} <env>"
    only_marked = NotAnEnv("env", blank=True)
    yield "not an env, blank", only_marked, f"{APPID} env", f"/share-env {APPID} <env>"
    yield "swapped", Swapped(), f"{ENV} {APPID}", fixed
    yield "no appid", MissingAppid(), ENV, f"/share-env <appid> {ENV}"
    yield "no env", MissingEnv(), APPID, f"/share-env {APPID} <env>"
    extra = ExtraWords(("for", "the", "release"))
    line = f"{fixed} --reason {' '.join(extra.words)}"
    yield "extra words", extra, f"{APPID} {ENV} for the release", line
    many = ExtraWords(tuple("abcdefgh"))
    yield "many extra words", many, f"{APPID} {ENV} a b c d e f g h", fixed
    yield "several appids", SeveralAppids(2), f"{APPID} {OWNER} {ENV}", fixed
    yield "unknown word", UnknownWord("hlep", "help"), "hlep", "/share-env help"
    near, far = UnknownOption("--dryrun", "--dry-run"), UnknownOption("--force", None)
    yield "unknown option, close", near, f"{APPID} {ENV} --dryrun", f"{fixed} --dry-run"
    yield "unknown option", far, f"{APPID} {ENV} --force", fixed
    blank = f'{fixed} --reason "why it is needed"'
    yield "option without value", OptionWithoutValue("--reason"), f"{APPID} {ENV} --reason", blank
    yield "option twice", OptionTwice("--dry-run"), f"{APPID} {ENV} --dry-run --dry-run", fixed
    yield "option not here", OptionNotHere("--reason", "help"), "help --reason x", "/share-env help"
    yield "reason too long", ReasonTooLong(512, 300), f"{APPID} {ENV} --reason …", fixed
    yield "option alone", MissingAppid(), "--dry-run", f"{usage} --dry-run"


def _asks() -> Iterator[tuple[str, Policy, Ask]]:
    yield "allowed", POLICY, Ask(MEMBER, CHANNEL, APPID, ENV)
    yield "to be confirmed", POLICY, Ask(GUEST, "C0RELEASES", APPID, ENV)
    yield "to be approved", Policy((NEVER, APPROVAL)), ASK
    yield "by a rule", POLICY, Ask(MEMBER, CHANNEL, APPID, "vault-1")
    yield "no rule", Policy((NEVER, TESTERS), contact=CONTACT), ASK
    yield "without rules", Policy(()), ASK
    yield "no rule for them", POLICY, ASK
    yield "no rule for guests", POLICY, Ask(GUEST, CHANNEL, APPID, "test-1")
    yield (
        "no rule here, and unreadable",
        Policy((ELSEWHERE,), contact=CONTACT),
        Ask(HALF_READ, CHANNEL, APPID, ENV),
    )
    for standing in (Standing.BOT, Standing.DEACTIVATED):
        yield (
            f"standing {standing.name}",
            POLICY,
            Ask(Person(TEAM, REQUESTER, standing), CHANNEL, APPID, ENV),
        )
    for trouble in Unreadable:
        person = Person(TEAM, REQUESTER, unreadable={GROUP: trouble})
        yield f"group {trouble.name}", POLICY, Ask(person, CHANNEL, APPID, ENV)
    for rule in (UNSURE, ASKING, KEPT_OUT):
        yield (
            f"group unreadable, {rule.name}",
            Policy((rule, PLATFORM), contact=CONTACT),
            Ask(HALF_READ, CHANNEL, APPID, ENV),
        )


def _denials() -> Iterator[tuple[str, Policy, Ask, Deny]]:
    for name, policy, ask in _asks():
        decision = decide(policy, ask)
        if isinstance(decision, Deny):
            yield name, policy, ask, decision
    for trouble in Unreadable:
        yield f"person {trouble.name}", POLICY, ASK, Deny(PersonUnreadable(trouble))


def _outcomes() -> Iterator[tuple[str, Outcome]]:
    said = Said(40097, "invalid args", RID)
    yield "shared", Shared()
    yield "shared after 2 tries", Shared(2)
    for row in all_guidance():
        ending = Unknown if row.in_doubt else Failed
        code = int(row.key) if row.key.lstrip("-").isdigit() else None
        its_own = Said(code, "as WeChat words it", RID) if code else None
        yield row.key, ending(row, its_own)
    yield "unknown code", Failed(for_code(99999), Said(99999, "", None))
    yield "hostile words", Failed(for_code(40097), Said(40097, "<!channel> & `x` *y* _z_", RID), 3)
    yield "in doubt from before", Unknown(for_code(40097), said, 2)
    yield (
        "in doubt from before, no words",
        Unknown(for_trouble(Trouble.TOKEN_SERVER_STALE), None, 3),
    )
    yield "no token", Failed(for_trouble(Trouble.TOKEN_SERVER_DOWN), None, 0)
    address = Said(61004, "access clientip is not registered requestIP: 192.0.2.7", RID)
    yield "no ticket", Failed(for_trouble(Trouble.NO_TICKET), None, 0, Link.TICKET)
    yield "address not listed", Failed(for_code(61004), address, 0, Link.PLATFORM)
    not_authorised = Said(61003, "component is not authorized by this account", RID)
    yield "owner not authorised", Failed(for_code(61003), not_authorised, 0, Link.OWNER)


GOOD_UNTIL = NOW + 6000
TICKET_FINE = LinkState(Link.TICKET, None, NOW + 43_000, NOW)
PLATFORM_FINE = LinkState(Link.PLATFORM, None, GOOD_UNTIL, NOW - 1200)
NO_TICKET = for_trouble(Trouble.NO_TICKET)
CHAINS: dict[str, list[LinkState]] = {
    "fresh": [TICKET_FINE, PLATFORM_FINE, LinkState(Link.OWNER, OWNER, GOOD_UNTIL, NOW - 1200)],
    "never had": [
        LinkState(Link.TICKET, None, None, None),
        LinkState(Link.PLATFORM, None, None, None),
        LinkState(Link.OWNER, OWNER, None, None),
    ],
    "run out": [TICKET_FINE, PLATFORM_FINE, LinkState(Link.OWNER, OWNER, None, NOW - 9000)],
    "failed": [
        TICKET_FINE,
        PLATFORM_FINE,
        LinkState(Link.OWNER, OWNER, None, None, for_code(61003), NOW),
    ],
    "failed, and good for a while": [
        TICKET_FINE,
        PLATFORM_FINE,
        LinkState(Link.OWNER, OWNER, GOOD_UNTIL, NOW - 1200, for_code(61004), NOW),
    ],
    "no ticket": [
        LinkState(Link.TICKET, None, None, None, for_code(40125), NOW),
        LinkState(Link.PLATFORM, None, None, NOW - 9000, NO_TICKET, NOW),
        LinkState(Link.OWNER, OWNER, GOOD_UNTIL, NOW - 1200),
    ],
    "two owners": [
        TICKET_FINE,
        PLATFORM_FINE,
        LinkState(Link.OWNER, OWNER, GOOD_UNTIL, NOW - 1200),
        LinkState(Link.OWNER, APPID, None, None, for_code(61023), NOW),
    ],
    "many owners": [
        TICKET_FINE,
        PLATFORM_FINE,
        *(
            LinkState(Link.OWNER, f"wx{n:016x}", GOOD_UNTIL, NOW - 1200, for_code(61004), NOW)
            for n in range(40)
        ),
    ],
}


def _permissions() -> Iterator[tuple[str, Message]]:
    for name, policy, ask in _asks():
        yield f"why: {name}", why(decide(policy, ask), ask, policy, explain(policy, ask))
    for name, policy, ask, no in _denials():
        yield f"denied: {name}", denied(no, ask, policy)
    unread = Deny(PersonUnreadable(Unreadable.SLACK_DOWN))
    yield "why: person unreadable", why(unread, ASK, POLICY, explain(POLICY, ASK))
    yield "needs a confirmation", needs_more(NeedsConfirmation(RELEASES), ASK, POLICY)
    yield "needs an approval", needs_more(NeedsApproval(APPROVAL), ASK, POLICY)
    yield "no owner", no_owner(ASK, POLICY)
    for name, decision, owner in (
        ("allowed", Allow(PLATFORM), OWNER),
        ("no owner", Allow(PLATFORM), None),
        ("denied", decide(POLICY, ASK), OWNER),
        ("to be confirmed", NeedsConfirmation(RELEASES), OWNER),
        ("to be approved", NeedsApproval(APPROVAL), OWNER),
    ):
        yield f"dry run: {name}", dry_run(decision, ASK, POLICY, owner)


def _people() -> Iterator[tuple[str, Message]]:
    def about(person: Person | Unreadable, *rules: Rule) -> Message:
        return whoami(person, REQUESTER, TEAM, rules)

    yield "whoami: member", about(MEMBER, PLATFORM, RELEASES)
    for name, links in CHAINS.items():
        yield f"whoami: tokens {name}", whoami(MEMBER, REQUESTER, TEAM, (PLATFORM,), links)
    yield "whoami: without rights", about(STRANGER)
    yield "whoami: groups unreadable", about(HALF_READ, RELEASES)
    for standing in Standing:
        yield f"whoami: {standing.name}", about(Person(TEAM, REQUESTER, standing))
    for trouble in Unreadable:
        yield f"whoami: {trouble.name}", about(trouble)
        yield f"help: {trouble.name}", help_(trouble, (), POLICY)
    yield "help: rights", help_(MEMBER, (TESTERS, PLATFORM, RELEASES, APPROVAL), POLICY)
    yield "help: many rights", help_(MEMBER, (PLATFORM,) * 12, POLICY)
    yield "help: no rights", help_(STRANGER, (), POLICY)


def _line(n: int, outcome: Outcome | None, link: str | None = LINK) -> Line:
    by = Origin(TEAM, (REQUESTER, OTHER)[n % 2], CHANNEL, "releases", f"{n}.2", "")
    asked = Request(f"7kq2m9x{n}", by, APPID, f"prod-{n}", OWNER, "platform team")
    return asked, outcome, NOW - n * 86_400, link


def _histories() -> Iterator[tuple[str, Message]]:
    failed, unknown = Failed(for_code(85088)), Unknown(for_trouble(Trouble.TIMEOUT))
    endings = (None, Shared(), failed, unknown)
    lines = [_line(n, outcome) for n, outcome in enumerate(endings)]
    yield "history: mine", history(lines, None)
    yield "history: about an env", history([_line(1, Shared())], ENV)
    yield "history: about an appid", history([_line(2, Shared(), None)], APPID)
    yield "history: none of mine", history([], None)
    yield "history: none about", history([], ENV)
    yield "history: too many of mine", history([_line(n, Shared()) for n in range(40)], None)
    yield "history: too many about", history([_line(n, failed) for n in range(40)], APPID)
    yield "no history", no_history()
    yield "not recorded", not_recorded()
    for name, link in (("in a thread", LINK), ("in private", None)):
        yield f"under way: {name}", under_way(request(REASON), link)
        yield f"shared before: {name}", shared_before(request(REASON), NOW, link)


def _messages() -> Iterator[tuple[str, Message]]:
    for name, mistake, received, instead in _mistakes():
        yield f"mistake: {name}", misread(Misread(mistake, received, instead))
    yield from _permissions()
    yield from _people()
    yield "accepted", accepted(request())
    failed, unknown = Failed(for_code(85088)), Unknown(for_trouble(Trouble.TIMEOUT))
    states = {"begun": None, "shared": Shared(), "failed": failed, "unknown": unknown}
    for name, outcome in states.items():
        yield f"parent: {name}", parent(request(), outcome)
        yield f"parent: {name}, with reason", parent(request(REASON), outcome)
    for name, ended in _outcomes():
        yield f"answer: {name}", answer(request(), ended)
    for name, ended in (
        ("shared", Shared()),
        ("failed", failed),
        ("unknown", unknown),
        ("without a call", Failed(for_trouble(Trouble.TOKEN_SERVER_DOWN), None, 0)),
        ("given up", Unknown(for_trouble(Trouble.GIVEN_UP), None, 0)),
    ):
        yield f"called again: {name}", answer(request(), ended, called_again=True)
    for place in NoThread:
        yield f"private: {place.name}", private_start(request(), place)
    yield "private: with reason", private_start(request(REASON), NoThread.NOT_INVITED)
    yield "direct", direct_start(request())
    yield "unconfirmed", unconfirmed(answer(request(), Shared()))
    yield "replacing", replacing(parent(request(REASON), None))
    yield from _histories()
    yield "stopping", stopping()
    yield "broken", broken("5f2c1e7a")


MESSAGES = dict(_messages())
EVERY = pytest.mark.parametrize("said", MESSAGES.values(), ids=MESSAGES.keys())


def texts(message: Message) -> list[str]:
    """Return the mrkdwn of all blocks."""
    return [str(each["text"]) for each in mrkdwn(cast("Json", message.blocks))]


def mrkdwn(found: Json) -> Iterator[dict[str, Json]]:
    if isinstance(found, dict) and found.get("type") == "mrkdwn":
        yield found
    elif isinstance(found, dict | list):
        for inner in found.values() if isinstance(found, dict) else found:
            yield from mrkdwn(inner)


@EVERY
def test_the_message_is_worded_as_agreed(said: Message, snapshot: SnapshotAssertion) -> None:
    blocks = "\n".join(json.dumps(block, ensure_ascii=False) for block in said.blocks)
    assert f"{said.text}\n\n{blocks}" == snapshot


@EVERY
def test_slack_takes_the_message(said: Message) -> None:
    assert block_errors(cast("Json", said.blocks)) == []
    assert 0 < len(said.text) <= 4000


@EVERY
def test_the_text_says_all_that_the_blocks_say(said: Message) -> None:
    assert said.text == "\n".join(texts(said))


@EVERY
def test_slack_makes_no_links_and_mentions_of_words(said: Message) -> None:
    assert all(each["verbatim"] is True for each in mrkdwn(cast("Json", said.blocks)))


@EVERY
def test_only_the_bots_own_mentions_are_markup(said: Message) -> None:
    assert not unescaped(said.text)


@EVERY
def test_the_message_reads_as_written_by_a_person(said: Message) -> None:
    text = OWN_MARKUP.sub("then", re.sub(r"`[^`\n]+`", "`x`", said.text))
    wrong = r"  | $|^ |\bNone\b|\bTrue\b|\bFalse\b| [.,;:?)]|\.\.|,,|::|\( |“”|\*\*|``"
    assert not re.search(wrong, text, re.MULTILINE)
    assert not re.search(r"\b(\w+) \1\b", text)
    assert not re.search(
        r"(?i)\b(a [aeio]\w+|an [bcdfgjklmpqrstvwz]\w+)", text.replace("a one", "")
    )
    assert text.count("“") == text.count("”")
    assert text.count("(") == text.count(")")
    assert text.count("*") % 2 == text.count("`") % 2 == 0


@EVERY
def test_each_paragraph_ends_like_one(said: Message) -> None:
    for part in said.parts:
        last = part.text.split("\n")[-1]
        item = last.startswith("• ")
        assert item or part.text.startswith("Reason: ") or last[-1] in ".?:`"
    assert said.text[-1] not in ":,;· "


@EVERY
def test_the_message_blames_nobody_and_sends_nobody_to_read_logs(said: Message) -> None:
    words = (
        r"(?i)\b(invalid input|illegal|simply|just|obviously|your fault|see the logs?|traceback)\b"
    )
    assert not re.search(words, re.sub(r"`[^`]+`", "", said.text))


def test_every_kind_of_mistake_is_worded() -> None:
    assert {type(mistake) for _, mistake, *_ in _mistakes()} == set(get_args(Mistake))


def test_every_kind_of_denial_is_worded() -> None:
    assert {type(no.because) for *_, no in _denials()} == set(get_args(Denial))


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.startswith("mistake")])
def test_a_mistake_says_that_nothing_was_done_and_gives_a_line_to_copy(name: str) -> None:
    assert "Nothing was done." in MESSAGES[name].text
    assert re.search(r"Try this instead:\n`/share-env[^`]*`", MESSAGES[name].text)


@pytest.mark.parametrize(
    "name", [name for name in MESSAGES if re.match(r"denied|needs|no owner", name)]
)
def test_a_refusal_says_that_nothing_was_done_and_who_can_help(name: str) -> None:
    text = MESSAGES[name].text
    assert "Nothing was done." in text
    assert re.search(r"\*Who can (grant|fix) it:\* ", text) or "may never share" in text


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.startswith("dry run")])
def test_a_dry_run_never_looks_like_a_success(name: str) -> None:
    first = MESSAGES[name].text.split("\n")[0]
    assert "Dry run" in first
    assert "✅" not in MESSAGES[name].text


@pytest.mark.parametrize(
    "name", [n for n in MESSAGES if re.match(r"under way|shared before|not recorded", n)]
)
def test_what_does_not_begin_says_so_and_where_to_look_or_what_to_do(name: str) -> None:
    text = MESSAGES[name].text
    assert re.search(r"Nothing (more )?was done\.", text)
    assert "✅" not in text
    assert ("Request `7kq2m9xc`" in text) != ("send the command again" in text)
    assert (f"<{LINK}|this thread>" in text) == name.endswith("in a thread")


def test_what_was_shared_before_can_be_done_again_with_one_line() -> None:
    line = re.search(r"`/share-env (.+)`\Z", shared_before(request(), NOW, LINK).text)
    assert line
    assert parse(line[1]) == Share(APPID, ENV, again=True)


def test_a_date_is_the_readers_own_and_utc_for_those_who_cannot_see_it() -> None:
    told = "<!date^1764028800^{date_short_pretty} {time}|2025-11-25 00:00 UTC>"
    assert told in shared_before(request(), NOW, LINK).text
    assert told in history([_line(0, None)], None).text


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.startswith("called again")])
def test_an_answer_says_that_wechat_was_asked_again_exactly_when_it_was(name: str) -> None:
    told = "I asked WeChat once more" in MESSAGES[name].text
    assert told == (name.split(": ")[1] in {"shared", "failed", "unknown"})


@pytest.mark.parametrize("ending", [Shared(), Failed(for_code(85088)), Unknown(for_code(-1))])
def test_an_answer_after_a_restart_is_the_same_answer_and_a_note(ending: Outcome) -> None:
    once, again = answer(request(), ending), answer(request(), ending, called_again=True)
    assert again.parts[:-1] == once.parts


@pytest.mark.parametrize("about", [None, ENV, APPID])
@pytest.mark.parametrize("length", [1, 6, 32, 64])
@pytest.mark.parametrize("count", [1, 5, 15, 16, 200])
def test_a_history_shows_the_newest_as_many_as_fit_and_says_when_there_are_older_ones(
    about: str | None, length: int, count: int
) -> None:
    lines = [
        (replace(asked, env="e" * length), outcome, created, link)
        for asked, outcome, created, link in (_line(n, Shared()) for n in range(count))
    ]
    said = history(lines, about)
    shown = re.findall(r"`7kq2m9x(\d+)`", said.text)
    assert shown == [str(n) for n in range(len(shown))]
    assert len(shown) >= min(count, 8)
    assert ("There are older ones." in said.text) == (len(shown) < count)
    assert said.text == "\n".join(texts(said))
    assert "…" not in said.text
    assert block_errors(cast("Json", said.blocks)) == []


@given(words=st.lists(st.text(max_size=100), max_size=20), about=st.none() | st.text())
def test_a_history_of_anything_fits_and_shows_whole_lines(
    words: list[str], about: str | None
) -> None:
    lines = [
        (Request(word, ORIGIN, word, word, OWNER, word, word), None, NOW, LINK) for word in words
    ]
    said = history(lines, about)
    assert block_errors(cast("Json", said.blocks)) == []
    assert said.text == "\n".join(texts(said))
    assert said.text.count("• ") >= min(len(words), 1)
    assert all(line.endswith("|thread>") for line in said.text.split("\n") if line[0] == "•")


@pytest.mark.parametrize("row", all_guidance(), ids=lambda row: row.key)
@pytest.mark.parametrize("ending", [Failed, Unknown])
@pytest.mark.parametrize("words", [None, "invalid args", "&" * 300], ids=["none", "some", "most"])
def test_an_answer_has_all_that_helps(
    row: Guidance, ending: type[Failed | Unknown], words: str | None
) -> None:
    text = answer(request(), ending(row, Said(40097, words, RID) if words else None, 2)).text
    assert len(text) < 4000
    for part in (row.title, row.meaning, row.fixer.value, row.again.value, *row.steps):
        assert part in text
    assert text.endswith("2 tries · request `7kq2m9xc`")
    assert ("40097" in text and RID in text) if words else "WeChat said" not in text.split("\n")[-1]
    claim = "was not shared with" if ending is Failed else "may or may not have been shared"
    assert claim in text.split("\n")[0]
    doubt = "An earlier try got no clear answer" in text
    assert doubt is (ending is Unknown and not row.in_doubt)


PIECES = [
    "<",
    ">",
    "&",
    "!",
    "`",
    "\n",
    "  ",
    "<!channel>",
    "<@U1>",
    "<#C1|c>",
    "<http://a|b>",
    "&lt;",
]
HOSTILE = st.builds(
    lambda pieces, times: "".join(pieces) * times,
    st.lists(st.sampled_from(PIECES) | st.characters(), max_size=30),
    st.sampled_from([1, 1, 20, 300]),
)


def _with(name: str, contact: str = CONTACT) -> tuple[Rule, Policy]:
    """Return a rule and a policy whose every free text is `name`."""
    rule = Rule(
        name,
        Effect.ALLOW,
        users=frozenset({OTHER}),
        groups=frozenset({GROUP}),
        channels=frozenset({"C0RELEASES"}),
        appids=("wx*", name, *["?" + name] * 9),
        envs=("prod-*", *[name] * 9),
    )
    return rule, Policy((rule,) * 12, (), None, contact)


def _why(name: str) -> Message:
    rule, policy = _with(name)
    ask = Ask(HALF_READ, CHANNEL, APPID, "dev-1")
    return why(
        Deny(GroupUnreadable(rule, GROUP, Unreadable.SLACK_DOWN)), ask, policy, explain(policy, ask)
    )


def _said_by_wechat(errmsg: str) -> Message:
    return answer(request(), Unknown(for_code(-1000), Said(-1000, errmsg, RID), 2))


def _misread(mistake: Callable[[str], Mistake]) -> Callable[[str], Message]:
    return lambda word: misread(
        Misread(mistake(word), word[:300], f'/share-env --reason "{word[:300]}"')
    )


def _known(word: str) -> Request:
    """Return a request whose every word is `word`, as a ledger that others wrote to might hold it."""
    return Request(word, ORIGIN, word, word, word, word, word)


SPEAKERS: dict[str, Callable[[str], Message]] = {
    "reason": lambda text: parent(request(text), None),
    "reason in private": lambda text: private_start(request(text), NoThread.CANNOT_TELL),
    "reason, replacing": lambda text: replacing(parent(request(text), None)),
    "under way": lambda word: under_way(_known(word), LINK),
    "shared before": lambda word: shared_before(_known(word), NOW, None),
    "history": lambda word: history([(_known(word), None, NOW, LINK)] * 20, word),
    "history, none": lambda word: history([], word),
    "errmsg": _said_by_wechat,
    "reference": broken,
    "word for an appid": _misread(lambda word: NotAnAppid(word, AppidFault.LENGTH)),
    "word for an env": _misread(NotAnEnv),
    "word for an env, blank": _misread(lambda word: NotAnEnv(word, blank=True)),
    "extra words": _misread(lambda word: ExtraWords((word,) * 9)),
    "unknown word": _misread(lambda word: UnknownWord(word, "help")),
    "unknown option": _misread(lambda word: UnknownOption(word, None)),
    "unknown option, close": _misread(lambda word: UnknownOption(word, "--reason")),
    "option": _misread(OptionTwice),
    "option without value": _misread(OptionWithoutValue),
    "option elsewhere": _misread(lambda word: OptionNotHere(word, word)),
    "env and appid": lambda word: denied(
        Deny(NoRule(())), Ask(STRANGER, CHANNEL, word, word), POLICY
    ),
    "rule, denying": lambda name: denied(Deny(DeniedByRule(_with(name)[0])), ASK, POLICY),
    "rules, near": lambda name: denied(Deny(NoRule(nearest(_with(name)[1], ASK))), ASK, POLICY),
    "rules, why": _why,
    "rule, to be approved": lambda name: needs_more(NeedsApproval(_with(name)[0]), ASK, POLICY),
    "rule, dry run": lambda name: dry_run(Allow(_with(name)[0]), ASK, POLICY, OWNER),
    "rules, whoami": lambda name: whoami(MEMBER, REQUESTER, TEAM, (_with(name)[0],) * 12),
    "rules, whoami with tokens": lambda name: whoami(
        MEMBER, REQUESTER, TEAM, (_with(name)[0],) * 12, CHAINS["many owners"]
    ),
    "owners": lambda name: whoami(
        MEMBER, REQUESTER, TEAM, (PLATFORM,), [LinkState(Link.OWNER, name, None, None)] * 40
    ),
    "rules, help": lambda name: help_(MEMBER, (_with(name)[0],) * 12, POLICY),
    "contact": lambda text: denied(Deny(DeniedByRule(NEVER)), ASK, _with("a", text)[1]),
    "contact, help": lambda text: help_(STRANGER, (), _with("a", text)[1]),
    "contact, owner": lambda text: dry_run(Allow(NEVER), ASK, _with("a", text)[1], None),
}


def unescaped(text: str) -> list[str]:
    text = OWN_MARKUP.sub("", text)
    for mention in MENTIONS:
        text = text.replace(mention, "")
    return re.findall(r"[<>]|&(?!amp;|lt;|gt;)", text)


@pytest.mark.parametrize("speak", SPEAKERS.values(), ids=SPEAKERS.keys())
@given(words=HOSTILE)
def test_words_of_others_do_nothing_and_fit(speak: Callable[[str], Message], words: str) -> None:
    said = speak(words)
    assert block_errors(cast("Json", said.blocks)) == []
    assert len(said.text) <= 4000
    for text in (said.text, *texts(said)):
        assert unescaped(text) == []
    others = OWN_MARKUP.sub("", said.text)
    assert not re.search(r"<(?:!(?!subteam\^S0)|@(?!U0)|#(?!C0)|http)", others)


@pytest.mark.parametrize("speak", SPEAKERS.values(), ids=SPEAKERS.keys())
def test_words_of_an_ordinary_length_are_shown_in_full(speak: Callable[[str], Message]) -> None:
    said = speak("x" * 60)
    assert "x" * 60 in said.text
    assert said.text == "\n".join(texts(said))
    assert not said.text.endswith("…")


@pytest.mark.parametrize("contact", ["Ann.", "Ann"])
def test_a_contact_may_end_with_a_full_stop(contact: str) -> None:
    policy = Policy((), contact=contact)
    assert denied(Deny(NoRule(())), ASK, policy).text.endswith("*Who can grant it:* Ann.")


def test_long_lists_end_with_a_count() -> None:
    many = tuple(Rule(f"rule {n}", Effect.ALLOW, users=frozenset({OTHER})) for n in range(14))
    policy = Policy(many, (), None, CONTACT)
    assert "• and 4 more" in why(Deny(NoRule(())), ASK, policy, explain(policy, ASK)).text
    assert "rule 9” and 4 more" in whoami(MEMBER, REQUESTER, TEAM, many).text


@pytest.mark.parametrize("link", [None, *Link])
@pytest.mark.parametrize("row", all_guidance(), ids=lambda row: row.key)
def test_an_answer_says_which_link_broke_exactly_when_one_did(
    row: Guidance, link: Link | None
) -> None:
    text = answer(request(), Failed(row, None, 0, link)).text
    names = {
        Link.TICKET: "component_verify_ticket",
        Link.PLATFORM: "component_access_token",
        Link.OWNER: "authorizer_access_token",
    }
    (*_, broke) = [None, *re.findall(r"^\*What broke:\* .*`(\w+)`\.$", text, re.MULTILINE)]
    assert broke == (link and names[link])


def test_every_link_is_told_in_other_words() -> None:
    assert len({where_it_broke(link) for link in Link}) == len(Link)


@pytest.mark.parametrize("name", CHAINS)
def test_whoever_may_not_share_is_told_of_no_token(name: str) -> None:
    for person, rules in ((STRANGER, ()), (Unreadable.SLACK_DOWN, (PLATFORM,))):
        told = whoami(person, REQUESTER, TEAM, rules, CHAINS[name])
        assert told == whoami(person, REQUESTER, TEAM, rules)


@pytest.mark.parametrize("name", CHAINS)
def test_whoami_tells_of_each_owner_and_only_of_other_links_that_are_not_well(name: str) -> None:
    text, links = MESSAGES[f"whoami: tokens {name}"].text, CHAINS[name]
    owners = [str(state.owner) for state in links if state.link is Link.OWNER]
    more = re.search(r"• and (\d+) more$", text)
    shown = [owner for owner in owners if owner in text]
    assert shown == owners[: len(shown)]
    assert len(shown) + (int(more[1]) if more else 0) == len(owners)
    for state in links:
        if state.link is not Link.OWNER:
            well = state.good_until is not None and state.trouble is None
            words = {
                Link.TICKET: "component_verify_ticket",
                Link.PLATFORM: "component_access_token",
            }
            assert (words[state.link] in text) is not well
        if state.trouble and state.owner in {None, *shown}:
            assert state.trouble.title in text


@pytest.mark.parametrize("count", [1, 5, 9, 40, 500])
def test_of_many_owners_as_many_are_told_of_as_fit(count: int) -> None:
    links = [LinkState(Link.OWNER, f"wx{n:016x}", GOOD_UNTIL, NOW) for n in range(count)]
    said = whoami(MEMBER, REQUESTER, TEAM, (PLATFORM,) * 10, links)
    shown = re.findall(r"^• `wx[0-9a-f]{16}`: good until <.*>\.$", said.text, re.MULTILINE)
    assert len(shown) >= min(count, 8)
    assert (f"• and {count - len(shown)} more" in said.text) == (len(shown) < count)
    assert said.text == "\n".join(texts(said))
    assert "…" not in said.text
    assert block_errors(cast("Json", said.blocks)) == []


@pytest.mark.parametrize("at", [0, 7, 39])
def test_of_many_owners_those_in_trouble_are_told_of_first(at: int) -> None:
    links = [LinkState(Link.OWNER, f"wx{n:016x}", GOOD_UNTIL, NOW) for n in range(40)]
    links[at] = LinkState(Link.OWNER, APPID, None, None, for_code(61023), NOW)
    said = whoami(MEMBER, REQUESTER, TEAM, (PLATFORM,), links)
    assert said.text.split("\n• ")[1].startswith(f"`{APPID}`: there is none now.")
