"""The stand-in of an app that is installed for an organisation."""

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.loopback import JsonObject
from bot.playground.slack.payloads import interaction
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.server import LocalSlack
from bot.playground.world import HARBOUR, ORG, ORGANISATION, TEAM, World
from tests.conftest import REQUESTER
from tests.playground.conftest import error_of


@pytest.fixture
def world() -> World:
    return ORGANISATION


async def test_auth_test_returns_the_organisation_and_its_workspaces_are_listed(
    api: AsyncWebClient,
) -> None:
    answer = await api.auth_test()
    assert (answer["team_id"], answer["enterprise_id"]) == (ORG, ORG)
    assert answer["is_enterprise_install"]
    listed = (await api.auth_teams_list())["teams"]
    assert [each["id"] for each in listed] == [TEAM, HARBOUR]


async def test_groups_are_listed_by_workspace(api: AsyncWebClient) -> None:
    assert await error_of(api.usergroups_list()) == "missing_argument"
    assert await error_of(api.usergroups_list(team_id="T0NOWHERE")) == "invalid_team"
    listed = (await api.usergroups_list(team_id=HARBOUR))["usergroups"]
    assert [each["id"] for each in listed] == ["S0HARBOUR"]


async def test_a_person_acts_in_the_workspace_that_they_have_open(slack: LocalSlack) -> None:
    def at() -> JsonObject:
        body = interaction(slack, "block_actions", REQUESTER)
        return {name: body[name] for name in ("team", "enterprise")}

    organisation: JsonObject = {"id": ORG, "name": "made-up"}
    first: JsonObject = {"id": TEAM, "domain": "playground"}
    assert at() == {"team": first, "enterprise": organisation}
    slack.switch(REQUESTER, HARBOUR)
    second: JsonObject = {"id": HARBOUR, "domain": "harbour"}
    assert at() == {"team": second, "enterprise": organisation}
    assert interaction(slack, "shortcut", REQUESTER)["team"] is None
    with pytest.raises(ImpossibleError, match="U0SECOND is not in the workspace"):
        slack.switch("U0SECOND", HARBOUR)


async def test_only_people_of_a_workspace_enter_its_public_channels(slack: LocalSlack) -> None:
    port = slack.channels["C0HARBOUR"]
    assert slack.enters("U0HARBOUR", port)
    assert not slack.enters("U0SECOND", port)
