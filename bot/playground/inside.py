"""Details of a message: its JSON, the events of its request, and the policy's decision."""

from collections.abc import Mapping

from bot.ops.policy_answers import Explanation
from bot.playground.loopback import JsonObject
from bot.playground.slack.conversations import rendered
from bot.playground.slack.transcript import PostedMessage
from bot.playground.stage import Stage
from bot.playground.targets import request_of
from bot.policy.file import read_question
from bot.policy.kinds import Policy
from bot.policy.shapes import Question


def inside(stage: Stage, message: PostedMessage) -> JsonObject:
    """Return all three; events and decision are empty for a message that is about no request."""
    request = request_of(message)
    events = [*stage.events(request)] if request else []
    return {
        "request": request,
        "message": rendered(stage.slack, message, with_metadata=True),
        "events": [_json(event) for event in events],
        "decision": decision(stage, events[0]) if events else "",
    }


def decision(stage: Stage, event: Mapping[str, object]) -> str:
    """Return the current policy's decision about the question in an event."""
    policy = stage.rules.judge(stage.rules.text)
    user = str(event.get("user", ""))
    person = stage.slack.people.get(user)
    groups = [group.id for group in stage.slack.groups.values() if user in group.members]
    asked = {"user": user, "groups": groups, "guest": bool(person and person.is_restricted)}
    asked |= {key: event[key] for key in ("channel", "appid", "env") if event.get(key)}
    question = read_question(asked)
    if not isinstance(question, Question) or not isinstance(policy, Policy):
        return ""
    return "\n".join(Explanation(policy, question.ask()).lines())


def _json(event: Mapping[str, object]) -> JsonObject:
    return {
        name: value if isinstance(value, int | float) else str(value)
        for name, value in event.items()
    }
