"""The use case of the slash command, and of a mention that says the same: answer each, and submit those that ask for a share.

In order: parse, look up the person, ask the policy, record; the worker does the rest.
"""

from collections.abc import Callable
from functools import partial
from typing import assert_never

from bot.command.grammar import (
    MENTION,
    SLASH_COMMAND,
    OpenForm,
    Query,
    Share,
    Verb,
    is_appid,
)
from bot.command.mistake import Misread, Wrong
from bot.command.parse import parse
from bot.domain.kept import KeptShare
from bot.domain.request import Origin
from bot.ledger.entries import Entry
from bot.messages import Message
from bot.messages.blocks import message
from bot.messages.click_replies import NothingDone, refused
from bot.messages.history import Line, history_table, kept_request, one_request
from bot.messages.mistakes import misread, sentence
from bot.messages.people import help_, whoami
from bot.messages.rulings import no_owner, own_receiver, why
from bot.messages.words import Words
from bot.policy.decide import whatever_reason
from bot.policy.kinds import Deny, NeedsApproval
from bot.workflow.deadline import in_time, within
from bot.workflow.judge import Asker, Decisions, Judge
from bot.workflow.ports import LinkTo, Ports
from bot.workflow.ruling import Refusal
from bot.workflow.submit import Intake

_LOOKED_THROUGH = 50  # requests, of which the visible ones are shown
_ACK_SECONDS = 2.6  # for all of it; Slack waits three for the ack


class SlashCommands:
    """Answers commands within the time for an ack; the rest goes on in the background."""

    def __init__(self, intake: Intake, judge: Judge, ports: Ports) -> None:
        self._intake = intake
        self._judge = judge
        self._ports = ports

    async def command(self, origin: Origin, text: str) -> Message | OpenForm:
        """Return what to say at once, to the requester alone, or that the form is wanted."""
        command = parse(text, self._ports.most_appids)
        if isinstance(command, OpenForm):
            return command
        return await self._answer(origin, command, text, SLASH_COMMAND)

    async def mention(self, origin: Origin, text: str) -> Message:
        """Answer what was typed behind a mention; nothing gets the help, since a mention cannot open the form."""
        command = parse(text, self._ports.most_appids)
        if isinstance(command, OpenForm):
            command = Query(Verb.HELP)
        return await self._answer(origin, command, text, MENTION)

    async def _answer(
        self, origin: Origin, command: Share | Query | Misread, text: str, begins: str
    ) -> Message:
        """Return the answer to a command, whose `text` follows the word that it `begins` with."""
        until = within(_ACK_SECONDS)
        if isinstance(command, Share) and not command.dry_run:
            # Of a batch, one rule has to cover all.
            self._judge.prefetch_place(origin, command.appids[0], command.env)
        asker = await self._judge.asker(origin)
        person = asker.person
        words = self._ports.languages.to(person)
        if isinstance(command, Misread):
            command = await self._looked_up(command, text, asker, until)
        may_see = partial(_may_see, asker, origin, wide=self._ports.installation.is_wide)
        if isinstance(command, Misread):
            return await self._misread(words, origin, command, begins, may_see, until)
        if isinstance(command, Share):
            return await self._intake.submit(asker, origin, command, until, words=words)
        named = {"appid" if is_appid(each) else "env": each for each in command.about}
        facts = {"detail": command.verb.value, **named}
        await self._intake.record_event("asked", origin, facts, until)
        mine = asker.rights
        match command.verb:
            case Verb.HELP:
                return help_(words, person, mine, mentions=self._ports.mentions)
            case Verb.WHOAMI:
                links = self._ports.token_states() if mine else ()
                return whoami(words, person, origin.user_id, origin.team_id, mine, links)
            case Verb.WHY:
                appid, env = command.about
                return await self._why(words, asker, asker.decisions((appid,), env, None), until)
            case Verb.HISTORY:
                about = next(iter(command.about), None)
                return await self._history(words, origin, about, may_see, until)
            case _:
                assert_never(command.verb)

    async def _misread(  # noqa: PLR0913, PLR0917  # what is wrong, and how the line began
        self,
        words: Words,
        origin: Origin,
        wrong: Misread,
        begins: str,
        may_see: Callable[[Entry | KeptShare], bool],
        until: float,
    ) -> Message:
        """Say what is wrong or, if the line's only id is a request's that they may see, show that request."""
        about, mistake = wrong.request, wrong.mistake
        if about and (shown := await self._request(words, origin, about, may_see, until)):
            asked = {"detail": Verb.HISTORY.value, "env": about}
            await self._intake.record_event("asked", origin, asked, until)
            retries = mistake.wrong is Wrong.RETRY
            return message(sentence(words, mistake)) + shown if retries else shown
        facts = {"outcome": "mistake", "detail": mistake.wrong.label}
        await self._intake.record_event("mistake", origin, facts, until)
        return misread(words, wrong, begins)

    async def _looked_up(
        self, misread: Misread, text: str, asker: Asker, until: float
    ) -> Share | Misread:
        """Return the share after all, if the word in the env's place is the id of an env that they may share.

        Known are the envs that the policy names in full, and those of earlier shares.
        """
        env = misread.doubtful
        if env is None or not asker.may_share_env(env):
            return misread
        if env not in asker.named_envs:
            reading = self._ports.ledger.past_shares(env, _LOOKED_THROUGH)
            if not await in_time(reading, "the ledger does not tell past shares", until=until):
                return misread
        read = parse(text, self._ports.most_appids, {env})
        return read if isinstance(read, Share) else misread

    async def _why(self, words: Words, asker: Asker, decisions: Decisions, until: float) -> Message:
        """Say which rule decides and, of a permitted share, what it would meet.

        That is: no owner, the owner itself, nobody who can approve it, or the env's state.
        """
        ask, decided = decisions.strictest
        explanation = why(words, decided, ask, decisions.policy)
        decision = whatever_reason(decided)
        if isinstance(decision, Deny):
            return explanation
        owner = decisions.owner
        if owner is None:
            return explanation + no_owner(words, ask)
        if decisions.own_receiver:
            return explanation + own_receiver(words, owner, ask.env)
        if isinstance(decision, NeedsApproval):
            ruled = await self._intake.reachable(words, decision, ask.person.user_id, until)
            if isinstance(ruled, Refusal):
                return explanation + ruled.message
        return explanation + await self._intake.beforehand(words, asker, owner, ask.env, until)

    async def _history(
        self,
        words: Words,
        origin: Origin,
        about: str | None,
        may_see: Callable[[Entry | KeptShare], bool],
        until: float,
    ) -> Message:
        """List this requester's requests in this workspace or, with `about`, everybody's that they may see.

        The id of a request counts before an env of that name; if they may not see it, it is none.
        """
        if about and (shown := await self._request(words, origin, about, may_see, until)):
            return shown
        mine = (origin.team_id, origin.user_id)
        reading = self._ports.ledger.past_requests(mine, about, _LOOKED_THROUGH)
        found = await in_time(reading, "the ledger does not tell the history", until=until)
        if found is None:
            return refused(words, NothingDone.LEDGER_DOWN)
        lines = [
            each if isinstance(each, KeptShare) else line_of(each, self._ports.link, origin.user_id)
            for each in found
            if may_see(each)
        ]
        return history_table(words, lines[:_LOOKED_THROUGH], about)

    async def _request(
        self,
        words: Words,
        origin: Origin,
        request_id: str,
        may_see: Callable[[Entry | KeptShare], bool],
        until: float,
    ) -> Message | None:
        """Return what is known of one request; None if there is none that they may see."""
        reading = self._ports.ledger.find_told(request_id)
        entry = await in_time(reading, "the ledger does not tell a request", until=until)
        if entry is None or not may_see(entry):
            return None
        if isinstance(entry, KeptShare):
            return kept_request(words, entry)
        return one_request(words, line_of(entry, self._ports.link, origin.user_id))


def _may_see(asker: Asker, origin: Origin, entry: Entry | KeptShare, *, wide: bool) -> bool:
    """Tell whether a request is their own, if `wide` from any workspace, or one that they may read of."""
    if isinstance(entry, KeptShare):
        return asker.may_share_somewhere((entry.appid,), entry.env)
    request = entry.request
    own = request.origin.user_id == origin.user_id
    own = own and (wide or request.origin.team_id == origin.team_id)
    return own or asker.may_share_somewhere(request.receivers, request.env)


def line_of(entry: Entry, link: LinkTo, reader: str) -> Line:
    """Return an entry as a line of a list."""
    thread = link(entry.place, own=entry.request.origin.user_id == reader)
    return Line(entry.request, entry.outcome, entry.created, thread, entry.state)
