"""A request: one ask to share one env with one appid, and where it came from."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked, where, and how an answer can get back there."""

    team_id: str
    user_id: str
    channel_id: str
    channel_name: str
    trigger_id: str
    response_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One ask that the policy has let through; `rule` is the name of the rule that did."""

    id: str
    origin: Origin
    appid: str
    env: str
    owner: str
    rule: str
    reason: str | None = None
