"""What the app is installed in: one workspace, or an organisation of Enterprise Grid with several."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Installation:
    """The workspace (“T…”) or organisation (“E…”) of the bot token, as auth.test names it.

    Source: slackapi/java-slack-sdk, whose recorded auth.test of an organisation has it in `team_id`.
    """

    id: str

    @property
    def is_wide(self) -> bool:
        """Whether it is an organisation."""
        return self.id.startswith("E")

    def serves(self, workspace: str) -> bool:
        """Return whether somebody in this workspace may use it; of an organisation's, Slack delivers nothing of others."""
        return workspace.startswith("T") if self.is_wide else workspace == self.id
