"""The doctor where the app is installed for an organisation."""

from dataclasses import replace

import pytest

from bot.playground.faults import Code
from bot.playground.slack.server import LocalSlack
from bot.playground.world import HARBOUR, ORGANISATION, TEAM, World
from tests.ops.doctors import finding_of, findings_of, judged

GROUPS = "SHARE_ENV_ALLOWED_GROUPS"


@pytest.fixture
def world() -> World:
    return ORGANISATION


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The settings, with the group as an organisation knows it."""
    return environ | {GROUPS: f"{HARBOUR}/S0HARBOUR"}


async def test_the_organisation_and_its_workspaces_with_the_app_are_reported(
    environ: dict[str, str],
) -> None:
    who = await finding_of(environ, "slack-bot")
    assert who.found == "auth.test: share-env in the organisation seaside"
    where = f"{HARBOUR} harbour, {TEAM} playground"
    assert await judged(environ, "slack-workspaces") == ("ok", where)
    assert await judged(environ, "slack-groups") == ("ok", f"{HARBOUR}/S0HARBOUR")


async def test_an_app_that_no_workspace_has_is_a_mistake(
    environ: dict[str, str], slack: LocalSlack
) -> None:
    assert ORGANISATION.organisation
    slack.world = replace(
        ORGANISATION, organisation=replace(ORGANISATION.organisation, workspaces={})
    )
    found = await finding_of(environ, "slack-workspaces")
    assert (found.level, found.found) == (
        "wrong",
        "the app is installed for the organisation, but in none of its workspaces",
    )


async def test_a_workspace_without_the_app_in_the_policy_is_named(environ: dict[str, str]) -> None:
    environ |= {GROUPS: f"{HARBOUR}/S0HARBOUR, T0NOWHERE/S0X"}
    found = "the policy names workspaces without the app: T0NOWHERE"
    assert await judged(environ, "slack-workspaces") == ("wrong", found)
    assert await judged(environ, "slack-groups") == ("wrong", "do not exist: T0NOWHERE/S0X")


async def test_workspaces_that_slack_does_not_list_are_not_checked(
    environ: dict[str, str], slack: LocalSlack
) -> None:
    slack.fail("auth.teams.list", Code("internal_error"))
    (found,) = await findings_of(environ, "slack-workspaces")
    assert "does not list" in found.found


async def test_a_group_without_its_workspace_is_named(environ: dict[str, str]) -> None:
    environ |= {GROUPS: f"S0PLATFORM, {HARBOUR}/S0HARBOUR"}
    found = "named without their workspace: S0PLATFORM"
    assert await judged(environ, "slack-groups") == ("wrong", found)


@pytest.mark.parametrize(
    ("group", "found"),
    [
        ("S0PLATFORM", None),
        (f"{TEAM}/S0PLATFORM", ("ok", TEAM)),
        (
            f"{HARBOUR}/S0PLATFORM",
            ("wrong", f"the policy names workspaces without the app: {HARBOUR}"),
        ),
    ],
)
async def test_where_the_app_has_one_workspace_that_is_the_only_one_to_name(
    environ: dict[str, str], slack: LocalSlack, group: str, found: tuple[str, str] | None
) -> None:
    slack.world = World()
    environ |= {GROUPS: group}
    findings = await findings_of(environ, "slack-workspaces")
    assert [(each.level, each.found) for each in findings] == ([found] if found else [])
    exists = found is None or found[0] == "ok"
    groups = ("ok", group) if exists else ("wrong", f"do not exist: {group}")
    assert await judged(environ, "slack-groups") == groups
