"""Find a request in the ledger and tell its story, with links where Slack says what its workspace is called."""

import asyncio
import sys
import time
from collections.abc import Mapping

from bot.ledger.address import CannotOpenError
from bot.ledger.audit import Wanted, find, open_for_audit, read
from bot.ops.doctor.slack_calls import web_api
from bot.ops.doctor.transport import HeardHeaders, session
from bot.ops.logs.redaction import Redactor
from bot.ops.request_story import story
from bot.settings.load import Parts, read_parts
from bot.slack.api import Answered

_FINE, _UNKNOWN, _WRONG_SETUP = 0, 1, 2
_PATIENCE = 3.0  # seconds; without an answer there are no links


def tell_request(environ: Mapping[str, str], request: str) -> int:
    """Print all that is known of a request or of an item of a batch; return the exit code."""
    parts = read_parts(environ)
    clean = Redactor(parts.secrets).clean
    try:
        engine = open_for_audit(parts.database_url)
        entry = find(engine, request)
        events = list(read(engine, Wanted(request=request), words=True))
    except CannotOpenError as error:
        print(clean(str(error)), file=sys.stderr)
        return _WRONG_SETUP
    if entry is None:
        found = f"No request “{request}” is in the ledger. Its id is in the answer in Slack and in the log."
        print(clean(found), file=sys.stderr)
        return _UNKNOWN
    for line in story(entry, events, asyncio.run(_workspace(parts))):
        print(line)
    return _FINE


async def _workspace(parts: Parts) -> str | None:
    """Return the address of Slack's workspace."""
    if parts.slack is None:
        return None
    try:
        async with asyncio.timeout(_PATIENCE), session(HeardHeaders(time.time)) as http:
            told = await web_api(parts.slack, parts.slack.bot_token, http).read("auth.test")
    except TimeoutError:
        return None
    return str(told.data.get("url") or "") or None if isinstance(told, Answered) else None
