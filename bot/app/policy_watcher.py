"""Put each new policy file into force while the bot runs; a bad one is refused, and the old one stays.

The file is read every so often rather than watched, so that it does not matter how it is replaced: written in place,
renamed into place, or by a symbolic link, as Kubernetes does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.domain.finding import Problem
from bot.policy.kinds import Policy
from bot.runtime.observers import no_op
from bot.runtime.tasks import in_daemon_thread
from bot.settings.policy import UNTOUCHED, Content, content_of
from bot.workflow.ports import PolicyInForce

_LOOK_EVERY = 2.0  # seconds
_WITHIN = 10.0  # seconds for one read; a network disk may hang

Judged = Policy | list[str]
"""The policy in a file, or one sentence for each problem."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy file, with what reads and judges it elsewhere while the loop goes on; `read` may hang."""

    path: Path
    text: str | None
    """The content from which the policy in force was made."""
    read: Callable[[], asyncio.Future[Content]]
    judge: Callable[[Content], Awaitable[Judged]]


def on_disk(path: Path, text: str | None, judge: Callable[[Content], Judged]) -> PolicyFile:
    """Return the file at a path, which threads read and judge."""
    return PolicyFile(
        path,
        text,
        lambda: in_daemon_thread(partial(content_of, path)),
        lambda content: in_daemon_thread(partial(judge, content)),
    )


class PolicyWatcher:
    """Polls the policy file, if there is one, at once whenever `reload` is set.

    `reloaded` is called with whether a new policy was taken.
    """

    def __init__(
        self,
        in_force: PolicyInForce,
        file: PolicyFile | None,
        reload: asyncio.Event,
        *,
        every: float = _LOOK_EVERY,
        reloaded: Callable[[bool], None] = no_op,
    ) -> None:
        self._in_force = in_force
        self._file = file
        self._reload = reload
        self._every = every
        self._reloaded = reloaded
        self._reading: asyncio.Future[Content] | None = None
        self._seen: Content | None = None
        self._judged: Content | None = file.text if file else None

    async def run(self) -> None:
        """Poll the file until cancelled; without a file, only log that a requested reload finds none."""
        file, pause = self._file, self._every
        while True:
            requested = await self._requested(pause if file else None)
            if file is None:
                _log.info("there is no policy file to read again")
                continue
            pause = self._every
            if requested:  # then it is answered, whatever is in the file
                self._judged = self._seen = None
                pause = min(UNTOUCHED, pause)
            before = self._in_force.trouble
            try:
                await self.look(file)
            except Exception:  # noqa: BLE001  # the watcher must go on
                self._judged = None  # judge the file again: the error may be transient
                mistake = (f"{file.path} cannot be read, by a mistake of the bot's own.",)
                if before != mistake:
                    _log.exception("unforeseen error")
                    self._refuse(mistake)

    async def look(self, file: PolicyFile) -> None:
        """Read the file, and judge it if the previous look found the same.

        A single read may find half a file, or none, while somebody is writing it.
        """
        found = await self._read(file)
        settled, self._seen = found == self._seen, found
        if not settled or found == self._judged:
            return
        self._judged = found
        judged = await file.judge(found)
        if isinstance(judged, Policy):
            self._in_force.swap(judged)
            self._reloaded(True)  # noqa: FBT003  # a callback
            _log.info("policy in force", extra={"rules": len(judged.rules)})
        else:
            self._refuse(judged)

    async def _read(self, file: PolicyFile) -> Content:
        """Return the file's content; while a read hangs, no other begins, and a stop does not wait for it."""
        reading = self._reading or file.read()
        done, _ = await asyncio.wait([reading], timeout=_WITHIN)
        self._reading = None if done else reading
        why = f"The policy file “{file.path}” cannot be read: it takes too long"
        return reading.result() if done else Problem(why, "Look at the disk it is on.")

    def _refuse(self, problems: Sequence[str]) -> None:
        self._in_force.refuse(problems)
        self._reloaded(False)  # noqa: FBT003  # a callback
        for problem in problems:
            _log.error("policy refused, the old one stays in force", extra={"reason": problem})

    async def _requested(self, seconds: float | None) -> bool:
        """Wait for a requested reload, at most `seconds`; tell whether there was one."""
        try:
            async with asyncio.timeout(seconds):
                await self._reload.wait()
        except TimeoutError:
            return False
        self._reload.clear()
        return True
