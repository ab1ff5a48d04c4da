"""The command `share-env-bot policy`: print the findings about the policy, or its answer to a question."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import assert_never

from bot.command.grammar import is_appid
from bot.domain.finding import Finding, Problem, at, ok, wrong_by
from bot.domain.language import Language
from bot.domain.outcome import Party
from bot.domain.sentence import COMMA, OR, Sentence, joined
from bot.locale import languages
from bot.messages.rules import fit
from bot.messages.rulings import why
from bot.messages.words import as_typed
from bot.observe.output import FAILED, FINE, complain, printable, speaking
from bot.ops.doctor.findings import print_each
from bot.ops.doctor.policy import findings_of
from bot.ops.doctor.slack_calls import SlackAnswers, approvers_channels_of, read_channels, web_api
from bot.ops.doctor.transport import promptly, session
from bot.policy.decide import decide, explain, owner_of, whatever_reason
from bot.policy.errors import quoted
from bot.policy.file import read_question
from bot.policy.kinds import (
    Approvers,
    Ask,
    Escalation,
    Miss,
    NeedsApproval,
    Person,
    Policy,
    Rule,
    Standing,
    Tested,
)
from bot.policy.shapes import Question
from bot.runtime.clock import Runtime
from bot.settings.access import read_slack
from bot.settings.environ import Reader
from bot.settings.pasted import BOT_TOKEN, kind_of
from bot.settings.policy import policy_path, read_rules
from bot.settings.table import Table

_NO_OWNER = Problem(
    Sentence("Owner: none is known here, so nothing is shared"),
    Sentence("Add an [[owner]], or set WECHAT_AUTHORIZER_APPID."),
)
_ALSO = Sentence("{one}, and {other}")
_SHOWN = re.compile(r"<(?:[@#]|!subteam\^)(\w+)>|<!date\^[^|>]*\|([^>]*)>")
_BOLD = re.compile(r"^\*([^*`\n]+)\*", re.MULTILINE)
_LISTS = "SHARE_ENV_ALLOWED_"


def policy(environ: Mapping[str, str], file: str | None, asked: Mapping[str, object]) -> int:
    """Print the findings, or the answer to a question; return the exit code."""
    if file is not None and not file.strip():
        empty = Problem(
            Sentence("FILE is empty"), Sentence("Name the policy file, or leave FILE out.")
        )
        return complain([empty], words=speaking(environ))
    question = read_question(asked) if asked else None
    if isinstance(question, list):
        return complain(question, words=speaking(environ))
    read = Reader(_with_file(environ, file) if file is not None else environ)
    path = policy_path(read)
    owner = Table.WECHAT_AUTHORIZER_APPID.value(read) or ""
    tested = read_rules(read, path, owner if is_appid(owner) else None)
    if tested is None:
        return complain(read.problems, words=speaking(environ))
    answers = SlackAnswers()
    if question is None:
        answers = promptly(_slack_answers(environ, tested.policy))
    findings = [*_findings(str(path) if path else None, tested, read.problems, answers)]
    if question is None:
        return FINE if print_each(findings, speaking(environ).told) else FAILED
    return _answer(tested.policy, question, findings, speaking(environ).language)


async def _slack_answers(environ: Mapping[str, str], rules: Policy) -> SlackAnswers:
    """Return what Slack says about the approvers' channels, if there is a token."""
    slack = read_slack(Reader(environ))
    if slack is None or kind_of(slack.bot_token) != BOT_TOKEN:
        return SlackAnswers()
    async with session() as http:
        api = web_api(slack, slack.bot_token, http)
        return SlackAnswers(channels=await read_channels(api, approvers_channels_of(rules)))


def _findings(
    path: str | None, tested: Tested, problems: Sequence[str], answers: SlackAnswers
) -> Iterator[Finding]:
    """Yield the findings about the policy, or that all is well; `path` is its file."""
    for problem in problems:
        yield wrong_by("policy-file", problem)
    if not problems:
        yield ok(
            "policy-file",
            at(
                path or Sentence("the settings"),
                Sentence("rules: {count}", count=len(tested.policy.rules)),
            ),
        )
    # The setting may be there where the bot runs.
    yield from findings_of(tested, answers, "warning", Runtime().now)


def _with_file(environ: Mapping[str, str], file: str) -> dict[str, str]:
    """Return the environment with this policy file as its only policy."""
    others = {name: value for name, value in environ.items() if not name.startswith(_LISTS)}
    return {**others, "POLICY_FILE": file}


def _answer(
    rules: Policy, question: Question, findings: Sequence[Finding], language: Language
) -> int:
    """Print the answer, and what is wrong with the policy since the bot would refuse it."""
    words = languages(language, lambda: rules).channel
    fine = print_each([each for each in findings if each.level == "wrong"], words.told)
    ask = question.ask(Runtime().now())
    unread = map(words.told, _unread_groups(rules, ask.person))
    said = [*explanation(rules, ask, language), *unread]
    print(*map(printable, said), sep="\n", flush=True)
    return FINE if fine else FAILED


def explanation(policy: Policy, ask: Ask, language: Language = Language.ENGLISH) -> Iterator[str]:
    """Yield the decision in the bot's words, and what led to it."""
    words = languages(language, lambda: policy).channel
    decision = decide(policy, ask)
    yield words.told(_asked(ask))
    yield f"  /share-env why {ask.appid} {ask.env}"
    told = why(words, decision, ask, policy)
    yield from (f"  │ {line}" for line in _plain(told.text).splitlines())
    permitted = whatever_reason(decision)
    if isinstance(permitted, NeedsApproval):
        yield from map(words.told, _asking(permitted.rule))
    owner = owner_of(policy, ask.env)
    owned = Sentence("Owner: {owner}, whose token is used", owner=owner) if owner else _NO_OWNER
    yield words.told(owned)
    yield words.told(Sentence("All rules, in order; the first that matches decides:"))
    for number, verdict in enumerate(explain(policy, ask), 1):
        misses = [_missed(verdict.rule, miss) for miss in Miss if miss in verdict.misses]
        fits = joined(misses, _ALSO) or fit(words, verdict)
        yield f"  {number}. {words.told(at(quoted(verdict.rule.name), fits))}"


def _asking(rule: Rule) -> Iterator[str]:
    """Yield who is asked and mentioned, where and until when, how many have to agree, who is asked later, and who need not wait."""
    approvers = rule.approvers
    yield Sentence(
        "Approvers: {who}; asked in {channel}, for {span}",
        who=_people(approvers),
        channel=approvers.channel,
        span=_span(approvers.expires),
    )
    if approvers.needed > 1:
        parties = [
            Sentence("{count} of {who}", count=each.count, who=_people(each))
            for each in approvers.parties
        ]
        yield Sentence("Have to agree: {parties}", parties=joined(parties, _ALSO))
    if (notify := approvers.notify) is not None:
        yield Sentence("Mentioned: {who}", who=_people(notify) or Sentence("nobody"))
    if later := approvers.escalate:
        yield Sentence(
            "After {span} also: {who}; asked in {channel}",
            span=_span(later.after),
            who=_people(later),
            channel=later.channel,
        )
    if rule.break_glass:
        yield Sentence("Need not wait if they say why: {who}", who=_people(rule.break_glass))


def _people(named: Approvers | Party | Escalation) -> str:
    return ", ".join([*sorted(named.users), *sorted(named.groups)])


def _span(time: timedelta) -> str:
    """Return a time as a file would have it."""
    minutes = time // timedelta(minutes=1)
    return f"{minutes}m" if minutes % 60 else f"{minutes // 60}h"


def _missed(rule: Rule, miss: Miss) -> str:
    """Return why a rule does not match, with whom and what it is for: an operator may know all of it."""
    match miss:
        case Miss.WHO | Miss.UNREADABLE:
            members = [Sentence("members of {group}", group=group) for group in sorted(rule.groups)]
            return Sentence(
                "it is for {names}", names=joined([*sorted(rule.users), *members], COMMA)
            )
        case Miss.GUEST:
            return Sentence("it does not let in guests or people of other workspaces")
        case Miss.WORKSPACE:
            return Sentence("it is only for {names}", names=", ".join(sorted(rule.workspaces)))
        case Miss.CHANNEL:
            return Sentence("it is only for {names}", names=", ".join(sorted(rule.channels)))
        case Miss.HOURS:
            hours = rule.hours.text if rule.hours else ""
            return Sentence("it is only for {hours}", hours=hours)
        case Miss.APPID:
            return Sentence("it is about other appids ({names})", names=", ".join(rule.appids))
        case Miss.ENV:
            return Sentence("it is about other envs ({names})", names=", ".join(rule.envs))
        case _:
            assert_never(miss)


def _unread_groups(policy: Policy, person: Person) -> Iterator[str]:
    """Yield which groups the answer depends on, if none was given."""
    groups = sorted({group for rule in policy.rules for group in rule.groups})
    if groups and not person.groups:
        fix = Sentence(
            "If {user} is in {groups}, say so with --group.",
            user=person.user_id,
            groups=joined(groups, OR),
        )
        yield Problem(Sentence("Who is in a group cannot be read here"), fix)


def _plain(text: str) -> str:
    """Return Slack's mrkdwn as plain text: ids for mentions, dates in UTC, no markup."""
    return as_typed(_BOLD.sub(r"\1", _SHOWN.sub(r"\1\2", text)).replace("`", ""))


def _asked(ask: Ask) -> str:
    """Return who asks, with their groups and whether they are a guest, and where."""
    who: str = ask.person.user_id
    if ask.person.groups:
        groups = ", ".join(sorted(ask.person.groups))
        who = Sentence("{who} of {groups}", who=who, groups=groups)
    if ask.person.standing is Standing.GUEST:
        who = Sentence("{who}, a guest", who=who)
    if ask.workspace:
        who = Sentence("{who}, in {channel}", who=who, channel=ask.workspace)
    if not ask.channel:
        return Sentence("{who}, no channel given", who=who)
    return Sentence("{who}, in {channel}", who=who, channel=ask.channel)
