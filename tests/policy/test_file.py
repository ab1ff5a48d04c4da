from datetime import timedelta

import pytest

from bot.domain.outcome import Party
from bot.policy.kinds import Approvers, Effect, Operators, Owner, Policy, Rule
from tests.checking import checks
from tests.policy.reading import read_policy

A = "wx5fe6bb43205e9e70"
OWNER = "wx0123456789abcdef"

SAMPLE = """
[[owner]]                                # whose token shares which envs; first match wins, else the default owner
appid = "wx0123456789abcdef"
envs = ["prod-*"]

[[rule]]                                 # first matching rule decides; no match: denied
name = "platform team"
users = ["U012ABCDEF"]                   # who: user ids and user group ids
groups = ["S012ABCDEF"]
channels = ["C012ABCDEF"]                # where from (left out: anywhere)
appids = ["wx*"]                         # what, as globs (left out: any)
envs = ["test-*"]
effect = "approve"                       # allow | approve | deny
confirm = false                          # ask the requester "are you sure?" first
approvers = { users = [], groups = ["S0APPROVER"], channel = "C0APPROVALS", expires = "24h" }

[[test]]                                 # run at every load: a failing test refuses the file
user = "U012ABCDEF"
appid = "wx5fe6bb43205e9e70"
env = "prod-1"
expect = "deny"
"""
RULE = '[[rule]]\nusers = ["U012ABCDEF"]\neffect = "allow"\n'
APPROVE = '[[rule]]\nusers = ["U012ABCDEF"]\neffect = "approve"\n'
NAMED = f'{APPROVE}name = "x"\n'


def policy(text: str) -> Policy:
    read = read_policy(text, None)
    assert isinstance(read, Policy)
    return read


def problems(text: str) -> list[str]:
    read = read_policy(text, None)
    assert isinstance(read, list)
    return read


def test_the_sample_in_the_documentation_is_valid() -> None:
    assert read_policy(SAMPLE, A) == Policy(
        rules=(
            Rule(
                name="platform team",
                effect=Effect.APPROVE,
                users=frozenset({"U012ABCDEF"}),
                groups=frozenset({"S012ABCDEF"}),
                channels=frozenset({"C012ABCDEF"}),
                appids=("wx*",),
                envs=("test-*",),
                approvers=Approvers(
                    frozenset(), frozenset({"S0APPROVER"}), "C0APPROVALS", timedelta(hours=24)
                ),
            ),
        ),
        owners=(Owner(OWNER, ("prod-*",)),),
        default_owner=A,
    )


def test_keys_that_are_left_out_have_their_defaults() -> None:
    assert policy(RULE) == Policy(
        (Rule("rule 1", Effect.ALLOW, users=frozenset({"U012ABCDEF"})),), (), None
    )


def test_every_key_of_a_rule_is_read() -> None:
    text = 'contact = "Ann"\n' + RULE + 'name = "n"\nconfirm = true\nguests = true\n'
    rule = Rule("n", Effect.ALLOW, users=frozenset({"U012ABCDEF"}), confirm=True, guests=True)
    assert policy(text) == Policy((rule,), (), None, "Ann")


def test_rules_without_a_name_are_called_by_their_number() -> None:
    text = RULE + '[[rule]]\nname = "middle"\neffect = "deny"\n' + RULE
    assert [rule.name for rule in policy(text).rules] == ["rule 1", "middle", "rule 3"]


def test_a_star_means_every_user() -> None:
    text = '[[rule]]\nusers = ["*"]\neffect = "allow"\n'
    assert policy(text).rules[0].users == frozenset({"*"})


def test_what_is_listed_twice_counts_once() -> None:
    text = 'operators = { users = ["U0ANN", "U0ANN"] }\n' + RULE + 'channels = ["C1X", "C1X"]\n'
    assert policy(text).operators.users == frozenset({"U0ANN"})
    assert policy(text).rules[0].channels == frozenset({"C1X"})


def test_a_denial_need_not_name_anybody() -> None:
    assert policy('[[rule]]\neffect = "deny"\n').rules == (Rule("rule 1", Effect.DENY),)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("1m", timedelta(minutes=1)),
        ("90m", timedelta(minutes=90)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("9999d", timedelta(days=9999)),
    ],
)
def test_an_approval_expires_after_the_given_span(span: str, expected: timedelta) -> None:
    text = NAMED + f'approvers = {{ users = ["U1X"], channel = "C1X", expires = "{span}" }}\n'
    approvers = policy(text).rules[0].approvers
    assert approvers == Approvers(frozenset({"U1X"}), frozenset(), "C1X", expected)


def test_an_approval_expires_after_a_day_by_default() -> None:
    text = NAMED + 'approvers = { groups = ["S1X"], channel = "C1X" }\n'
    assert policy(text).rules[0].approvers == Approvers(
        frozenset(), frozenset({"S1X"}), "C1X", timedelta(hours=24)
    )


@pytest.mark.parametrize(("line", "expected"), [("", False), ("true", True), ("false", False)])
def test_self_approval_is_off_by_default(line: str, expected: bool) -> None:
    text = NAMED + 'approvers = { users = ["U1X"], channel = "C1X" }\n'
    text += f"self_approval = {line}\n" if line else ""
    assert policy(text).rules[0].self_approval is expected


@pytest.mark.parametrize(
    "span", ['"24"', '"0h"', '"1w"', '"h"', '"1.5h"', '"99999d"', '" 1h"', '"٢h"', '""', "24"]
)
def test_an_invalid_span_is_refused(span: str) -> None:
    text = NAMED + f'approvers = {{ users = ["U1X"], channel = "C1X", expires = {span} }}\n'
    shown = span.strip('"')
    assert problems(text) == [
        (
            f"rule 1, approvers, expires: “{shown}” is not a time span. "
            "Write a number and m, h or d, such as 24h."
        )
    ]


NO_LIST = "it must be a list. Put it in square brackets: […]."
NO_TEXT = "it must be text. Put it in quotes."
EMPTY = "it is empty. Fill it in, or leave the key out."
NO_USER = "is not a user id. Copy it from the person's Slack profile: U…."
NO_GROUP = "is not a user group id. Copy it from the group's address: S…."
NO_CHANNEL = "is not a channel id. Copy it from the channel's details: C…."
NO_APPID = "is not an appid. Write wx and 16 digits or letters a to f."
NO_ENV = "cannot be an env. Write its id: letters, digits and dashes, 64 at most."
NO_MATCH = "can match no env. Correct it: an env is letters, digits and dashes, 64 at most."
NOBODY = 'nobody is named. Add users or groups, or users = ["*"] for everyone.'
NO_APPROVAL = (
    'approvers and self_approval go with effect = "approve" only. Change the effect or remove them.'
)
NO_APPROVERS = "it asks for approval, but nobody can give it. Add approvers with users or groups."
TEST = f'[[test]]\nuser = "U012ABCDEF"\nappid = "{A}"\nenv = "prod-1"\n'

PROBLEMS: dict[str, tuple[str, str]] = {
    "an empty file": (
        "",
        "rule: there is no rule, so nobody could share anything. Add a [[rule]].",
    ),
    "no rules": (
        "rule = []",
        "rule: there is no rule, so nobody could share anything. Add a [[rule]].",
    ),
    "one pair of brackets too few": (
        RULE.replace("[[rule]]", "[rule]"),
        "rule: it must be a list. Write [[rule]] above each, with two brackets.",
    ),
    "an owner that is text": (
        f'owner = "{A}"\n{RULE}',
        "owner: it must be a list. Write [[owner]] above each, with two brackets.",
    ),
    "a rule that is text": (
        'rule = ["all"]',
        "rule 1: it must be a table. Write it as in the README's example.",
    ),
    "no effect": (
        '[[rule]]\nusers = ["U012ABCDEF"]\n',
        "rule 1, effect: it is missing. Add it.",
    ),
    "an unknown effect": (
        RULE.replace("allow", "permit"),
        "rule 1, effect: “permit” is not possible here. Write allow, approve or deny.",
    ),
    "an effect that is not text": (
        RULE.replace('"allow"', "true"),
        "rule 1, effect: “True” is not possible here. Write allow, approve or deny.",
    ),
    "an effect that is shown in part": (
        RULE.replace("allow", "x" * 81),
        f"rule 1, effect: “{'x' * 79}…” is not possible here. Write allow, approve or deny.",
    ),
    "an effect that is too long to show": (
        RULE.replace('"allow"', f"0x{'f' * 5000}"),
        "rule 1, effect: this is not possible here. Write allow, approve or deny.",
    ),
    "a misspelt key": (
        RULE + 'chanels = ["C012ABCDEF"]\n',
        "rule 1, chanels: there is no such key. Did you mean channels?",
    ),
    "a key that resembles none": (
        RULE + "colour = 1\n",
        "rule 1, colour: there is no such key. Remove it.",
    ),
    "a rule before the contact": (
        '[[rule]]\neffect = "deny"\ncontact = "Ann"\n' + RULE,
        "rule 1, contact: there is no such key. Write it at the top, above the first [[…]].",
    ),
    "a misspelt key at the top": (
        'contakt = "Ann"\n' + RULE,
        "contakt: there is no such key. Did you mean contact?",
    ),
    "a misspelt table": (
        RULE + '[[owners]]\nappid = "x"\n',
        "owners: there is no such key. Did you mean owner?",
    ),
    "a misspelt key of an owner": (
        RULE + f'[[owner]]\nappid = "{A}"\nenvs = ["*"]\nenv = "x"\n',
        "owner 1, env: there is no such key. Did you mean envs?",
    ),
    "a name that no database stores": (
        RULE + 'name = "a\\u0000b"\n',
        r"rule 1, name: “a\x00b” contains NUL, which PostgreSQL refuses. Leave it out.",
    ),
    "a misspelt key of a test": (
        RULE + TEST + 'expect = "allow"\ngroup = "S1X"\n',
        "test 1, group: there is no such key. Did you mean groups?",
    ),
    "a misspelt key of approvers": (
        APPROVE + 'approvers = { users = ["U1X"], channel = "C1X", expire = "1h" }\n',
        "rule 1, approvers, expire: there is no such key. Did you mean expires?",
    ),
    "users that are not a list": (
        RULE.replace('["U012ABCDEF"]', '"U012ABCDEF"'),
        f"rule 1, users: {NO_LIST}",
    ),
    "a user that is a number": (RULE.replace('"U012ABCDEF"', "12"), f"rule 1, users, 1: {NO_TEXT}"),
    "a user by name": (RULE.replace("U012ABCDEF", "@ann"), f"rule 1, users, 1: “@ann” {NO_USER}"),
    "a group among the users": (
        RULE.replace('["U012ABCDEF"]', '["U1X", "S1X"]'),
        f"rule 1, users, 2: “S1X” {NO_USER}",
    ),
    "a user among the groups": (
        RULE + 'groups = ["U1X"]\n',
        f"rule 1, groups, 1: “U1X” {NO_GROUP}",
    ),
    "a star among the groups": (RULE + 'groups = ["*"]\n', f"rule 1, groups, 1: “*” {NO_GROUP}"),
    "a test about everyone, which would say nothing about people whom rules name": (
        RULE + f'[[test]]\nuser = "*"\nappid = "{A}"\nenv = "prod-1"\nexpect = "deny"\n',
        f"test 1, user: “*” {NO_USER}",
    ),
    "a channel by name": (
        RULE + 'channels = ["#ops"]\n',
        f"rule 1, channels, 1: “#ops” {NO_CHANNEL}",
    ),
    "a workspace by name": (
        RULE + 'workspaces = ["acme"]\n',
        "rule 1, workspaces, 1: “acme” is not a workspace id. Copy it from what /share-env whoami says there: T….",
    ),
    "a group of a workspace by name": (
        RULE + 'groups = ["acme/S1X"]\n',
        f"rule 1, groups, 1: “acme/S1X” {NO_GROUP}",
    ),
    "no channels": (RULE + "channels = []\n", f"rule 1, channels: {EMPTY}"),
    "no appids": (RULE + "appids = []\n", f"rule 1, appids: {EMPTY}"),
    "no envs": (RULE + "envs = []\n", f"rule 1, envs: {EMPTY}"),
    "an empty glob": (RULE + 'envs = ["a", ""]\n', f"rule 1, envs, 2: {EMPTY}"),
    "a denial whose dash was copied from a document, so that it would deny nothing": (
        f'[[rule]]\neffect = "deny"\nenvs = ["live–*"]\n{RULE}',
        f"rule 1, envs, 1: “live–*” {NO_MATCH}",
    ),
    "an env with an underscore": (
        RULE + 'envs = ["a", "b_*"]\n',
        f"rule 1, envs, 2: “b_*” {NO_MATCH}",
    ),
    "an appid among the envs": (RULE + f'envs = ["{A}"]\n', f"rule 1, envs, 1: “{A}” {NO_MATCH}"),
    "an appid in capitals": (
        RULE + 'appids = ["WX*"]\n',
        "rule 1, appids, 1: “WX*” can match no appid. Correct it: an appid is wx and 16 digits or letters a to f.",
    ),
    "an owner of impossible envs": (
        f'{RULE}[[owner]]\nappid = "{A}"\nenvs = ["prod 1"]\n',
        f"owner 1, envs, 1: “prod 1” {NO_MATCH}",
    ),
    "a confirmation that is text": (
        RULE + 'confirm = "yes"\n',
        "rule 1, confirm: it must be true or false, without quotes.",
    ),
    "a name that is a number": (RULE + "name = 7\n", f"rule 1, name: {NO_TEXT}"),
    "an empty contact": ('contact = ""\n' + RULE, f"contact: {EMPTY}"),
    "a long contact": (
        f'contact = "{"x" * 201}"\n' + RULE,
        "contact: it is too long. Use at most 200 characters.",
    ),
    "an owner that is not an appid": (
        RULE + '[[owner]]\nappid = "wx5FE6BB43205E9E70"\nenvs = ["*"]\n',
        f"owner 1, appid: “wx5FE6BB43205E9E70” {NO_APPID}",
    ),
    "an owner without envs": (
        RULE + f'[[owner]]\nappid = "{A}"\n',
        "owner 1, envs: it is missing. Add it.",
    ),
    "an owner of no envs, which cannot be left out": (
        RULE + f'[[owner]]\nappid = "{A}"\nenvs = []\n',
        "owner 1, envs: it is empty. Fill it in.",
    ),
    "approvers that are not a table": (
        APPROVE + 'approvers = "U1X"\n',
        "rule 1, approvers: it must be a table. Write it as in the README's example.",
    ),
    "approvers without a channel": (
        APPROVE + 'approvers = { users = ["U1X"] }\n',
        "rule 1, approvers, channel: it is missing. Add it.",
    ),
    "approvers with a channel by name": (
        APPROVE + 'approvers = { users = ["U1X"], channel = "ops" }\n',
        f"rule 1, approvers, channel: “ops” {NO_CHANNEL}",
    ),
    "an approval without approvers": (
        NAMED,
        f"rule 1 (“x”): {NO_APPROVERS}",
    ),
    "more approvals than named users": (
        NAMED + 'approvers = { users = ["U1X"], approvals = 2, channel = "C1X" }\n',
        (
            "rule 1 (“x”): it takes the approvals of 2 different people, and too few are named. "
            "Name more users or a group, or ask for fewer approvals."
        ),
    ),
    "one user for two parties": (
        NAMED
        + 'approvers = { all_of = [{ users = ["U1X"] }, { users = ["U1X"] }], channel = "C1X" }\n',
        (
            "rule 1 (“x”): it takes the approvals of 2 different people, and too few are named. "
            "Name more users or a group, or ask for fewer approvals."
        ),
    ),
    "a party of nobody": (
        NAMED + 'approvers = { all_of = [{ users = ["U1X"] }, {}], channel = "C1X" }\n',
        "rule 1 (“x”): an entry of all_of names nobody. Add users or groups to it.",
    ),
    "all_of beside approvals": (
        NAMED
        + 'approvers = { all_of = [{ users = ["U1X"] }, { groups = ["S1X"] }], approvals = 2, '
        'channel = "C1X" }\n',
        (
            "rule 1 (“x”): all_of says whose approvals it takes, and so do users, groups or approvals. "
            "Keep all_of, or remove it."
        ),
    ),
    "a notification of everybody": (
        APPROVE + 'approvers = { users = ["U1X"], channel = "C1X", notify = { users = ["*"] } }\n',
        "rule 1, approvers, notify, users, 1: “*” is not a user id. Copy it from the person's Slack profile: U….",
    ),
    "a misspelt key of notify": (
        APPROVE + 'approvers = { users = ["U1X"], channel = "C1X", notify = { user = [] } }\n',
        "rule 1, approvers, notify, user: there is no such key. Did you mean users?",
    ),
    "an escalation without a time": (
        APPROVE
        + 'approvers = { users = ["U1X"], channel = "C1X", escalate = { users = ["U2X"], channel = "C2X" } }\n',
        "rule 1, approvers, escalate, after: it is missing. Add it.",
    ),
    "a misspelt key of escalate": (
        APPROVE
        + 'approvers = { users = ["U1X"], channel = "C1X", escalate = { after = "1h", group = ["S2X"], channel = "C2X" } }\n',
        "rule 1, approvers, escalate, group: there is no such key. Did you mean groups?",
    ),
    "break-glass beside another effect": (
        '[[rule]]\nname = "x"\nusers = ["*"]\neffect = "allow"\nbreak_glass = { users = ["U1X"] }\n',
        'rule 1 (“x”): break_glass goes with effect = "approve" only. Change the effect or remove it.',
    ),
    "break-glass for nobody": (
        NAMED + 'approvers = { users = ["U1X"], channel = "C1X" }\nbreak_glass = {}\n',
        "rule 1 (“x”): break_glass names nobody. Add users or groups to it, or remove it.",
    ),
    "an escalation to nobody": (
        NAMED
        + 'approvers = { users = ["U1X"], channel = "C1X", escalate = { after = "1h", channel = "C2X" } }\n',
        "rule 1 (“x”): escalate names nobody. Add users or groups to it, or remove it.",
    ),
    "an escalation when the request has expired": (
        NAMED
        + 'approvers = { users = ["U1X"], channel = "C1X", expires = "1h", escalate = { after = "1h", users = ["U2X"], channel = "C2X" } }\n',
        "rule 1 (“x”): a request has expired before escalate asks anybody. Write a shorter after, or a longer expires.",
    ),
    "an approval that nobody can give": (
        NAMED + 'approvers = { users = [], channel = "C1X" }\n',
        f"rule 1 (“x”): {NO_APPROVERS}",
    ),
    "an approval by a rule without a name": (
        APPROVE + 'approvers = { users = ["U1X"], channel = "C1X" }\n',
        'rule 1: what waits for an approval is known by its rule\'s name. Add name = "…".',
    ),
    "approvers without an approval": (
        RULE + 'name = "x"\napprovers = { users = ["U1X"], channel = "C1X" }\n',
        f"rule 1 (“x”): {NO_APPROVAL}",
    ),
    "self-approval without an approval": (
        RULE + "self_approval = true\n",
        f"rule 1: {NO_APPROVAL}",
    ),
    "self-approval that is neither true nor false": (
        APPROVE + 'approvers = { users = ["U1X"], channel = "C1X" }\nself_approval = "yes"\n',
        "rule 1, self_approval: it must be true or false, without quotes.",
    ),
    "a misspelt self_approval": (
        APPROVE + 'approvers = { users = ["U1X"], channel = "C1X" }\nself_aproval = true\n',
        "rule 1, self_aproval: there is no such key. Did you mean self_approval?",
    ),
    "a permission for nobody": ('[[rule]]\neffect = "allow"\n', f"rule 1: {NOBODY}"),
    "a permission for an empty list": (
        '[[rule]]\nname = "x"\nusers = []\ngroups = []\neffect = "allow"\n',
        f"rule 1 (“x”): {NOBODY}",
    ),
    "a denial for an empty list of users": (
        '[[rule]]\nusers = []\neffect = "deny"\n',
        f"rule 1: {NOBODY}",
    ),
    "a denial for an empty list of groups": (
        '[[rule]]\ngroups = []\neffect = "deny"\n',
        f"rule 1: {NOBODY}",
    ),
    "a denial for guests, which would deny everybody": (
        '[[rule]]\neffect = "deny"\nguests = true\n',
        'rule 1: guests has no effect here: a rule with effect = "deny" denies guests and members alike. Remove it.',
    ),
    "a denial that wants a reason": (
        '[[rule]]\neffect = "deny"\nrequire_reason = true\n',
        'rule 1: a rule with effect = "deny" denies for any reason. Remove require_reason.',
    ),
    "a pattern for a reason that is not required": (
        f'{RULE}reason_pattern = "[A-Z]+"\n',
        "rule 1: reason_pattern and reason_url go with require_reason = true only. Add it, or remove them.",
    ),
    "a pattern that cannot be searched": (
        f'{RULE}require_reason = true\nreason_pattern = "(?=a)"\n',
        "rule 1, reason_pattern: “(?=a)” is not a regular expression that I can search. Correct it; look-around and backreferences are not possible.",
    ),
    "a pattern that wants nothing": (
        f'{RULE}require_reason = true\nreason_pattern = "a*"\n',
        "rule 1, reason_pattern: “a*” matches a reason without a word. Write what a reason has to contain, such as [A-Z]+-[0-9]+.",
    ),
    "an address without a place for the reason": (
        f'{RULE}require_reason = true\nreason_url = "https://t.example/"\n',
        "rule 1, reason_url: “https://t.example/” is not an address for what reasons name. Write https://, a host, and {reason} once behind it.",
    ),
    "a glob that is too long": (
        f'{RULE}envs = ["{"x" * 200}*"]\n',
        "rule 1, envs, 1: it is too long. Use at most 200 characters.",
    ),
    "a name that another rule has because of its number": (
        RULE + 'name = "rule 2"\n' + RULE,
        "rule 2: another rule has this name. Give each rule its own, so that answers are clear.",
    ),
    "a test about an impossible env": (
        RULE + TEST.replace("prod-1", "prod_1") + 'expect = "deny"\n',
        f"test 1, env: “prod_1” {NO_ENV}",
    ),
    "a name given twice": (
        RULE + 'name = "x"\n' + RULE + 'name = "x"\n',
        (
            "rule 2 (“x”): another rule has this name. "
            "Give each rule its own, so that answers are clear."
        ),
    ),
    "a line that is not TOML": (
        RULE + "users =\n",
        "It is not valid TOML: Invalid value (at line 4, column 8). Put that line right first.",
    ),
    "a long table given twice": (
        f"[{'a' * 99}]\n" * 2,
        (
            f"It is not valid TOML: Cannot declare ('{'a' * 99}',) twice (at line 2, column 101). "
            "Put that line right first."
        ),
    ),
    "a key given twice": (
        RULE + 'effect = "deny"\n',
        (
            "It is not valid TOML: Cannot overwrite a value (at line 4, column 16). "
            "Put that line right first."
        ),
    ),
}


def test_each_problem_is_reported_with_its_place_and_its_fix() -> None:
    with checks() as check:
        for text, problem in PROBLEMS.values():
            with check(problem):
                assert problems(text) == [problem]


@pytest.mark.parametrize(
    "value", ["1" * 5000, "[" * 5000, "{a=" * 5000], ids=["number", "lists", "tables"]
)
def test_toml_that_overwhelms_the_parser_is_reported_as_a_problem(value: str) -> None:
    (problem,) = problems(f"a = {value}")
    assert problem.startswith("It is not valid TOML: ")
    assert problem.endswith(". Put that line right first.")


def test_all_problems_of_single_keys_are_reported_together() -> None:
    text = """
    contact = ""
    [[owner]]
    appid = "x"
    envs = []
    [[rule]]
    users = ["ann"]
    effect = "yes"
    chanel = "C1X"
    [[rule]]
    users = ["U1X"]
    effect = "allow"
    confirm = 1
    """
    assert problems(text) == [
        f"contact: {EMPTY}",
        f"owner 1, appid: “x” {NO_APPID}",
        "owner 1, envs: it is empty. Fill it in.",
        f"rule 1, users, 1: “ann” {NO_USER}",
        "rule 1, effect: “yes” is not possible here. Write allow, approve or deny.",
        "rule 1, chanel: there is no such key. Did you mean channels?",
        "rule 2, confirm: it must be true or false, without quotes.",
    ]


def test_problems_between_keys_are_reported_beside_those_of_single_keys() -> None:
    text = f"""
    contact = ""
    {RULE}name = "x"
    colour = 1
    [[rule]]
    effect = "allow"
    {NAMED}{NAMED}"""
    again = "another rule has this name. Give each rule its own, so that answers are clear."
    assert problems(text) == [
        f"contact: {EMPTY}",
        "rule 1, colour: there is no such key. Remove it.",
        f"rule 2: {NOBODY}",
        f"rule 3 (“x”): {NO_APPROVERS}",
        f"rule 4 (“x”): {NO_APPROVERS}",
        f"rule 4 (“x”): {again}",
    ]


def test_all_problems_between_keys_are_reported_together() -> None:
    text = '[[rule]]\neffect = "allow"\n' + NAMED + '[[rule]]\nusers = []\neffect = "deny"\n'
    assert problems(text) == [
        f"rule 1: {NOBODY}",
        f"rule 2 (“x”): {NO_APPROVERS}",
        f"rule 3: {NOBODY}",
    ]


RULES_UNDER_TEST = """
[[rule]]
name = "no live"
envs = ["live-*"]
effect = "deny"

[[rule]]
name = "ops"
groups = ["S0OPS"]
channels = ["C0OPS"]
effect = "allow"

[[rule]]
name = "careful"
users = ["U0ANN"]
envs = ["prod-*"]
effect = "allow"
confirm = true

[[rule]]
name = "ask"
users = ["*"]
envs = ["test-*"]
effect = "approve"
approvers = { users = ["U0BOB"], channel = "C0OPS" }
"""


def case(expect: str, env: str, more: str = "") -> str:
    return f'[[test]]\nuser = "U0ANN"\nappid = "{A}"\nenv = "{env}"\nexpect = "{expect}"\n{more}\n'


IN_OPS = 'groups = ["S0OPS"]\nchannel = "C0OPS"'


@pytest.mark.parametrize(
    ("expect", "env", "more"),
    [
        pytest.param("deny", "live-1", IN_OPS, id="a denial in front"),
        pytest.param("allow", "any", IN_OPS, id="a group in its channel"),
        pytest.param("deny", "any", 'groups = ["S0OPS"]', id="a group without a channel"),
        pytest.param("deny", "any", 'channel = "C0OPS"', id="a channel without the group"),
        pytest.param("allow", "prod-1", "", id="a confirmation counts as a permission"),
        pytest.param("approve", "test-1", "", id="an approval"),
        pytest.param("deny", "test-1", "guest = true", id="a guest"),
        pytest.param("deny", "any", "", id="no rule"),
    ],
)
def test_a_file_whose_own_test_passes_is_accepted(expect: str, env: str, more: str) -> None:
    assert policy(RULES_UNDER_TEST + case(expect, env, more)) == policy(RULES_UNDER_TEST)


AGREED = """
[[rule]]
name = "careful"
users = ["*"]
effect = "approve"
approvers.users = ["U0BOB"]
approvers.groups = ["S0LEADS"]
approvers.approvals = 2
approvers.channel = "C0OPS"
approvers.escalate = { after = "30m", users = ["U0EVE"], channel = "C0ONCALL" }
"""


@pytest.mark.parametrize(
    ("expect", "agreed", "waited"),
    [
        ("approve", "U0BOB", "1h"),
        ("allow", "U0BOB U0CAT", "0h"),
        ("approve", "U0BOB U0BOB", "0h"),
        ("approve", "U0BOB U0ANN", "0h"),
        ("approve", "U0BOB U0EVE", "29m"),
        ("allow", "U0BOB U0EVE", "30m"),
    ],
)
def test_a_test_tells_whether_those_who_agreed_are_enough(
    expect: str, agreed: str, waited: str
) -> None:
    leads = {"U0CAT": ', groups = ["S0LEADS"]', "U0ANN": ', groups = ["S0LEADS"]'}
    each = [f'{{ user = "{user}"{leads.get(user, "")} }}' for user in agreed.split()]
    more = f"agreed = [{', '.join(each)}]\n" + (f'waited = "{waited}"' if waited != "0h" else "")
    assert policy(AGREED + case(expect, "any", more)) == policy(AGREED)


@pytest.mark.parametrize(("who", "named", "may"), [(IN_OPS, True, False), ("", False, True)])
def test_a_test_tells_whether_they_need_not_wait_for_the_approval(
    who: str, named: bool, may: bool
) -> None:
    rules = f'{AGREED}break_glass = {{ groups = ["S0OPS"] }}\n'
    right, wrong = (
        case("approve", "any", f"{who}\nbreak_glass = {str(each).lower()}\n")
        for each in (named, may)
    )
    assert policy(rules + right).rules[0].break_glass == Party(groups=frozenset({"S0OPS"}))
    place = f"test 1: U0ANN with {A} and any"
    should, is_ = ("not ", "is") if named else ("", "is not")
    assert problems(rules + wrong) == [
        f"{place} should {should}be able to break the glass but {is_} (rule “careful”). Correct the rules or the test."
    ]


def test_a_file_whose_own_tests_fail_is_refused_with_the_actual_decisions() -> None:
    tests = (
        *(case("allow", "live-1", IN_OPS), case("deny", "any", IN_OPS), case("deny", "prod-1")),
        *(case("allow", "any"), case("approve", "test-1"), case("allow", "test-1")),
    )
    should = f"U0ANN with {A} and"
    fix = "Correct the rules or the test."
    assert problems(RULES_UNDER_TEST + "".join(tests)) == [
        f"test 1: {should} live-1 should get “allow” but gets “deny” (rule “no live”). {fix}",
        f"test 2: {should} any should get “deny” but gets “allow” (rule “ops”). {fix}",
        f"test 3: {should} prod-1 should get “deny” but gets “allow” (rule “careful”). {fix}",
        f"test 4: {should} any should get “allow” but gets “deny” (no rule matches). {fix}",
        f"test 6: {should} test-1 should get “allow” but gets “approve” (rule “ask”). {fix}",
    ]


def test_operators_are_keys_above_the_tables() -> None:
    named = policy(f'operators = {{ users = ["U0ANN"], groups = ["S0OPS"] }}\n{RULE}').operators
    assert named == Operators(frozenset({"U0ANN"}), frozenset({"S0OPS"}))
    assert policy(f'operators = {{ groups = ["S0OPS"] }}\n{RULE}').operators.users == frozenset()
    assert policy(RULE).operators == Operators()


@pytest.mark.parametrize(
    ("operators", "problem"),
    [
        (
            '{ users = ["U0ANN", "*"] }',
            "operators, users, 2: “*” is not a user id. Copy it from the person's Slack profile: U….",
        ),
        ("{ user = [] }", "operators, user: there is no such key. Did you mean users?"),
        ("{ groups = 1 }", "operators, groups: it must be a list. Put it in square brackets: […]."),
        ("[]", "operators: it must be a table. Write it as in the README's example."),
    ],
)
def test_mistakes_in_the_operators_are_reported(operators: str, problem: str) -> None:
    assert read_policy(f"operators = {operators}\n{RULE}", None) == [problem]
