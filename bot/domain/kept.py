"""What stays known of a share for ever."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeptShare:
    """A share whose request was deleted, and with it who asked; it ended at this time, in Unix seconds."""

    request: str
    env: str
    appid: str
    owner: str
    ended: float
