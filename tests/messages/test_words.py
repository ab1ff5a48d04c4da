"""Every message of the bot, as a golden and against the rules for all messages."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from bot.command.mistake import Misread, Mistake, Wrong
from bot.command.parse import parse
from bot.domain.link import Link, LinkState
from bot.domain.outcome import Called, Failed, Said, Shared, Unknown
from bot.domain.request import Request
from bot.guidance import Trouble, all_guidance, for_code
from bot.messages import Message
from bot.messages.answers import LINK_NAMES, called
from bot.messages.history import Line, history, shared_before
from bot.messages.mistakes import misread
from bot.messages.people import whoami
from bot.messages.rules import fit, right
from bot.messages.rulings import denied, why
from bot.messages.words import FOR_GOOD, Words
from bot.playground.slack.block_kit import block_errors
from bot.policy.kinds import Denial, Deny, Effect, NoRule, Policy, Rule, Unreadable, Verdict
from tests.checking import checks
from tests.languages import CHINESE, ENGLISH
from tests.messages.checks import IN_ENGLISH
from tests.messages.golden import goldens
from tests.messages.samples import (
    APPID,
    ASK,
    CHAINS,
    ENV,
    GOOD_UNTIL,
    HOSTILE,
    LINK,
    MEMBER,
    NOW,
    ORIGIN,
    OTHER,
    OWN_MARKUP,
    OWNER,
    PLATFORM,
    POLICY,
    REQUESTER,
    RID,
    STRANGER,
    TEAM,
    WITH_TEXT,
    blocks,
    denials,
    line_of,
    longest,
    messages,
    mistakes,
    request,
    sent_to,
    texts,
    unescaped,
)

MESSAGES = messages(ENGLISH)
each_text = pytest.mark.parametrize("message_with", WITH_TEXT.values(), ids=WITH_TEXT.keys())


def named_like(names: str) -> dict[str, Message]:
    """Return the messages whose names match the pattern."""
    return {name: said for name, said in MESSAGES.items() if re.match(names, name)}


def test_every_message_follows_the_rules() -> None:
    with checks() as check:
        for (name, said), each in product(MESSAGES.items(), IN_ENGLISH):
            with check(f"{name}: {each.__name__}"):
                each(said)


def test_the_messages_are_worded_as_agreed(snapshot: SnapshotAssertion) -> None:
    assert goldens(MESSAGES) == snapshot


def test_every_kind_of_mistake_is_worded() -> None:
    assert {mistake.wrong for _, mistake, *_ in mistakes()} == {*Wrong}


def test_every_kind_of_denial_is_worded() -> None:
    assert {type(no.because) for *_, no in denials()} == set(get_args(Denial))


def test_a_mistake_says_that_nothing_was_done_and_gives_a_line_to_copy_or_who_can_do_it() -> None:
    with checks() as check:
        for name, said in named_like("mistake").items():
            with check(name):
                assert "Nothing was done." in said.text
                line = re.search(r"Try this instead[^:]*:\n`/share-env[^`]*`", said.text)
                who = "To take access away" in said.text
                assert line or who or "To share, send only" in said.text
                assert who == (name in {"mistake: only shares", "mistake: not understood"})


def test_a_corrected_line_that_is_too_long_to_copy_is_not_offered() -> None:
    for mistake in (
        Mistake(Wrong.SWAPPED),
        Mistake(Wrong.UNKNOWN_WORD, ("--dryrun",), "--dry-run"),
    ):
        said = misread(ENGLISH, Misread(mistake, "x", f"{APPID} {'e' * 3000}"))
        assert "Nothing was done." in said.text
        assert "Try this instead" not in said.text
        assert "To share" not in said.text


@pytest.mark.parametrize(
    "typed",
    [
        f"share {ENV} from {OWNER} to {APPID}",
        f"{OWNER} -> {APPID} {ENV}",
        f"{APPID} {ENV} --owner {OWNER}",
    ],
)
def test_whoever_names_an_owner_is_told_to_send_only_the_receivers_and_not_merely_without_a_word(
    typed: str,
) -> None:
    wrong = parse(typed)
    assert isinstance(wrong, Misread)
    said = misread(ENGLISH, wrong).text
    assert "To share, send only each receiver's appid, then the env;" in said


def test_no_owners_admin_is_sent_to_a_console_that_the_platforms_permission_sets_close() -> None:
    told = [each.text for each in messages(ENGLISH).values() if "› 环境共享" in each.text]
    assert told
    assert [text for text in told if "extAppid" not in text] == []
    everything = " ".join(each.text for each in messages(ENGLISH).values())
    assert "only the owner's admin can" not in everything


@pytest.mark.parametrize("option", ["--until friday", "--for 2h", "--ttl=3d", "-t 3d"])
def test_whoever_types_an_option_for_a_share_that_ends_is_told_that_none_does(option: str) -> None:
    wrong = parse(f"{APPID} {ENV} {option}")
    assert isinstance(wrong, Misread)
    assert ENGLISH(FOR_GOOD) in misread(ENGLISH, wrong).text


def test_a_refusal_says_that_nothing_was_done_and_who_can_help() -> None:
    with checks() as check:
        for name, said in named_like("denied|no owner").items():
            with check(name):
                assert "Nothing was done." in said.text
                helps = re.search(
                    r"\*Who can (grant|fix) it:\* |If this keeps happening, tell |If it cannot wait, ask ",
                    said.text,
                )
                assert helps


def test_a_message_about_a_failed_lookup_names_a_contact() -> None:
    with checks() as check:
        for name, said in named_like("whoami|help|why").items():
            with check(name):
                unread = re.search(r"I could not (find out|read)", said.text)
                assert not unread or re.search(
                    r"\*Who can \w+ it:\* |If this keeps happening, tell ", said.text
                )


def test_a_dry_run_never_looks_like_a_success() -> None:
    with checks() as check:
        for name, said in named_like("dry run").items():
            with check(name):
                assert "Dry run" in said.text.split("\n")[0]
                assert "✅" not in said.text


def test_a_request_that_does_not_begin_says_so_and_what_to_do() -> None:
    with checks() as check:
        for name, said in named_like("under way|shared before|not recorded").items():
            with check(name):
                assert re.search(r"[Nn]othing (more )?was done\.", said.text)
                assert "✅" not in said.text
                assert ("Request `7kq2m9xc`" in said.text) != (
                    "send the command again" in said.text
                )
                assert (f"<{LINK}|this thread>" in said.text) == name.endswith("in a thread")


def test_a_date_is_in_the_readers_time_zone_with_utc_as_fallback() -> None:
    date = "<!date^1764028800^{date_short_pretty} {time}|2025-11-25 00:00 UTC>"
    assert date in shared_before(ENGLISH, request(), NOW, LINK).text
    assert date in history(ENGLISH, [line_of(0, None)], None).text


def test_an_answer_says_that_wechat_was_asked_again_exactly_when_it_was() -> None:
    with checks() as check:
        for name, said in named_like("called again").items():
            with check(name):
                noted = "I asked WeChat once more" in said.text
                assert noted == (name.split(": ")[1] in {"shared", "failed", "unknown"})


@pytest.mark.parametrize("ending", [Shared(), Failed(for_code(85088)), Unknown(for_code(-1))])
def test_an_answer_after_a_restart_is_the_same_with_a_note(ending: Called) -> None:
    once, again = (
        called(ENGLISH, request(), ending),
        called(ENGLISH, request(), ending, called_again=True),
    )
    assert again.parts[:-1] == once.parts


@pytest.mark.parametrize("about", [None, ENV, APPID])
def test_a_history_shows_as_many_of_the_newest_as_fit_and_says_if_there_are_older_ones(
    about: str | None,
) -> None:
    with checks() as check:
        for length, count in product([1, 6, 32, 64], [1, 5, 15, 16, 200]):
            with check(f"{count} of {length}"):
                lines = [
                    replace(line, request=replace(line.request, env="e" * length))
                    for line in (line_of(n, Shared()) for n in range(count))
                ]
                said = history(ENGLISH, lines, about)
                shown = re.findall(r"`7kq2m9x(\d+)`", said.text)
                assert shown == [str(n) for n in range(len(shown))]
                assert len(shown) >= min(count, 8)
                assert ("There are older ones." in said.text) == (len(shown) < count)
                assert said.text == "\n".join(texts(said))
                assert "…" not in said.text
                assert block_errors(blocks(said)) == []


@given(words=st.lists(st.text(max_size=100), max_size=20), about=st.none() | st.text())
def test_any_history_fits_and_has_complete_lines(words: list[str], about: str | None) -> None:
    lines = [
        Line(
            Request(
                id=word, origin=ORIGIN, appid=word, env=word, owner=OWNER, rule=word, reason=word
            ),
            None,
            NOW,
            LINK,
        )
        for word in words
    ]
    said = history(ENGLISH, lines, about)
    assert block_errors(blocks(said)) == []
    assert said.text == "\n".join(texts(said))
    assert said.text.count("• ") >= min(len(words), 1)
    assert all(line.endswith("|thread>") for line in said.text.split("\n") if line[0] == "•")


@pytest.mark.parametrize("ending", [Failed, Unknown])
@pytest.mark.parametrize("words", [None, "invalid args", "&" * 300], ids=["none", "some", "most"])
def test_an_answer_has_all_that_helps(ending: type[Failed | Unknown], words: str | None) -> None:
    said = Said(40097, words, RID) if words else None
    with checks() as check:
        for row in all_guidance():
            with check(row.key):
                text = called(ENGLISH, request(), ending(row, said, 2)).text
                assert len(text) < 4000
                say = ENGLISH.about(request())
                for part in (row.title, row.meaning, *row.steps_with(words or "")):
                    assert say(part) in text
                assert ("WeChat said below" in text) == bool(row.read and words)
                assert ("Run `share-env-bot doctor`." in text) == row.doctor
                assert (f"`{ENV}` of `{OWNER}`") in text.split("\n")[0]
                *_, last = text.split("\n")
                assert last.endswith("2 tries · request `7kq2m9xc`")
                assert ("40097" in text and RID in text) if words else "WeChat said" not in last
                claim = (
                    "was not shared with" if ending is Failed else "may or may not have been shared"
                )
                assert claim in text.split("\n")[0]


@pytest.mark.parametrize("status", [412, 503])
def test_an_answer_shows_the_http_status_that_came_back(status: int) -> None:
    failed = Failed(Trouble.GATEWAY_LENGTH.value, status=status)
    assert f"(HTTP {status}).* `{ENV}`" in called(ENGLISH, request(), failed).text.split("\n")[0]


@each_text
@given(hostile=HOSTILE)
def test_other_peoples_texts_are_escaped_and_fit(
    message_with: Callable[[Words, str], Message], hostile: str
) -> None:
    for said in (message_with(ENGLISH, hostile), message_with(CHINESE, hostile)):
        assert block_errors(blocks(said)) == []
        assert len(said.text) <= longest(said)
        for text in (said.text, *texts(said)):
            assert unescaped(text) == []
        rest = OWN_MARKUP.sub("", said.text)
        assert not re.search(r"<(?:!(?!subteam\^S0)|@(?!U0)|#(?!C0)|http)", rest)


@each_text
def test_texts_of_ordinary_length_are_shown_in_full(
    message_with: Callable[[Words, str], Message],
) -> None:
    with checks() as check:
        for language in (ENGLISH, CHINESE):
            with check(language.language.value):
                said = message_with(language, "x" * 60)
                assert "x" * 60 in said.text
                assert said.has_table or said.text == "\n".join(texts(said))
                assert not said.text.endswith("…")


@pytest.mark.parametrize("contact", ["Ann.", "Ann"])
def test_a_contact_may_end_with_a_full_stop(contact: str) -> None:
    words = sent_to(ENGLISH, contact)
    assert denied(words, Deny(NoRule(())), ASK, POLICY).text.endswith("*Who can grant it:* Ann.")


@pytest.mark.parametrize("effect", Effect)
def test_only_a_rule_that_denies_is_not_said_to_need_a_confirmation(effect: Effect) -> None:
    said = fit(ENGLISH, Verdict(Rule("r", effect, confirm=True), frozenset()))
    assert ("needs a confirmation" in said) is (effect is not Effect.DENY)


def test_a_right_that_needs_a_confirmation_and_an_approval_says_both() -> None:
    said = right(ENGLISH, Rule("r", Effect.APPROVE, confirm=True))
    assert said == "any env (needs a confirmation) (needs an approval), by rule “r”"


def test_long_lists_end_with_a_count() -> None:
    many = tuple(Rule(f"rule {n}", Effect.ALLOW, users=frozenset({OTHER})) for n in range(14))
    policy = Policy(many)
    assert "• and 4 more" in why(ENGLISH, Deny(NoRule(())), ASK, policy).text
    assert "`h` and 2 more" in right(ENGLISH, replace(many[0], envs=tuple("abcdefghij")))
    assert "rule 9” and 4 more" in whoami(ENGLISH, MEMBER, REQUESTER, TEAM, many).text


@pytest.mark.parametrize("link", [None, *Link])
def test_an_answer_says_which_link_broke_exactly_when_one_did(link: Link | None) -> None:
    names = {
        Link.TICKET: "component_verify_ticket",
        Link.PLATFORM: "component_access_token",
        Link.OWNER: "authorizer_access_token",
    }
    with checks() as check:
        for row in all_guidance():
            with check(row.key):
                text = called(ENGLISH, request(), Failed(row, None, 0, link)).text
                (*_, broke) = [
                    None,
                    *re.findall(r"^\*What broke:\* .*`(\w+)`\.$", text, re.MULTILINE),
                ]
                assert broke == (link and names[link])


def test_each_link_has_its_own_words() -> None:
    assert len({ENGLISH(LINK_NAMES[link]) for link in Link}) == len(Link)


@pytest.mark.parametrize("name", CHAINS)
def test_people_who_may_not_share_are_told_nothing_about_tokens(name: str) -> None:
    for person, rules in ((STRANGER, ()), (Unreadable.SLACK_DOWN, (PLATFORM,))):
        with_chain = whoami(ENGLISH, person, REQUESTER, TEAM, rules, CHAINS[name])
        assert with_chain == whoami(ENGLISH, person, REQUESTER, TEAM, rules)


@pytest.mark.parametrize("name", CHAINS)
def test_whoami_lists_each_owner_and_only_those_other_links_that_have_trouble(name: str) -> None:
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
def test_of_many_owners_as_many_are_listed_as_fit(count: int) -> None:
    links = [
        LinkState(Link.OWNER, f"wx{n:016x}", good_until=GOOD_UNTIL, renewed=NOW)
        for n in range(count)
    ]
    said = whoami(ENGLISH, MEMBER, REQUESTER, TEAM, (PLATFORM,) * 10, links)
    shown = re.findall(r"^• `wx[0-9a-f]{16}`: good until <.*>\.$", said.text, re.MULTILINE)
    assert len(shown) >= min(count, 8)
    assert (f"• and {count - len(shown)} more" in said.text) == (len(shown) < count)
    assert said.text == "\n".join(texts(said))
    assert "…" not in said.text
    assert block_errors(blocks(said)) == []


@pytest.mark.parametrize("at", [0, 7, 39])
def test_of_many_owners_those_with_trouble_are_listed_first(at: int) -> None:
    links = [
        LinkState(Link.OWNER, f"wx{n:016x}", good_until=GOOD_UNTIL, renewed=NOW) for n in range(40)
    ]
    links[at] = LinkState(
        Link.OWNER, APPID, good_until=None, renewed=None, trouble=for_code(61023), trouble_at=NOW
    )
    said = whoami(ENGLISH, MEMBER, REQUESTER, TEAM, (PLATFORM,), links)
    assert said.text.split("\n• ")[1].startswith(f"`{APPID}`: there is none now.")
