"""The policy in force: the newest valid one, and why a newer one was refused."""

import time
from collections.abc import Callable, Sequence

from bot.policy import Policy
from bot.runtime.observers import Topic


class PolicyInForce:
    """Holds the policy in force; a handler reads it once, and decides all of one command or click by it."""

    def __init__(self, policy: Policy, now: Callable[[], float] = time.time) -> None:
        self.policy = policy
        self.since = now()
        """When it came into force, in Unix seconds."""
        self.trouble: tuple[str, ...] | None = None
        """A sentence per reason why the newest policy was refused; None if it is in force."""
        self._now = now
        self._swapped = Topic[Policy]()

    def subscribe(self, listener: Callable[[Policy], None]) -> None:
        """Tell `listener` of each policy that comes into force from now on."""
        self._swapped.subscribe(listener)

    def swap(self, policy: Policy) -> None:
        """Put a policy into force, and publish it if it differs; a listener's error is logged only."""
        self.trouble = None
        if policy == self.policy:
            return
        self.policy, self.since = policy, self._now()
        self._swapped.publish(policy)

    def refuse(self, problems: Sequence[str]) -> None:
        """Record why a newer policy was refused; the policy in force stays."""
        self.trouble = tuple(problems)
