import asyncio
import os
import pty
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.conftest import finished, spawn

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent


async def test_without_a_terminal_the_demo_plays_every_scene(tmp_path: Path) -> None:
    code, out, err = await finished({}, tmp_path, "demo")
    assert (code, err) == (0, "")
    scenes = [
        "A share, answered in a thread ──",
        "✅ @requester shared prod-1",
        "@share-env wx5fe6bb43205e9e70 prod-9",
        "✅ @requester shared prod-9",
        "@requester shared prod-1 with wx5fe6bb43205e9e70 before",
        "/share-env wx5fe6bb43205e9e70 prod-1",
        "Share live-1, which wx0123456789abcdef owns",
        "@requester clicks [Share it]",
        "🕓 @share-approvers: @requester asks to share core-1",
        "✅ @approver approved this",
        "Approved by @approver",
        "They said: “Fine, after the release”",
        "@approver agreed",
        " of 60",
        "59 shared, 1 not shared, of 60.",
        "正在处理：将环境 prod-8",
        "🚫 You may not share prod-1",
        "A freeze is on: “the auditors are counting”",
        "✅ @requester shared prod-2",
        "2 tries · request demo0011",
        "WeChat said 85088",
        "3 tries · request demo0013",
        "unknown, it may have been",
        "add me there",
        "WeChat said 61004",
    ]
    assert [scene for scene in scenes if scene not in out] == []
    assert "only @second sees this" in out
    assert "in the thread" in out
    assert "edited" in out
    pages = [ROOT / "README.md", ROOT / "bot/workflow/README.md"]
    told = "".join(page.read_text(encoding="utf-8") for page in pages)
    transcripts = re.findall(r"```text\n(@.*?)```", told, re.DOTALL)
    assert len(transcripts) == 5
    lines = [line for part in transcripts for line in part.splitlines()]
    shown = [re.escape(line).replace("…", ".+") for line in lines]
    drawn = [line for line in shown if not re.search(f"^{line} *$", out, re.MULTILINE)]
    assert drawn == []


async def test_one_line_can_be_run_in_a_role_and_a_place(tmp_path: Path) -> None:
    line = "/share-env wx5fe6bb43205e9e70 test-1"
    code, out, _ = await finished({}, tmp_path, "demo", "--as", "second", "--in", "dm", line)
    assert code == 0
    assert "@second in a direct message" in out
    assert "I cannot post in a conversation between other people" in out


@pytest.mark.parametrize(
    ("role", "line", "said"),
    [
        ("requester", "/share-env help", "core-* (needs an approval)"),
        ("requester", "/share-env whoami", "• wx0123456789abcdef: good until"),
        (
            "requester",
            "/share-env wx5fe6bb43205e9e70 core-1",
            "🕓 @share-approvers: @requester asks",
        ),
        ("mei", "/share-env wx5fe6bb43205e9e70 prod-1", "and must let the appid in"),
    ],
)
async def test_the_demo_of_one_line_ends_when_its_effects_are_shown(
    tmp_path: Path, role: str, line: str, said: str
) -> None:
    code, out, err = await finished({}, tmp_path, "demo", "--as", role, line)
    assert (code, err) == (0, "")
    assert said in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--as", "boss", "/share-env"], "There is no role “boss”."),
        (["--in", "space", "/share-env"], "There is no place “space”."),
        (["help"], "A line begins with /share-env"),
        (["--script=", "/share-env"], "--script plays a whole scenario."),
        (["--port", "70000"], "There is no port 70000. Use one from 1 to 65535."),
        (["--script", "nowhere.txt"], "nowhere.txt cannot be read: No such file"),
        (
            ["--script", sys.executable],
            f"{sys.executable} cannot be read: It is not text in UTF-8.",
        ),
    ],
)
async def test_wrong_arguments_of_the_demo_are_explained(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    code, _, err = await finished({}, tmp_path, "demo", *arguments)
    assert code == 2
    assert err.startswith(sentence)


@pytest.mark.parametrize(
    ("names", "beginning", "fix"),
    [
        (["SLACK_BOT_TOKEN"], "SLACK_BOT_TOKEN is set", "unset it,"),
        (
            ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"],
            "SLACK_BOT_TOKEN, SLACK_APP_TOKEN are set",
            "unset them,",
        ),
    ],
)
async def test_the_demo_refuses_real_tokens(
    tmp_path: Path, names: list[str], beginning: str, fix: str
) -> None:
    code, out, err = await finished(dict.fromkeys(names, "made-up"), tmp_path, "demo")
    assert (code, out) == (2, "")
    assert err.startswith(beginning)
    assert fix in err


SCRIPT = """\
# Lines as the demo's page and :save write them.
:language zh-CN
:language en
/share-env wx5fe6bb43205e9e70 core-1 --reason "release 4.2"
:as approver
:click Approve demo0001
:submit comment="Fine by me"
:as requester
:open
:submit env=prod-4 appids=nonsense
:submit env=prod-4 appids="wx5fe6bb43205e9e70\\nwx0000000000000001"
:wechat 85088
/share-env wx5fe6bb43205e9e70 prod-5
:click "Try again" demo0003
:audit demo0001
:save saved.txt
"""


async def test_a_script_is_played_and_the_one_it_saves_does_the_same(tmp_path: Path) -> None:
    (tmp_path / "script.txt").write_text(SCRIPT, encoding="utf-8")
    code, out, err = await finished({}, tmp_path, "demo", "--script", "script.txt")
    assert (code, err) == (0, "")
    told = [
        "Approved by @approver",
        "They said: “Fine by me”",
        "appids: “nonsense” is not an appid: that is “wx” and 16 of",
        "✅ @requester asked to share prod-4 with 2 apps: 2 shared.",
        "❌ @requester asked to share prod-5",
        "✅ @requester shared prod-5 with wx5fe6bb43205e9e70.",
        "approved demo0001",
    ]
    assert [words for words in told if words not in out] == []
    saved = (tmp_path / "saved.txt").read_text(encoding="utf-8")
    (tmp_path / "again.txt").write_text(f"{saved}:save again.saved", encoding="utf-8")
    _, again, _ = await finished({}, tmp_path, "demo", "--script", "again.txt")
    assert [words for words in told[:-1] if words not in again] == []
    assert (tmp_path / "again.saved").read_text(encoding="utf-8") == saved


async def test_the_demo_ignores_proxies_in_the_environment(tmp_path: Path) -> None:
    nobody = dict.fromkeys(("HTTP_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    line = "/share-env wx5fe6bb43205e9e70 prod-1"
    code, out, err = await finished(nobody, tmp_path, "demo", line)
    assert (code, err) == (0, "")
    assert "✅ @requester shared prod-1" in out


@pytest.mark.parametrize("missing", ["bot.playground", "prompt_toolkit", "rich"])
async def test_where_the_demo_is_not_installed_one_sentence_says_how_to_start_it(
    tmp_path: Path, missing: str
) -> None:
    code = f"""
import sys, bot.cli
sys.modules["{missing}"] = None  # an import of it fails as if it were not there
sys.exit(bot.cli.main(["demo", "--script"]))
"""
    process = await spawn({}, tmp_path, program=("-c", code))
    out, err = await asyncio.wait_for(process.communicate(), 60)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [command] = re.findall(r"^python3 .* demo$", readme, re.MULTILINE)
    assert (process.returncode, out) == (2, b"")
    said = f"In a clone of the bot's repository, this starts the demo: {command}\n"
    assert err.decode() == said


def read_to_the_end(terminal: int) -> str:
    """Return everything written to a pseudo-terminal; on Linux its end is an EIO."""
    shown = b""
    with suppress(OSError):
        while chunk := os.read(terminal, 65536):
            shown += chunk
    return shown.decode()


UNREACHABLE = """
import socket
def connect(*_):
    raise ConnectionRefusedError("made-up")
socket.socket.connect = connect
"""


FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))"


@pytest.mark.parametrize(
    ("machine", "sentence"),
    [
        (UNREACHABLE, "The demo's own servers cannot be reached at 127.0.0.1."),
        (FEW_FILES, "The demo needs 128 open files and connections, and 12 are allowed here."),
    ],
    ids=["its address blocked", "ulimit -n 12"],
)
async def test_the_demo_says_in_a_sentence_what_this_machine_does_not_let_it_do(
    tmp_path: Path, machine: str, sentence: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(machine, encoding="utf-8")
    environ = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    code, _, err = await finished(environ, tmp_path, "demo", "/share-env help")
    assert code == 2
    assert err.startswith(sentence)


async def test_the_page_has_the_port_that_was_asked_for_unless_it_is_taken(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    asked = "--port", str(unused_tcp_port)
    shown = await on_a_terminal(tmp_path, ["quit"], *asked)
    assert f"http://127.0.0.1:{unused_tcp_port}/" in shown
    with socket.create_server(("127.0.0.1", unused_tcp_port)):
        shown = await on_a_terminal(tmp_path, [], *asked, code=2)
    assert f"Port {unused_tcp_port} is taken." in shown


async def on_a_terminal(
    folder: Path,
    typed: list[str],
    *arguments: str,
    code: int = 0,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Run the demo on a pseudo-terminal with these lines, and return what it shows, in one line."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", *arguments),
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TERM": "dumb",
            **(environ or {}),
        },
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, ("\n".join(typed) + "\n").encode())
    reading = asyncio.create_task(asyncio.to_thread(read_to_the_end, ours))
    try:
        assert await asyncio.wait_for(process.wait(), 60) == code
    finally:
        if process.returncode is None:
            process.kill()
        text = " ".join((await reading).split())  # wherever the terminal breaks its lines
        os.close(ours)
    return text


async def test_on_a_terminal_the_demo_serves_a_page_and_reads_lines_until_quit(
    tmp_path: Path,
) -> None:
    typed = [
        "help",
        ":as second",
        ":as nobody",
        ":in archived",
        ":in nowhere",
        ":wechat 85088",
        ":wechat weather",
        "hello",
        "",
        "/share-env whoami",
        "/share-env",
        ":click Nonsense",
        ":click",
        ":close",
        "\x1b[200~/share-env wx5fe6bb43205e9e70\nwx0000000000000001 test-1\x1b[201~",
        "quit",
    ]
    text = await on_a_terminal(tmp_path, typed)
    for said in (
        "Open this in your browser: http://127.0.0.1:",
        ":click WORDS [REQUEST]",
        "There is no role “nobody”. The roles: requester (on the platform team),",
        "second in #archived>",
        "There is no place “nowhere”. The places: public, private",
        "Use an errcode such as 85088, or one of",
        "Type /share-env … as in Slack, or help.",
        "“testers”",
        "modal of @second · opened",
        "There is no “Nonsense” to click",
    ):
        assert said in text
    assert text.count("Type /share-env … as in Slack") == 1  # for “hello”: a paste is one command


async def test_the_page_is_opened_in_a_browser_if_there_is_one_and_it_may_be(
    tmp_path: Path,
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened}"\n', encoding="utf-8")
    browser.chmod(0o755)
    graphical = {"DISPLAY": ":0", "BROWSER": f"{browser} %s"}
    assert "Open this in" in await on_a_terminal(tmp_path, ["quit"], "--no-open", environ=graphical)
    assert "Open this in" in await on_a_terminal(
        tmp_path, ["quit"], environ={"BROWSER": f"{browser} %s"}
    )
    assert not opened.exists()
    text = await on_a_terminal(tmp_path, ["quit"], environ=graphical)
    assert f"Look at your browser: {opened.read_text(encoding='utf-8').strip()} " in text
