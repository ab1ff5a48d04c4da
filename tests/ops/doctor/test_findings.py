"""How the doctor reports several findings with one cause."""

import json
from dataclasses import replace

import pytest

from bot.domain.finding import Finding, Problem, ok, unchecked, warning, wrong
from bot.ops.doctor.findings import (
    by_cause,
    in_the_way,
    print_as_json,
    print_by_cause,
    with_true_causes,
)

DOWN = "Slack cannot be reached"
SETTINGS = wrong("settings", "SLACK_BOT_TOKEN is missing", "Copy it.")
SLACK = wrong("slack-bot", DOWN, "Check the network.")
APP = wrong("slack-app", DOWN, "Check the network.")
SCOPES = unchecked("slack-scopes", "Slack did not say", "slack-bot")
CONNECTIONS = unchecked("slack-connections", "not asked", "slack-app")
WECHAT = ok("wechat", "it takes the token")
CLOCK = unchecked("clock", "no server told the time", "slack-bot", "wechat")


def lines(capsys: pytest.CaptureFixture[str], *findings: Finding) -> list[str]:
    assert print_by_cause(findings) == all(f.level != "wrong" for f in findings)
    return capsys.readouterr().out.splitlines()


def test_skipped_checks_are_counted_with_their_cause_and_the_first_fix_is_printed_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lines(capsys, SLACK, SCOPES, APP, CONNECTIONS, WECHAT, CLOCK) == [
        "❌ slack-bot, slack-app: Slack cannot be reached",
        "   → Check the network.",
        "   Not checked because of slack-bot, slack-app: slack-scopes, slack-connections,",
        "   clock",
        "✅ wechat: it takes the token",
        "",
        "Wrong: 1, warnings: 0, fine: 1, not checked: 3.",
        "Do this first, for slack-bot, slack-app: Slack cannot be reached. Check the",
        "network.",
    ]


def test_a_check_that_depends_on_a_skipped_one_has_the_original_cause() -> None:
    bot = unchecked("slack-bot", "the token is not usable", "settings")
    (printed,) = by_cause([SETTINGS, bot, SCOPES])
    assert (printed.finding.found, printed.unchecked) == (
        SETTINGS.found,
        ["slack-bot", "slack-scopes"],
    )


def test_what_a_check_finds_or_leaves_out_several_times_is_printed_once() -> None:
    (printed,) = by_cause([SLACK, SLACK, SCOPES, SCOPES])
    assert (printed.names, printed.unchecked) == (["slack-bot"], ["slack-scopes"])


def test_of_several_wrong_settings_the_last_one_names_the_skipped_checks() -> None:
    other = wrong("settings", "PORT is “0”", "Set it.")
    bot = unchecked("slack-bot", "the token is not usable", "settings")
    printed = by_cause([SETTINGS, other, bot])
    assert [each.unchecked for each in printed] == [[], ["slack-bot"]]


def test_what_one_of_several_wrong_settings_explains_is_not_said_of_the_last_but_of_the_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nobody = wrong("settings", "Nobody may share anything yet", "Write a policy.toml.")
    bot = unchecked("slack-bot", "the token is not usable", "settings")
    gone = wrong("policy-owners", "nobody owns prod-1", "Add it.", "settings")
    assert lines(capsys, SETTINGS, nobody, bot, gone)[2:6] == [
        "❌ settings: Nobody may share anything yet",
        "   → Write a policy.toml.",
        "   policy-owners, because of settings: nobody owns prod-1",
        "   Not checked because of settings: slack-bot",
    ]


def test_of_a_check_with_a_wrong_and_a_doubtful_finding_the_wrong_one_is_the_cause() -> None:
    loose = warning("settings", "others may read .env", "Run chmod 600 .env.")
    bot = unchecked("slack-bot", "the token is not usable", "settings")
    printed = by_cause([SETTINGS, loose, bot])
    assert [(each.finding, each.unchecked) for each in printed] == [
        (replace(SETTINGS, name=""), ["slack-bot"]),
        (replace(loose, name=""), []),
    ]


def test_a_consequence_is_printed_with_its_cause_and_makes_it_as_bad(
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty = warning("slack-groups", "without members: S0X", "Add people.")
    nobody = wrong("policy-approvers", "nobody can approve", "Name some.", "slack-groups")
    assert lines(capsys, empty, nobody, WECHAT) == [
        "❌ slack-groups: without members: S0X",
        "   → Add people.",
        "   policy-approvers, because of slack-groups: nobody can approve",
        "✅ wechat: it takes the token",
        "",
        "Wrong: 1, warnings: 0, fine: 1.",
        "Do this first, for slack-groups: without members: S0X. Add people.",
    ]
    assert [each.fix for each in with_true_causes([empty, nobody])] == [
        "Add people.",
        "Correct `slack-groups` first, then run the doctor again.",
    ]


def test_a_finding_whose_possible_cause_is_fine_is_printed_alone() -> None:
    groups = ok("slack-groups", "@platform")
    nobody = wrong("policy-approvers", "nobody can approve", "Name some.", "slack-groups")
    assert with_true_causes([groups, nobody]) == [groups, nobody]
    assert [each.names for each in by_cause([groups, nobody])] == [
        ["policy-approvers"],
        ["slack-groups"],
    ]


def test_a_check_that_was_not_made_is_not_a_cause() -> None:
    late = wrong("deliveries", "refused as stale", "Set the clock.", "clock")
    printed = by_cause([late, CLOCK])
    assert [each.names for each in printed] == [["deliveries"], ["clock"]]


def test_of_findings_that_may_each_explain_the_other_none_is_lost() -> None:
    one = wrong("one", "no token", "Renew it.", "other")
    other = wrong("other", "the call was refused", "Allow it.", "one")
    last = unchecked("last", "not asked", "one")
    printed = by_cause([one, other, last])
    assert [(each.names, each.finding.found) for each in printed] == [
        (["other"], other.found),
        (["one"], one.found),
    ]
    assert [name for each in printed for name in each.unchecked] == ["last"]


def test_a_finding_that_is_fine_is_never_a_cause() -> None:
    good = ok("slack-bot", "auth.test: share-env")
    _, scopes, _, clock = with_true_causes([good, SCOPES, WECHAT, CLOCK])
    assert {scopes.fix, clock.fix} == {"Run the doctor again."}
    assert [each.unchecked for each in by_cause([good, scopes, WECHAT, clock])] == [[]] * 4


def test_findings_that_are_fine_are_never_combined(capsys: pytest.CaptureFixture[str]) -> None:
    fine = [ok(name, "the policy names none") for name in ("slack-groups", "slack-people")]
    assert lines(capsys, *fine) == [
        "✅ slack-groups: the policy names none",
        "✅ slack-people: the policy names none",
        "",
        "Wrong: 0, warnings: 0, fine: 2.",
    ]


def test_a_warning_is_the_first_fix_only_if_nothing_is_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loose = warning("ledger", "others may read it", "Run chmod.")
    fix = "Do this first, for slack-bot: Slack cannot be reached. Check the network."
    assert lines(capsys, loose, SLACK)[-1] == fix
    assert lines(capsys, loose)[-1] == "Do this first, for ledger: others may read it. Run chmod."


def test_the_worst_comes_first_and_what_is_fine_comes_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loose = warning("settings", "others may read .env", "Run chmod.")
    assert [line[:4] for line in lines(capsys, WECHAT, loose, SLACK) if line[:3].strip()][:3] == [
        "❌ sl",
        "⚠️ s",
        "✅ we",
    ]


def test_servers_that_cannot_be_reached_for_one_reason_are_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    way = Problem("the proxy http://p takes no connection", "Correct HTTPS_PROXY.")
    found = [
        in_the_way("slack-bot", "Slack", way),
        in_the_way("slack-app", "Slack", way),
        in_the_way("wechat", "WeChat", way),
        in_the_way("wechat", "WeChat", Problem("the name is not found", "Check the DNS.")),
    ]
    assert lines(capsys, *found)[:3] == [
        "❌ slack-bot, slack-app, wechat: Slack and WeChat cannot be reached: the proxy",
        "   http://p takes no connection",
        "   → Correct HTTPS_PROXY.",
    ]
    assert [each.unreached for each in by_cause(found)] == [["Slack", "WeChat"], ["WeChat"]]
    assert print_as_json(found) is False
    assert [each["found"][:24] for each in json.loads(capsys.readouterr().out)] == [
        *["Slack cannot be reached:"] * 2,
        *["WeChat cannot be reached"] * 2,
    ]
