"""What the words of a command name: appids, an env, and what stands around them. Pure."""

import re
from collections.abc import Sequence
from functools import cached_property

from bot.command.grammar import is_appid, is_env
from bot.command.mistake import NotAnAppid, NotAnEnv
from bot.command.tokenizer import plain_dashes
from bot.command.vocabulary import JOINING, is_damaged_appid, is_filler, may_be_env, parts, sense

_LIKE_AN_ENV = re.compile(r"\w+[-_.–—]\w")


class Reading:
    """Words, and what they name: `appids`, the words that can be the env (`envs`), and the `env` if it is clear."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self._parts = [(part, word) for word in words for part in parts(word)]
        named = [part for part, _ in self._parts]
        self.appids = list(dict.fromkeys(filter(is_appid, named)))
        envs = list(dict.fromkeys(filter(may_be_env, named)))
        # Envs usually have a dash: if any word has one, only such a word is meant.
        self.envs = [word for word in envs if "-" in plain_dashes(word)] or envs
        self._places = {each: named.index(each) for each in (*self.appids, *self.envs)}
        self._end = max(self._places.values(), default=-1) + 1

    @cached_property
    def env(self) -> str | None:
        """The env, if exactly one word can be it; behind an appid, in `prod_1 for release`, the one that was meant is damaged."""
        clear = len(self.envs) == 1 and is_env(self.envs[0])
        damaged = self.appids and _LIKE_AN_ENV.match(self.unclear or "")
        return self.envs[0] if clear and not damaged else None

    @property
    def ids(self) -> list[str]:
        """The appids, and the env."""
        return [*self.appids, *([self.env] if self.env else [])]

    @property
    def is_share(self) -> bool:
        """Whether an appid and an env are named."""
        return bool(self.appids and self.env)

    @property
    def swapped(self) -> bool:
        """Whether the env stands before an appid."""
        return self.env is not None and self._places[self.env] + 1 < self._end

    @property
    def others(self) -> list[str]:
        """The words that may be meant as the env or the appid that is missing."""
        return [part for part, _ in self._parts if not is_appid(part) and not sense(part)]

    @property
    def extra(self) -> list[str]:
        """The words that name nothing, or nothing new."""
        places = self._places.values()
        return [word for at, (_, word) in enumerate(self._parts) if at not in places]

    @property
    def behind(self) -> list[str]:
        """The words behind the last id, if they may be a reason."""
        found = [
            (part, word) for part, word in self._parts[self._end :] if part not in self._places
        ]
        return [] if all(is_filler(part) for part, _ in found) else [word for _, word in found]

    @cached_property
    def unclear(self) -> str | None:
        """The first word before the last id that may ask for something else than to share with these appids."""
        receivers = [self._places[appid] for appid in self.appids]
        for at, (part, word) in enumerate(self._parts[: self._end]):
            if part in self._places or is_damaged_appid(part):
                continue
            # The number of a line in a list.
            if part.isdecimal() and self._parts[at + 1][0] in self.appids:
                continue
            # Each line of a quotation begins with the sign that is an arrow elsewhere.
            quoted = part == self.words[0] == ">"
            between = receivers and receivers[0] < at < receivers[-1] and not quoted
            if not is_filler(part) or (between and part.lower() not in JOINING):
                return word
        return None

    @property
    def damaged(self) -> NotAnAppid | NotAnEnv | None:
        """The mistake in the first id that is damaged, decorated, named or joined to another."""
        for word in self.words:
            found = parts(word)
            if any(map(is_damaged_appid, found)):
                return NotAnAppid(word)
            if found != [word] and not self._places.keys().isdisjoint(found):
                return NotAnAppid(word) if any(map(is_appid, found)) else NotAnEnv(word)
        return None
