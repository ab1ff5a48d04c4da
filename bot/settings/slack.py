"""The settings for reaching Slack."""

from dataclasses import dataclass, field

from bot.settings.environ import Reader
from bot.settings.table import Table


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """How to reach Slack: Socket Mode with an app token, else HTTP with a signing secret."""

    bot_token: str = field(repr=False)
    app_token: str | None = field(repr=False)
    signing_secret: str | None = field(repr=False)
    api_url: str


def read_slack(read: Reader) -> SlackSettings | None:
    """Return how to reach Slack; None without a bot token or with a wrong URL, to which no token may be sent."""
    bot = Table.SLACK_BOT_TOKEN.value(read)
    if not bot:
        fix = "Copy the bot token (xoxb-…) from your Slack app's page “OAuth & Permissions”."
        read.wrong("SLACK_BOT_TOKEN is missing", fix)
    app, secret = Table.SLACK_APP_TOKEN.value(read), Table.SLACK_SIGNING_SECRET.value(read)
    if not app and not secret:
        read.wrong(
            "SLACK_APP_TOKEN is missing",
            "Set it to an app-level token (xapp-…) for Socket Mode, or set SLACK_SIGNING_SECRET for HTTP mode; "
            "both are on your Slack app's page “Basic Information”.",
        )
    api_url = read.unless_wrong(lambda: Table.SLACK_API_URL.value(read).rstrip("/") + "/")
    return SlackSettings(bot, app, secret, api_url) if bot and api_url else None
