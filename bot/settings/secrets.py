"""The secrets that a running bot takes up when its settings are read again; all other settings need a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.settings.access import PlatformSettings, SlackSettings, TokenSettings
from bot.settings.environ import Reader
from bot.settings.table import NAMES, Table

RELOADABLE = tuple(
    setting.name
    for setting in (
        Table.SLACK_BOT_TOKEN,
        Table.SLACK_SIGNING_SECRET,
        Table.WECHAT_COMPONENT_APPSECRET,
        Table.WECHAT_MESSAGE_TOKEN,
        Table.WECHAT_MESSAGE_TOKEN_PREVIOUS,
        Table.WECHAT_ENCODING_AES_KEY,
        Table.WECHAT_ENCODING_AES_KEY_PREVIOUS,
    )
)
"""The settings of these secrets."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The values of these secrets; those that are not set, or belong to another token source, are empty."""

    bot_token: str = field(repr=False)
    signing_secret: str = field(repr=False)
    appsecret: str = field(default="", repr=False)
    message_tokens: tuple[str, ...] = field(default=(), repr=False)
    encoding_aes_keys: tuple[str, ...] = field(default=(), repr=False)

    def on(self, platform: PlatformSettings) -> PlatformSettings:
        """Return a platform's settings with these secrets."""
        return replace(
            platform,
            appsecret=self.appsecret,
            message_tokens=self.message_tokens,
            encoding_aes_keys=self.encoding_aes_keys,
        )


def secrets_of(slack: SlackSettings, tokens: TokenSettings) -> Secrets:
    """Return the secrets in the settings."""
    bot_token, signing_secret = slack.bot_token, slack.signing_secret or ""
    match tokens:
        case PlatformSettings() as its:
            return Secrets(
                bot_token,
                signing_secret,
                its.appsecret,
                its.message_tokens,
                its.encoding_aes_keys,
            )
        case _:
            return Secrets(bot_token, signing_secret)


class SecretsInForce:
    """The one place that holds these secrets while the bot runs; who uses one reads it here at each use."""

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets

    def swap(self, secrets: Secrets) -> None:
        """Put other secrets into force."""
        self.secrets = secrets


@dataclass(frozen=True, slots=True)
class Changes:
    """The names of the settings that changed: those that can be taken up, and those that need a restart."""

    reloadable: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.reloadable + self.others


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """Return what changed between two environments."""
    old, new = Reader(before), Reader(after)
    names = [name for name in NAMES if old.text(name) != new.text(name)]
    return Changes(
        tuple(name for name in names if name in RELOADABLE),
        tuple(name for name in names if name not in RELOADABLE),
    )


def with_reloadable(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Return the environment `before` with the reloadable secrets of `after`."""
    kept = {name: value for name, value in before.items() if name not in RELOADABLE}
    return kept | {name: after[name] for name in RELOADABLE if name in after}
