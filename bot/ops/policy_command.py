"""The command `share-env-bot policy`: print the findings about the policy, or its answer to a question."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from bot.command.grammar import is_appid
from bot.domain.finding import Finding, ok, warning, wrong_by
from bot.ops.doctor.findings import counted, listed, of_owners, print_each
from bot.ops.output import FAILED, FINE, complain, printable
from bot.ops.policy_answers import explanation, listing, unread_groups
from bot.policy.file import read_question
from bot.policy.kinds import Operators, Policy
from bot.policy.lint import approvals, reach
from bot.policy.shapes import Asker, Question
from bot.policy.trials import Tested
from bot.settings.environ import Reader
from bot.settings.pasted import BOT_TOKEN, kind_of
from bot.settings.policy import file_of, read_rules
from bot.settings.slack import read_slack
from bot.settings.table import Table

_LISTS = "SHARE_ENV_ALLOWED_"
_PEOPLE = (Table.SHARE_ENV_ALLOWED_USERS.name, Table.SHARE_ENV_ALLOWED_GROUPS.name)


def policy(
    environ: Mapping[str, str], file: str | None, asked: Mapping[str, object], *, as_json: bool
) -> int:
    """Print the findings, or the answer to a question; return the exit code."""
    if file is not None and not file.strip():
        return complain(["FILE is empty. Name the policy file, or leave FILE out."])
    question = read_question(asked) if asked else None
    if isinstance(question, list):
        return complain(question)
    if question and as_json:
        return complain(["--json prints findings, not an answer. Leave it out."])
    read = Reader(_with_file(environ, file) if file is not None else environ)
    path = file_of(read)
    owner = Table.WECHAT_AUTHORIZER_APPID.value(read) or ""
    tested = read_rules(read, path, owner if is_appid(owner) else None)
    # Path.exists raises if the name is too long.
    is_there = os.path.exists(path) if path else any(map(read.text, _PEOPLE))  # noqa: PTH110
    if tested is None and not is_there:
        return complain(read.problems)
    told = _channels(environ, tested.policy) if tested and question is None else {}
    findings = [*examine(str(path) if path else None, tested, read.problems, told)]
    if question is None:
        return FINE if print_each(findings, as_json=as_json) else FAILED
    return _answer(tested.policy if tested else None, question, findings)


def examine(
    path: str | None,
    tested: Tested | None,
    problems: Sequence[str],
    channels: Mapping[str, Sequence[Finding]],
) -> Iterator[Finding]:
    """Yield the findings about the policy, or that all is well; `path` is its file.

    `channels` has the findings about the approvers' channels, as far as Slack returned them.
    """
    for problem in problems:
        yield wrong_by("policy-file", problem)
    if tested is None:
        others = "policy-reach, policy-approvers and policy-owners"
        fix = "Correct the lines above, then run it again."
        yield warning("policy-tests", f"not checked, nor are {others}", fix)
        return
    if not problems:
        yield ok("policy-file", f"{path or 'the settings'}: rules: {len(tested.policy.rules)}")
    if path:
        yield from _tests(tested)
    rules = tested.policy
    yield from [*reach(rules)] or [ok("policy-reach", "each rule can be reached")]
    yield from _approvers(rules, channels)
    yield from of_owners(rules, _lost)
    if rules.operators != Operators():
        yield ok("policy-operators", counted(rules.operators))


def _tests(tested: Tested) -> Iterator[Finding]:
    name = "policy-tests"
    for result in tested.results:
        finding = wrong_by(name, result.sentence())
        yield replace(finding, level="ok") if result.passed else finding


def _approvers(rules: Policy, channels: Mapping[str, Sequence[Finding]]) -> Iterator[Finding]:
    found = [*approvals(rules), *chain.from_iterable(channels.values())]
    yield from found
    named = [rule.approvers.channel for rule in rules.approval_rules]
    if not found:
        unknown = listed(sorted({channel for channel in named if channel not in channels}))
        beyond = f"; not checked with Slack: whether approvers can be asked in {unknown}"
        told = f"rules that ask for approval: {len(named)}"
        yield ok("policy-approvers", f"{told}{beyond if unknown else ''}")


def _channels(environ: Mapping[str, str], rules: Policy) -> Mapping[str, Sequence[Finding]]:
    """Return the findings about the approvers' channels, without those of which Slack did not tell."""
    slack = read_slack(Reader(environ))
    if not rules.approval_rules or slack is None or kind_of(slack.bot_token) != BOT_TOKEN:
        return {}
    # Imported here: nothing else needs Slack.
    from bot.ops.doctor.policy import inspect_channels  # noqa: PLC0415
    from bot.ops.doctor.transport import promptly  # noqa: PLC0415

    return promptly(inspect_channels(slack, rules))


def _lost(envs: str) -> Finding:
    why = f"no [[owner]] has {envs}, and WECHAT_AUTHORIZER_APPID is not set here"
    fix = "Add an [[owner]], or see that it is set where the bot runs."
    return warning("policy-owners", why, fix)


def _answer(rules: Policy | None, question: Question | Asker, findings: Sequence[Finding]) -> int:
    """Print the answer, and what is wrong with the policy since the bot would refuse it; or why there is no answer."""
    if rules is None:
        print_each(findings, as_json=False)
        return FAILED
    fine = print_each([each for each in findings if each.level == "wrong"], as_json=False)
    answer = (
        explanation(rules, question.ask())
        if isinstance(question, Question)
        else listing(rules, question.person(), question.channel)
    )
    lines = chain(answer, unread_groups(rules, question.person()))
    print(*map(printable, lines), sep="\n", flush=True)
    return FINE if fine else FAILED


def _with_file(environ: Mapping[str, str], file: str) -> dict[str, str]:
    """Return the environment with this policy file as its only policy."""
    others = {name: value for name, value in environ.items() if not name.startswith(_LISTS)}
    return {**others, "POLICY_FILE": file}
