import asyncio
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from bot.ops.policy_command import policy
from bot.playground.environments import slack_environment
from bot.playground.slack.server import LocalSlack
from tests.end_to_end.conftest import finished
from tests.ops.chinese import english_in, without_others

A, OWNER = "wx5fe6bb43205e9e70", "wx0123456789abcdef"
PAGE = (Path(__file__).parents[2] / "bot/policy/README.md").read_text(encoding="utf-8")

FILE = f"""
contact = "Ann"

[[owner]]
appid = "{OWNER}"
envs = ["*"]

[[rule]]
name = "no live"
envs = ["live-*"]
effect = "deny"

[[rule]]
name = "ops"
groups = ["S0OPS"]
channels = ["C0OPS"]
envs = ["prod-*"]
effect = "allow"

[[rule]]
name = "core"
users = ["U0ANN"]
envs = ["core-*"]
confirm = true
effect = "approve"
approvers = {{ users = ["U0BOB"], groups = ["S0LEADS"], channel = "C0LEADS", expires = "90m" }}

[[rule]]
name = "tests"
users = ["*"]
envs = ["test-*"]
confirm = true
guests = true
effect = "allow"
"""
TESTS = "".join(
    f'[[test]]\nuser = "U0ANN"\nappid = "{A}"\nenv = "{env}"\nexpect = "{expect}"\n{more}'
    for env, expect, more in (
        ("live-1", "deny", ""),
        ("prod-1", "allow", 'groups = ["S0OPS"]\nchannel = "C0OPS"\n'),
        ("core-1", "approve", ""),
        ("test-1", "allow", "guest = true\n"),
    )
)
ALLOW = '[[rule]]\nusers = ["U0ANN"]\neffect = "allow"\n'

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs the policy command in an empty directory, with this policy file and these settings."""
    monkeypatch.chdir(tmp_path)

    def run(
        text: str | None = None,
        environ: Mapping[str, str] | None = None,
        file: str | None = None,
        **asked: object,
    ) -> tuple[int, str, str]:
        if text is not None:
            Path("policy.toml").write_text(text, encoding="utf-8")
        code = policy(environ or {}, file, asked)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def about(env: str, **more: object) -> dict[str, object]:
    return {"user": "U0ANN", "appid": A, "env": env, **more}


def test_a_policy_without_problems_is_summarised_in_lines(run: Run) -> None:
    assert run(FILE + TESTS) == (
        0,
        (
            "✅ policy-file: policy.toml: rules: 4\n"
            "✅ policy-tests: all pass: 4\n"
            "✅ policy-reach: rules: 4; each can be reached\n"
            "✅ policy-approvers: rules that ask for approval: 1; each has approvers; "
            "not checked with Slack: C0LEADS\n"
            f"✅ policy-owners: {OWNER}; every env that rules name has an owner\n"
            "✅ policy-freezes: the policy has none\n"
        ),
        "",
    )


CHINESE = {"LANGUAGE": "zh-CN"}


@pytest.mark.parametrize("text", [FILE + TESTS, FILE, ALLOW + ALLOW, "rule = 1", None])
def test_what_is_found_is_told_in_chinese(run: Run, text: str | None) -> None:
    _, out, err = run(text, CHINESE)
    assert out + err
    assert english_in(out + without_others(err)) == ""


@pytest.mark.parametrize(
    "asked",
    [
        *map(about, ("live-1", "prod-1", "core-1", "test-1", "other-1")),
        about("prod-1", groups=["S0OPS"], channel="C0OPS"),
        about("test-1", guest=True),
        about("test 1", user="ann", channel="x"),
    ],
    ids=str,
)
def test_a_question_is_answered_in_chinese(run: Run, asked: dict[str, object]) -> None:
    _, out, err = run(FILE, CHINESE, **asked)
    assert out + err
    assert english_in(out + err) == ""


def test_an_answer_in_chinese_has_the_same_lines(run: Run) -> None:
    _, out, _ = run(FILE, CHINESE, **about("core-1", groups=["S0OPS"], guest=True))
    told = [line for line in out.splitlines() if "│" not in line]
    assert told == [
        "U0ANN（S0OPS），访客，未写明频道",
        f"  /share-env why {A} core-1",
        f"所属小程序：{OWNER}，用它的令牌",
        "所有规则，按顺序；第一条匹配的生效：",
        "  1. “no live”：它是关于其他环境的（live-*）",
        "  2. “ops”：它不让访客和其他工作区的人通过；它只在 C0OPS 生效；它是关于其他环境的（prod-*）",
        "  3. “core”：它不让访客和其他工作区的人通过",
        "  4. “tests”：它是关于其他环境的（test-*）",
    ]


def test_every_mistake_in_a_file_is_reported_with_its_place_and_its_fix(run: Run) -> None:
    code, out, err = run('[[rule]]\nusers = ["ann"]\neffect = "yes"\n')
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "policy.toml: rule 1, users, 1: “ann” is not a user id. Copy it from the person's Slack profile: U….",
        "policy.toml: rule 1, effect: “yes” is not possible here. Write allow, approve or deny.",
    ]


def test_a_failing_test_has_the_actual_decision_and_its_rule(run: Run) -> None:
    test = f'[[test]]\nuser = "U0ANN"\nappid = "{A}"\nenv = "live-1"\nexpect = "allow"\n'
    code, out, _ = run(FILE + test)
    assert code == 1
    assert (
        f"❌ policy-tests: policy.toml: test 1: U0ANN with {A} and live-1 should get “allow” but gets “deny” (rule “no live”)\n"
        "   → Correct the rules or the test.\n"
    ) in out


def freeze(begins: str, ends: str) -> str:
    return f'[[freeze]]\nfrom = {begins}\nuntil = {ends}\nreason = "end of the year"\n'


SUSPICIOUS = {
    "a rule that never decides": (
        ALLOW + ALLOW,
        "⚠️ policy-reach: “rule 2” never decides: “rule 1”, which comes first, always does",
    ),
    "a rule that nobody can approve": (
        ALLOW.replace("allow", "approve")
        + 'name = "x"\napprovers = { users = ["U0ANN"], channel = "C0X" }\n',
        "❌ policy-approvers: nobody can approve what “x” asks for",
    ),
    "an env without a known owner": (
        ALLOW + 'envs = ["lost-1"]\n',
        "⚠️ policy-owners: no mini program is known to own lost-1",
    ),
    "patterns only, and no owner": (
        ALLOW,
        "⚠️ policy-owners: no mini program is known to own any env",
    ),
    "a freeze that is over": (
        ALLOW + freeze("2020-01-01T09:00:00Z", "2020-01-02T09:00:00Z"),
        "⚠️ policy-freezes: freeze 1 (“end of the year”) is over\n   → Take it out, or correct its",
    ),
    "freezes that are on and to come": (
        ALLOW
        + freeze("2020-01-01T09:00:00Z", "2999-01-02T09:00:00Z")
        + freeze("2998-01-01T09:00:00Z", "2999-01-02T09:00:00Z"),
        "✅ policy-freezes: freezes: 2; on now: 1\n",
    ),
    "no env at all": (ALLOW.replace("allow", "deny"), "✅ policy-owners: no rule needs one"),
}


@pytest.mark.parametrize(("text", "line"), SUSPICIOUS.values(), ids=list(SUSPICIOUS))
def test_suspicious_entries_are_warnings_and_impossible_ones_are_wrong(
    run: Run, text: str, line: str
) -> None:
    code, out, _ = run(text)
    assert line in out
    assert code == line.startswith("❌")


OUTSIDE = "is shared with another organisation"
FINE = "rules that ask for approval: 1; each has approvers"


@pytest.mark.parametrize(
    ("channel", "token", "line"),
    [
        ("C0APPROVALS", "", f"✅ policy-approvers: {FINE}\n"),
        ("C0PARTNERS", "", f"❌ policy-approvers: the approvers' channel C0PARTNERS {OUTSIDE}, or"),
        (
            "C0PARTNERS",
            "xoxb-revoked",
            f"✅ policy-approvers: {FINE}; not checked with Slack: C0PARTNERS\n",
        ),
    ],
)
async def test_with_slacks_token_it_is_reported_whether_approvers_can_be_asked_in_their_channel(
    run: Run, slack: LocalSlack, channel: str, token: str, line: str
) -> None:
    environ = slack_environment(slack) | ({"SLACK_BOT_TOKEN": token} if token else {})
    command = partial(run, (FILE + TESTS).replace("C0LEADS", channel), environ)
    code, out, _ = await asyncio.to_thread(command)
    assert line in out
    assert code == line.startswith("❌")
    assert [call.method for call in slack.calls] == ["conversations.info"]


def test_other_settings_are_not_needed(run: Run) -> None:
    bad = {"WECHAT_AUTHORIZER_APPID": "nonsense", "SLACK_BOT_TOKEN": "x", "PORT": "many"}
    assert run(FILE + TESTS, bad) == run(FILE + TESTS)


def test_the_default_owner_is_the_setting(run: Run) -> None:
    _, out, _ = run(ALLOW + 'envs = ["lost-1"]\n', {"WECHAT_AUTHORIZER_APPID": OWNER})
    assert f"✅ policy-owners: {OWNER}; every env that rules name has an owner" in out


def test_without_a_file_the_three_lists_are_the_policy(run: Run) -> None:
    code, out, _ = run(environ={"SHARE_ENV_ALLOWED_USERS": "U0ANN"})
    assert (code, out.splitlines()[0]) == (0, "✅ policy-file: the settings: rules: 1")
    assert "✅ policy-tests: the policy has none\n" in out
    code, out, err = run(environ={"SHARE_ENV_ALLOWED_USERS": "ann"})
    assert (code, out) == (2, "")
    assert err.startswith("SHARE_ENV_ALLOWED_USERS: “ann” is not an id. Use ids such as ")


def test_a_named_file_is_used_instead_of_the_policy_in_force(run: Run, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(ALLOW, encoding="utf-8")
    settings = {"SHARE_ENV_ALLOWED_USERS": "U0BOB", "POLICY_FILE": "old.toml"}
    code, out, _ = run(environ=settings, file="new.toml")
    assert (code, out.splitlines()[0]) == (0, "✅ policy-file: new.toml: rules: 1")


@pytest.mark.parametrize("file", ["", " "])
def test_an_empty_file_name_is_refused_and_no_other_file_is_used(run: Run, file: str) -> None:
    error = "FILE is empty. Name the policy file, or leave FILE out.\n"
    assert run(ALLOW, {"SHARE_ENV_ALLOWED_USERS": "U0BOB"}, file=file) == (2, "", error)


def test_a_policy_file_together_with_the_allowed_lists_is_wrong(run: Run) -> None:
    code, out, _ = run(ALLOW, {"SHARE_ENV_ALLOWED_USERS": "U0BOB"})
    assert code == 1
    assert "❌ policy-file: There is a policy file (policy.toml) and there are SHARE_ENV" in out
    assert "✅ policy-file" not in out


def test_a_folder_in_place_of_a_file_is_reported_with_the_fix(run: Run) -> None:
    fix = "Put it there, let the bot's user read it (the unit hides /home), or correct the path."
    said = f"The policy file “.” cannot be read: Is a directory. {fix}\n"
    assert run(file=".") == (2, "", said)


@pytest.mark.parametrize("file", [None, "nowhere.toml", f"{'x' * 5000}.toml"])
def test_without_any_policy_the_exit_code_is_2(run: Run, file: str | None) -> None:
    code, out, err = run(file=file)
    assert (code, out) == (2, "")
    assert err.endswith("correct the path.\n" if file else "or SHARE_ENV_ALLOWED_GROUPS.\n")


@pytest.mark.parametrize(
    ("question", "errors"),
    [
        ({"env": "prod-1"}, ["--user: it is missing. Add it.", "--appid: it is missing. Add it."]),
        (
            about("prod-1", user="*"),
            ["--user: “*” is not a user id. Copy it from the person's Slack profile: U…."],
        ),
        ({"user": "U0ANN", "appid": A}, ["--env: it is missing. Add it."]),
        (
            about("prod_1", user="ann", groups=["ops"], channel="#ops", appid="wx1"),
            [
                "--user: “ann” is not a user id. Copy it from the person's Slack profile: U….",
                "--group: “ops” is not a user group id. Copy it from the group's address: S….",
                "--channel: “#ops” is not a channel id. Copy it from the channel's details: C….",
                "--appid: “wx1” is not an appid. Write wx and 16 digits or letters a to f.",
                "--env: “prod_1” cannot be an env. Write its id: letters, digits and dashes, 64 at most.",
            ],
        ),
    ],
)
def test_an_invalid_question_is_corrected_and_the_exit_code_is_2(
    run: Run, question: dict[str, object], errors: list[str]
) -> None:
    code, out, err = run(FILE, **question)
    assert (code, out, err.splitlines()) == (2, "", errors)


def lines(out: str) -> list[str]:
    return [line.strip() for line in out.splitlines()]


def test_an_answer_has_the_bots_decision_and_how_each_rule_matches(run: Run) -> None:
    code, out, err = run(FILE, **about("prod-1", groups=["S0OPS"], channel="C0OPS"))
    assert (code, err) == (0, "")
    assert lines(out) == [
        "U0ANN of S0OPS, in C0OPS",
        f"/share-env why {A} prod-1",
        f"│ ✅ You may share prod-1 with {A} from here. Rule “ops” allows it.",
        "│ The rules about this, in order; the first that matches decides",
        "│ • “ops”: it matches, and allows it",
        f"Owner: {OWNER}, whose token is used",
        "All rules, in order; the first that matches decides:",
        "1. “no live”: it is about other envs (live-*)",
        "2. “ops”: it matches, and allows it",
        "3. “core”: it is about other envs (core-*)",
        "4. “tests”: it is about other envs (test-*)",
    ]


def test_a_denial_has_what_would_be_sufficient_and_who_can_grant_it(run: Run) -> None:
    _, out, _ = run(FILE, **about("prod-1", groups=["S0OTHER"], channel="C0OPS"))
    assert lines(out)[2:6] == [
        f"│ 🚫 You may not share prod-1 with {A}. No rule lets you do that.",
        "│ The rules about this, in order; the first that matches decides",
        "│ • “ops”: you are not among its users and groups",
        "│ Who can grant it: Ann.",
    ]
    assert "2. “ops”: it is for members of S0OPS" in lines(out)
    assert "--group" not in out


def test_an_answer_without_groups_says_on_which_ones_it_depends(run: Run) -> None:
    _, out, _ = run(FILE, **about("prod-1"))
    assert out.startswith("U0ANN, no channel given\n")
    assert out.endswith(
        "\nWho is in a group cannot be read here. If U0ANN is in S0OPS, say so with --group.\n"
    )
    _, out, _ = run(FILE, **about("prod-1", groups=["S0OPS"]))
    assert out.endswith("(test-*)\n")
    _, out, _ = run(ALLOW, **about("prod-1"))
    assert "--group" not in out


def test_an_answer_says_how_many_have_to_agree_who_is_mentioned_and_who_is_asked_later(
    run: Run,
) -> None:
    plain = 'approvers = { users = ["U0BOB"], groups = ["S0LEADS"],'
    assert plain in FILE
    several = (
        'approvers = { all_of = [{ users = ["U0BOB"] }, { groups = ["S0LEADS"] }], notify = {}, '
        'escalate = { after = "30m", groups = ["S0ONCALL"], channel = "C0ONCALL" },'
    )
    _, out, _ = run(FILE.replace(plain, several), **about("core-1"))
    assert "once you have confirmed it and 2 approvers have agreed." in lines(out)[2]
    assert lines(out)[6:9] == [
        "Have to agree: 1 of U0BOB, and 1 of S0LEADS",
        "Mentioned: nobody",
        "After 30m also: S0ONCALL; asked in C0ONCALL",
    ]
    _, out, _ = run(
        FILE.replace(plain, several.replace("{}", '{ users = ["U0CAT"] }')), **about("core-1")
    )
    assert "Mentioned: U0CAT" in lines(out)


def test_an_answer_says_what_has_to_happen_before_the_share(run: Run) -> None:
    _, out, _ = run(FILE, **about("core-1"))
    first, approvers = lines(out)[2], lines(out)[5]
    assert first.endswith(
        "Rule “core” allows it once you have confirmed it and an approver has agreed."
    )
    assert approvers == "Approvers: U0BOB, S0LEADS; asked in C0LEADS, for 90m"
    _, out, _ = run(
        FILE.replace('confirm = true\neffect = "approve', 'effect = "approve').replace("90m", "2d"),
        **about("core-1"),
    )
    assert lines(out)[5].endswith("; asked in C0LEADS, for 48h")
    assert "allows it once an approver has agreed." in out
    _, out, _ = run(FILE, **about("test-1", guest=True))
    assert out.startswith("U0ANN, a guest, no channel given\n")
    assert "Rule “tests” allows it once you have confirmed it." in out


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (
            "2026-12-24T12:00:00Z",
            f"You may not share prod-1 with {A} now. A freeze is on: “end of the year”. It ends 20",
        ),
        (
            "2026-12-24T23:00:00Z",
            "it does not apply at this hour, but from 2026-12-25 09:00 UTC on",
        ),
        ("2026-12-24T23:00:00Z", "1. “rule 1”: it is only for 09:00-18:00 UTC"),
        ("2026-12-25T10:00:00+01:00", "Rule “rule 1” allows it."),
    ],
)
def test_an_answer_is_for_the_time_asked_about(run: Run, at: str, said: str) -> None:
    text = ALLOW + 'hours = "09:00-18:00 UTC"\n'
    text += freeze("2026-12-24T09:00:00Z", "2026-12-24T23:00:00Z")
    code, out, _ = run(text, **about("prod-1", at=at))
    assert code == 0
    assert said in out


def test_a_time_without_its_offset_is_a_mistake(run: Run) -> None:
    _, _, err = run(ALLOW, **about("prod-1", at="2026-12-24 12:00"))
    assert err == (
        "--at: “2026-12-24 12:00:00” is no date-time with its offset. "
        "Write it as 2026-12-24T18:00:00+08:00, without quotes.\n"
    )


def test_an_answer_says_if_no_owner_is_known(run: Run) -> None:
    _, out, _ = run(ALLOW, **about("prod-1"))
    assert "Owner: none is known here, so nothing is shared. Add an [[owner]], or set WECHAT" in out


def test_an_answer_by_a_policy_that_the_bot_would_refuse_says_so_first(run: Run) -> None:
    test = f'[[test]]\nuser = "U0ANN"\nappid = "{A}"\nenv = "live-1"\nexpect = "allow"\n'
    code, out, _ = run(FILE + test, **about("test-1"))
    assert code == 1
    assert out.startswith("❌ policy-tests: policy.toml: test 1: ")
    assert "once you have confirmed it." in out
    code, out, err = run("rule = 1", **about("test-1"))
    assert (code, out, err[:38]) == (2, "", "policy.toml: rule: it must be a list. ")


def test_a_full_stop_in_a_name_does_not_end_the_finding(run: Run) -> None:
    rule = ALLOW + 'name = "Dr. House team"\n'
    test = f'[[test]]\nuser = "U0ANN"\nappid = "{A}"\nenv = "a-1"\nexpect = "deny"\n'
    _, out, _ = run(rule + test)
    asked = f"policy.toml: test 1: U0ANN with {A} and a-1"
    found = f"{asked} should get “deny” but gets “allow” (rule “Dr. House team”)"
    assert f": {found}\n   → Correct the rules or the test.\n" in out


async def test_the_command_runs_without_any_setting(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(FILE + TESTS, encoding="utf-8")
    code, out, err = await finished({}, tmp_path, "policy")
    assert (code, err) == (0, "")
    assert out.startswith("✅ policy-file: policy.toml: rules: 4\n")
    (tmp_path / "bad.toml").write_text("rule = 1", encoding="utf-8")
    code, out, err = await finished({}, tmp_path, "policy", "bad.toml")
    assert (code, out, err[:10]) == (2, "", "bad.toml: ")
    code, out, err = await finished({}, tmp_path, "policy", "--user", "U0ANN", "--env", "x")
    assert (code, out, err) == (2, "", "--appid: it is missing. Add it.\n")


async def test_the_page_about_policies_shows_what_it_prints(tmp_path: Path) -> None:
    (sample,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "policy.toml").write_text(sample, encoding="utf-8")
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    for block in shown.split("$ share-env-bot ")[1:]:
        command, _, expected = block.partition("\n")
        _, out, err = await finished({}, tmp_path, *command.split())
        assert (out.strip(), err) == (expected.strip(), "")


@pytest.mark.parametrize("asked", [{}, {"user": "U0ANN", "appid": A, "env": "prod-1"}])
def test_control_characters_in_the_file_do_not_reach_the_terminal(
    run: Run, asked: dict[str, str]
) -> None:
    name = r'name = "x\u001b[2K\u202ey\u200b"'
    _, out, _ = run(f"{ALLOW}{name}\n{ALLOW}", {"WECHAT_AUTHORIZER_APPID": OWNER}, **asked)
    assert r"“x\x1b[2K\u202ey\u200b”" in out
    assert all(line.replace("\ufe0f", "").isprintable() for line in out.splitlines())
