"""Python programs as processes: freshly started, or forked from a process that has imported the bot."""

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent

STRICT = ("-X", "dev", "-W", "error")

# A child inherits ignored signals, and nohup and shell scripts start the tests with some ignored.
_PYTHON = ("env", "--default-signal=INT,HUP", sys.executable)


def kept() -> dict[str, str]:
    """Return the part of the tests' environment that a program gets as well."""
    own = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"}}
    # `-X dev` also enables C's memory debugging, which is irrelevant here and takes a tenth of the time.
    return own | {"PYTHONPATH": str(ROOT), "PYTHONMALLOC": "pymalloc"}


async def start(
    environ: Mapping[str, str],
    folder: Path,
    *arguments: str,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int = asyncio.subprocess.PIPE,
    flags: tuple[str, ...] = STRICT,
) -> asyncio.subprocess.Process:
    """Start a fresh Python with only these arguments and this environment."""
    return await asyncio.create_subprocess_exec(
        *(*_PYTHON, *flags, *arguments),
        cwd=folder,
        env={**kept(), **environ},
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        limit=1 << 24,
    )


class _Pipe(asyncio.StreamReaderProtocol):
    """Reads a program's output; `over` is set when the program has closed it."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=1 << 24)
        super().__init__(self.reader)
        self.over = asyncio.Event()

    @classmethod
    async def of(cls, file: int) -> "_Pipe":
        """Return a reader of the pipe with this file descriptor."""
        loop = asyncio.get_running_loop()
        _, pipe = await loop.connect_read_pipe(cls, os.fdopen(file, "rb"))
        return pipe

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.over.set()


class Forked:
    """A program in a fork of the preloaded Python; same interface as `asyncio.subprocess.Process`."""

    def __init__(
        self,
        pid: int,
        stdin: asyncio.StreamWriter | None,
        told: _Pipe,
        out: _Pipe | None,
        err: _Pipe | None,
    ) -> None:
        self.pid, self.stdin = pid, stdin
        self.stdout, self.stderr = out.reader if out else None, err.reader if err else None
        self.returncode: int | None = None
        pipes = [pipe for pipe in (told, out, err) if pipe]
        self._ending = asyncio.create_task(self._end(told, pipes))

    async def wait(self) -> int:
        """Wait for the program; return its exit code, or the negative number of the signal that ended it."""
        return await asyncio.shield(self._ending)

    async def communicate(self, said: bytes | None = None) -> tuple[bytes, bytes]:
        """Send input and close it; return all output and errors once the program has ended."""
        if self.stdin:
            self.stdin.write(said or b"")
            self.stdin.write_eof()
        streams = (self.stdout, self.stderr)
        out, err = await asyncio.gather(*(each.read() if each else _nothing() for each in streams))
        await self.wait()
        return out, err

    def send_signal(self, sign: int) -> None:
        """Send a signal if the program is running."""
        if self.returncode is None:
            os.kill(self.pid, sign)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    async def _end(self, told: _Pipe, pipes: list[_Pipe]) -> int:
        self.returncode = int(await told.reader.readline())
        if self.stdin:
            self.stdin.close()
        for pipe in pipes:
            await pipe.over.wait()
        return self.returncode


async def fork(
    environ: Mapping[str, str],
    folder: Path,
    *arguments: str,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int = asyncio.subprocess.PIPE,
    flags: tuple[str, ...] = STRICT,
) -> Forked:
    """Like `start` for `-m MODULE …` or `-c CODE …`, but forked; for tests that are not about Python's startup."""
    program = {"arguments": arguments, "environ": {**kept(), **environ}, "folder": str(folder)}
    ours, theirs = socket.socketpair()
    nothing = os.open(os.devnull, os.O_RDWR)
    (out, stdout_), (err, stderr_), (told, tells) = _pipe(stdout), _pipe(stderr), os.pipe()
    stdin_ = theirs.fileno() if stdin == asyncio.subprocess.PIPE else nothing
    files = [stdin_, stdout_, stderr_, tells]
    socket.send_fds(_preloaded(flags), [json.dumps(program).encode()], files)
    for file in {nothing, stdout_, stderr_, tells} - {stdout, stderr}:
        os.close(file)
    theirs.close()
    writer = None
    if stdin == asyncio.subprocess.PIPE:
        _, writer = await asyncio.open_connection(sock=ours)
    else:
        ours.close()
    telling = await _Pipe.of(told)
    return Forked(
        int(await telling.reader.readline()),
        writer,
        telling,
        None if out is None else await _Pipe.of(out),
        None if err is None else await _Pipe.of(err),
    )


def _pipe(wanted: int) -> tuple[int | None, int]:
    """Return the ends of a pipe for reading and writing; without one for reading if output goes to a file."""
    return os.pipe() if wanted == asyncio.subprocess.PIPE else (None, wanted)


async def _nothing() -> bytes:
    return b""


@cache
def _preloaded(flags: tuple[str, ...]) -> socket.socket:
    """Return the socket of a preloaded Python with these flags, started now; it exits with this process."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [*_PYTHON, *flags, "-m", "tests.preloaded", str(theirs.fileno())],
            env=kept(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C in the terminal must not reach it
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
