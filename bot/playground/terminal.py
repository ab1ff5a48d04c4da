"""The terminal prompt: history, completion, and pasted text of several lines."""

from collections.abc import Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.patch_stdout import patch_stdout

from bot.playground.acts import Acts
from bot.playground.guide import HELP, completions
from bot.playground.orders import Orders
from bot.playground.troubles import WORDS
from bot.playground.world import ABOUT, PLACES

_ORDERS = {typed.split()[0]: about for typed, about in HELP if typed.startswith(":")}


class Offers(Completer):
    """Completes commands, orders, people, places, and clickable elements."""

    def __init__(self, acts: Acts, orders: Orders) -> None:
        self._acts = acts
        self._orders = orders

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Yield what can take the place of the last word."""
        del complete_event
        line = document.text_before_cursor
        order, blank, rest = line.partition(" ")
        if line.startswith("/"):
            found, typed = completions(line), line.rpartition(" ")[2]
        else:
            typed = rest if blank else line
            offered = (self._values(order) if blank else _ORDERS).items()
            found = (each for each in offered if each[0].startswith(typed))
        for word, about in found:
            yield Completion(word, -len(typed), display_meta=about)

    def _values(self, order: str) -> dict[str, str]:
        """Return the possible arguments of an order, with descriptions."""
        buttons = self._acts.targets.buttons(self._orders.user)
        values: dict[str, dict[str, str]] = {
            ":as": ABOUT,
            ":in": dict.fromkeys([*PLACES, "app"], ""),
            ":wechat": {**WORDS},
            ":click": {each.label: "" for each in buttons},
        }
        return values.get(order, {})


async def prompt(acts: Acts, orders: Orders) -> None:
    """Read lines until a quitting word, the end of input, or Ctrl-C."""
    session: PromptSession[str] = PromptSession(
        completer=Offers(acts, orders),
        complete_while_typing=False,
        prompt_continuation="  ",
    )
    with patch_stdout(raw=True):
        while True:
            who = f"{orders.role} in {orders.where}"
            asked = FormattedText([("bold ansigreen", who), ("", "> ")])
            try:
                line = await session.prompt_async(asked)
            except EOFError:
                return
            if not await orders.follow(line):
                return
