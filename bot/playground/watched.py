"""A server whose changes a test or a person can wait for."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self


class Watched(ABC):
    """A server whose state can be waited for, without polling."""

    def __init__(self) -> None:
        self.watchers: set[Callable[[], None]] = set()
        """Whom to tell of each change, at once."""
        self._change = asyncio.Event()

    def changed(self) -> None:
        """Wake those who wait in `until`, and tell the watchers."""
        self._change.set()
        self._change.clear()
        for told in [*self.watchers]:
            told()

    @abstractmethod
    def transcript(self) -> str:
        """Return everything so far as text for a person to read."""

    async def until(
        self,
        predicate: Callable[[Self], bool],
        timeout: float = 10.0,  # noqa: ASYNC109 - every caller waits with a limit, most with this
    ) -> None:
        """Return as soon as the predicate holds; it is asked again after each change.

        Raises TimeoutError, with the transcript in its text, after `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                while not predicate(self):
                    await self._change.wait()
        except TimeoutError:
            raise TimeoutError(f"not within {timeout} s; so far:\n{self.transcript()}") from None
