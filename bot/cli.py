"""The command line: run the bot, or try it without Slack."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from bot import __version__
from bot.environ import environment
from bot.ops.logs import set_up
from bot.ops.redaction import Redactor
from bot.ops.uncaught import log_uncaught
from bot.settings import DEFAULT_DATABASE, Settings, load

_FINE, _FAILED, _WRONG_SETUP = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 fine, 1 failed, 2 wrong setup or wrong usage."""
    parser = argparse.ArgumentParser(
        prog="share-env-bot", description="Share WeChat cloud environments from Slack."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
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
    audit.add_argument("--outcome", help="shared, failed, unknown, denied or mistake")
    audit.add_argument("--format", choices=("table", "csv", "jsonl"), default="table")
    audit.add_argument(
        "--delete-before",
        type=_day,
        metavar="DATE",
        help="delete what ended before this day, for good",
    )
    doctor = commands.add_parser(
        "doctor", help="check everything the bot needs, and name the fix for what is wrong"
    )
    doctor.add_argument("--json", action="store_true", help="print JSON")
    demo = commands.add_parser("demo", help="try the bot without Slack and without WeChat")
    demo.add_argument("--script", action="store_true", help="play the fixed scenario and exit")
    demo.add_argument("--as", dest="role", metavar="ROLE", help="who types the one LINE to run")
    demo.add_argument("--in", dest="place", metavar="PLACE", help="where the LINE is typed")
    demo.add_argument(
        "line", nargs="?", metavar="LINE", help="one command, such as '/share-env help'"
    )
    given = parser.parse_args(arguments)
    set_up("INFO", None, ())  # for what goes wrong before the settings are known
    log_uncaught()
    match given.command:
        case "audit":
            return _audit(given)
        case "doctor":
            return _doctor(given)
        case "demo":
            return _demo(given)
        case _:
            return _run()


def _run() -> int:
    settings = load(environment())
    if not isinstance(settings, Settings):
        return _complain(settings)
    # Imported here: a wrong setup need not wait for Slack's libraries to load.
    from bot.app import CannotStartError, running  # noqa: PLC0415

    set_up(settings.log_level, settings.log_format, settings.secrets())

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, stop.set)
        async with running(settings) as line:
            gc.collect()
            gc.freeze()  # what is here now stays, so there is no use in looking through it again
            print(line, flush=True)
            await stop.wait()

    try:
        asyncio.run(serve())
    except CannotStartError as error:
        _complain([*map(Redactor(settings.secrets()).clean, error.problems)])  # a driver's words
        return _WRONG_SETUP if error.wrong_setup else _FAILED
    return _FINE


def _complain(problems: Sequence[str]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    return _WRONG_SETUP


def _day(word: str) -> datetime:
    """Return midnight, UTC, of a day such as 2026-11-25."""
    try:
        return datetime.strptime(word, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{word}” is not a day. Write it as 2026-11-25") from None


def _audit(given: argparse.Namespace) -> int:
    from bot.ledger.audit import Wanted, delete_before, open_for_audit, read  # noqa: PLC0415
    from bot.ledger.opening import CannotOpenError  # noqa: PLC0415
    from bot.ops.tables import write_rows  # noqa: PLC0415

    try:
        engine = open_for_audit(environment().get("DATABASE_URL") or DEFAULT_DATABASE)
        if given.delete_before:
            requests, events = delete_before(engine, given.delete_before)
            print(
                f"Deleted {requests} requests and {events} events from before {given.delete_before:%Y-%m-%d}."
            )
        else:
            wanted = Wanted(given.since, given.user, given.env, given.appid, given.outcome)
            write_rows(read(engine, wanted), given.format)
    except CannotOpenError as error:
        return _complain([str(error)])
    except BrokenPipeError:  # such as `| head`
        sys.stderr.close()
    return _FINE


def _doctor(given: argparse.Namespace) -> int:
    import logging  # noqa: PLC0415

    from bot.ops.doctor import doctor  # noqa: PLC0415

    logging.disable(logging.ERROR)  # what libraries say on the way is not what the doctor found
    return _FINE if doctor(environment(), as_json=given.json) else _FAILED


def _demo(given: argparse.Namespace) -> int:
    from bot.playground.demo import demo  # noqa: PLC0415  # never loaded by `run`

    return demo(given.role, given.place, given.line, script=given.script)
