"""Samples of every message of the bot, in any of its languages."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from hypothesis import strategies as st

from bot.command.grammar import Share
from bot.command.mistake import Misread, Mistake, Wrong
from bot.domain.kept import KeptShare
from bot.domain.link import Link, LinkState
from bot.domain.outcome import (
    AfterCall,
    Called,
    Failed,
    Outcome,
    Readiness,
    Said,
    Shared,
    Unknown,
    explained,
)
from bot.domain.request import Agreement, Approval, Origin, Request
from bot.guidance import Cause, EnvFine, Trouble, all_guidance, for_code
from bot.guidance.causes import NoEnvs, NoSuchEnv, NotInService, OtherOwner, OtherToken
from bot.messages import Message
from bot.messages.answers import accepted, beforehand, called, steps_left, would_fail
from bot.messages.blocks import message
from bot.messages.conversation import answer as ending
from bot.messages.conversation import parent
from bot.messages.history import (
    Line,
    history,
    history_table,
    kept_request,
    one_request,
    shared_before,
    shared_long_ago,
    under_way,
    untold,
)
from bot.messages.mistakes import misread
from bot.messages.notices import (
    Note,
    NoThread,
    broken,
    noted,
    only_you,
    stopping,
    twin,
    unknown_command,
)
from bot.messages.people import help_, whoami
from bot.messages.rulings import (
    as_dry_run,
    denied,
    dry_run,
    no_owner,
    own_receiver,
    reason_wanted,
    why,
)
from bot.messages.words import Words, code
from bot.playground.loopback import Json
from bot.policy.decide import decide, nearest
from bot.policy.hours import read_hours
from bot.policy.kinds import (
    Allow,
    Approvers,
    Ask,
    DeniedByRule,
    Deny,
    Effect,
    Freeze,
    GroupUnreadable,
    NeedsApproval,
    NeedsConfirmation,
    NoRule,
    Person,
    PersonUnreadable,
    Policy,
    ReasonWanted,
    Rule,
    Standing,
    Unreadable,
)
from tests import asking

APPID, OWNER, ENV = "wx5fe6bb43205e9e70", "wx0123456789abcdef", "prod-1"
RID = "686cab53-686d2226-2e40eeeb"
REASON = 'release 12 & "hotfix" <3'
TEAM, REQUESTER, OTHER = "T012ABCDEF", "U012ABCDEF", "U0OTHER123"
CHANNEL, GROUP, GROUP_2 = "C012ABCDEF", "S012ABCDEF", "T0HARBOUR1/S0OPS12345"
CONTACT = "the platform team, in #platform-help"
MENTIONS = {
    *(f"<@{user}>" for user in (REQUESTER, OTHER)),
    *(f"<!subteam^{group}>" for group in (GROUP, "S0OPS12345")),
    *(f"<#{channel}>" for channel in (CHANNEL, "C0RELEASES")),
}

NOW = 1_764_028_800.5  # 2025-11-25 00:00 UTC
LINK = "https://acme.slack.com/archives/C012ABCDEF/p1764028801000200"
DATE = r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|\d{4}-\d\d-\d\d \d\d:\d\d UTC>"
OWN_MARKUP = re.compile(rf"{DATE}|<{re.escape(LINK)}\|(?:(?:this )?thread|(?:这个)?消息列)>")

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
TWO = replace(APPROVAL, approvers=replace(APPROVAL.approvers, approvals=2))
NEVER = Rule("never", Effect.DENY, envs=("vault-*",))
ELSEWHERE = Rule(
    "elsewhere",
    Effect.ALLOW,
    groups=frozenset({GROUP, GROUP_2}),
    workspaces=frozenset({"T0HARBOUR1"}),
    channels=frozenset({"C0RELEASES"}),
)
FREEZE = Freeze(
    asking.NOW - 60, asking.NOW + 86_400, "end of the year & more", groups=frozenset({"S0ONCALL"})
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
ORIGIN = Origin(
    team_id=TEAM,
    user_id=REQUESTER,
    channel_id=CHANNEL,
    channel_name="releases",
    trigger_id="1.2",
    response_url="https://hooks.example.org/x",
)
ASK = asking.ask(STRANGER, CHANNEL, APPID, ENV)
OF_NOBODY = asking.ask(Person(TEAM, REQUESTER, Standing.OUTSIDER), CHANNEL, APPID, ENV)
"""The question of a person whom Slack does not return."""


def request(reason: str | None = None) -> Request:
    return Request(
        id="7kq2m9xc",
        origin=ORIGIN,
        appid=APPID,
        env=ENV,
        owner=OWNER,
        rule="platform team",
        reason=reason,
    )


def mistakes() -> Iterator[tuple[str, Mistake, str, str | None]]:
    usage, fixed = "/share-env <appid> <env>", f"/share-env {APPID} {ENV}"
    yield (
        "unclosed quote",
        Mistake(Wrong.UNCLOSED_QUOTE),
        f'{APPID} {ENV} --reason "go',
        f'{fixed} --reason "go"',
    )
    yield (
        "not an appid",
        Mistake(Wrong.NOT_AN_APPID, (APPID[:-1],)),
        f"{APPID[:-1]} {ENV}",
        f"/share-env <appid> {ENV}",
    )
    several = Mistake(Wrong.NOT_APPIDS, (APPID[:-1], "a_b"))
    yield "not appids", several, f"{APPID[:-1]} a_b {ENV}", None
    yield (
        "appid in capitals",
        Mistake(Wrong.NOT_AN_APPID, (APPID.upper(),)),
        f"{APPID.upper()} {ENV}",
        fixed,
    )
    joined = f"{APPID}/{ENV}"
    yield "joined", Mistake(Wrong.NOT_AN_APPID, (joined,)), joined, fixed
    yield (
        "not an env",
        Mistake(Wrong.NOT_AN_ENV, ("prod_1",)),
        f"{APPID} prod_1",
        f"/share-env {APPID} <env>",
    )
    yield "swapped", Mistake(Wrong.SWAPPED), f"{ENV} {APPID}", fixed
    yield "no appid", Mistake(Wrong.MISSING_APPID), ENV, f"/share-env <appid> {ENV}"
    yield "no env", Mistake(Wrong.MISSING_ENV), APPID, f"/share-env {APPID} <env>"
    blank = f'{fixed} --reason "<reason>"'
    extra = Mistake(Wrong.EXTRA_WORDS, ("for", "us", "please"))
    yield "extra words", extra, f"{APPID} {ENV} for us please", fixed
    many = Mistake(Wrong.EXTRA_WORDS, tuple("abcdefgh"))
    yield "many extra words", many, f"{APPID} {ENV} a b c d e f g h", fixed
    two = Mistake(Wrong.WHICH_ENV, ("prod-1", "prod-2"))
    yield "which env", two, f"{APPID} prod-1 prod-2", f"/share-env {APPID} <env>"
    unlike = Mistake(Wrong.UNLIKE_AN_ENV, ("rollback",))
    yield "unlike an env", unlike, f"{APPID} rollback", f"/share-env {APPID} <env>"
    cut = Mistake(Wrong.CUT_OFF, ("prod-1…",))
    yield "cut off", cut, f"{APPID} prod-1…", f"/share-env {APPID} <env>"
    which = Mistake(Wrong.WHICH_APPIDS, (OWNER, APPID))
    yield "which appids", which, f"{OWNER}: {ENV} {APPID}", None
    limited = Mistake(Wrong.LIMITED, ("until",))
    yield "limited", limited, f"{APPID} {ENV} until friday", None
    retry = Mistake(Wrong.RETRY)
    yield "retry", retry, "retry 7kq2m9xc", "/share-env history 7kq2m9xc"
    question = Mistake(Wrong.QUESTION, (), "why")
    asked = f"can I share {ENV} with {APPID}?"
    yield "question", question, asked, f"/share-env why {APPID} {ENV}"
    yield "only shares", Mistake(Wrong.ONLY_SHARES, ("unshare",)), f"unshare {APPID} {ENV}", None
    yield (
        "not understood",
        Mistake(Wrong.NOT_UNDERSTOOD, ("expire",)),
        f"expire {APPID} {ENV}",
        None,
    )
    yield (
        "too many appids",
        Mistake(Wrong.TOO_MANY_APPIDS, (APPID,) * 501, most=500),
        f"{APPID} {OWNER} … {ENV}",
        fixed,
    )
    yield "unknown word", Mistake(Wrong.UNKNOWN_WORD, ("hlep",), "help"), "hlep", "/share-env help"
    near, far = (
        Mistake(Wrong.UNKNOWN_WORD, ("--dryrun",), "--dry-run"),
        Mistake(Wrong.UNKNOWN_OPTION, ("--force",)),
    )
    yield "unknown option, close", near, f"{APPID} {ENV} --dryrun", f"{fixed} --dry-run"
    yield "unknown option", far, f"{APPID} {ENV} --force", None
    yield "no reason", Mistake(Wrong.MISSING_REASON), f"{APPID} {ENV} --reason", blank
    yield (
        "reason too long",
        Mistake(Wrong.REASON_TOO_LONG, ("x" * 512,), most=300),
        f"{APPID} {ENV} --reason …",
        fixed,
    )
    yield "option alone", Mistake(Wrong.MISSING_APPID), "--dry-run", f"{usage} --dry-run"


def _asks() -> Iterator[tuple[str, Policy, Ask]]:
    yield "allowed", POLICY, asking.ask(MEMBER, CHANNEL, APPID, ENV)
    yield "to be confirmed", POLICY, asking.ask(GUEST, "C0RELEASES", APPID, ENV)
    yield "to be approved", Policy((NEVER, APPROVAL)), ASK
    yield "by a rule", POLICY, asking.ask(MEMBER, CHANNEL, APPID, "vault-1")
    yield "no rule", Policy((NEVER, TESTERS), contact=CONTACT), ASK
    yield "without rules", Policy(()), ASK
    yield "no rule for them", POLICY, ASK
    yield (
        "no rule for the appid",
        Policy((TESTERS,)),
        asking.ask(STRANGER, CHANNEL, OWNER, "test-1"),
    )
    wanted = replace(PLATFORM, require_reason=True)
    like = replace(wanted, reason_pattern="[A-Z]+-[0-9]+")
    for name, rule, reason in (
        ("a reason", wanted, None),
        ("a reason like a ticket", like, None),
        ("another reason", like, "release 4.2"),
    ):
        asked = asking.ask(MEMBER, CHANNEL, APPID, ENV, reason)
        yield f"{name} is wanted", Policy((rule,), contact=CONTACT), asked
    frozen = Policy((PLATFORM, RELEASES), contact=CONTACT, freezes=(FREEZE,))
    yield "frozen", frozen, asking.ask(MEMBER, CHANNEL, APPID, ENV)
    yield "frozen for a guest", frozen, asking.ask(GUEST, "C0RELEASES", APPID, ENV)
    unread = replace(STRANGER, unreadable={"S0ONCALL": Unreadable.SLACK_DOWN})
    in_doubt = Policy((replace(PLATFORM, users=frozenset({REQUESTER})),), freezes=(FREEZE,))
    yield "perhaps not frozen", in_doubt, asking.ask(unread, CHANNEL, APPID, ENV)
    by_night = replace(PLATFORM, hours=read_hours("Mon-Fri 22:00-06:00 Asia/Shanghai"))
    closed = Policy((by_night,), contact=CONTACT)
    yield "not at this hour", closed, asking.ask(MEMBER, CHANNEL, APPID, ENV)
    yield "nor for a guest", closed, asking.ask(GUEST, CHANNEL, APPID, ENV)
    yield "no rule for guests", POLICY, asking.ask(GUEST, CHANNEL, APPID, "test-1")
    yield (
        "no rule here, and unreadable",
        Policy((ELSEWHERE,), contact=CONTACT),
        asking.ask(HALF_READ, CHANNEL, APPID, ENV),
    )
    for standing in (Standing.BOT, Standing.DEACTIVATED):
        yield (
            f"standing {standing.name}",
            POLICY,
            asking.ask(Person(TEAM, REQUESTER, standing), CHANNEL, APPID, ENV),
        )
    for trouble in Unreadable:
        person = Person(TEAM, REQUESTER, unreadable={GROUP: trouble})
        yield f"group {trouble.name}", POLICY, asking.ask(person, CHANNEL, APPID, ENV)
    guest = replace(GUEST, unreadable={GROUP: Unreadable.SLACK_DOWN})
    let_in = Policy((replace(PLATFORM, guests=True),), contact=CONTACT)
    yield "groups of a guest", let_in, asking.ask(guest, CHANNEL, APPID, ENV)


def denials() -> Iterator[tuple[str, Policy, Ask, Deny]]:
    for name, policy, ask in _asks():
        decision = decide(policy, ask)
        if isinstance(decision, Deny):
            yield name, policy, ask, decision
    for trouble in Unreadable:
        yield f"person {trouble.name}", POLICY, OF_NOBODY, Deny(PersonUnreadable(trouble))


def _outcomes() -> Iterator[tuple[str, Called]]:
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
        Unknown(Trouble.TOKEN_SERVER_STALE.value, None, 3),
    )
    yield "HTTP 412", Failed(Trouble.GATEWAY_LENGTH.value, status=412)
    yield "HTTP 502", Unknown(Trouble.GATEWAY_BROKEN.value, status=502)
    yield "no token", Failed(Trouble.TOKEN_SERVER_DOWN.value, None, 0)
    address = Said(61004, "access clientip is not registered requestIP: 192.0.2.7", RID)
    yield "no ticket", Failed(Trouble.NO_TICKET.value, None, 0, Link.TICKET)
    yield "address not listed", Failed(for_code(61004), address, 0, Link.PLATFORM)
    not_authorised = Said(61003, "component is not authorized by this account", RID)
    yield "owner not authorised", Failed(for_code(61003), not_authorised, 0, Link.OWNER)


GOOD_UNTIL = NOW + 6000
TICKET_FINE = LinkState(Link.TICKET, None, good_until=NOW + 43_000, renewed=NOW)
PLATFORM_FINE = LinkState(Link.PLATFORM, None, good_until=GOOD_UNTIL, renewed=NOW - 1200)
NO_TICKET = Trouble.NO_TICKET.value
CHAINS: dict[str, list[LinkState]] = {
    "fresh": [
        TICKET_FINE,
        PLATFORM_FINE,
        LinkState(Link.OWNER, OWNER, good_until=GOOD_UNTIL, renewed=NOW - 1200),
    ],
    "never had": [
        LinkState(Link.TICKET, None, good_until=None, renewed=None),
        LinkState(Link.PLATFORM, None, good_until=None, renewed=None),
        LinkState(Link.OWNER, OWNER, good_until=None, renewed=None),
    ],
    "run out": [
        TICKET_FINE,
        PLATFORM_FINE,
        LinkState(Link.OWNER, OWNER, good_until=None, renewed=NOW - 9000),
    ],
    "failed": [
        TICKET_FINE,
        PLATFORM_FINE,
        LinkState(
            Link.OWNER,
            OWNER,
            good_until=None,
            renewed=None,
            trouble=for_code(61003),
            trouble_at=NOW,
        ),
    ],
    "failed, and good for a while": [
        TICKET_FINE,
        PLATFORM_FINE,
        LinkState(
            Link.OWNER,
            OWNER,
            good_until=GOOD_UNTIL,
            renewed=NOW - 1200,
            trouble=for_code(61004),
            trouble_at=NOW,
        ),
    ],
    "no ticket": [
        LinkState(
            Link.TICKET,
            None,
            good_until=None,
            renewed=None,
            trouble=for_code(40125),
            trouble_at=NOW,
        ),
        LinkState(
            Link.PLATFORM,
            None,
            good_until=None,
            renewed=NOW - 9000,
            trouble=NO_TICKET,
            trouble_at=NOW,
        ),
        LinkState(Link.OWNER, OWNER, good_until=GOOD_UNTIL, renewed=NOW - 1200),
    ],
    "fixed, and refused": [
        LinkState(
            Link.OWNER,
            OWNER,
            good_until=None,
            renewed=None,
            trouble=Trouble.TOKEN_FIXED_DEAD.value,
            trouble_at=NOW,
        ),
    ],
    "the server is away, and the last one good": [
        LinkState(
            Link.OWNER,
            OWNER,
            good_until=GOOD_UNTIL,
            renewed=None,
            trouble=Trouble.TOKEN_SERVER_DOWN.value,
            trouble_at=NOW,
        ),
    ],
    "two owners": [
        TICKET_FINE,
        PLATFORM_FINE,
        LinkState(Link.OWNER, OWNER, good_until=GOOD_UNTIL, renewed=NOW - 1200),
        LinkState(
            Link.OWNER,
            APPID,
            good_until=None,
            renewed=None,
            trouble=for_code(61023),
            trouble_at=NOW,
        ),
    ],
    "many owners": [
        TICKET_FINE,
        PLATFORM_FINE,
        *(
            LinkState(
                Link.OWNER,
                f"wx{n:016x}",
                good_until=GOOD_UNTIL,
                renewed=NOW - 1200,
                trouble=for_code(61004),
                trouble_at=NOW,
            )
            for n in range(40)
        ),
    ],
}


def _permissions(speaking: Words) -> Iterator[tuple[str, Message]]:
    words = sent_to(speaking, CONTACT)
    for name, policy, ask in _asks():
        yield f"why: {name}", why(words, decide(policy, ask), ask, policy)
    for name, policy, ask, no in denials():
        if not isinstance(no.because, ReasonWanted):
            yield f"denied: {name}", denied(words, no, ask, policy)
    unread = Deny(PersonUnreadable(Unreadable.SLACK_DOWN))
    yield "why: person unreadable", why(words, unread, OF_NOBODY, POLICY)
    yield "no owner", no_owner(words, ASK)
    yield "own receiver", own_receiver(words, OWNER, ENV)
    for name, share in (
        ("no reason", Share((APPID,), ENV)),
        ("another reason", Share((APPID, OWNER), ENV, 'release "4.2"', dry_run=True, again=True)),
        ("a long batch", Share((APPID,) * 200, ENV)),
    ):
        like = replace(PLATFORM, require_reason=True, reason_pattern="[A-Z]+-[0-9]+")
        yield f"reason wanted: {name}", reason_wanted(words, like, share)
    yield "one request", one_request(words, Line(request(), None, NOW, LINK))
    agreed = replace(request(), agreed=(Agreement(OTHER),), approval=Approval(REQUESTER))
    yield "one request: approved", one_request(words, Line(agreed, None, NOW, LINK))
    for name, decision in (
        ("allowed", Allow(PLATFORM)),
        ("to be confirmed", NeedsConfirmation(RELEASES)),
        ("to be approved", NeedsApproval(APPROVAL)),
        ("to be confirmed and approved", NeedsApproval(replace(APPROVAL, confirm=True))),
        ("to be approved by two", NeedsApproval(TWO)),
        ("to be confirmed and approved by two", NeedsApproval(replace(TWO, confirm=True))),
    ):
        yield f"dry run: {name}", dry_run(words, decision, request())
    many = replace(request(), appid="", appids=(APPID, OWNER))
    for name, asked in (("a batch", many), ("a batch again", replace(many, again=True))):
        yield f"dry run: {name}", dry_run(words, Allow(RELEASES), asked)
    no = Deny(NoRule(nearest(POLICY, ASK)))
    yield "dry run: denied", as_dry_run(words, denied(words, no, ASK, POLICY))
    yield "dry run: no owner", as_dry_run(words, no_owner(words, ASK))


def sent_to(words: Words, contact: str) -> Words:
    """Return the sentences for a policy with this contact."""
    return replace(words, policy=lambda: Policy((), contact=contact))


def _people(speaking: Words) -> Iterator[tuple[str, Message]]:
    words = sent_to(speaking, CONTACT)

    def about(person: Person | Unreadable, *rules: Rule) -> Message:
        return whoami(words, person, REQUESTER, TEAM, rules)

    yield "whoami: member", about(MEMBER, PLATFORM, RELEASES)
    for name, links in CHAINS.items():
        yield f"whoami: tokens {name}", whoami(words, MEMBER, REQUESTER, TEAM, (PLATFORM,), links)
    yield "whoami: without rights", about(STRANGER)
    yield "whoami: groups unreadable", about(HALF_READ, RELEASES)
    for standing in Standing:
        yield f"whoami: {standing.name}", about(Person(TEAM, REQUESTER, standing))
    for trouble in Unreadable:
        yield f"whoami: {trouble.name}", about(trouble)
        yield f"help: {trouble.name}", help_(words, trouble, ())
    yield "help: rights", help_(words, MEMBER, (TESTERS, PLATFORM, RELEASES, APPROVAL, ELSEWHERE))
    yield "help: a right that takes two approvals", help_(words, MEMBER, (TWO,))
    by_day = replace(RELEASES, hours=read_hours("Mon-Fri 09:00-18:00 UTC"))
    yield "help: hours", help_(words, MEMBER, (by_day,))
    yield "help: many rights", help_(words, MEMBER, (PLATFORM,) * 12)
    yield "help: no rights", help_(words, STRANGER, ())
    yield "help: mentions", help_(words, STRANGER, (), mentions=True)


def line_of(n: int, outcome: Outcome | None, link: str | None = LINK) -> Line:
    by = Origin(
        team_id=TEAM,
        user_id=(REQUESTER, OTHER)[n % 2],
        channel_id=CHANNEL,
        channel_name="releases",
        trigger_id=f"{n}.2",
        response_url="",
    )
    asked = Request(
        id=f"7kq2m9x{n}", origin=by, appid=APPID, env=f"prod-{n}", owner=OWNER, rule="platform team"
    )
    return Line(asked, outcome, NOW - n * 86_400, link)


def _histories(words: Words) -> Iterator[tuple[str, Message]]:
    failed, unknown = Failed(for_code(85088)), Unknown(Trouble.TIMEOUT.value)
    endings = (None, Shared(), failed, unknown)
    lines = [line_of(n, outcome) for n, outcome in enumerate(endings)]
    yield "history: mine", history(words, lines, None)
    yield "history: about an env", history(words, [line_of(1, Shared())], ENV)
    yield "history: about an appid", history(words, [line_of(2, Shared(), None)], APPID)
    yield "history as a table: mine", history_table(words, lines, None)
    yield "history as a table: about an env", history_table(words, lines, ENV)
    yield "history: none of mine", history(words, [], None)
    yield "history: none about", history(words, [], ENV)
    yield (
        "history: too many of mine",
        history(words, [line_of(n, Shared()) for n in range(40)], None),
    )
    yield "history: too many about", history(words, [line_of(n, failed) for n in range(40)], APPID)
    for name, link in (("in a thread", LINK), ("in private", None)):
        yield f"under way: {name}", under_way(words, request(REASON), link)
        yield f"shared before: {name}", shared_before(words, request(REASON), NOW, link)
    kept = KeptShare("7kq2m9xc", ENV, APPID, OWNER, NOW)
    yield "shared before: by a request that was deleted", shared_long_ago(words, kept)
    yield "one request: deleted", kept_request(words, kept)
    yield "history: with a deleted one", history(words, [line_of(1, Shared()), kept], ENV)
    yield (
        "history as a table: with a deleted one",
        history_table(words, [line_of(1, Shared()), kept], ENV),
    )
    answered = ending(words, request(REASON), failed)
    yield "untold", untold(words, request(REASON), answered)


def answers(words: Words) -> Iterator[tuple[str, Called, Message]]:
    """Return every answer after a call to WeChat, with its outcome, by name."""
    for name, ended in _outcomes():
        yield name, ended, ending(words, request(), ended)
    for name, ended, cause in explained_failures():
        told = ending(words, request(), ended, after=AfterCall(cause=cause))
        yield name, cast("Failed", explained(ended, cause)), told
    for after in afters():
        name = f"shared, {after.readiness.value}{', told before' if after.told_before else ''}"
        yield name, Shared(), ending(words, request(), Shared(), after=after)


CAUSES: dict[str, tuple[int, Cause]] = {
    "no such env": (40097, NoSuchEnv()),
    "one like it": (-501009, NoSuchEnv("prod-11")),
    "no envs": (85088, NoEnvs()),
    "not in service": (-501018, NotInService("HALTED")),
    "other owner": (-601012, OtherOwner(APPID)),
    "other token": (40097, OtherToken(APPID)),
    "the receiver": (40097, EnvFine()),
    "its company": (-601013, EnvFine()),
    "unexpectedly off": (85088, EnvFine()),
    "unexpected": (-501005, EnvFine()),
}
"""An errcode and its cause, as WeChat's lists of envs tell it."""


def explained_failures() -> Iterator[tuple[str, Failed, Cause]]:
    """Return a failure for each cause, by name."""
    for name, (errcode, cause) in CAUSES.items():
        said = Said(errcode, "as WeChat words it", RID)
        yield f"{errcode}, {name}", Failed(for_code(errcode), said), cause


def afters() -> Iterator[AfterCall]:
    """Return every addition to the answer about a share."""
    for readiness in Readiness:
        for told_before in (False, True):
            yield AfterCall(readiness, told_before)


def messages(words: Words) -> dict[str, Message]:
    """Return every message of the bot in a language, by name."""
    return dict(_messages(words))


def _messages(words: Words) -> Iterator[tuple[str, Message]]:
    for name, mistake, received, instead in mistakes():
        yield f"mistake: {name}", misread(words, Misread(mistake, received, instead))
    yield from _permissions(words)
    yield from _people(words)
    yield "accepted", accepted(words, request())
    failed, unknown = Failed(for_code(85088)), Unknown(Trouble.TIMEOUT.value)
    states = {"begun": None, "shared": Shared(), "failed": failed, "unknown": unknown}
    for name, outcome in states.items():
        yield f"parent: {name}", parent(words, request(), outcome)
        yield f"parent: {name}, with reason", parent(words, request(REASON), outcome)
    for name, ended in _outcomes():
        yield f"answer: {name}", called(words, request(), ended)
    for after in afters():
        told = "told before" if after.told_before else "first"
        name = f"answer: shared, {after.readiness.value}, {told}"
        yield name, called(words, request(), Shared(), after=after)
    for name, ended, cause in explained_failures():
        yield f"answer: {name}", ending(words, request(), ended, after=AfterCall(cause=cause))
        if warning := would_fail(words, ENV, OWNER, cause):
            yield f"beforehand: {name}", message(warning)
    yield "steps again", steps_left(words, request())
    for readiness in (Readiness.READY, Readiness.LACKING):
        yield f"beforehand: {readiness.value}", message(beforehand(words, ENV, readiness))
    for name, ended in (
        ("shared", Shared()),
        ("failed", failed),
        ("unknown", unknown),
        ("without a call", Failed(Trouble.TOKEN_SERVER_DOWN.value, None, 0)),
        ("given up", Unknown(Trouble.GIVEN_UP.value, None, 0)),
    ):
        yield f"called again: {name}", called(words, request(), ended, called_again=True)
    for place in NoThread:
        yield f"private: {place.name}", only_you(words, parent(words, request(), None), place)
    yield (
        "private: with reason",
        only_you(words, parent(words, request(REASON), None), NoThread.NOT_INVITED),
    )
    yield "direct", noted(words, parent(words, request(), None), Note.ELSEWHERE)
    yield "replacing", noted(words, parent(words, request(REASON), None), Note.REPLACING)
    yield from _histories(words)
    yield "stopping", stopping(words)
    yield "twin", twin(words)
    yield "command-of-another-name", unknown_command(words, "/share-envs")
    yield "broken", broken(words, "5f2c1e7a")


def blocks(message: Message) -> Json:
    """Return the blocks of a message as JSON."""
    return cast("Json", message.blocks)


def longest(said: Message) -> int:
    """Return how long the message's text may be: Slack takes more than it shows in a notification."""
    return 40_000 if said.has_table else 4000


def words_of_cells(said: Message) -> Iterator[str]:
    """Yield the words and the ids in the rows of the message's tables."""
    for table in said.blocks:
        for row in cast("list[list[dict[str, Any]]]", table.get("rows", []))[1:]:
            for cell in row:
                lines = cell.get("elements", [{"elements": [cell]}])
                for each in (each for line in lines for each in line["elements"]):
                    yield each.get("user_id") or each["text"]


def texts(message: Message) -> list[str]:
    """Return the mrkdwn of all blocks."""
    return [
        code(line, len(line)) if line else re.sub(r"\A`[█░]{20}` ", "", str(each["text"]))
        for each in cast("list[dict[str, Any]]", blocks(message))
        for line, each in _read(each)
    ]


def _read(block: dict[str, Any]) -> Iterator[tuple[str, dict[str, Json]]]:
    """Return the visible texts of a block: a line to copy, or each text."""
    if block["type"] == "rich_text":
        yield str(block["elements"][0]["elements"][0]["text"]), {}
    else:
        yield from (("", each) for each in mrkdwn(block))


def mrkdwn(found: Json) -> Iterator[dict[str, Json]]:
    """Return every text object in blocks."""
    if isinstance(found, dict) and found.get("type") == "mrkdwn":
        yield found
    elif isinstance(found, dict | list):
        for inner in found.values() if isinstance(found, dict) else found:
            yield from mrkdwn(inner)


PIECES = [
    "{appid}",
    "{",
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


def named(name: str, contact: str = CONTACT) -> tuple[Rule, Policy]:
    """Return a rule and a policy in which every free text is `name`."""
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


def _why(words: Words, name: str) -> Message:
    rule, policy = named(name)
    ask = asking.ask(HALF_READ, CHANNEL, APPID, "dev-1")
    return why(words, Deny(GroupUnreadable(rule, Unreadable.SLACK_DOWN)), ask, policy)


def _said_by_wechat(words: Words, errmsg: str) -> Message:
    return called(words, request(), Unknown(for_code(-1000), Said(-1000, errmsg, RID), 2))


def _misread(wrong: Wrong, count: int = 1) -> Callable[[Words, str], Message]:
    return lambda words, word: misread(
        words,
        Misread(
            Mistake(wrong, (word,) * count, "help"),
            word[:300],
            f'/share-env --reason "{word[:300]}"',
        ),
    )


def _known(word: str) -> Request:
    """Return a request in which every text is `word`, as in a ledger that others have changed."""
    return Request(
        id="7kq2m9xc", origin=ORIGIN, appid=word, env=word, owner=word, rule=word, reason=word
    )


WITH_TEXT: dict[str, Callable[[Words, str], Message]] = {
    "reason": lambda words, text: parent(words, request(text), None),
    "reason in private": lambda words, text: only_you(
        words, parent(words, request(text), None), NoThread.CANNOT_TELL
    ),
    "reason, replacing": lambda words, text: noted(
        words, parent(words, request(text), None), Note.REPLACING
    ),
    "under way": lambda words, word: under_way(words, _known(word), LINK),
    "shared before": lambda words, word: shared_before(words, _known(word), NOW, None),
    "history": lambda words, word: history(words, [Line(_known(word), None, NOW, LINK)] * 20, word),
    "history as a table": lambda words, word: history_table(
        words, [Line(_known(word), None, NOW, LINK)] * 20, word
    ),
    "history, none": lambda words, word: history(words, [], word),
    "errmsg": _said_by_wechat,
    "reference": broken,
    "word for an appid": _misread(Wrong.NOT_AN_APPID),
    "word for an env": _misread(Wrong.NOT_AN_ENV),
    "words for an env": _misread(Wrong.WHICH_ENV, 9),
    "word for the opposite": _misread(Wrong.ONLY_SHARES),
    "word for anything": _misread(Wrong.NOT_UNDERSTOOD),
    "extra words": _misread(Wrong.EXTRA_WORDS, 9),
    "unlike an env": _misread(Wrong.UNLIKE_AN_ENV),
    "cut off": _misread(Wrong.CUT_OFF),
    "which appids": _misread(Wrong.WHICH_APPIDS, 9),
    "word for a time": _misread(Wrong.LIMITED),
    "unknown word": _misread(Wrong.UNKNOWN_WORD),
    "unknown option": _misread(Wrong.UNKNOWN_OPTION),
    "env and appid": lambda words, word: denied(
        words, Deny(NoRule(())), asking.ask(STRANGER, CHANNEL, word, word), POLICY
    ),
    "rule, denying": lambda words, name: denied(
        words, Deny(DeniedByRule(named(name)[0])), ASK, POLICY
    ),
    "rules, near": lambda words, name: denied(
        words, Deny(NoRule(nearest(named(name)[1], ASK))), ASK, POLICY
    ),
    "rules, why": _why,
    "rule, to be approved": lambda words, name: dry_run(
        words, NeedsApproval(named(name)[0]), request()
    ),
    "rule, dry run": lambda words, name: dry_run(words, Allow(named(name)[0]), request()),
    "rules, whoami": lambda words, name: whoami(
        words, MEMBER, REQUESTER, TEAM, (named(name)[0],) * 12
    ),
    "rules, whoami with tokens": lambda words, name: whoami(
        words, MEMBER, REQUESTER, TEAM, (named(name)[0],) * 12, CHAINS["many owners"]
    ),
    "owners": lambda words, name: whoami(
        words,
        MEMBER,
        REQUESTER,
        TEAM,
        (PLATFORM,),
        [LinkState(Link.OWNER, name, good_until=None, renewed=None)] * 40,
    ),
    "rules, help": lambda words, name: help_(words, MEMBER, (named(name)[0],) * 12),
    "contact": lambda words, text: denied(
        sent_to(words, text), Deny(DeniedByRule(NEVER)), ASK, POLICY
    ),
    "contact, help": lambda words, text: help_(sent_to(words, text), STRANGER, ()),
    "contact, owner": lambda words, text: as_dry_run(words, no_owner(sent_to(words, text), ASK)),
}
"""Messages that show a text which is not the bot's own, by the kind of text."""


def unescaped(text: str) -> list[str]:
    """Return all markup characters that are not the bot's own."""
    text = OWN_MARKUP.sub("", text)
    for mention in MENTIONS:
        text = text.replace(mention, "")
    return re.findall(r"[<>]|&(?!amp;|lt;|gt;)", text)
