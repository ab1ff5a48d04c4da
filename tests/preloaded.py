"""A Python that has loaded the bot already, and forks for each program that is to be run: a start of its own costs a second.

Run as `python -m tests.preloaded FD`: from the socket FD it takes programs, until the other end is closed. What a
program does and how it ends is its own: it has the environment, folder, input and output that it is given, none of
the memory of others, and ends as any Python does.
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
    """Fork for each program that comes through the door; return where one is to be run, and exit at the end."""
    rooms = (module.name for module in pkgutil.walk_packages(bot.__path__, "bot."))
    for name in (*rooms, "psycopg", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql"):
        if not name.endswith("__main__") and "migrations" not in name:
            importlib.import_module(name)
    # How long a busy machine takes is no matter of the bot's.
    logging.getLogger("asyncio").addFilter(lambda told: not told.msg.startswith("Executing "))
    gc.freeze()
    while True:
        said, files, _, _ = socket.recv_fds(door, LARGEST, 4)
        with suppress(ChildProcessError):  # those who waited for programs that are over
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
    """Return in a process that is to run the program; the one that waits for it tells its pid and how it ended."""
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
    os.chdir(program["folder"])
    os.environ.clear()
    os.environ.update(program["environ"])
    how, what, *sys.argv[1:] = program["arguments"]
    sys.path[0] = ""  # the folder, as Python has it
    if how == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = how
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102  # as `python -c` does


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
