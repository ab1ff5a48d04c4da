"""The command line: run the bot, or try it without Slack."""

import argparse
import asyncio
import gc
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from itertools import chain

from bot import __version__
from bot.domain.outcome import OUTCOMES
from bot.ops.logs.redaction import Redactor
from bot.ops.logs.setup import log_uncaught, set_up
from bot.runtime.release import release
from bot.runtime.signals import at_first_signal, ignore_from_now_on, setting, unless
from bot.settings.environ import Reader, environment
from bot.settings.load import Settings, load, read_parts
from bot.settings.table import DATABASE_URL

_FINE, _FAILED, _WRONG_SETUP, _INTERRUPTED = 0, 1, 2, 130

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 fine, 1 failed, 2 wrong setup or wrong usage, 130 Ctrl-C."""
    given = _parser().parse_args(arguments)
    # slack_sdk asks for a home when it is imported, and a container's user may have none.
    os.environ.setdefault("HOME", "/")
    set_up("INFO", None, ())  # for what goes wrong before the settings are known
    log_uncaught()
    try:
        return _carry_out(given)
    except BrokenPipeError:  # such as `| head`
        return _FINE
    except KeyboardInterrupt:  # whoever pressed it knows
        return _INTERRUPTED
    finally:
        _drop_what_nobody_reads()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="share-env-bot", description="Share WeChat cloud environments from Slack."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {release()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="run the bot (the default)")
    audit = commands.add_parser(
        "audit", help="read the ledger: who asked for what, and what came of it"
    )
    audit.add_argument(
        "--since", type=_day, metavar="DATE", help="from this day on, such as 2026-11-25"
    )
    audit.add_argument("--user", metavar="ID", help="of this Slack user, such as U012ABCDEF")
    audit.add_argument("--env", help="about this env")
    audit.add_argument("--appid", help="about this appid")
    audit.add_argument(
        "--request",
        metavar="ID",
        help="about this request, such as 7kq2mhx4 or, of a batch, 7kq2mhx4-12",
    )
    audit.add_argument("--outcome", choices=(*OUTCOMES, "mistake"), help="that ended so")
    audit.add_argument("--format", choices=("table", "csv", "jsonl"), default="table")
    audit.add_argument(
        "--delete-before",
        type=_day,
        metavar="DATE",
        help="delete what ended before this day, of everybody and for good",
    )
    request = commands.add_parser("request", help="tell one request's whole story")
    request.add_argument("id", metavar="ID", help="as in the answer in Slack, such as 7kq2mhx4")
    doctor = commands.add_parser("doctor", help="check all that the bot needs, and name the fixes")
    either = doctor.add_mutually_exclusive_group()
    either.add_argument("--json", action="store_true", help="print JSON")
    either.add_argument("--real", action="store_true", help="try the real Slack and WeChat")
    doctor.add_argument("--channel", metavar="ID", help="with --real: where it may post")
    doctor.add_argument("--user", metavar="ID", help="with --real: you, who are in that channel")
    doctor.add_argument("--yes", action="store_true", help="with --real: do not ask first")
    policy = commands.add_parser(
        "policy", help="look for mistakes in the policy, run its tests, or ask it a question"
    )
    policy.add_argument("file", nargs="?", metavar="FILE", help="instead of the one in force")
    policy.add_argument("--user", metavar="ID", help="who asks: what may they share, and why")
    policy.add_argument("--appid", help="the mini program that is to receive access")
    policy.add_argument("--env", help="the env that is to be shared")
    policy.add_argument("--channel", metavar="ID", help="where they ask")
    policy.add_argument(
        "--group", dest="groups", action="append", metavar="ID", help="a user group that holds them"
    )
    policy.add_argument("--guest", action="store_true", default=None, help="they are a guest")
    policy.add_argument("--json", action="store_true", help="print JSON")
    demo = commands.add_parser("demo", help="try the bot without Slack and without WeChat")
    demo.add_argument(
        "--script",
        nargs="?",
        const="",
        metavar="FILE",
        help="play what the demo saved, or without FILE a fixed scenario, and exit",
    )
    demo.add_argument(
        "--no-open", action="store_true", help="leave the browser alone, and only print the address"
    )
    demo.add_argument("--as", dest="role", metavar="ROLE", help="who types the one LINE to run")
    demo.add_argument("--in", dest="place", metavar="PLACE", help="where the LINE is typed")
    demo.add_argument(
        "line", nargs="?", metavar="LINE", help="one command, such as '/share-env help'"
    )
    return parser


def _carry_out(given: argparse.Namespace) -> int:
    match given.command:
        case "audit":
            return _audit(given)
        case "request":
            return _request(given)
        case "doctor":
            return _doctor(given)
        case "policy":
            return _policy(given)
        case "demo":
            return _demo(given)
        case _:
            return _run()


def _run() -> int:
    stop, reload = asyncio.Event(), asyncio.Event()
    at_first_signal(stop.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something that can be read again
    try:
        return _run_until(stop, reload)
    finally:
        ignore_from_now_on()


def _run_until(stop: asyncio.Event, reload: asyncio.Event) -> int:
    environ = environment()
    settings = load(environ)
    if not isinstance(settings, Settings):
        return _complain(settings, read_parts(environ).secrets)
    gc.disable()  # until the bot is ready: what is loaded and made until then stays
    # Imported here: a wrong setup need not wait for Slack's libraries to load.
    from bot.app.resources import CannotStartError  # noqa: PLC0415
    from bot.app.running import running  # noqa: PLC0415

    set_up(settings.log_level, settings.log_format, settings.secrets())

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        at_first_signal(setting(stop, loop))  # from here on, the loop may have to be woken
        signal.signal(signal.SIGHUP, lambda *_: setting(reload, loop)())
        async with AsyncExitStack() as stack:
            starting = stack.enter_async_context(running(settings, reload=reload))
            if line := await unless(stop, starting):
                _ready(settings, line)
                await stop.wait()
                _log.info("stopping")
        _log.info("stopped")

    try:
        asyncio.run(serve())
    except CannotStartError as error:
        _complain(error.problems, settings.secrets())
        return _WRONG_SETUP if error.wrong_setup else _FAILED
    return _FINE


def _ready(settings: Settings, line: str) -> None:
    _log.info("started", extra=_about(settings))
    gc.freeze()  # so there is no use in looking through it
    gc.enable()
    with suppress(OSError):  # it is ready, whether anybody hears it or not
        print(line, flush=True)


def _about(settings: Settings) -> dict[str, object]:
    """Return what tells one bot's log from another's."""
    how = "socket mode" if settings.slack.app_token else "http"
    kind, *_ = re.split("[+:]", settings.database_url)  # the rest is an address
    return {"version": __version__, "how": how, "database": kind}


def _drop_what_nobody_reads() -> None:
    """Drop output that cannot be written, or Python ends with code 120 for it."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # either may be closed from the beginning
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _complain(problems: Sequence[str], secrets: Sequence[str]) -> int:
    """Print what is wrong; a driver may have said a secret, or somebody may have put one into the policy file."""
    for problem in map(Redactor(secrets).clean, problems):
        print(problem, file=sys.stderr)
    return _WRONG_SETUP


def _day(word: str) -> datetime:
    """Return midnight, UTC, of a day such as 2026-11-25."""
    try:
        return datetime.strptime(word, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{word}” is not a day. Write it as 2026-11-25") from None


def _audit(given: argparse.Namespace) -> int:
    from bot.ledger.address import CannotOpenError  # noqa: PLC0415
    from bot.ledger.audit import Wanted, delete_before, open_for_audit, read  # noqa: PLC0415
    from bot.ops.visible import write_rows  # noqa: PLC0415

    if problem := _wrong_deletion(given):
        return _complain([problem], ())
    environ = environment()
    try:
        engine = open_for_audit(DATABASE_URL.value(Reader(environ)))
        if given.delete_before:
            requests, events = delete_before(engine, given.delete_before)
            print(
                f"Deleted {requests} requests and {events} events from before {given.delete_before:%Y-%m-%d}."
            )
        else:
            names = ("since", "user", "env", "appid", "outcome", "request")
            wanted = Wanted(**{name: getattr(given, name) for name in names})
            rows = read(engine, wanted, words=given.format != "table")
            if (first := next(rows, None)) is None:
                print("No events match.", file=sys.stderr)
            else:
                write_rows(chain([first], rows), given.format)
    except CannotOpenError as error:
        return _complain([str(error)], read_parts(environ).secrets)
    return _FINE


def _wrong_deletion(given: argparse.Namespace) -> str | None:
    """Return what is wrong with the day, or with words that seem to narrow what cannot be narrowed."""
    names = ("since", "user", "env", "appid", "outcome", "request")
    if not given.delete_before:
        return None
    if found := [f"--{name}" for name in names if getattr(given, name) is not None]:
        return f"--delete-before deletes for everybody. Leave out {' and '.join(found)}."
    if given.delete_before > datetime.now(UTC):
        return f"{given.delete_before:%Y-%m-%d} has not begun yet, in UTC. Name an earlier day."
    return None


def _request(given: argparse.Namespace) -> int:
    from bot.ops.request_command import tell_request  # noqa: PLC0415

    logging.disable(logging.ERROR)  # what libraries say on the way is not the story
    return tell_request(environment(), given.id)


def _doctor(given: argparse.Namespace) -> int:
    from bot.ops.doctor.real import real  # noqa: PLC0415
    from bot.ops.doctor.run import doctor  # noqa: PLC0415

    logging.disable(logging.ERROR)  # what libraries say on the way is not what the doctor found
    if given.real or given.channel or given.user or given.yes:
        return real(environment(), given.real and given.channel, given.user, unasked=given.yes)
    return _FINE if doctor(environment(), as_json=given.json) else _FAILED


def _policy(given: argparse.Namespace) -> int:
    from bot.ops.policy_command import policy  # noqa: PLC0415
    from bot.policy.shapes import Question  # noqa: PLC0415

    names = Question.model_fields
    asked = {name: word for name in names if (word := getattr(given, name)) is not None}
    return policy(environment(), given.file, asked, as_json=given.json)


def _demo(given: argparse.Namespace) -> int:
    from bot.playground.demo import demo  # noqa: PLC0415  # never loaded by `run`

    opens = not given.no_open
    return demo(given.role, given.place, given.line, script=given.script, opens=opens)
