"""The use cases of the form: its language, the envs that it offers, and its submission.

The policy decides when the form is submitted, whatever it offered before.
"""

import asyncio

from bot.command.form import Fields, Mistakes, env_in, read_fields
from bot.command.grammar import Share
from bot.domain.request import Origin
from bot.messages import Message
from bot.messages.words import Words
from bot.policy.kinds import Policy
from bot.runtime.cache import Cache
from bot.workflow.deadline import answer_by, in_time, modal_words, within
from bot.workflow.judge import Judge
from bot.workflow.ports import Ports
from bot.workflow.submit import Intake

_WECHAT_SECONDS = 1.5  # of the three that Slack waits for options
_PAST = 200
_MOST_OWNERS = 20  # whose envs are read; each call counts against the owner's own quota


class FormHandler:
    """The use cases behind the form; `owned` are the envs of each owner, by its appid."""

    def __init__(
        self, intake: Intake, judge: Judge, ports: Ports, owned: Cache[tuple[str, ...]]
    ) -> None:
        self._intake = intake
        self._judge = judge
        self._ports = ports
        self._owned = owned

    async def words(self, origin: Origin) -> Words:
        """Return the words in the user's language, or in the channel's if Slack does not answer at once who they are."""
        return await modal_words(self._ports, origin, self._judge.policy.groups)

    def prefetch(self) -> None:
        """Start reading what the form is about to need."""
        for owner in _owners_read(self._judge.policy):
            self._owned.reread(owner)

    async def envs(self, origin: Origin, text: str) -> tuple[list[str], str | None]:
        """Return the envs that contain `text` and that this person may share, and the env typed, if it can be one.

        Whoever may not share it is told why, and who can grant it, once they submit the form, which they cannot without an
        env. Answers in time for Slack, without the envs that the ledger or WeChat do not return in time; the cache has
        WeChat's for the next caller.
        """
        typed_env, latest = env_in(text), within(_WECHAT_SECONDS)
        owners = _owners_read(self._judge.policy)
        asker, past, owned = await asyncio.gather(
            self._judge.asker(origin),
            in_time(self._ports.ledger.envs(_PAST), "the ledger does not tell past envs"),
            asyncio.gather(*(answer_by(latest, self._owned.get(each), ()) for each in owners)),
        )
        theirs = (
            env
            for owner, envs in zip(owners, owned, strict=True)
            for env in envs
            if asker.owner_of(env) == owner
        )
        known = dict.fromkeys((*asker.named_envs, *(past or ()), *theirs))
        part = (typed_env or text.strip()).lower()

        def may(env: str) -> bool:
            return asker.owner_of(env) is not None and asker.may_share_env(env)

        return [env for env in known if part in env.lower() and may(env)], typed_env

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


def _owners_read(policy: Policy) -> tuple[str, ...]:
    """Return the owners whose envs are read."""
    return policy.all_owners[:_MOST_OWNERS]
