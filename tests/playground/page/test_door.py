"""Access to the page and its actions: only with the token in its address, and only from the page itself."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot.domain.language import Language
from bot.playground.acts import Acts
from bot.playground.page.server import served
from bot.playground.slack.server import LocalSlack
from bot.playground.stage import Rules, Stage, StagedBot
from bot.playground.world import POLICY
from bot.settings.load import Settings, load
from tests.token_server import TokenWeChat, environment

HELLO = {"do": "say", "channel": "C0RELEASES", "text": "hello", "thread": ""}


@asynccontextmanager
async def running_nothing(_: Language) -> AsyncIterator[None]:
    yield


@pytest.fixture
async def url(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """The page's address, without a bot."""
    policy = tmp_path_factory.mktemp("rules") / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    settings = load(environment(slack, wechat) | {"POLICY_FILE": str(policy)})
    assert isinstance(settings, Settings)
    rules = Rules(policy, settings)
    async with served(
        Acts(Stage(slack, wechat, rules, "sqlite://", StagedBot(running_nothing)))
    ) as page:
        yield page.url


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def posted(
    http: aiohttp.ClientSession, url: str, body: object, **headers: str
) -> tuple[int, str]:
    own = {"Origin": origin(url), **headers}
    async with http.post(f"{url}act?as=requester", data=json.dumps(body), headers=own) as answer:
        return answer.status, await answer.text()


async def test_the_address_has_a_token_and_is_on_the_loopback_only(
    http: aiohttp.ClientSession, url: str
) -> None:
    assert urlsplit(url).hostname == "127.0.0.1"
    assert len(urlsplit(url).path.strip("/")) >= 20
    for path in ("/", "/wrong/", "/wrong/app.js", "/wrong/live?as=requester"):
        async with http.get(origin(url) + path) as answer:
            assert answer.status == 404
            assert "Open the whole address" in await answer.text()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_a_foreign_host_or_origin_is_always_refused(
    http: aiohttp.ClientSession, url: str, slack: LocalSlack, headers: dict[str, str]
) -> None:
    for path in ("", "app.js", "live?as=requester", "transcript.txt"):
        async with http.get(url + path, headers=headers) as answer:
            assert answer.status == 403
    assert (await posted(http, url, HELLO, **headers))[0] == 403
    assert slack.messages == []


async def test_only_requests_from_the_page_itself_may_act(
    http: aiohttp.ClientSession, url: str, slack: LocalSlack
) -> None:
    async with http.post(f"{url}act?as=requester", json=HELLO) as answer:
        assert answer.status == 403  # every browser sends the origin
    assert (await posted(http, url, HELLO))[0] == 200
    assert [each.text for each in slack.messages] == ["hello"]


async def test_every_response_forbids_foreign_code_and_frames(
    http: aiohttp.ClientSession, url: str
) -> None:
    for path in ("", "app.js", "style.css", "icon.svg", "nowhere", "transcript.txt"):
        async with http.get(url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_the_page_has_no_inline_code_and_loads_nothing_from_elsewhere(
    http: aiohttp.ClientSession, url: str
) -> None:
    async with http.get(url) as answer:
        text = await answer.text()
    assert "://" not in text
    assert "<style" not in text
    assert " on" + "click" not in text
    assert text.count("<script") == text.count('<script type="module" src="app.js">') == 1


@pytest.mark.parametrize(
    "name", ["server.py", "../server.py", "..%2fserver.py", "%2e%2e/acts.py", "__init__.py"]
)
async def test_only_the_pages_own_files_are_served(
    http: aiohttp.ClientSession, url: str, name: str
) -> None:
    async with http.get(url + name) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"do": "fly"}, "of two versions"),
        ([], "of two versions"),
        ({"do": "click", "channel": "C0RELEASES", "ts": "1", "action": "a", "block": "b"}, "gone"),
        ({"do": "click", "view": "V1", "action": "a", "block": "b"}, "That view is closed."),
        ({**HELLO, "channel": "C0NOWHERE"}, "cannot look in there"),
        ({**HELLO, "channel": "C0SECRET"}, ""),
        ({"do": "inside", "channel": "C0RELEASES", "ts": "1"}, "That message is gone."),
        ({"do": "submit", "values": {}}, "No form is open."),
        ({"do": "close"}, "No form is open."),
        ({"do": "complete", "typed": "/sh"}, ""),
        ({"do": "shortcut"}, ""),
        ({"do": "home"}, ""),
        ({"do": "wechat", "order": "ok"}, ""),
        ({"do": "language", "language": "zh-CN"}, ""),
        ({"do": "language", "language": "fr"}, "The bot does not speak “fr”, but en, zh-CN."),
        ({"do": "wechat", "order": "weather"}, "Use an errcode such as 85088"),
    ],
)
async def test_an_impossible_action_is_answered_with_a_sentence(
    http: aiohttp.ClientSession, url: str, body: object, said: str
) -> None:
    status, text = await posted(http, url, body)
    assert status == 200
    assert said in json.loads(text).get("problem", "")


async def test_people_can_act_only_in_places_that_they_see(
    http: aiohttp.ClientSession, url: str, slack: LocalSlack
) -> None:
    own = {"Origin": origin(url)}
    body = json.dumps({**HELLO, "channel": "C0SECRET"})
    async with http.post(f"{url}act?as=outsider", data=body, headers=own) as answer:
        assert await answer.json() == {"problem": "outsider cannot look in there."}
    assert slack.messages == []


async def test_an_unknown_person_sees_and_does_nothing(
    http: aiohttp.ClientSession, url: str, slack: LocalSlack
) -> None:
    async with http.get(f"{url}live?as=nobody") as answer:
        assert answer.status == 404
    own = {"Origin": origin(url)}
    async with http.post(f"{url}act?as=nobody", json=HELLO, headers=own) as answer:
        assert answer.status == 405
    assert slack.messages == []
