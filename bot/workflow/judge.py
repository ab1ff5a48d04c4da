"""The judge: the one place that has the policy, the people and the clock, and so the only one that decides who may what."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.domain.outcome import Denied, Ground, Party
from bot.domain.request import Origin, Request
from bot.policy.decide import (
    decide_all,
    deciding_rule,
    depends_on_time,
    in_general,
    is_operator,
    may_approve,
    may_approve_such,
    may_begin,
    may_break_glass,
    may_share_env,
    may_share_somewhere,
    named_envs,
    owner_of,
    rights,
    turns,
)
from bot.policy.kinds import (
    Circumstances,
    Decided,
    Decision,
    Deny,
    Doubt,
    Effect,
    Freeze,
    Frozen,
    GroupUnreadable,
    NeedsApproval,
    Person,
    PersonUnreadable,
    Policy,
    ReasonWanted,
    Rule,
    Standing,
    Unreadable,
)
from bot.policy.quorum import escalated, still_to_agree
from bot.workflow.ports import People, PolicyInForce

_ANYBODY = Person("", "")


@dataclass(frozen=True, slots=True)
class Decisions:
    """What one policy decides about each appid of a request, and what follows for all of it."""

    policy: Policy
    env: str
    of_each: tuple[Decided, ...]

    @property
    def owner(self) -> str | None:
        """The appid of the env's owner, if it has one."""
        return owner_of(self.policy, self.env)

    @property
    def own_receiver(self) -> str | None:
        """The appid of the owner, if it is one of the receivers, for which there is nothing to share."""
        return next((ask.appid for ask, _ in self.of_each if ask.appid == self.owner), None)

    @property
    def strictest(self) -> Decided:
        """The decision that counts for a batch: the first sure denial, else a freeze, one for want of a reason, one in doubt, the first."""
        return min(self.of_each, key=lambda decided: strictness(decided.decision))

    @property
    def frozen(self) -> Freeze | None:
        """The freeze that keeps the request from going on, if nothing else does."""
        decision = self.strictest.decision
        no = decision.because if isinstance(decision, Deny) else None
        return no.freeze if isinstance(no, Frozen) else None

    @property
    def doubt(self) -> Doubt | None:
        """What Slack did not return, if nothing else keeps the request from going on."""
        return doubt_in(self.strictest.decision)

    def ground_against(self, request: Request) -> Ground | None:
        """Return why a recorded request cannot go on; None if one rule lets it, with the same owner."""
        rules = set[str]()
        for _, decision in self.of_each:
            if isinstance(decision, Deny):
                return Ground.FROZEN if self.frozen else Ground.NOT_ALLOWED
            rules.add(decision.rule.name)
        if len(rules) > 1:
            return Ground.SEVERAL_RULES
        if self.own_receiver:
            return Ground.OWN_RECEIVER
        return None if self.owner == request.owner else Ground.OTHER_OWNER

    def against(self, request: Request) -> Denied | None:
        """Return how a recorded request ends that cannot go on; None if it can."""
        ground = self.ground_against(request)
        until = self.frozen.ends if self.frozen else None
        return Denied(ground, until if ground is Ground.FROZEN else None) if ground else None

    def opens(self, request: Request) -> float | None:
        """Return when, in Unix seconds, one rule lets a recorded request go on that only its hour forbids now; else None."""
        asked, appids = self.of_each[0].ask, [ask.appid for ask, _ in self.of_each]
        for at in turns(self.policy, asked.at):
            then = decide_all(self.policy, replace(asked, at=at), appids, self.env, request.reason)
            if not replace(self, of_each=then).ground_against(request):
                return at
        return None

    @property
    def breakable(self) -> Rule | None:
        """The rule whose approval the requester need not wait for; None if there is none for all of it."""
        rules = {deciding_rule(each.decision) for each in self.of_each}
        return rules.pop() if len(rules) == 1 and all(map(need_not_wait, self.of_each)) else None

    @property
    def glass_doubt(self) -> Doubt | None:
        """What Slack did not return, if whether the requester need not wait depends on it."""
        doubts = map(glass_doubt, self.of_each)
        return next((doubt for doubt in doubts if doubt), None)

    def deciding_rules(self, request: Request) -> tuple[Rule, ...]:
        """Return the rules whose approvers may decide: the one rule that now requires an approval for all of it.

        If there is no such rule, they are all rules that require an approval for a part of it and, if it still requires an
        approval, the rule it was accepted under. Their approvers can end the request; they can approve it only if the policy
        now allows it without approval.
        """
        general = (in_general(decision) for _, decision in self.of_each)
        asking = [each.rule for each in general if isinstance(each, NeedsApproval)]
        now = [escalated(rule) if request.escalated else rule for rule in asking]
        rules = {rule.name: rule for rule in now}
        if len(rules) == 1 and len(asking) == len(self.of_each):
            return tuple(rules.values())
        if before := approving_rule(self.policy, request):
            rules[before.name] = before
        return tuple(rules.values())


def need_not_wait(decided: Decided) -> bool:
    """Return whether it takes an approval for which the requester need not wait."""
    ask, decision = decided
    return isinstance(decision, NeedsApproval) and may_break_glass(decision.rule, ask.person)


def glass_doubt(decided: Decided) -> Doubt | None:
    """Return what Slack did not return, if whether the requester need not wait for an approval depends on it."""
    ask, decision = decided
    if not isinstance(decision, NeedsApproval) or need_not_wait(decided):
        return None
    glass, unreadable = decision.rule.break_glass, ask.person.unreadable
    unread = glass.groups & set(unreadable) if glass else frozenset[str]()
    return GroupUnreadable(decision.rule, unreadable[min(unread)]) if unread else None


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who asks, and the one policy by which all that they ask is decided.

    Of a person whom Slack did not return, `unreadable` tells why; they may do nothing.
    """

    policy: Policy
    circumstances: Circumstances
    unreadable: Unreadable | None = None

    @property
    def person(self) -> Person | Unreadable:
        """The person, or why Slack did not return them."""
        return self.unreadable or self.circumstances.person

    @property
    def rights(self) -> tuple[Rule, ...]:
        """The rules that let them share anything, from anywhere."""
        return () if self.unreadable else rights(self.policy, self.circumstances)

    @property
    def named_envs(self) -> tuple[str, ...]:
        """The envs that the policy names in full, whoever may share them."""
        return named_envs(self.policy)

    def owner_of(self, env: str) -> str | None:
        """Return the appid of the env's owner, if it has one."""
        return owner_of(self.policy, env)

    def decisions(self, appids: Sequence[str], env: str, reason: str | None) -> Decisions:
        """Return whether they may share `env` with each of `appids`, for the reason given, if any."""
        asked = self.circumstances
        if self.unreadable:
            no = Deny(PersonUnreadable(self.unreadable))
            each = tuple(Decided(asked.about(appid, env, reason), no) for appid in appids)
            return Decisions(self.policy, env, each)
        return Decisions(self.policy, env, decide_all(self.policy, asked, appids, env, reason))

    def may_share_env(self, env: str) -> bool:
        """Return whether they may share `env` from some channel with some appid; True if a rule may depend on more."""
        return self.unreadable is None and may_share_env(self.policy, self.circumstances, env)

    def may_share_somewhere(self, appids: Iterable[str], env: str) -> bool:
        """Return whether they may share `env` with any of `appids` from some channel, and so may read who else did."""
        return self.unreadable is None and may_share_somewhere(
            self.policy, self.circumstances, appids, env
        )

    def may_approve(self, rules: Iterable[Rule], requester_id: str) -> bool:
        """Return whether they may decide, under any of `rules`, about this user's request; with "", about somebody else's."""
        if isinstance(self.person, Unreadable):
            return False
        return any(may_approve(rule, self.person, requester_id) for rule in rules)

    def may_approve_such(self, appid: str, env: str) -> bool:
        """Return whether they may decide, under any rule, about somebody else's request for this env and appid."""
        return self.unreadable is None and may_approve_such(
            self.policy, self.circumstances.about(appid, env, None)
        )

    @property
    def is_operator(self) -> bool:
        """Whether they may cancel any request."""
        return self.unreadable is None and is_operator(self.policy, self.circumstances.person)


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides by the policy in force, and by what Slack tells of the people."""

    in_force: PolicyInForce
    people: People
    now: Callable[[], float]
    """In Unix seconds."""

    @property
    def policy(self) -> Policy:
        """The policy in force at this moment."""
        return self.in_force.policy

    def prefetch_place(self, origin: Origin, appid: str, env: str) -> None:
        """Begin to read the channel if a share may begin there at once, while the person is looked up; returns at once."""
        ask = self._circumstances(origin, _ANYBODY).about(appid, env, None)
        if may_begin(self.policy, ask):
            self.people.prefetch_channel(origin.channel_id)

    async def asker(self, origin: Origin, *, fresh: bool = False) -> Asker:
        """Return who asks there, under the policy in force; `fresh` bypasses the cache of people and groups."""
        (asker,) = await self.askers([origin], fresh=fresh)
        return asker

    async def askers(
        self, origins: Sequence[Origin], policy: Policy | None = None, *, fresh: bool = False
    ) -> list[Asker]:
        """Return who asks at each of these origins, all of one workspace; without a `policy`, under the one in force."""
        if not origins:
            return []
        policy = policy or self.policy
        user_ids = [*dict.fromkeys(origin.user_id for origin in origins)]
        people = await self.people.several(origins[0].team_id, user_ids, policy.groups, fresh=fresh)
        return [self._asker(policy, origin, people[origin.user_id]) for origin in origins]

    def _asker(self, policy: Policy, origin: Origin, person: Person | Unreadable) -> Asker:
        if isinstance(person, Unreadable):
            nobody = Person(origin.team_id, origin.user_id, Standing.OUTSIDER)
            return Asker(policy, self._circumstances(origin, nobody), person)
        return Asker(policy, self._circumstances(origin, person))

    def _circumstances(self, origin: Origin, person: Person) -> Circumstances:
        """Return all that a rule can ask for beside appid and env."""
        return Circumstances(person, origin.team_id, origin.channel_id, self.now())

    def depends_on_time(self, request: Request) -> bool:
        """Return whether what the policy says of a request may change by itself."""
        return depends_on_time(self.policy, request.env)

    async def missing(self, request: Request, agreed: Sequence[str]) -> tuple[Party, ...]:
        """Return of whom somebody still has to agree to a request that waits; none if its rule asks for it no more."""
        policy = self.policy
        rule = approving_rule(policy, request)
        if rule is None:
            return ()
        origins = [replace(request.origin, user_id=user_id) for user_id in agreed]
        askers = await self.askers(origins, policy, fresh=True)
        requester_id = request.origin.user_id
        return still_to_agree(rule, able(rule, askers, requester_id), requester_id)

    async def again(
        self, request: Request, appids: Sequence[str] | None = None, *, fresh: bool = False
    ) -> Decisions:
        """Return the current decisions on a recorded request or, with `appids`, on the rest of a batch."""
        requester = await self.asker(request.origin, fresh=fresh)
        receivers = request.receivers if appids is None else appids
        return requester.decisions(receivers, request.env, request.reason)


def able(rule: Rule, askers: Iterable[Asker], requester_id: str) -> list[Person]:
    """Return those who may decide about this user's request under `rule`."""
    people = (each.person for each in askers if each.may_approve([rule], requester_id))
    return [person for person in people if isinstance(person, Person)]


def doubt_in(decision: Decision) -> Doubt | None:
    """Return what Slack did not return (a person, or the members of a group), if that is the only reason to deny."""
    if isinstance(decision, Deny) and isinstance(decision.because, Doubt):
        return decision.because
    return None


def strictness(decision: Decision) -> int:
    """Return a number that tells apart what denies for sure, by a freeze, for want of a reason and in doubt, and permissions."""
    if not isinstance(decision, Deny):
        return 4
    match decision.because:
        case GroupUnreadable() | PersonUnreadable():
            return 3
        case ReasonWanted():
            return 2
        case Frozen():
            return 1
        case _:
            return 0


def approving_rule(policy: Policy, request: Request) -> Rule | None:
    """Return the rule of `accepted_under`, by which also those may decide to whom the request has escalated."""
    rule = accepted_under(policy, request)
    return escalated(rule) if rule and request.escalated else rule


def accepted_under(policy: Policy, request: Request) -> Rule | None:
    """Return the rule that a request was accepted under, if it still requires an approval."""
    named = (rule for rule in policy.rules if rule.name == request.rule)
    return next((rule for rule in named if rule.effect is Effect.APPROVE), None)
