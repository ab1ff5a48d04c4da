"""What a rule wants of a reason, and what it refers to."""

from dataclasses import replace

import pytest

from bot.policy.decide import decide, decide_all, whatever_reason
from bot.policy.kinds import Allow, Decided, Deny, Effect, Person, Policy, ReasonWanted, Rule
from bot.policy.reasons import (
    can_be_address,
    can_be_pattern,
    is_enough,
    reference,
    reference_of,
    wants_something,
)
from tests import asking

ANY = Rule("any", Effect.ALLOW, users=frozenset({"*"}), require_reason=True)
LIKE = Rule(
    "like",
    Effect.ALLOW,
    users=frozenset({"*"}),
    require_reason=True,
    reason_pattern="[A-Z]+-[0-9]+",
    reason_url="https://t.example/browse/{reason}?from=slack",
)
FREE = Rule("free", Effect.ALLOW, users=frozenset({"*"}))
WORDS = replace(LIKE, reason_pattern=r"\bOPS-[0-9]+\b", reason_url="https://t.example/{reason}")
ANYWHERE = Rule("any", Effect.ALLOW, require_reason=True, reason_url="https://t.example/{reason}")


@pytest.mark.parametrize(
    ("rule", "reason", "enough"),
    [
        (FREE, None, True),
        (ANY, None, False),
        (ANY, "", False),
        (ANY, "release", True),
        (LIKE, None, False),
        (LIKE, "release 4.2", False),
        (LIKE, "OPS-12", True),
        (LIKE, "for OPS-12, release 4.2", True),
    ],
)
def test_a_reason_is_enough_if_the_rule_wants_none_or_a_part_of_it_fits(
    rule: Rule, reason: str | None, enough: bool
) -> None:
    assert is_enough(rule, reason) is enough


def test_the_first_rule_that_matches_denies_without_a_reason_and_no_later_rule_decides() -> None:
    policy = Policy((LIKE, FREE))
    without = asking.ask(Person("T1", "U1"), "C1", f"wx{0:016x}", "prod-1", None)
    denied = decide(policy, without)
    assert denied == Deny(ReasonWanted(Allow(LIKE)))
    assert whatever_reason(denied) == Allow(LIKE)
    assert whatever_reason(Deny(ReasonWanted(Allow(ANY)))) == Allow(ANY)
    given = asking.ask(Person("T1", "U1"), "C1", f"wx{0:016x}", "prod-1", "OPS-1")
    assert decide_all(policy, given, [given.appid], given.env, "OPS-1") == (
        Decided(given, Allow(LIKE)),
    )


@pytest.mark.parametrize(
    ("rule", "reason", "found"),
    [
        (FREE, "OPS-12", None),
        (ANY, "OPS-12", None),
        (LIKE, "release", None),
        (LIKE, "for OPS-12, then OPS-13", ("OPS-12", "https://t.example/browse/OPS-12?from=slack")),
        (WORDS, "XOPS-1, OPS-12b, OPS-123", ("OPS-123", "https://t.example/OPS-123")),
        (ANYWHERE, "a/b ?中", ("a/b ?中", "https://t.example/a%2Fb%20%3F%E4%B8%AD")),
    ],
)
def test_a_reason_refers_to_what_its_pattern_finds_first_or_as_a_whole(
    rule: Rule, reason: str, found: tuple[str, str] | None
) -> None:
    assert reference(rule, reason) == found
    assert reference_of(Policy((rule,)), rule.name, reason) == found
    assert reference_of(Policy((rule,)), "gone", reason) is None


@pytest.mark.parametrize(
    "pattern", ["[", "a)|(b", r"(a)\1", "(?=a)", "(a{1000}){1000}", "(?x)a #", "(?P<n>a)(?P=n)"]
)
def test_a_pattern_that_cannot_be_searched_without_delay_is_none(pattern: str) -> None:
    assert not can_be_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", r"(\w+\s?)*!"])
def test_no_reason_makes_a_search_slow(pattern: str) -> None:
    assert can_be_pattern(pattern)
    rule = Rule("r", Effect.ALLOW, require_reason=True, reason_pattern=pattern)
    assert not is_enough(rule, "a" * 300 + "?")  # this would take years if it was exponential


@pytest.mark.parametrize(("pattern", "wants"), [("a+", True), ("a*", False), ("", False)])
def test_a_pattern_that_fits_the_empty_text_wants_nothing(pattern: str, wants: bool) -> None:
    assert wants_something(pattern) is wants


@pytest.mark.parametrize(
    ("url", "can"),
    [
        ("https://t.example/{reason}", True),
        ("https://t.example:8443/browse?id={reason}&x=1", True),
        ("http://t.example/{reason}", False),
        ("https://{reason}.example/", False),
        ("https://t.example{reason}", False),
        ("https://t.example/", False),
        ("https://t.example/{reason}/{reason}", False),
        ("https://u:p@t.example/{reason}", False),
        ("https://t.example/{reason}|x", False),
        ("https://t.example/{reason}>x", False),
        ("https://t.example/ {reason}", False),
    ],
)
def test_an_address_is_https_with_one_place_behind_the_host(url: str, can: bool) -> None:
    assert can_be_address(url) is can
