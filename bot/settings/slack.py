"""The settings for reaching Slack; each token is checked for its kind."""

from dataclasses import dataclass, field

from bot.settings import table
from bot.settings.environ import Reader
from bot.settings.pasted import kind_of


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """How to reach Slack: Socket Mode with an app token, else HTTP with a signing secret."""

    bot_token: str = field(repr=False)
    app_token: str | None = field(repr=False)
    signing_secret: str | None = field(repr=False)
    api_url: str

    def secrets(self) -> list[str | None]:
        """Return the secrets."""
        return [self.bot_token, self.app_token, self.signing_secret]


def read_slack(read: Reader) -> SlackSettings | None:
    """Return how to reach Slack; None without a bot token or with a wrong URL, to which no token may be sent."""
    bot, app = table.SLACK_BOT_TOKEN.value(read), table.SLACK_APP_TOKEN.value(read)
    secret = table.SLACK_SIGNING_SECRET.value(read)
    if not bot:
        read.problems.append(
            "SLACK_BOT_TOKEN is missing. Copy the bot token (xoxb-…) from your Slack app's page "
            "“OAuth & Permissions”."
        )
    elif not bot.startswith(("xoxb-", "xoxe.xoxb-")):
        read.problems.append(
            f"SLACK_BOT_TOKEN holds {kind_of(bot)}. Put the bot token (xoxb-…) there; it is on your "
            "Slack app's page “OAuth & Permissions”."
        )
    if app and not app.startswith("xapp-"):
        read.problems.append(
            f"SLACK_APP_TOKEN holds {kind_of(app)}. Put the app-level token (xapp-…) there; it is on your "
            "Slack app's page “Basic Information”."
        )
    if not app and not secret:
        read.problems.append(
            "SLACK_APP_TOKEN is missing. Set it to an app-level token (xapp-…) for Socket Mode, or set "
            "SLACK_SIGNING_SECRET for HTTP mode; both are on your Slack app's page “Basic Information”."
        )
    if secret and secret.startswith(("xox", "xapp-")):
        read.problems.append(
            f"SLACK_SIGNING_SECRET holds {kind_of(secret)}. Copy the signing secret from your Slack app's "
            "page “Basic Information”."
        )
    api_url = read.unless_wrong(lambda: table.SLACK_API_URL.value(read).rstrip("/") + "/")
    return SlackSettings(bot, app, secret, api_url) if bot and api_url else None
