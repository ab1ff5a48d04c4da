"""The use cases of the form: its language, the envs that it offers, and its submission.

The policy decides when the form is submitted, whatever it offered before.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from bot.command.form import Fields, Mistakes, env_in, read_fields
from bot.command.grammar import Share
from bot.domain.request import Origin
from bot.guidance import NORMAL, Cause
from bot.messages import Message
from bot.messages.words import Words
from bot.workflow.deadline import in_time, modal_words, within
from bot.workflow.judge import Judge
from bot.workflow.look import cause_by, env_lists, owners_read
from bot.workflow.ports import Ports
from bot.workflow.submit import Intake

_WECHAT_SECONDS = 1.5  # of the three that Slack waits for options
_PAST = 200


class Offer(NamedTuple):
    """The envs that the form offers; the env typed, if it can be one, and why a share of that would fail."""

    envs: list[str]
    typed: str | None
    cause: Cause | None = None


class FormHandler:
    """The use cases behind the form."""

    def __init__(
        self, intake: Intake, judge: Judge, ports: Ports, reread: Callable[[str], object]
    ) -> None:
        """Take `reread`, which begins to read an owner's envs anew."""
        self._intake = intake
        self._judge = judge
        self._ports = ports
        self._reread = reread

    async def words(self, origin: Origin) -> Words:
        """Return the words in the user's language, or in the channel's if Slack does not answer at once who they are."""
        return await modal_words(self._ports, origin, self._judge.policy.groups)

    def prefetch(self) -> None:
        """Start reading what the form is about to need."""
        for owner in owners_read(self._judge.policy):
            self._reread(owner)

    async def envs(self, origin: Origin, text: str) -> Offer:
        """Return the envs that contain `text` and that this person may share, and the env typed, if it can be one.

        Whoever may not share it is told why, and who can grant it, once they submit the form, which they cannot without an
        env. Answers in time for Slack, without the envs that the ledger or WeChat do not return in time; the cache has
        WeChat's for the next caller.
        """
        typed_env, latest = env_in(text), within(_WECHAT_SECONDS)
        asker, past, lists = await asyncio.gather(
            self._judge.asker(origin),
            in_time(self._ports.ledger.envs(_PAST), "the ledger does not tell past envs"),
            env_lists(self._ports.env_list, owners_read(self._judge.policy), latest),
        )
        theirs = (
            env
            for owner, envs in lists.items()
            for env, state in envs.items()
            if state.status == NORMAL and asker.owner_of(env) == owner
        )
        known = dict.fromkeys((*asker.named_envs, *(past or ()), *theirs))
        part = (typed_env or text.strip()).lower()

        def may(env: str) -> bool:
            return asker.owner_of(env) is not None and asker.may_share_env(env)

        offered = [env for env in known if part in env.lower() and may(env)]
        owner = asker.owner_of(typed_env) if typed_env and may(typed_env) else None
        cause = cause_by(asker, lists, owner, typed_env) if typed_env and owner else None
        return Offer(offered, typed_env, cause)

    def read(self, fields: Fields) -> Share | Mistakes:
        """Return what the form asks for, or its mistakes."""
        return read_fields(fields, self._ports.most_appids)

    async def submit(self, origin: Origin, share: Share) -> Message:
        """Submit the form's request, and return the answer to the user."""
        asker = await self._judge.asker(origin)
        words = self._ports.languages.to(asker.person)
        return await self._intake.submit(asker, origin, share, words=words)

    async def record_mistakes(self, origin: Origin, mistakes: Mistakes) -> None:
        """Record that a form with mistakes was submitted."""
        kinds = dict.fromkeys(mistake.wrong.label for mistake in mistakes.values())
        wrong = {"outcome": "mistake", "detail": " ".join(kinds)}
        await self._intake.record_event("mistake", origin, wrong)
