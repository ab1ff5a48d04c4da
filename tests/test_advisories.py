import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping

import pytest
from aiohttp import web

from bot.playground.loopback import Handler, free_port
from tests.advisories import check
from tests.conftest import serving

Checked = Callable[[str], Awaitable[tuple[int, str]]]
FINDING = {
    "id": "PYSEC-0000-1",
    "summary": "made up",
    "affected": [
        {
            "package": {"name": "aiohttp", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
        }
    ],
}
KNOWN = {"vulns": [FINDING | {"id": "PYSEC-0000-0"}]}


@pytest.fixture
def checked(capfd: pytest.CaptureFixture[str]) -> Checked:
    """Run the check; return its exit code and its output."""

    async def checked(osv: str) -> tuple[int, str]:
        code = await asyncio.to_thread(check, osv)
        out, err = capfd.readouterr()
        return code, out + err

    return checked


def database(
    answers: Mapping[str, object], asked: list[str], otherwise: str | None = None
) -> Handler:
    """Return a database with these findings by package, and `otherwise` for all other packages."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        query = json.loads(await request.text())
        name = query["package"]["name"]
        asked.append(f"{name} {query['version']}")
        if name not in answers and otherwise is not None:
            return web.Response(text=otherwise, content_type="text/html")
        return web.json_response(answers.get(name, {}))

    return answer


async def test_a_lock_without_known_vulnerabilities_passes(checked: Checked) -> None:
    asked: list[str] = []
    async with serving(database({"jinja2": KNOWN}, asked)) as origin:
        code, out = await checked(origin)
    assert (code, out) == (0, "No known vulnerabilities found\n")
    assert {"aiohttp", "psycopg-binary", "pip-audit"} <= {line.split()[0] for line in asked}


async def test_a_finding_fails_and_is_named(checked: Checked) -> None:
    async with serving(database({"jinja2": KNOWN, "aiohttp": {"vulns": [FINDING]}}, [])) as origin:
        code, out = await checked(origin)
    assert code == 1
    assert "Found 1 known vulnerability in 1 package" in out
    assert "PYSEC-0000-1" in out


async def test_without_a_reachable_database_it_says_that_nothing_was_checked(
    checked: Checked,
) -> None:
    code, out = await checked(f"http://127.0.0.1:{free_port()}")
    assert code == 0
    assert out.startswith("not checked: no advisory database can be reached (")


async def test_a_database_with_server_errors_counts_as_unreachable(checked: Checked) -> None:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=503)

    async with serving(answer) as origin:
        code, out = await checked(origin)
    assert (code, out) == (0, "not checked: no advisory database can be reached (HTTP 503)\n")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, "<html>Please log in", "no JSON object"),
        (200, "[]", "no JSON object"),
        (200, "{}", "it does not know what has long been known"),
        (200, '{"vulns": []}', "it does not know what has long been known"),
        (403, "", "HTTP 403"),
        (404, "{}", "HTTP 404"),
    ],
)
async def test_a_server_that_is_not_a_vulnerability_database_fails_the_check(
    checked: Checked, status: int, body: str, reason: str
) -> None:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, text=body)

    async with serving(answer) as origin:
        code, out = await checked(origin)
    assert code == 1
    assert f"does not answer as an advisory database ({reason}" in out


async def test_a_database_that_fails_halfway_fails_the_check(checked: Checked) -> None:
    async with serving(database({"jinja2": KNOWN}, [], otherwise="<html>")) as origin:
        code, out = await checked(origin)
    assert code == 1
    assert "No known vulnerabilities found" not in out
