"""The policies that operators put into force while the world runs; each is a file for the bot and for the oracle."""

from bot.playground.world import HARBOUR, OWNER, TEAM

OTHER_OWNER = "wx00000000000be7a0"
_OWNERS = f"""
contact = "the platform team"
[[owner]]
appid = "{OTHER_OWNER}"
envs = ["beta-*"]
[[owner]]
appid = "{OWNER}"
envs = ["*"]
"""
_MOVED = _OWNERS.replace('"beta-*"', '"nobody-*"')
_OPERATORS = '[operators]\nusers = ["U0APPROVER2"]\n'
_FREEZE = '[[rule]]\nname = "freeze"\nusers = ["*"]\neffect = "deny"\n'
_LIVE = """
[[rule]]
name = "live envs"
groups = ["S0PLATFORM"]
envs = ["live-*"]
effect = "allow"
confirm = true
"""
_CORE = """
[[rule]]
name = "core envs"
groups = ["S0PLATFORM", "S0APPROVERS"]
envs = ["core-*"]
effect = "approve"
approvers = { groups = ["S0APPROVERS"], channel = "C0APPROVALS", expires = "1h" }
"""
_QUICK_CORE = _CORE.replace('"1h"', '"1m"')
_PRIVATE_CORE = _CORE.replace("C0APPROVALS", "C0LOUNGE")  # without the bot
_TEAM = """
[[rule]]
name = "platform team"
groups = ["S0PLATFORM"]
users = ["U0CHINESE"]
effect = "allow"
"""
_STRICT_TEAM = """
[[rule]]
name = "platform team"
groups = ["S0PLATFORM"]
users = ["U0CHINESE"]
effect = "approve"
approvers = { users = ["U0SECOND", "U0REQUESTER"], channel = "C0APPROVALS", expires = "30m" }
"""
_TICKET = 'require_reason = true\nreason_pattern = "OPS-[0-9]+"\n'
_TESTERS = """
[[rule]]
name = "testers"
users = ["U0SECOND"]
channels = ["C0RELEASES", "C0SECRET"]
envs = ["test-*"]
effect = "allow"
"""

USUAL = _OWNERS + _OPERATORS + _LIVE + _CORE + _TEAM + _TESTERS
CHANGES = {
    "the usual": USUAL,
    "a freeze": _OWNERS + _OPERATORS + _FREEZE + _LIVE + _CORE + _TEAM + _TESTERS,
    "approvals for the team": _OWNERS + _OPERATORS + _LIVE + _CORE + _STRICT_TEAM + _TESTERS,
    "approvers in private": _OWNERS + _OPERATORS + _LIVE + _PRIVATE_CORE + _TEAM + _TESTERS,
    "quick approvals": _OWNERS + _OPERATORS + _LIVE + _QUICK_CORE + _TEAM + _TESTERS,
    "beta envs moved": _MOVED + _OPERATORS + _LIVE + _CORE + _TEAM + _TESTERS,
    "no testers": _OWNERS + _OPERATORS + _LIVE + _CORE + _TEAM,
}
"""What operators change, in most profiles."""
FREEZES = ((160, 190), (220, 250))
"""Seconds after the beginning of a run, at 14:30 UTC on a Monday; no policy of before counts any more by then."""
_FREEZES = "".join(
    f"""
[[freeze]]
from = 2026-09-21T14:{30 + begin // 60}:{begin % 60:02}Z
until = 2026-09-21T14:{30 + end // 60}:{end % 60:02}Z
envs = ["prod-*", "core-*"]
reason = "release"
except = {{ users = ["U0CHINESE"] }}
"""
    for begin, end in FREEZES
)
_BY_MINUTES = 'hours = "14:30-14:31, 14:32-14:33, 14:34-14:35 UTC"\n'
RULES = {
    "tickets": USUAL.replace(_CORE, _CORE + _TICKET).replace(_TEAM, _TEAM + _TICKET),
}
"""What else a rule can say; in the profile of that name."""
BY_THE_CLOCK = {"by the clock": USUAL + _BY_MINUTES + _FREEZES}
_ASKED = 'approvers = { groups = ["S0APPROVERS"], channel'
_ELSE = 'users = ["U0SECOND", "U0CHINESE"]'
_TWO = f'approvers = {{ approvals = 2, groups = ["S0APPROVERS"], {_ELSE}, channel'
_EACH = f'approvers = {{ all_of = [{{ groups = ["S0APPROVERS"] }}, {{ {_ELSE} }}], channel'
_LATER = f'approvers = {{ approvals = 2, groups = ["S0APPROVERS"], escalate = {{ after = "1m", {_ELSE}, channel = "C0RELEASES" }}, channel'
SEVERAL = {
    "two agree": USUAL.replace(_ASKED, _TWO),
    "one of each agrees": USUAL.replace(_ASKED, _EACH),
    "two agree, or others later": USUAL.replace(_ASKED, _LATER),
}
"""Where several people have to agree; in the profile of approvals."""
_HASTY = 'break_glass = { groups = ["S0PLATFORM"], users = ["U0APPROVER2"] }\n'
_GLASS = USUAL.replace(_CORE, _CORE + _HASTY)
GLASS = {
    "break-glass": _GLASS,
    "break-glass beside freezes": _GLASS + _FREEZES,
    "break-glass where approvers are asked directly": _GLASS.replace("C0APPROVALS", "C0PARTNERS"),
}
"""Where some need not wait for the approvers, if they say why; in the profile of break-glass."""
_WIDE = USUAL.replace('"S0', f'"{TEAM}/S0')
_HARBOUR = f"""
[[rule]]
name = "the harbour"
users = ["U0REQUESTER", "U0APPROVER", "U0HARBOUR"]
workspaces = ["{HARBOUR}"]
envs = ["test-*"]
effect = "allow"
"""
_WIDE_TWO = _WIDE.replace("approvers = {", "approvers = { approvals = 2,") + _HARBOUR
ORGANISATION = {
    "an organisation": _WIDE_TWO,
    "approvers of the second workspace": _WIDE_TWO.replace(
        f'groups = ["{TEAM}/S0APPROVERS"], channel = "C0APPROVALS"',
        f'groups = ["{HARBOUR}/S0HARBOUR"], channel = "C0HARBOUR"',
    ),
}
"""Where two people of an organisation have to agree, who are in one of its workspaces; in the profile of that name."""
POLICIES = CHANGES | RULES | BY_THE_CLOCK | SEVERAL | GLASS | ORGANISATION
MISTAKES: dict[str, str | None] = {
    "no TOML": USUAL + "[[rule",
    "an unknown key": USUAL.replace("confirm = true", "confirmed = true"),
    "a test that fails": USUAL
    + '[[test]]\nuser = "U0STRANGER"\nappid = "wx0000000000000001"\nenv = "prod-1"\nexpect = "allow"\n',
    "nothing": "",
    "no file": None,
}
"""What is refused, so that the policy before it stays in force."""
ENVS = ("prod-1", "test-1", "live-1", "core-1", "beta-1", "core-2")
