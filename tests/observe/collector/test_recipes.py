"""The lines that the README has for collectors, tried with what the bot really posts."""

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from bot.observe.collector.cloudevents import cloud_event
from bot.observe.collector.sender import Receipt, post
from bot.playground.loopback import free_port
from bot.runtime.clock import Runtime
from bot.settings.access import CollectorSettings
from bot.wechat.transport import client_over
from tests.collecting import collecting
from tests.observe.collector.test_pure import ROW
from tests.processes import start

KEY = b"made-up-key-of-a-webhook"
TEXT = 'one [two], {"specversion": "no",{"specversion"} \\]'
EVENTS = [cloud_event({**ROW, "id": number, "reason": TEXT}, text=True) for number in range(3)]


def recipe(language: str) -> str:
    """Return the lines of the README in a language."""
    page = Path("bot/ops/README.md").read_text(encoding="utf-8")
    section = page.split("\n## The record, sent elsewhere\n")[1].split("\n## ")[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(found)


async def sent(
    url: str, events: Sequence[Mapping[str, object]] = EVENTS, key: bytes = KEY, late: float = 0
) -> Receipt:
    settings = CollectorSettings(url=url, authorization=None, key=key, include_text=True)
    async with aiohttp.ClientSession() as session:
        return await post(client_over(session), settings, events, Runtime().now() - late)


async def test_splunk_breaks_a_post_into_its_events() -> None:
    async with collecting() as there:
        await sent(there.url)
    ((_, body),) = there.posts
    props = ConfigParser(interpolation=None, delimiters="=", strict=True)
    props.read_string(recipe("ini"))
    lines = props["share_env"]
    (pattern, text) = re.fullmatch(r"s/(.*)/(.*)/", lines["SEDCMD-end"]).groups()  # type: ignore[union-attr]
    rest, events = body.decode(), list[Any]()
    breaks = [*re.finditer(lines["LINE_BREAKER"], rest)]
    ends = [*(each.start(1) for each in breaks[1:]), len(rest)]
    for each, end in zip(breaks, ends, strict=True):
        event = re.sub(pattern, text, rest[each.end(1) : end])
        assert re.search(lines["TIME_PREFIX"] + r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event)
        events.append(json.loads(event))
    assert (breaks[0].start(1), events) == (0, EVENTS)


def test_the_lines_for_elastic_are_valid() -> None:
    (listens,) = yaml.safe_load(recipe("yaml"))["filebeat.inputs"]
    assert (listens["type"], listens["content_type"]) == ("http_endpoint", "")


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[str]:
    """The address of the README's own program, which runs."""
    port = free_port()
    code = recipe("python").replace("8800", str(port))
    environ = {"AUDIT_SECRET": f"whsec_{b64encode(KEY).decode()}"}
    running = await start(environ, tmp_path, "-c", code, flags=())
    url = f"http://127.0.0.1:{port}/"
    async with asyncio.timeout(60):
        while (await sent(url, EVENTS[:1])).status is None:  # noqa: ASYNC110  # until it listens
            await asyncio.sleep(0.05)
    yield url
    running.kill()
    await running.communicate()


async def test_a_program_of_ones_own_keeps_each_event_once_and_nothing_forged(
    program: str, tmp_path: Path
) -> None:
    assert (await sent(program)).status == 204
    assert (await sent(program)).status == 204
    assert (await sent(program, key=b"x" * 24)).status == 401
    assert (await sent(program, late=600)).status == 401
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == EVENTS
