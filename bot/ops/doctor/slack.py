"""Check Slack's answers: tokens, granted scopes, other connections, and the people and groups of the policy."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bot.domain.finding import Finding, ok, unchecked, warning, wrong, wrong_by
from bot.ops.doctor.findings import listed
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.slack_calls import MOST_CONNECTIONS, FoundGroup, SlackAnswers
from bot.policy.kinds import Policy, Standing, Unreadable
from bot.slack.api import Answered, Result
from bot.slack.preflight import (
    REINSTALL,
    SCOPES,
    missing,
    problem_of_app,
    problem_of_bot,
    unreached,
)

_READABLE = {
    Unreadable.MISSING_SCOPE: ("a scope is missing", REINSTALL),
    Unreadable.PAID_PLAN: (
        "this workspace's plan has no user groups",
        "Name users instead of groups in the policy, or upgrade the plan.",
    ),
    Unreadable.RATE_LIMITED: ("Slack asks to slow down", "Run the doctor again in a minute."),
}
_COPY = "Another copy of the bot, on a laptop perhaps, takes some of the commands"
_UNKNOWN = (
    "If it is your bot, it has another ledger: correct DATABASE_URL, or do what its log says if the file was replaced. "
    "If it is another copy, on a laptop perhaps, it takes some of the commands"
)
_END_IT = ": stop it, or make a new app-level token and revoke the old one on the page “Basic Information”."
_LATER = ("Slack did not tell in time", "Run the doctor again.")


async def check_slack(setup: Setup) -> list[Finding]:
    """Return the findings about Slack; its connections are compared to the replicas in the ledger."""
    told, slack, policy = setup.slack, setup.parts.slack, setup.parts.policy
    found = [_bot(told), _scopes(policy, told)]
    if slack is None or slack.app_token:
        found += [_app(told), _connections(told, setup.ledger.replicas)]
    if policy:
        found += [_groups(policy, told), *_people(told)]
    return found


def _bot(told: SlackAnswers) -> Finding:
    if told.failed:
        return told.failed
    if told.bot is None:
        return unchecked("slack-bot", "SLACK_BOT_TOKEN or SLACK_API_URL is not usable", "settings")
    if problem := problem_of_bot(told.bot):
        return _no(told.bot, wrong_by("slack-bot", problem))
    who = told.bot.data if isinstance(told.bot, Answered) else {}
    return ok("slack-bot", f"auth.test: {who.get('user')} in the workspace {who.get('team')}")


def _no(result: Result, finding: Finding) -> Finding:
    """Return the finding about an error of the preflight, with a fix that suits the doctor; a proxy may explain it."""
    fix = (finding.fix or "").replace("then start again.", "then run the doctor again.")
    return replace(finding, fix=fix, causes=("proxies",) if unreached(result) else ())


def _scopes(policy: Policy | None, told: SlackAnswers) -> Finding:
    granted = told.bot.scopes if isinstance(told.bot, Answered) else None
    if granted is None:
        return unchecked("slack-scopes", "Slack did not say which are granted", "slack-bot")
    lacking = missing(granted)
    if not lacking:
        return ok("slack-scopes", f"all {len(SCOPES)} are granted")
    needs_groups = bool(policy and policy.groups)
    vital = any(s.vital or (s.name == "usergroups:read" and needs_groups) for s in lacking)
    found = "not granted: " + "; ".join(f"{s.name} ({s.without})" for s in lacking)
    return (wrong if vital else warning)("slack-scopes", found, REINSTALL)


def _app(told: SlackAnswers) -> Finding:
    if told.failed:
        return unchecked("slack-app", "Slack could not be asked", "slack-bot")
    if told.app is None:
        return unchecked("slack-app", "SLACK_APP_TOKEN or SLACK_API_URL is not usable", "settings")
    if problem := problem_of_app(told.app):
        return _no(told.app, wrong_by("slack-app", problem))
    return ok("slack-app", "apps.connections.open: Slack gives a socket")


def _connections(told: SlackAnswers, replicas: int | None) -> Finding:
    name = "slack-connections"
    if not isinstance(told.app, Answered):
        return unchecked(name, "Slack could not be asked for a connection", "slack-app")
    if told.connections is None:
        fix = "Check that the network and the proxy let wss:// through."
        return wrong(name, "Slack's socket does not open, or greets nobody", fix, "proxies")
    others = max(0, told.connections - 1)
    full = others >= MOST_CONNECTIONS
    held = f"{others} besides the doctor's own{', and Slack allows no more' if full else ''}"
    known = "" if replicas is None else f"; bots that run on this ledger: {replicas}"
    if others > (1 if replicas is None else replicas):
        fix = f"{_COPY if replicas != 0 else _UNKNOWN}{_END_IT}"
        return (wrong if full else warning)(name, f"{held}{known}", fix)
    if replicas and others < replicas:
        fix = "Look whether the bot still runs, then at its log: it is not connected, or to another Slack app."
        return warning(name, f"{held}{known}", fix)
    return ok(name, f"{held}{known}")


def _groups(policy: Policy, answers: SlackAnswers) -> Finding:
    name, named, told = "slack-groups", sorted(policy.groups), answers.groups
    if not named:
        return ok(name, "the policy names none")
    if told is None:
        return unchecked(name, "Slack could not be asked", "slack-bot")
    if isinstance(told, Unreadable):
        why, fix = _READABLE.get(told, _LATER)
        return wrong(name, f"cannot be read: {why}", fix, *_lacked(told))
    lost = [group for group in named if group not in told]
    gone = [_called(each, told) for each in named if each in told and not told[each].active]
    empty = [_called(each, told) for each in named if each in told and not told[each].members]
    if lost or gone:
        found = _both(("do not exist", lost), ("deactivated", gone))
        fix = "Correct the ids in the policy, or bring the groups back in Slack."
        return wrong(name, found, fix)
    if empty:
        fix = "Add people in Slack, or take the group out of the policy."
        return warning(name, f"without members: {listed(empty)}", fix)
    return ok(name, listed([_called(each, told) for each in named]))


def _called(group: str, told: Mapping[str, FoundGroup]) -> str:
    return f"@{told[group].handle} ({group})" if told[group].handle else group


def _people(told: SlackAnswers) -> Iterator[Finding]:
    name = "slack-people"
    if not isinstance(told.bot, Answered):
        yield unchecked(name, "Slack could not be asked", "slack-bot")
        return
    by: dict[Standing | Unreadable, list[str]] = {}
    for user_id, standing in told.people.items():
        by.setdefault(standing, []).append(user_id)
    missing, gone = by.pop(Unreadable.NOT_FOUND, []), by.pop(Standing.DEACTIVATED, [])
    bots = by.pop(Standing.BOT, [])
    found = _both(
        ("do not exist", missing), ("deactivated", gone), ("bots, which may do nothing", bots)
    )
    if found:
        yield wrong(name, found, "Take them out of the policy, or correct the ids.")
    unread = [(trouble, ids) for trouble, ids in by.items() if isinstance(trouble, Unreadable)]
    for trouble, ids in unread:
        why, fix = _READABLE.get(trouble, _LATER)
        causes = _lacked(trouble) or ("slack-groups",)
        yield warning(name, f"not looked up: {listed(ids)} ({why})", fix, *causes)
    if not found and not unread:
        count = len(told.people)
        yield ok(name, f"named: {count}; all active" if count else "the policy names none")


def _lacked(trouble: Unreadable) -> tuple[str, ...]:
    """Return the check of the scopes, if one is missing."""
    return ("slack-scopes",) if trouble is Unreadable.MISSING_SCOPE else ()


def _both(*kinds: tuple[str, list[str]]) -> str:
    return "; ".join(f"{what}: {listed(ids)}" for what, ids in kinds if ids)
