"""Record a process's connections, name lookups and started programs, with Python's audit events.

Source: docs.python.org, "Audit events table". Calls that C code makes directly are not recorded.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
_REPORT = "WATCHING_REPORT"
_PEER = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_NAME = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "urllib.Request"}
_PROGRAM = {
    *("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty"),
    *("webbrowser.open", "pty.spawn"),
}


def watch() -> None:
    """Record from now on; one JSON array per line: the event, then its arguments."""
    report = os.open(os.environ[_REPORT], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event in _PEER:
            about = arguments[1]
        elif event in _NAME or event in _PROGRAM:
            about = arguments[:2]
        else:
            return
        os.write(report, (json.dumps([event, about], default=repr) + "\n").encode())

    sys.addaudithook(hear)


def watched(folder: Path) -> dict[str, str]:
    """Return an environment in which every Python process records itself from its start."""
    (folder / "sitecustomize.py").write_text(
        "from tests.watching import watch\n\nwatch()\n", encoding="utf-8"
    )
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", _REPORT: str(folder / "report")}


class Seen:
    """What a recorded process did."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read the records of a process that had this environment."""
        lines = Path(environ[_REPORT]).read_text(encoding="utf-8").splitlines()
        events = [(str(event), about) for event, about in map(json.loads, lines)]
        # Sending without an address uses a connection, which was recorded when it was made.
        self.peers = {tuple(about) for event, about in events if event in _PEER and about}
        self.names = {str(about[0]) for event, about in events if event in _NAME}
        self.programs = [about for event, about in events if event in _PROGRAM]
