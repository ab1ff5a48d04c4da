"""Watch a process from within: each connection, name looked up and program started, by Python's audit events.

Source: docs.python.org, "Audit events table". What compiled code does past Python is not heard.
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
    """Report from now on, one JSON array a line: the event, then what it is about."""
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
    """Return the environment in which each Python watches itself from its first line on."""
    (folder / "sitecustomize.py").write_text(
        "from tests.watching import watch\n\nwatch()\n", encoding="utf-8"
    )
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", _REPORT: str(folder / "report")}


class Seen:
    """What a watched process did."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read the report of a process that had this environment."""
        lines = Path(environ[_REPORT]).read_text(encoding="utf-8").splitlines()
        events = [(str(event), about) for event, about in map(json.loads, lines)]
        # Without an address it goes over a connection, which was heard when it was made.
        self.peers = {tuple(about) for event, about in events if event in _PEER and about}
        self.names = {str(about[0]) for event, about in events if event in _NAME}
        self.programs = [about for event, about in events if event in _PROGRAM]
