"""What Hatchling calls when it builds: it writes the commit into a wheel or an sdist, for `--version`."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface[BuilderConfig]):
    """Takes the commit from the clone or, without one, as in an image, from the variable SOURCE_COMMIT."""

    def initialize(self, version: str, build_data: dict[str, dict[str, str]]) -> None:
        """Add a file with the commit; an editable installation has none, and asks git when it runs."""
        sys.path.insert(0, self.root)  # a build does not see the bot otherwise
        from bot.runtime.release import BUILT_FROM, checked_out  # noqa: PLC0415

        root = Path(self.root)
        commit = checked_out(root) or os.environ.get("SOURCE_COMMIT", "")[:10]
        self._folder = TemporaryDirectory()
        if commit and version != "editable" and not (root / BUILT_FROM).exists():  # as in an sdist
            path = Path(self._folder.name, "commit")
            path.write_text(commit, encoding="ascii")
            build_data["force_include"][str(path)] = BUILT_FROM

    def finalize(self, *_: object) -> None:
        """Delete the file that was made for the wheel."""
        self._folder.cleanup()
