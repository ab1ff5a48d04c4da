"""A stream whose reader can be slow."""

import io
import threading


class GatedStream(io.StringIO):
    """A stream that blocks until the test permits to write."""

    def __init__(self) -> None:
        super().__init__()
        self.may_write = threading.Event()

    def write(self, text: str) -> int:
        """Accept a text once the test permits it."""
        self.may_write.wait()
        return super().write(text)
