"""Check Slack's answers: tokens, granted scopes, other connections, and the people and groups of the policy."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from bot.domain.finding import Finding, Problem, at, ok, unchecked, warning, wrong, wrong_by
from bot.domain.sentence import SEMICOLON, Sentence, joined
from bot.ops.doctor.findings import in_the_way, listed, utc, with_unread
from bot.ops.doctor.ledger import LedgerLook
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.slack_calls import SlackAnswers, channels_of, installation_of, people_of
from bot.policy.kinds import Policy, Standing, Unreadable
from bot.slack.api import NOT_SENT, Answered, Doubtful, Refused, Result
from bot.slack.greeting import MOST_CONNECTIONS, REFUSALS, Hello
from bot.slack.preflight import (
    MENTIONS,
    REINSTALL,
    SCOPES,
    missing,
    not_granted,
    problem_of_app,
    problem_of_bot,
)

_UNREADABLE = {
    Unreadable.MISSING_SCOPE: (Sentence("a scope is missing"), REINSTALL),
    Unreadable.BAD_TOKEN: (
        Sentence("Slack refuses the bot token"),
        Sentence("Install the Slack app again."),
    ),
    Unreadable.PAID_PLAN: (
        Sentence("this workspace's plan has no user groups"),
        Sentence("Name users instead of groups in the policy, or upgrade the plan."),
    ),
    Unreadable.RATE_LIMITED: (
        Sentence("Slack asks to slow down"),
        Sentence("Run the doctor again in a minute."),
    ),
    Unreadable.SLACK_DOWN: (
        Sentence("Slack did not tell in time"),
        Sentence("Run the doctor again."),
    ),
}
_ADD_TO_WORKSPACES = Sentence(
    "Have an admin of the organisation add the app to the workspaces that are to have it."
)
_ANOTHER = Sentence(
    "Another copy of the bot, on a laptop perhaps, takes some of the commands: stop it, or make a new app-level token and revoke the old one on the page “Basic Information”. If it is your bot, it has another ledger: correct DATABASE_URL, or do what its log says if the file was replaced."
)


async def check_slack(setup: Setup) -> list[Finding]:
    """Return the findings about Slack; its connections are compared to the bots on the ledger."""
    answers, slack, policy = setup.slack, setup.parts.slack, setup.parts.policy
    if answers.failed:
        return [answers.failed]
    who = answers.bot.data if isinstance(answers.bot, Answered) else {}
    user, team = who.get("user"), who.get("team")
    fine = (
        Sentence("auth.test: {user} in the workspace {team}", user=user, team=team)
        if answers.workspaces is None
        else Sentence("auth.test: {user} in the organisation {team}", user=user, team=team)
    )
    found = [
        _token("slack-bot", "SLACK_BOT_TOKEN", answers.bot, problem_of_bot, fine),
        _scopes(policy, answers),
    ]
    if slack is None or slack.app_token:
        fine = Sentence("apps.connections.open: Slack gives a socket")
        found += [
            _token("slack-app", "SLACK_APP_TOKEN", answers.app, problem_of_app, fine),
            *_apps(answers, setup.ledger),
            _connections(answers, setup.ledger),
        ]
    if policy:
        found += [
            *_workspaces(policy, answers),
            _groups(policy, answers),
            *_people(policy, answers),
            _channels(policy, answers),
        ]
    return found


def _token(
    name: str,
    setting: str,
    result: Result | None,
    problem_of: Callable[[Result], str | None],
    fine: str,
) -> Finding:
    """Return what the preflight finds about a token, with a fix that suits the doctor."""
    if result is None:
        return unchecked(
            name, Sentence("{setting} or SLACK_API_URL is not usable", setting=setting), "settings"
        )
    problem = problem_of(result)
    if problem is None:
        return ok(name, fine)
    if isinstance(result, Refused | Doubtful) and result.way:
        return in_the_way(name, "Slack", result.way)
    found = wrong_by(name, problem)
    fix = found.fix
    if isinstance(fix, Sentence) and "then" in fix.values:
        fix = Sentence(
            fix.template, **{**fix.values, "then": Sentence("then run the doctor again")}
        )
    return replace(found, fix=fix, causes=("proxies",) if result == Refused(NOT_SENT) else ())


def _scopes(policy: Policy | None, answers: SlackAnswers) -> Finding:
    granted = answers.bot.scopes if isinstance(answers.bot, Answered) else None
    if granted is None:
        return unchecked(
            "slack-scopes", Sentence("Slack did not say which are granted"), "slack-bot"
        )
    lacking = missing(granted)
    if not lacking:
        every = Sentence("all {count} are granted", count=len(SCOPES))
        more = Sentence(
            "{every}; with app_mentions:read, @share-env is a command too where the app has the event app_mention",
            every=every,
        )
        return ok("slack-scopes", more if MENTIONS in granted else every)
    needs_groups = bool(policy and policy.groups)
    vital = any(s.vital or (s.name == "usergroups:read" and needs_groups) for s in lacking)
    return (wrong if vital else warning)("slack-scopes", not_granted(lacking), REINSTALL)


def _connections(answers: SlackAnswers, ledger: LedgerLook) -> Finding:
    """Return how many connections the app has: to the doctor, or as the bot that runs recorded it at its last one."""
    name, replicas, greeting = "slack-connections", ledger.replicas, ledger.greeting
    if not isinstance(answers.app, Answered):
        return unchecked(name, Sentence("Slack could not be asked for a connection"), "slack-app")
    if replicas is None:
        why = Sentence(
            "the ledger does not tell whether a bot runs, whose commands this could cost"
        )
        return unchecked(name, why, "ledger")
    if refused := REFUSALS.get((greeting and greeting.refusal) or ""):
        return wrong(
            name,
            Sentence("to the bot that runs Slack said: {found}", found=refused.found),
            refused.fix,
        )
    if replicas and (greeting is None or greeting.connections is None):
        fix = Sentence(
            "Look whether the bot still runs, then at its log: it is not connected, or to another Slack app."
        )
        found = Sentence(
            "Slack has greeted no bot that runs on this ledger; running: {replicas}",
            replicas=replicas,
        )
        return warning(name, found, fix, "ledger")
    if greeting and greeting.connections is not None:
        bots = greeting.bots or 0
        held = Sentence(
            "{connections} when Slack last greeted the bot that runs ({at}); bots on this ledger then: {bots}",
            connections=greeting.connections,
            at=utc(greeting.at),
            bots=bots,
        )
        return warning(name, held, _ANOTHER) if greeting.connections > bots else ok(name, held)
    if isinstance(answers.socket, Problem):
        return wrong(name, answers.socket.found, answers.socket.fix, "proxies")
    others = (answers.socket.connections or 1) - 1 if answers.socket else 0
    full = others >= MOST_CONNECTIONS
    held = Sentence("{others} besides the doctor's own", others=others)
    if full:
        held = Sentence("{held}, and Slack allows no more", held=held)
    if others:
        return (wrong if full else warning)(
            name, Sentence("{held}; no bot runs on this ledger", held=held), _ANOTHER
        )
    return ok(name, held)


def _apps(answers: SlackAnswers, ledger: LedgerLook) -> Iterator[Finding]:
    """Yield that the two tokens belong to different apps, if so."""
    hello = answers.socket.app_id if isinstance(answers.socket, Hello) else None
    listens = hello or (ledger.greeting.app if ledger.greeting else None)
    if answers.app_id and listens and answers.app_id != listens:
        found = Sentence(
            "SLACK_BOT_TOKEN belongs to the Slack app {app_id}, SLACK_APP_TOKEN to {listens}",
            app_id=answers.app_id,
            listens=listens,
        )
        yield wrong("slack-app", found, Sentence("Copy both tokens from the pages of one app."))


def _workspaces(policy: Policy, answers: SlackAnswers) -> Iterator[Finding]:
    """Yield in which workspaces of its organisation the app is, and those that only the policy names."""
    name, named = "slack-workspaces", policy.workspaces
    if not isinstance(answers.bot, Answered):
        return
    if isinstance(answers.workspaces, Unreadable):
        why = Sentence("Slack does not list the organisation's workspaces that have the app")
        yield unchecked(name, why, "slack-bot")
        return
    if answers.workspaces == {}:
        found = Sentence("the app is installed for the organisation, but in none of its workspaces")
        yield wrong(name, found, _ADD_TO_WORKSPACES)
        return
    having = answers.workspaces or {installation_of(answers.bot).id: ""}
    if lost := sorted(named - having.keys()):
        found = Sentence("the policy names workspaces without the app: {lost}", lost=listed(lost))
        fix = Sentence(
            "Correct the ids in the policy, or have an admin of the organisation add the app there."
        )
        yield wrong(name, found, fix)
    elif named or answers.workspaces:
        yield ok(
            name, listed([f"{id_} {called}".strip() for id_, called in sorted(having.items())])
        )


def _groups(policy: Policy, answers: SlackAnswers) -> Finding:
    name, named, members = "slack-groups", sorted(policy.groups), answers.groups
    if not named:
        return ok(name, Sentence("the policy names none"))
    if members is None:
        return unchecked(name, Sentence("Slack could not be asked"), "slack-bot")
    if isinstance(members, Unreadable):
        why, fix = _UNREADABLE[members]
        return wrong(name, Sentence("cannot be read: {why}", why=why), fix, *_lacked(members))
    bare = [group for group in named if answers.workspaces is not None and "/" not in group]
    if bare:
        where = Sentence("named without their workspace: {bare}", bare=listed(bare))
        return wrong(name, where, Sentence("In an organisation, write them with it, as in T…/S…."))
    lost = [group for group in named if group not in members]
    gone = [group for group in named if group in members and members[group] is None]
    if found := _both((Sentence("do not exist"), lost), (Sentence("deactivated"), gone)):
        fix = Sentence("Correct the ids in the policy, or bring the groups back in Slack.")
        return wrong(name, found, fix)
    if empty := [group for group in named if not members[group]]:
        fix = Sentence("Add people in Slack, or take the group out of the policy.")
        return warning(name, Sentence("without members: {empty}", empty=listed(empty)), fix)
    return ok(name, listed(named))


def _people(policy: Policy, answers: SlackAnswers) -> Iterator[Finding]:
    name = "slack-people"
    named = people_of(policy)
    if not isinstance(answers.bot, Answered):
        yield unchecked(name, Sentence("Slack could not be asked"), "slack-bot")
        return

    def those(standing: Standing | Unreadable) -> list[str]:
        return [user_id for user_id in named if answers.people.get(user_id) is standing]

    found = _both(
        (Sentence("do not exist"), those(Unreadable.NOT_FOUND)),
        (Sentence("deactivated"), those(Standing.DEACTIVATED)),
        (Sentence("bots, which may do nothing"), those(Standing.BOT)),
    )
    if found:
        yield wrong(name, found, Sentence("Take them out of the policy, or correct the ids."))
    for trouble, (why, fix) in _UNREADABLE.items():
        if ids := those(trouble):
            causes = _lacked(trouble) or ("slack-groups",)
            yield warning(
                name,
                Sentence("not looked up: {ids} ({why})", ids=listed(ids), why=why),
                fix,
                *causes,
            )
    if not found and not any(map(those, _UNREADABLE)):
        yield ok(
            name,
            Sentence("named: {count}; all active", count=len(named))
            if named
            else Sentence("the policy names none"),
        )


def _channels(policy: Policy, answers: SlackAnswers) -> Finding:
    """Return which of the channels that rules are for Slack does not know."""
    name, named = "slack-channels", sorted(channels_of(policy))
    if not named:
        return ok(name, Sentence("no rule is for certain channels"))
    if not isinstance(answers.bot, Answered):
        return unchecked(name, Sentence("Slack could not be asked"), "slack-bot")
    lost = [each for each in named if answers.channels.get(each) == Refused("channel_not_found")]
    if lost:
        found = Sentence(
            "rules are for channels that do not exist, or are private ones without the bot: {lost}",
            lost=listed(lost),
        )
        fix = Sentence(
            "Correct the ids in the policy, or type /invite @share-env in those channels."
        )
        return warning(name, found, fix)
    unread = [each for each in named if not isinstance(answers.channels.get(each), Answered)]
    return ok(name, with_unread(Sentence("named: {count}", count=len(named)), unread))


def _lacked(trouble: Unreadable) -> tuple[str, ...]:
    """Return the check of the scopes, if one is missing."""
    return ("slack-scopes",) if trouble is Unreadable.MISSING_SCOPE else ()


def _both(*kinds: tuple[str, list[str]]) -> str:
    return joined([at(what, listed(ids)) for what, ids in kinds if ids], SEMICOLON)
