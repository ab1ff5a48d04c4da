"""Do once what Slack may deliver twice: an envelope sent again, a signed body replayed for five minutes."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

T = TypeVar("T")

_KEPT = 2_000


class Once(Generic[T]):
    """Answers by key; whoever brings the same key gets the same answer."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, asyncio.Task[T]] = OrderedDict()

    async def __call__(self, key: str, answer: Callable[[], Coroutine[None, None, T]]) -> T:
        """Return what `answer` returned for this key the first time."""
        task = self._answers.get(key)
        if task is None:
            task = asyncio.create_task(answer())
            self._answers[key] = task
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return await asyncio.shield(task)
