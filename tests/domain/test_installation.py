import pytest

from bot.domain.installation import Installation


@pytest.mark.parametrize(
    ("installed_in", "workspace", "serves"),
    [
        ("T1", "T1", True),
        ("T1", "T2", False),
        ("T1", "", False),
        ("E1", "T1", True),
        ("E1", "T2", True),
        ("E1", "", False),
        ("", "T1", False),
    ],
)
def test_a_workspace_serves_itself_and_an_organisation_each_of_its_workspaces(
    installed_in: str, workspace: str, *, serves: bool
) -> None:
    assert Installation(installed_in).serves(workspace) is serves
