import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import fields, replace
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web

from bot.domain.language import Language
from bot.playground.faults import Code, Drop, Fault, RateLimited, Slow, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.world import HARBOUR, ORG, ORGANISATION, TEAM, SlackUser, UserGroup, World
from bot.policy.kinds import Approvers, Effect, Rule, Standing, Unreadable
from bot.policy.kinds import Person as Known
from bot.slack.api import SlackApi
from bot.slack.directory import Directory, users_of
from bot.workflow.ports import AwayError
from tests.conftest import RELEASES, REQUESTER, Clock, Sleep, calls_of, serving, web_client

PLATFORM, NOBODYS = "S0PLATFORM", "S0NOBODYS"
OURS, NONE = frozenset({PLATFORM}), frozenset[str]()


@pytest.fixture
def directory(api: SlackApi, clock: Clock) -> Directory:
    return Directory(api, TEAM, clock)


async def time_passes(api: SlackApi) -> None:
    """Give background work the time of some calls."""
    for _ in range(3):
        await api.read("auth.test")


@pytest.mark.parametrize(
    ("person", "standing"),
    [
        pytest.param(SlackUser("U0X", "x"), Standing.MEMBER, id="member"),
        pytest.param(SlackUser("U0X", "x", is_restricted=True), Standing.GUEST, id="guest"),
        pytest.param(
            SlackUser("U0X", "x", is_restricted=True, is_ultra_restricted=True),
            Standing.GUEST,
            id="single-channel guest",
        ),
        pytest.param(
            SlackUser("U0X", "x", is_ultra_restricted=True), Standing.GUEST, id="ultra only"
        ),
        pytest.param(SlackUser("U0X", "x", is_stranger=True), Standing.OUTSIDER, id="stranger"),
        pytest.param(SlackUser("U0X", "x", team_id="T0ELSE"), Standing.OUTSIDER, id="another team"),
        pytest.param(
            SlackUser("U0X", "x", team_id="T0ELSE", is_restricted=True),
            Standing.OUTSIDER,
            id="their guest",
        ),
        pytest.param(SlackUser("U0X", "x", is_bot=True), Standing.BOT, id="bot"),
        pytest.param(SlackUser("U0X", "x", deleted=True), Standing.DEACTIVATED, id="deactivated"),
        pytest.param(
            SlackUser("U0X", "x", is_bot=True, deleted=True), Standing.DEACTIVATED, id="a dead bot"
        ),
    ],
)
async def test_the_flags_of_users_info_determine_a_persons_standing(
    slack: LocalSlack, directory: Directory, person: SlackUser, standing: Standing
) -> None:
    slack.people["U0X"] = person
    assert await directory.person(TEAM, "U0X", OURS) == Known(TEAM, "U0X", standing)


@pytest.fixture
async def fixed_answer(http: aiohttp.ClientSession, clock: Clock) -> AsyncIterator["FixedAnswer"]:
    """A Slack that gives one answer to every call, for answers that the stand-in does not give."""
    fixed_answer = FixedAnswer()
    async with serving(fixed_answer.answer) as origin:
        api = SlackApi(web_client("xoxb-1", f"{origin}/api/", http), Sleep())
        fixed_answer.directory = Directory(api, TEAM, clock)
        fixed_answer.in_organisation = Directory(api, ORG, clock)
        yield fixed_answer


class FixedAnswer:
    """Answers with `user`, or without a user if that is None."""

    directory: Directory
    in_organisation: Directory

    def __init__(self) -> None:
        self.user: object = None

    async def answer(self, _request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer."""
        return web.json_response({"ok": True, "user": self.user})


@pytest.mark.parametrize(
    ("user", "standing"),
    [
        pytest.param(
            {"team_id": "T0HOME", "enterprise_user": {"teams": ["T0HOME", TEAM]}},
            Standing.MEMBER,
            id="of our workspace too",
        ),
        pytest.param(
            {"team_id": "T0HOME", "enterprise_user": {"teams": ["T0HOME"]}},
            Standing.OUTSIDER,
            id="of another workspace",
        ),
        pytest.param(
            {"team_id": "T0HOME", "enterprise_user": {"teams": [TEAM]}, "is_restricted": True},
            Standing.GUEST,
            id="our guest",
        ),
        pytest.param({"team_id": "T0HOME", "enterprise_user": {}}, Standing.OUTSIDER, id="no list"),
        pytest.param(
            {"team_id": TEAM, "is_app_user": True}, Standing.MEMBER, id="authorised the app"
        ),
        pytest.param(
            {"id": "USLACKBOT", "team_id": TEAM, "is_bot": False}, Standing.BOT, id="Slackbot"
        ),
        pytest.param({}, Standing.OUTSIDER, id="without a team"),
    ],
)
async def test_on_enterprise_grid_the_list_of_teams_counts(
    fixed_answer: FixedAnswer, user: dict[str, object], standing: Standing
) -> None:
    fixed_answer.user = user
    assert await fixed_answer.directory.person(TEAM, "W0X", NONE) == Known(TEAM, "W0X", standing)


@pytest.mark.parametrize(
    ("user", "standing"),
    [
        pytest.param(
            {"team_id": "T0HOME", "enterprise_user": {"enterprise_id": ORG, "teams": ["T0HOME"]}},
            Standing.MEMBER,
            id="of any of its workspaces",
        ),
        pytest.param(
            {"team_id": ORG, "enterprise_user": {"enterprise_id": ORG, "teams": []}},
            Standing.MEMBER,
            id="of none of its workspaces",
        ),
        pytest.param(
            {"enterprise_user": {"enterprise_id": ORG}, "is_restricted": True},
            Standing.GUEST,
            id="its guest",
        ),
        pytest.param(
            {"team_id": TEAM, "enterprise_user": {"enterprise_id": "E0OTHER", "teams": [TEAM]}},
            Standing.OUTSIDER,
            id="of another organisation",
        ),
        pytest.param({"team_id": TEAM}, Standing.OUTSIDER, id="of none"),
        pytest.param({"team_id": [ORG]}, Standing.OUTSIDER, id="of something odd"),
    ],
)
async def test_in_an_organisation_its_people_are_members(
    fixed_answer: FixedAnswer, user: dict[str, object], standing: Standing
) -> None:
    fixed_answer.user = user
    known = await fixed_answer.in_organisation.person(TEAM, "W0X", NONE)
    assert known == Known(TEAM, "W0X", standing)


@pytest.mark.parametrize("team", ["", ORG])
async def test_in_an_organisation_nobody_is_known_without_a_workspace(
    fixed_answer: FixedAnswer, team: str
) -> None:
    fixed_answer.user = {"team_id": ORG}
    assert await fixed_answer.in_organisation.person(team, "W0X", NONE) is Unreadable.NOT_FOUND


async def test_a_workspace_whose_groups_slack_does_not_list_in_time_leaves_the_others_known(
    http: aiohttp.ClientSession, clock: Clock
) -> None:
    async with LocalSlack(ORGANISATION) as slack:
        api = SlackApi(web_client(slack.world.bot_token, slack.api_url, http), Sleep())
        directory = Directory(api, ORG, clock, deadline=0.5)
        slack.fail("usergroups.list", Slow(30), team_id=HARBOUR)
        platform, harbour = f"{TEAM}/{PLATFORM}", f"{HARBOUR}/S0HARBOUR"
        known = await directory.person(TEAM, REQUESTER, frozenset({platform, harbour}))
        await directory.close()
    down = {harbour: Unreadable.SLACK_DOWN}
    assert known == Known(TEAM, REQUESTER, groups=frozenset({platform}), unreadable=down)


async def test_an_answer_without_a_user_is_no_person(fixed_answer: FixedAnswer) -> None:
    assert await fixed_answer.directory.person(TEAM, "U0X", NONE) is Unreadable.SLACK_DOWN


async def test_an_unknown_user_or_one_of_another_workspace_is_not_found(
    directory: Directory,
) -> None:
    assert await directory.person("T0OTHER", REQUESTER, OURS) is Unreadable.NOT_FOUND
    assert await directory.person(TEAM, "U0NOBODY", OURS) is Unreadable.NOT_FOUND


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        pytest.param(Code("user_not_visible"), Unreadable.NOT_FOUND, id="not visible"),
        pytest.param(Code("missing_scope"), Unreadable.MISSING_SCOPE, id="missing scope"),
        pytest.param(Code("token_revoked"), Unreadable.BAD_TOKEN, id="revoked"),
        pytest.param(Code("access_denied"), Unreadable.SLACK_DOWN, id="another no"),
        pytest.param(RateLimited(30), Unreadable.RATE_LIMITED, id="rate limit"),
        pytest.param(Status(503), Unreadable.SLACK_DOWN, id="server error"),
        pytest.param(Drop(), Unreadable.SLACK_DOWN, id="dropped"),
    ],
)
async def test_a_person_who_cannot_be_read_has_a_reason(
    slack: LocalSlack, directory: Directory, fault: Fault, trouble: Unreadable
) -> None:
    slack.fail("users.info", fault, fault)  # aiohttp repeats a GET that was dropped, once
    assert await directory.person(TEAM, REQUESTER, OURS) is trouble


async def test_a_person_has_the_groups_of_which_they_are_a_member(
    slack: LocalSlack, api: SlackApi
) -> None:
    slack.groups["S0OTHERS"] = UserGroup("S0OTHERS", "others", frozenset({"U0SECOND"}))
    directory, both = Directory(api, TEAM, Clock()), OURS | {"S0OTHERS"}
    requester = await directory.person(TEAM, REQUESTER, both)
    assert requester == Known(TEAM, REQUESTER, groups=frozenset({PLATFORM}))
    second = await directory.person(TEAM, "U0SECOND", both)
    assert second == Known(TEAM, "U0SECOND", groups=frozenset({"S0OTHERS"}))
    outsider = await directory.person(TEAM, "U0STRANGER", both)
    assert outsider == Known(TEAM, "U0STRANGER")


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        pytest.param(Code("missing_scope"), Unreadable.MISSING_SCOPE, id="missing_scope"),
        pytest.param(Code("plan_upgrade_required"), Unreadable.PAID_PLAN, id="free plan"),
        pytest.param(Code("paid_teams_only"), Unreadable.PAID_PLAN, id="paid teams only"),
        pytest.param(RateLimited(30), Unreadable.RATE_LIMITED, id="rate limit"),
        pytest.param(Status(500), Unreadable.SLACK_DOWN, id="server error"),
        pytest.param(Drop(), Unreadable.SLACK_DOWN, id="dropped"),
    ],
)
async def test_a_group_that_cannot_be_read_has_no_members_and_a_reason(
    slack: LocalSlack, directory: Directory, fault: Fault, trouble: Unreadable
) -> None:
    slack.fail("usergroups.list", fault, fault)  # aiohttp repeats a GET that was dropped, once
    known = await directory.person(TEAM, REQUESTER, OURS)
    assert known == Known(TEAM, REQUESTER, unreadable={PLATFORM: trouble})


async def test_a_group_that_does_not_exist_does_not_affect_the_others(
    api: SlackApi, clock: Clock
) -> None:
    directory = Directory(api, TEAM, clock)
    known = await directory.person(TEAM, REQUESTER, OURS | {NOBODYS})
    assert known == Known(
        TEAM,
        REQUESTER,
        groups=frozenset({PLATFORM}),
        unreadable={NOBODYS: Unreadable.NOT_FOUND},
    )


async def test_a_group_is_read_once_a_minute(slack: LocalSlack, directory: Directory) -> None:
    people = ["U0REQUESTER", "U0SECOND", "U0STRANGER"] * 5
    await asyncio.gather(*(directory.person(TEAM, person, OURS) for person in people))
    assert calls_of(slack, "usergroups.list") == 1
    assert calls_of(slack, "users.info") == 3


async def test_for_a_policy_without_groups_none_are_read(
    slack: LocalSlack, directory: Directory
) -> None:
    assert await directory.person(TEAM, REQUESTER, frozenset()) == Known(TEAM, REQUESTER)
    assert calls_of(slack, "usergroups.list") == 0


async def test_a_person_who_left_a_group_is_no_member_after_a_minute(
    slack: LocalSlack, directory: Directory, clock: Clock
) -> None:
    await directory.person(TEAM, REQUESTER, OURS)
    slack.groups[PLATFORM] = replace(slack.groups[PLATFORM], members=frozenset())
    clock.now += 60
    assert await directory.person(TEAM, REQUESTER, OURS) == Known(TEAM, REQUESTER)


async def test_a_deactivation_is_noticed_within_a_minute(
    slack: LocalSlack, directory: Directory, clock: Clock
) -> None:
    await directory.person(TEAM, REQUESTER, NONE)
    slack.people[REQUESTER] = replace(slack.people[REQUESTER], deleted=True)
    clock.now += 60
    known = await directory.person(TEAM, REQUESTER, NONE)
    assert known == Known(TEAM, REQUESTER, Standing.DEACTIVATED)


async def test_a_decision_about_several_people_reads_the_groups_once(
    slack: LocalSlack, directory: Directory
) -> None:
    groups = OURS | {"S0APPROVERS"}
    known = await directory.several(TEAM, [REQUESTER, "U0APPROVER"], groups, fresh=True)
    assert known == {
        REQUESTER: Known(TEAM, REQUESTER, groups=OURS),
        "U0APPROVER": Known(TEAM, "U0APPROVER", groups=frozenset({"S0APPROVERS"})),
    }
    assert calls_of(slack, "users.info") == 2
    assert calls_of(slack, "usergroups.list") == 1
    slack.groups[PLATFORM] = replace(slack.groups[PLATFORM], members=frozenset())
    assert await directory.person(TEAM, REQUESTER, OURS, fresh=True) == Known(TEAM, REQUESTER)


@pytest.mark.parametrize("fresh", [False, True], ids=["as remembered", "as of now"])
async def test_the_groups_are_read_concurrently_with_the_person(
    slack: LocalSlack, api: SlackApi, clock: Clock, *, fresh: bool
) -> None:
    directory = Directory(api, TEAM, clock, deadline=0.2)
    slack.fail("users.info", Slow(30))
    assert await directory.person(TEAM, REQUESTER, OURS, fresh=fresh) is Unreadable.SLACK_DOWN
    # On a busy machine the call arrives after the deadline, but while the person's is still under way.
    await slack.until(lambda slack: calls_of(slack, "usergroups.list") == 1)


async def test_a_disabled_group_has_no_members(slack: LocalSlack, directory: Directory) -> None:
    slack.groups[PLATFORM] = replace(slack.groups[PLATFORM], disabled=True)
    known = await directory.person(TEAM, REQUESTER, OURS)
    assert known == Known(TEAM, REQUESTER, unreadable={PLATFORM: Unreadable.NOT_FOUND})


async def test_decisions_every_few_seconds_about_ten_groups_stay_within_slacks_rate_limit(
    http: aiohttp.ClientSession, clock: Clock
) -> None:
    async with LocalSlack(World(), clock) as slack:
        slack.limits.on = True
        names = frozenset(f"S0GROUP{number}" for number in range(10)) | OURS
        slack.groups |= {name: UserGroup(name, name.lower()) for name in names - OURS}
        api = SlackApi(web_client(slack.world.bot_token, slack.api_url, http), Sleep())
        directory = Directory(api, TEAM, clock)
        for _ in range(30):
            known = await directory.several(TEAM, [REQUESTER, "U0APPROVER"], names, fresh=True)
            assert not any(isinstance(k, Unreadable) or k.unreadable for k in known.values())
            clock.now += 4


@pytest.mark.parametrize(
    ("method", "limited"),
    [
        ("users.info", Unreadable.RATE_LIMITED),
        (
            "usergroups.list",
            Known(TEAM, REQUESTER, unreadable={PLATFORM: Unreadable.RATE_LIMITED}),
        ),
    ],
)
async def test_a_rate_limit_does_not_shorten_the_lifetime_of_what_is_cached(
    slack: LocalSlack,
    api: SlackApi,
    directory: Directory,
    clock: Clock,
    method: str,
    limited: Known | Unreadable,
) -> None:
    ours = await directory.person(TEAM, REQUESTER, OURS)
    clock.now += 30
    slack.fail(method, RateLimited(20), times=None)
    assert await directory.person(TEAM, REQUESTER, OURS) == ours
    await slack.until(lambda slack: calls_of(slack, method) == 2)
    await time_passes(api)
    assert await directory.person(TEAM, REQUESTER, OURS) == ours
    now = await directory.person(TEAM, REQUESTER, OURS, fresh=True)
    assert now == limited
    clock.now += 30
    assert await directory.person(TEAM, REQUESTER, OURS) == limited


async def test_no_call_is_made_during_a_rate_limit(
    slack: LocalSlack, api: SlackApi, directory: Directory, clock: Clock, sleep: Sleep
) -> None:
    slack.fail("usergroups.list", RateLimited(30))
    await directory.person(TEAM, REQUESTER, OURS)
    clock.now += 29.9
    unknown = Known(TEAM, REQUESTER, unreadable={PLATFORM: Unreadable.RATE_LIMITED})
    assert await directory.person(TEAM, REQUESTER, OURS) == unknown
    assert await directory.person(TEAM, REQUESTER, OURS, fresh=True) == unknown
    await time_passes(api)
    assert calls_of(slack, "usergroups.list") == 1
    clock.now += 0.1
    await directory.person(TEAM, REQUESTER, OURS)
    await slack.until(lambda slack: calls_of(slack, "usergroups.list") == 2)
    assert sleep.naps == []  # an ack does not wait for a rate limit


async def test_an_error_is_cached_for_a_short_time_only(
    slack: LocalSlack, directory: Directory, clock: Clock
) -> None:
    slack.fail("users.info", Status(503))
    assert await directory.person(TEAM, REQUESTER, OURS) is Unreadable.SLACK_DOWN
    clock.now += 5
    assert isinstance(await directory.person(TEAM, REQUESTER, OURS), Known)


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
async def test_a_hanging_call_is_not_awaited_and_its_late_answer_is_cached(
    slack: LocalSlack, api: SlackApi, clock: Clock, method: str
) -> None:
    directory = Directory(api, TEAM, clock, deadline=0.05)
    slack.fail(method, Slow(0.3))
    assert await directory.person(TEAM, REQUESTER, OURS) is Unreadable.SLACK_DOWN
    await slack.until(lambda slack: any(c.method == method and not c.error for c in slack.calls))
    while (known := await directory.person(TEAM, REQUESTER, OURS)) is Unreadable.SLACK_DOWN:
        pass  # the answer is still to come
    assert known == Known(TEAM, REQUESTER, groups=frozenset({PLATFORM}))
    assert calls_of(slack, method) == 2  # the timeout and, later, the answer


# Policies with other groups.


async def test_a_group_that_no_earlier_policy_named_is_read_and_not_taken_for_empty(
    slack: LocalSlack, directory: Directory
) -> None:
    before = await directory.person(TEAM, REQUESTER, NONE)
    assert before == Known(TEAM, REQUESTER)
    now = await directory.person(TEAM, REQUESTER, OURS)
    assert now == Known(TEAM, REQUESTER, groups=OURS)
    assert calls_of(slack, "users.info") == 1


async def test_a_group_that_was_created_after_the_last_read_is_found_once_a_policy_names_it(
    slack: LocalSlack, api: SlackApi, directory: Directory
) -> None:
    await directory.person(TEAM, REQUESTER, OURS)
    slack.groups["S0NEW"] = UserGroup("S0NEW", "new", frozenset({REQUESTER}))
    directory.prefetch(OURS | {"S0NEW"})
    await slack.until(lambda slack: calls_of(slack, "usergroups.list") == 2)
    await time_passes(api)
    known = await directory.person(TEAM, REQUESTER, OURS | {"S0NEW"})
    assert known == Known(TEAM, REQUESTER, groups=OURS | {"S0NEW"})


async def test_the_groups_are_read_ahead_for_a_new_policy_only_if_it_names_any(
    slack: LocalSlack, api: SlackApi, directory: Directory
) -> None:
    directory.prefetch(NONE)
    await time_passes(api)
    assert calls_of(slack, "usergroups.list") == 0
    directory.prefetch(OURS)
    await slack.until(lambda slack: calls_of(slack, "usergroups.list") == 1)


async def test_a_channel_that_was_read_ahead_is_not_read_again_and_a_direct_message_never(
    slack: LocalSlack, directory: Directory
) -> None:
    directory.prefetch_channel(RELEASES)
    directory.prefetch_channel("D0BOT")
    assert await directory.why_private(RELEASES) is None
    assert await directory.why_private("D0BOT") is None
    assert [call.args["channel"] for call in slack.calls] == [RELEASES]


def test_a_group_whose_members_slack_does_not_list_has_none() -> None:
    assert users_of({"id": PLATFORM, "users": None}) == frozenset()


async def test_each_field_of_a_person_is_read(slack: LocalSlack, directory: Directory) -> None:
    slack.people["U0X"] = SlackUser("U0X", "x", is_restricted=True, locale="zh-CN")
    slack.groups["S0X"] = UserGroup("S0X", "x", frozenset({"U0X"}))
    found, unread = await directory.person(TEAM, "U0X", frozenset({"S0X", "S0GONE"})), Known("", "")
    assert [
        e.name for e in fields(Known) if getattr(found, e.name) == getattr(unread, e.name)
    ] == []


# Languages.


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en-US", Language.ENGLISH),
        ("en-GB", Language.ENGLISH),
        ("zh-CN", Language.CHINESE),
        ("zh-TW", Language.CHINESE),
        ("ZH-cn", Language.CHINESE),
        ("zh", Language.CHINESE),
        ("zha", Language.ENGLISH),
        ("de-ZH", Language.ENGLISH),
        ("", Language.ENGLISH),
    ],
)
async def test_the_locale_of_users_info_determines_the_language(
    slack: LocalSlack, directory: Directory, locale: str, language: Language
) -> None:
    slack.people["U0X"] = SlackUser("U0X", "x", locale=locale)
    assert await directory.person(TEAM, "U0X", OURS) == Known(TEAM, "U0X", language=language)


# Fresh reads, for clicks.


async def test_a_fresh_read_bypasses_the_cache(slack: LocalSlack, directory: Directory) -> None:
    await directory.person(TEAM, REQUESTER, OURS)
    slack.groups[PLATFORM] = replace(slack.groups[PLATFORM], members=frozenset())
    slack.people[REQUESTER] = replace(slack.people[REQUESTER], is_restricted=True)
    remembered = await directory.person(TEAM, REQUESTER, OURS)
    assert remembered == Known(TEAM, REQUESTER, groups=frozenset({PLATFORM}))
    now = await directory.person(TEAM, REQUESTER, OURS, fresh=True)
    assert now == Known(TEAM, REQUESTER, Standing.GUEST)
    assert await directory.person(TEAM, REQUESTER, OURS) == now


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
async def test_a_fresh_read_that_fails_does_not_fall_back_to_the_cache(
    slack: LocalSlack, directory: Directory, method: str
) -> None:
    await directory.person(TEAM, REQUESTER, OURS)
    slack.fail(method, Status(503))
    now = await directory.person(TEAM, REQUESTER, OURS, fresh=True)
    unread = Known(TEAM, REQUESTER, unreadable={PLATFORM: Unreadable.SLACK_DOWN})
    assert now == (Unreadable.SLACK_DOWN if method == "users.info" else unread)


# Whether a request has an approver.


APPROVER, APPROVER2, GONE = "U0APPROVER", "U0APPROVER2", "U0GONE"


def asking(*users: str, groups: Collection[str] = (), own: bool = False) -> Rule:
    """Return a rule with these approvers."""
    approvers = Approvers(frozenset(users), frozenset(groups), RELEASES, timedelta(hours=1))
    return Rule("ask", Effect.APPROVE, approvers=approvers, self_approval=own)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(asking(APPROVER), True, id="a member"),
        pytest.param(asking(groups=["S0APPROVERS"]), True, id="a group with members"),
        pytest.param(asking(GONE), False, id="somebody deactivated"),
        pytest.param(asking("U0GUEST"), False, id="a guest"),
        pytest.param(asking("U0ELSEWHERE"), False, id="somebody from outside"),
        pytest.param(asking("U0NOBODY"), False, id="nobody by that id"),
        pytest.param(asking(groups=["S0EMPTY"]), False, id="an empty group"),
        pytest.param(asking(groups=["S0NOSUCH"]), False, id="a group that does not exist"),
        pytest.param(asking(GONE, groups=["S0EMPTY", "S0APPROVERS"]), True, id="one of several"),
        pytest.param(asking(REQUESTER), False, id="only the requester"),
        pytest.param(asking(groups=[PLATFORM]), False, id="only the requester, by a group"),
        pytest.param(
            asking(REQUESTER, own=True), True, id="the requester, who may approve their own"
        ),
        pytest.param(asking(REQUESTER, APPROVER), True, id="the requester and another"),
        pytest.param(Rule("ask", Effect.APPROVE), False, id="no approvers"),
    ],
)
async def test_a_request_has_an_approver_or_not(
    slack: LocalSlack, api: SlackApi, clock: Clock, rule: Rule, expected: bool
) -> None:
    slack.groups["S0EMPTY"] = UserGroup("S0EMPTY", "empty")
    directory = Directory(api, TEAM, clock)
    assert bool(await directory.approvers(rule, REQUESTER, 1)) is expected


@pytest.mark.parametrize("fault", [Status(503), Code("missing_scope")])
async def test_somebody_whom_slack_does_not_tell_of_counts_as_an_approver(
    slack: LocalSlack, directory: Directory, fault: Fault
) -> None:
    slack.fail("users.info", fault)
    assert await directory.approvers(asking(GONE, "U0NOBODY"), REQUESTER, 1) == [GONE]
    slack.fail("usergroups.list", fault)
    with pytest.raises(AwayError):
        await directory.approvers(asking(groups=["S0APPROVERS"]), REQUESTER, 1)


async def test_no_more_people_are_looked_up_than_necessary(
    slack: LocalSlack, directory: Directory
) -> None:
    assert await directory.approvers(asking(APPROVER, APPROVER2), REQUESTER, 1) == [APPROVER]
    assert calls_of(slack, "users.info") == 1


async def test_those_who_are_asked_directly_are_named_up_to_a_limit_once_slack_tells_the_groups(
    slack: LocalSlack, directory: Directory, clock: Clock
) -> None:
    rule = asking(GONE, groups=["S0APPROVERS"])
    slack.fail("usergroups.list", Status(503))
    with pytest.raises(AwayError):
        await directory.approvers(rule, REQUESTER, 2)
    clock.now += 5
    assert await directory.approvers(rule, REQUESTER, 2) == [APPROVER, APPROVER2]
    assert await directory.approvers(rule, REQUESTER, 1) == [APPROVER]


async def test_only_other_members_and_people_who_cannot_be_read_are_asked_directly(
    slack: LocalSlack, directory: Directory
) -> None:
    slack.fail("users.info", Status(503), user=APPROVER2)
    rule = asking(REQUESTER, APPROVER, APPROVER2, GONE, "U0ELSEWHERE", "U0GUEST", "U0NOBODY")
    assert await directory.approvers(rule, REQUESTER, 9) == [APPROVER, APPROVER2]
    assert calls_of(slack, "usergroups.list") == 0


# The stop.


async def test_reads_under_way_end_with_the_stop(slack: LocalSlack, directory: Directory) -> None:
    slack.fail("users.info", Slow())
    slack.fail("usergroups.list", Slow())
    asking_slack = asyncio.create_task(directory.person(TEAM, REQUESTER, OURS))
    await slack.until(
        lambda slack: calls_of(slack, "users.info") == calls_of(slack, "usergroups.list") == 1
    )
    reads = [task for task in asyncio.all_tasks() if "Cache._fetch" in repr(task)]
    assert len(reads) == 2
    await directory.close()
    assert all(task.done() for task in reads)
    await asyncio.wait([asking_slack])
