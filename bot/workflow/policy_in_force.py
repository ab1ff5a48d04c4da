"""The policy in force: the newest one without a mistake, and why a newer one is not in force."""

import time
from collections.abc import Callable, Sequence

from bot.policy import Policy
from bot.runtime.observers import Topic


class InForce:
    """Holds the policy in force. Whoever decides takes it once, and decides all of one ask or one click by it."""

    def __init__(self, policy: Policy, now: Callable[[], float] = time.time) -> None:
        self.policy = policy
        self.since = now()
        """When it came into force, in Unix seconds."""
        self.trouble: tuple[str, ...] | None = None
        """A sentence for each reason why the newest one was refused; None where it is the one in force."""
        self._now = now
        self._swapped = Topic[Policy]()

    def subscribe(self, listener: Callable[[Policy], None]) -> None:
        """Tell `listener` of each policy that comes into force from now on."""
        self._swapped.subscribe(listener)

    def swap(self, policy: Policy) -> None:
        """Put a policy into force, and tell whoever listens if it is another one; no listener can get in its way."""
        self.trouble = None
        if policy == self.policy:
            return
        self.policy, self.since = policy, self._now()
        self._swapped.publish(policy)

    def refuse(self, problems: Sequence[str]) -> None:
        """Leave the policy in force as it is, for these reasons."""
        self.trouble = tuple(problems)
