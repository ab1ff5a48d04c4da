"""Programs of Python as processes: started anew, or forked from one that has loaded the bot already."""

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

_PYTHON = (
    # A process inherits what its parent ignores, as the tests do when nohup or a shell script starts them.
    *("env", "--default-signal=INT,HUP", sys.executable),
    *("-X", "dev", "-W", "error"),
)


def kept() -> dict[str, str]:
    """Return of the tests' own environment what a program is to have, too."""
    own = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"} or "COV" in k}
    # Of what `-X dev` looks at, how C uses the memory is no matter of this bot's, and costs a tenth.
    return own | {"PYTHONPATH": str(ROOT), "PYTHONMALLOC": "pymalloc"}


async def start(
    environ: Mapping[str, str],
    folder: Path,
    *arguments: str,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.PIPE,
) -> asyncio.subprocess.Process:
    """Start a Python that is told nothing but its arguments and this environment."""
    return await asyncio.create_subprocess_exec(
        *(*_PYTHON, *arguments),
        cwd=folder,
        env={**kept(), **environ},
        stdin=stdin,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )


class _Pipe(asyncio.StreamReaderProtocol):
    """What a program writes; `over` once it has closed it."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=1 << 24)
        super().__init__(self.reader)
        self.over = asyncio.Event()

    @classmethod
    async def of(cls, file: int) -> "_Pipe":
        """Return what is written into the pipe whose other end this is."""
        loop = asyncio.get_running_loop()
        _, pipe = await loop.connect_read_pipe(cls, os.fdopen(file, "rb"))
        return pipe

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.over.set()


class Forked:
    """A program that runs in a fork of the Python that has loaded the bot; as `asyncio.subprocess.Process`."""

    def __init__(
        self,
        pid: int,
        stdin: asyncio.StreamWriter | None,
        told: _Pipe,
        err: _Pipe,
        out: _Pipe | None,
    ) -> None:
        self.pid, self.stdin = pid, stdin
        self.stdout, self.stderr = out.reader if out else None, err.reader
        self.returncode: int | None = None
        self._ending = asyncio.create_task(self._end(told, [told, err, *([out] if out else [])]))

    async def wait(self) -> int:
        """Return the exit code, once it has ended; of a signal, its number with a minus."""
        return await asyncio.shield(self._ending)

    async def communicate(self, said: bytes | None = None) -> tuple[bytes, bytes]:
        """Say something and no more, and return all output and errors once it has ended."""
        if self.stdin:
            self.stdin.write(said or b"")
            self.stdin.write_eof()
        outputs = (self.stdout.read() if self.stdout else _nothing(), self.stderr.read())
        out, err = await asyncio.gather(*outputs)
        await self.wait()
        return out, err

    def send_signal(self, sign: int) -> None:
        """Send a signal, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, sign)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
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
) -> Forked:
    """Run `-m MODULE …` or `-c CODE …` as `start` does, where how Python starts is not what is tried."""
    program = {
        "arguments": arguments,
        "environ": {**kept(), **environ},
        "folder": str(folder),
    }
    told, tells = os.pipe()
    ours, theirs = socket.socketpair()
    out, written = os.pipe()
    err, complained = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR)
    piped = stdin == asyncio.subprocess.PIPE
    heard = stdout == asyncio.subprocess.PIPE
    files = [theirs.fileno() if piped else nothing, written if heard else stdout, complained]
    socket.send_fds(_preloaded(), [json.dumps(program).encode()], [*files, tells])
    for file in (nothing, written, complained, tells):
        os.close(file)
    theirs.close()
    if piped:
        _, writer = await asyncio.open_connection(sock=ours)
    else:
        ours.close()
    if not heard:
        os.close(out)
    telling = await _Pipe.of(told)
    pid = int(await telling.reader.readline())
    out_pipe = await _Pipe.of(out) if heard else None
    return Forked(pid, writer if piped else None, telling, await _Pipe.of(err), out_pipe)


async def _nothing() -> bytes:
    return b""


@cache
def _preloaded() -> socket.socket:
    """Return the door of a Python that loads the bot now and ends with this one."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [*_PYTHON, "-m", "tests.preloaded", str(theirs.fileno())],
            env=kept(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # a Ctrl-C in the terminal is not for it
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
