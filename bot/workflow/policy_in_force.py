"""The policy in force: the newest valid one, and why a newer one was refused."""

import logging
import time
from collections.abc import Callable, Sequence

from bot.policy.kinds import Policy

_log = logging.getLogger(__name__)


class PolicyInForce:
    """Holds the policy in force; a handler reads it once, and decides all of one command or click by it."""

    def __init__(self, policy: Policy, now: Callable[[], float] = time.time) -> None:
        self.policy = policy
        self.since = now()
        """When it came into force, in Unix seconds."""
        self.trouble: tuple[str, ...] | None = None
        """A sentence per reason why the newest policy was refused; None if it is in force."""
        self._now = now
        self._listeners: list[Callable[[Policy], None]] = []

    def subscribe(self, listener: Callable[[Policy], None]) -> None:
        """Call `listener` with each policy that comes into force from now on; it must return at once."""
        self._listeners.append(listener)

    def swap(self, policy: Policy) -> None:
        """Put a policy into force, and tell the listeners, in order, if it differs; an error of one is logged only."""
        self.trouble = None
        if policy == self.policy:
            return
        self.policy, self.since = policy, self._now()
        for listener in self._listeners:
            try:
                listener(policy)
            except Exception:  # noqa: BLE001  # a listener must break neither the watcher nor the others
                _log.exception("unforeseen error")

    def refuse(self, problems: Sequence[str]) -> None:
        """Record why a newer policy was refused; the policy in force stays."""
        self.trouble = tuple(problems)
