"""The use cases of the form: in which words it opens, which envs it offers, and what comes of it once it is sent.

Knows ports, not Slack and not WeChat. The policy is asked when the form is sent, whatever it offered before.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from bot.command import Share, ShareMany
from bot.command.form import Mistakes, env_in
from bot.domain.request import Origin
from bot.messages import Message
from bot.messages.words import Words
from bot.policy import Person, Policy, Unreadable, may_share_env, named_envs, owner_of
from bot.workflow.deadline import PATIENCE, in_time, within
from bot.workflow.ports import Ports
from bot.workflow.submit import Intake

_WORDS_SECONDS = 0.5  # of the three for which a trigger is good
_WECHAT_SECONDS = 1.5  # of the three that Slack waits for options
_PAST = 200
_MOST_OWNERS = 20  # who are asked for their envs; each asking counts against an owner's own quota


class Owned(Protocol):
    """Remembers for a while which envs an owner has."""

    def get(self, key: str) -> Awaitable[tuple[str, ...]]:
        """Return the envs of the owner with this appid."""

    def prefetch(self, key: str) -> object:
        """Start reading them in the background."""


class FormHandler:
    """What is behind the form."""

    def __init__(self, intake: Intake, ports: Ports, owned: Owned) -> None:
        self._intake = intake
        self._ports = ports
        self._owned = owned

    async def words(self, origin: Origin) -> Words:
        """Return the words of whoever asks; the channel's where Slack does not say at once who that is."""
        try:
            async with asyncio.timeout(_WORDS_SECONDS):
                person = await self._person(origin, self._intake.policy)
        except TimeoutError:
            return self._ports.tongues.channel
        return self._intake.words(person)

    def prefetch(self) -> None:
        """Start reading what the form is about to need."""
        for owner in _asked(self._intake.policy):
            self._owned.prefetch(owner)

    async def envs(self, origin: Origin, text: str) -> tuple[list[str], str | None]:
        """Return the envs with `text` in them that this person may share, and the one typed if they may share it.

        In time for Slack, whatever the ledger and WeChat do; what they do not tell is left out. Whom Slack does not
        know just now may type an env, since without one the form could not be sent.
        """
        policy, typed = self._intake.policy, env_in(text)
        owners = _asked(policy)
        person, past, owned = await asyncio.gather(
            self._person(origin, policy),
            self._past(),
            asyncio.gather(*map(self._envs_of, owners)),
        )
        if isinstance(person, Unreadable):
            return [], typed
        theirs = (
            env
            for owner, envs in zip(owners, owned, strict=True)
            for env in envs
            if owner_of(policy, env) == owner
        )
        known = dict.fromkeys((*named_envs(policy), *past, *theirs))
        sought = (typed or text.strip()).lower()

        def may(env: str) -> bool:
            return owner_of(policy, env) is not None and may_share_env(policy, person, env)

        found = [env for env in known if sought in env.lower() and may(env)]
        return found, typed if typed and may(typed) else None

    async def submit(self, origin: Origin, share: Share | ShareMany) -> Message:
        """Return what to tell whoever sent the form; the policy decides by who they are now."""
        until, policy = within(PATIENCE), self._intake.policy
        person = await self._person(origin, policy)
        return await self._intake.submit(policy, origin, share, person, until)

    async def note(self, origin: Origin, mistakes: Mistakes) -> None:
        """Record that a form was sent that asks for nothing that can be done."""
        kinds = dict.fromkeys(type(mistake).__name__ for mistake in mistakes.all)
        wrong = {"outcome": "mistake", "detail": " ".join(kinds)}
        await self._intake.note("mistake", origin, wrong, within(PATIENCE))

    async def _person(self, origin: Origin, policy: Policy) -> Person | Unreadable:
        people = self._ports.people
        return await people.person(origin.team_id, origin.user_id, policy.groups)

    async def _past(self) -> list[str]:
        asking = self._ports.ledger.envs(_PAST)
        return await in_time(asking, "the ledger does not tell past envs") or []

    async def _envs_of(self, owner: str) -> tuple[str, ...]:
        """Return an owner's envs, or none for now; what comes later is there for the next who asks."""
        try:
            async with asyncio.timeout(_WECHAT_SECONDS):
                return await self._owned.get(owner)
        except TimeoutError:
            return ()


def _asked(policy: Policy) -> tuple[str, ...]:
    """Return the owners who are asked for their envs."""
    return policy.all_owners[:_MOST_OWNERS]
