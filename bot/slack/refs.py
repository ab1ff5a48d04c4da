"""How the ledger spells where messages stand: the place of an answer, and the question to the approvers. Pure."""

from bot.slack.looking import Posted


def place_ref(at: Posted, root: str = "") -> str:
    """Return the words for an answer's place: its parent and, where that stands in another thread, the `root` of it."""
    return f"thread {at.channel} {at.ts} {root}".rstrip()


def read_place(ref: str | None) -> tuple[Posted, str] | None:
    """Return the parent that the words of a place name, and its root; None for a place without a parent, or none."""
    kind, *words = (ref or "none").split()
    if kind != "thread":
        return None
    channel, ts, *root = words
    return Posted(channel, ts), "".join(root)


def question_ref(*asked: Posted) -> str:
    """Return the words for where the approvers were asked: in one message, or each in one of their own."""
    return " ".join(f"{at.channel} {at.ts}" for at in asked)


def read_questions(ref: str) -> list[Posted]:
    """Return the questions that these words name."""
    words = ref.split()
    return [Posted(channel, ts) for channel, ts in zip(words[::2], words[1::2], strict=True)]


def read_either(ref: str | None) -> tuple[Posted, str] | None:
    """Return the one message that the words of a place or of a question name, and its root; None where there is none."""
    channel, *ts = (ref or "none").split()
    return (Posted(channel, ts[0]), "") if len(ts) == 1 else read_place(ref)
