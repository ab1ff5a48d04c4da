import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from bot.playground.loopback import free_port
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


async def test_a_finding_fails_and_is_named(checked: Checked) -> None:
    findings = {"jinja2": KNOWN, "aiohttp": {"vulns": [FINDING]}}

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        query = json.loads(await request.text())
        return web.json_response(findings.get(query["package"]["name"], {}))

    async with serving(answer) as origin:
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


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, "<html>Please log in", "no JSON object"),
        (200, '{"vulns": []}', "it does not know what has long been known"),
        (403, "", "HTTP 403"),
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
