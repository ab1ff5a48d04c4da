"""The command line: run the bot, try it without Slack, check its setup and policy, read its ledger."""

import argparse
import errno
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

from bot.domain.finding import wrong_by
from bot.domain.language import spoken
from bot.domain.outcome import OUTCOMES
from bot.domain.request import Act
from bot.locale import languages
from bot.observe.logs.setup import log_uncaught, set_up
from bot.observe.output import FAILED, FINE, complain
from bot.settings.environ import UnreadableError
from bot.settings.files import environment

_INTERRUPTED = 130
_NO_DEMO = (
    "In a clone of the bot's repository, this starts the demo: python3 -m venv .venv && "
    ".venv/bin/pip install -q '.[demo]' && .venv/bin/python -m bot demo"
)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 fine, 1 failed, 2 wrong setup or wrong usage, 130 Ctrl-C."""
    _open_closed_streams()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # like stderr: GBK, for one, has no ✅
    # slack_sdk looks up the home directory when it is imported, and a container's user may have none.
    os.environ.setdefault("HOME", "/")
    set_up("INFO", None, ())  # for what goes wrong before the settings are known
    log_uncaught()
    try:
        given = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = _version if given.version else given.command
        code = command(given)
        sys.stdout.flush()
    except UnreadableError as error:
        return complain(error.problems, words=languages(spoken(error.language)).channel)
    except BrokenPipeError:  # such as `| head`
        return FINE
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        why = f"The output cannot be written to its end ({error.strerror})."
        complain([f"{why} Write it elsewhere, or make room."])
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    else:
        return code
    finally:
        _discard_unread_output()


def _open_closed_streams() -> None:
    """Open on /dev/null the standard streams that were closed before the start, such as by `2>&-`.

    Otherwise the next file to be opened, such as the ledger, would get a stream's number, and what libraries print.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115  # open to the end
            setattr(sys, name, stream)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors show no secret: they quote what was typed, such as a token in the place of an id."""

    def error(self, message: str) -> NoReturn:
        """Print how the command is used and what is wrong, and exit."""
        from bot.settings.load import read_parts  # noqa: PLC0415  # not needed if nothing is wrong

        self.print_usage(sys.stderr)
        secrets = read_parts(environment()).secrets
        self.exit(complain([f"{self.prog}: error: {message}"], secrets))


def _parser() -> argparse.ArgumentParser:
    about = "Share WeChat cloud environments from Slack."
    parser = _Parser(prog="share-env-bot", description=about)
    parser.add_argument("--version", action="store_true", help="say which release this is")
    parser.set_defaults(command=_run)
    add = parser.add_subparsers(metavar="COMMAND").add_parser
    add("run", help="run the bot (the default)")
    _audit_options(add("audit", help="read the ledger: who asked for what, and what came of it"))
    _request_options(add("request", help="tell one request's whole story"))
    _doctor_options(add("doctor", help="check all that the bot needs, and name the fixes"))
    _policy_options(
        add("policy", help="look for mistakes in the policy, run its tests, or ask it a question")
    )
    _demo_options(add("demo", help="in a clone: try the bot without Slack and without WeChat"))
    return parser


def _audit_options(audit: argparse.ArgumentParser) -> None:
    audit.set_defaults(command=_audit)
    add = audit.add_argument
    add("--since", type=_day, metavar="DATE", help="from this day on, in UTC, such as 2026-11-25")
    add("--user", metavar="ID", help="of this Slack user, such as U012ABCDEF")
    add("--env", help="about this env")
    add("--appid", help="about this appid")
    of_request = "about this request, such as 7kq2mhx4 or, of a batch, 7kq2mhx4-12"
    add("--request", metavar="ID", help=of_request)
    add("--outcome", choices=(*OUTCOMES, "mistake", Act.BREAK_GLASS.value), help="that ended so")
    add("--format", choices=("table", "csv", "jsonl"), default="table")
    deletes = "delete what ended before this day, in UTC, of everybody and for good"
    either = audit.add_mutually_exclusive_group()
    either.add_argument("--delete-before", type=_day, metavar="DATE", help=deletes)
    sends = "send AUDIT_URL again what happened from this day on, in UTC"
    either.add_argument("--send-since", type=_day, metavar="DATE", help=sends)
    leaves = "leave out the event that AUDIT_URL refuses, by its id in the log"
    either.add_argument("--leave-out", metavar="EVENT", help=leaves)


def _request_options(request: argparse.ArgumentParser) -> None:
    request.set_defaults(command=_request)
    request.add_argument("id", metavar="ID", help="as in the answer in Slack, such as 7kq2mhx4")


def _doctor_options(doctor: argparse.ArgumentParser) -> None:
    doctor.set_defaults(command=_doctor)
    either = doctor.add_mutually_exclusive_group()
    either.add_argument("--json", action="store_true", help="print JSON")
    either.add_argument("--real", action="store_true", help="try the real Slack and WeChat")
    add = doctor.add_argument
    add("--channel", metavar="ID", help="with --real: where it may post")
    add("--user", metavar="ID", help="with --real: you, who are in that channel")


def _policy_options(policy: argparse.ArgumentParser) -> None:
    policy.set_defaults(command=_policy)
    add, group = policy.add_argument, "a user group that holds them"
    add("file", nargs="?", metavar="FILE", help="instead of the one in force")
    add("--user", metavar="ID", help="who asks")
    add("--appid", help="the mini program that is to receive access")
    add("--env", help="the env that is to be shared")
    add("--workspace", metavar="ID", help="in which workspace of an organisation they ask")
    add("--channel", metavar="ID", help="where they ask")
    add("--group", dest="groups", action="append", metavar="ID", help=group)
    add("--guest", action="store_true", default=None, help="they are a guest")
    add("--reason", help="why they ask")
    add("--at", metavar="TIME", help="when, such as 2026-12-24T18:00:00+08:00 (now)")


def _demo_options(demo: argparse.ArgumentParser) -> None:
    demo.set_defaults(command=_demo)
    add = demo.add_argument
    plays = "play what the demo saved, or without FILE a fixed scenario, and exit"
    add("--script", nargs="?", const="", metavar="FILE", help=plays)
    quiet = "leave the browser alone, and only print the address"
    add("--no-open", action="store_true", help=quiet)
    add("--port", type=int, default=0, help="of the page; a free one, if left out")
    add("--as", dest="role", metavar="ROLE", help="who types the one LINE to run")
    add("--in", dest="place", metavar="PLACE", help="where the LINE is typed")
    add("line", nargs="?", metavar="LINE", help="one command, such as '/share-env help'")


def _version(_: argparse.Namespace) -> int:
    from bot.runtime.release import release  # noqa: PLC0415  # it looks up the commit

    print(f"share-env-bot {release()}")
    return FINE


def _run(_: argparse.Namespace) -> int:
    gc.disable()  # until the bot is ready: what is loaded until then is never freed
    from bot.app.process import run  # noqa: PLC0415  # no other command needs it

    code = run(environment)
    _discard_unread_output()  # the line that says it is ready
    return code


def _discard_unread_output() -> None:
    """Discard output that cannot be written, for which Python would exit with code 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _day(word: str) -> datetime:
    """Return midnight, UTC, of a day such as 2026-11-25."""
    try:
        return datetime.strptime(word, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{word}” is not a day. Write it as 2026-11-25") from None


def _audit(given: argparse.Namespace) -> int:
    from bot.ops.ledger_command import audit, change  # noqa: PLC0415

    names = ("since", "user", "env", "appid", "outcome", "request")
    about = {name: value for name in names if (value := getattr(given, name)) is not None}
    for option in ("--delete-before", "--send-since", "--leave-out"):
        if wanted := getattr(given, option.removeprefix("--").replace("-", "_")):
            return change(environment(), about, option, wanted)
    return audit(environment(), about, given.format)


def _request(given: argparse.Namespace) -> int:
    from bot.ops.ledger_command import tell_request  # noqa: PLC0415

    logging.disable(logging.ERROR)  # keeps the libraries' log lines out of the output
    return tell_request(environment(), given.id)


def _doctor(given: argparse.Namespace) -> int:
    from bot.ops.doctor.findings import print_as_json  # noqa: PLC0415
    from bot.ops.doctor.real import real  # noqa: PLC0415
    from bot.ops.doctor.run import doctor  # noqa: PLC0415

    logging.disable(logging.ERROR)  # keeps the libraries' log lines out of the findings
    if given.real or given.channel or given.user:
        return real(environment(), given.real and given.channel, given.user)
    try:
        environ = environment()
    except UnreadableError as error:
        if given.json:
            print_as_json([wrong_by("settings", each) for each in error.problems])
        raise
    return FINE if doctor(environ, as_json=given.json) else FAILED


def _policy(given: argparse.Namespace) -> int:
    from bot.ops.policy_command import policy  # noqa: PLC0415
    from bot.policy.shapes import Question  # noqa: PLC0415

    names = Question.model_fields
    words = {name: word for name in names if (word := getattr(given, name)) is not None}
    return policy(environment(), given.file, words)


def _demo(given: argparse.Namespace) -> int:
    if not all(map(find_spec, ("bot.playground", "prompt_toolkit", "rich"))):
        return complain([_NO_DEMO])
    from bot.playground.demo import demo  # noqa: PLC0415  # never loaded by `run`

    return demo(
        given.role,
        given.place,
        given.line,
        script=given.script,
        opens=not given.no_open,
        port=given.port,
    )
