"""A Python process that has imported the bot and forks for each program to run; a fresh start takes a second.

Run as `python -m tests.preloaded FD`: it reads programs from the socket FD until the other end is closed. A program has
the environment, folder, input and output that it is given, shares no state with others, and exits like any Python.
"""

import gc
import importlib
import json
import logging
import os
import pkgutil
import runpy
import socket
import sys
from contextlib import suppress
from typing import Any

import bot

LARGEST = 1 << 16


def serve(door: socket.socket) -> None:
    """Fork for each program received; return only in the child, with its program, and exit at the end."""
    rooms = (module.name for module in pkgutil.walk_packages(bot.__path__, "bot."))
    for name in (*rooms, "psycopg", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql"):
        if not name.endswith("__main__") and "migrations" not in name:
            importlib.import_module(name)
    # The time that a busy machine takes for a callback says nothing about the bot.
    logging.getLogger("asyncio").addFilter(lambda told: not told.msg.startswith("Executing "))
    gc.freeze()
    while True:
        said, files, _, _ = socket.recv_fds(door, LARGEST, 4)
        with suppress(ChildProcessError):  # the processes that waited for finished programs
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not said:
            os._exit(0)
        if os.fork() == 0:
            door.close()
            _run(json.loads(said), *files)
            return
        for file in files:
            os.close(file)


def _run(program: dict[str, Any], stdin: int, stdout: int, stderr: int, told: int) -> None:
    """Return in the process that is to run the program; its parent reports the pid and the exit code."""
    if pid := os.fork():
        for file in (stdin, stdout, stderr):
            os.close(file)
        os.write(told, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(told)
    for file, number in ((stdin, 0), (stdout, 1), (stderr, 2)):
        os.dup2(file, number)
        os.close(file)
    # The first stream remembers that what it was opened on can seek.
    sys.stdout = open(1, "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115  # to the end
    os.chdir(program["folder"])
    os.environ.clear()
    os.environ.update(program["environ"])
    how, what, *sys.argv[1:] = program["arguments"]
    sys.path[0] = ""  # the current directory, as for `python -m`
    if how == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = how
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102  # as `python -c` does


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
