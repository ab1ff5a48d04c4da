"""The secrets that a running bot takes up when its settings are read again; all other settings need a restart."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
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
    of_slack = Secrets(slack.bot_token, slack.signing_secret or "")
    if not isinstance(tokens, PlatformSettings):
        return of_slack
    return replace(
        of_slack,
        appsecret=tokens.appsecret,
        message_tokens=tokens.message_tokens,
        encoding_aes_keys=tokens.encoding_aes_keys,
    )


@dataclass(slots=True, eq=False)
class SecretsInForce:
    """The one place that holds these secrets while the bot runs; who uses one reads it here at each use."""

    secrets: Secrets


@dataclass(frozen=True, slots=True)
class Reread:
    """How the settings of a process can be read again: `read` does that, whenever `requested` is set, and may hang.

    `environ` is what was read at the start; `hide` hides secrets in the log.
    """

    read: Callable[[], Awaitable[Mapping[str, str]]]
    environ: Mapping[str, str] = field(repr=False)
    hide: Callable[[Iterable[str]], None]
    requested: asyncio.Event = field(default_factory=asyncio.Event)


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of the settings that differ between two environments."""
    old, new = Reader(before), Reader(after)
    return [name for name in NAMES if old.text(name) != new.text(name)]


def with_reloadable(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Return the environment `before` with the reloadable secrets of `after`."""
    return {**before, **{name: after.get(name, "") for name in RELOADABLE}}
