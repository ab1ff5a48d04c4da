"""What one person has before them: the whole workspace as JSON, part by part, so that only what changed is sent."""

from collections.abc import Iterator

from bot.playground.acts import Acts, request_of
from bot.playground.first_minute import STEPS, ThingToTry
from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.surfaces import View
from bot.playground.slack.transcript import PostedMessage
from bot.playground.slack.values import identified
from bot.playground.slack.workspace import Workspace
from bot.playground.troubles import ERRCODES, TROUBLES
from bot.playground.world import ABOUT, ROLES, Channel


def seen(acts: Acts, user: str) -> dict[str, Json]:
    """Return what a person sees, by the name of each part."""
    slack, wechat = acts.stage.slack, acts.stage.wechat
    views, home = slack.views(user), slack.home(user)
    direct = slack.direct_message(user)
    return {
        "world": {
            "me": user,
            "bot": slack.world.bot_user_id,
            "app": direct.id if direct else None,
            "people": [_person(slack, role, id_) for role, id_ in ROLES.items()],
            "channels": [_channel(slack, user, each) for each in _conversations(slack, user)],
            "names": _names(slack, user),
        },
        "modal": _view(views[-1]) if views else None,
        "home": _view(home) if home else None,
        "steps": [_step(step, acts) for step in STEPS],
        "policy": acts.stage.rules.text,
        "wechat": {
            "planned": [f"{each.fault}" for _, each in wechat.faults],
            "calls": [*wechat.transcript().splitlines()[-60:]],
            "shared": [{"owner": o, "env": e, "appid": a} for o, e, a in wechat.shared[-60:]],
            "words": [[word, about] for word, about in {**TROUBLES, **ERRCODES}.items()],
        },
        **{
            f"{each.channel} {each.ts}": _message(slack, each)
            for each in slack.messages
            if not each.deleted and slack.sees(user, each)
        },
    }


def _step(step: ThingToTry, acts: Acts) -> JsonObject:
    told = {
        name: getattr(step, name) for name in ("title", "words", "line", "role", "wechat", "then")
    }
    return {**told, "done": step.done(acts.stage.slack.messages, acts.lines)}


def _person(slack: Workspace, role: str, user: str) -> JsonObject:
    return {"id": user, "role": role, "name": slack.people[user].name, "about": ABOUT[role]}


def _conversations(slack: Workspace, user: str) -> list[Channel]:
    own = [
        each for each in [*slack.channels.values()] if each.kind == "im" and user in each.members
    ]
    return [e for e in slack.channels.values() if e.kind != "im" and slack.enters(user, e)] + own


def _channel(slack: Workspace, user: str, channel: Channel) -> JsonObject:
    name = channel.name or _other(slack, user, channel)
    mark = {"public": "#", "private": "🔒"}.get(channel.kind, "●")
    return {
        "id": channel.id,
        "name": name,
        "kind": channel.kind,
        "mark": mark,
        "title": name if channel.kind == "im" else f"{mark} {name}",
        "note": "archived" if channel.archived else "shared" if channel.ext_shared else "",
        "about": " · ".join(_about(slack, channel)),
    }


def _about(slack: Workspace, channel: Channel) -> Iterator[str]:
    """Yield what matters of a conversation."""
    kinds = {"public": "public channel", "private": "private channel", "im": "direct message"}
    yield kinds.get(channel.kind, "group")
    bot = slack.people[slack.world.bot_user_id].name
    yield f"{bot} is here" if slack.is_member(channel) else f"{bot} was not invited"
    if channel.ext_shared:
        yield "shared with another organisation"
    if channel.archived:
        yield "archived"
    if channel.read_only:
        yield "read-only"


def _other(slack: Workspace, user: str, channel: Channel) -> str:
    others = [*channel.members - {user}] or [user]
    return slack.people[others[0]].name


def _names(slack: Workspace, user: str) -> JsonObject:
    return {
        "USLACKBOT": "Slackbot",
        **{each.id: each.name for each in slack.people.values()},
        **{each.id: each.handle for each in slack.groups.values()},
        **{c.id: c.name for c in slack.channels.values() if slack.enters(user, c)},
    }


def _message(slack: Workspace, message: PostedMessage) -> JsonObject:
    return {
        "ts": message.ts,
        "channel": message.channel,
        "user": message.user,
        "text": message.text,
        "blocks": [*identified(message.blocks)],
        "thread": message.thread_ts,
        "only": message.ephemeral_to is not None,
        "edited": message.edits > 0,
        "replies": len(slack.thread(message.channel, message.ts)),
        "request": request_of(message),
    }


def _view(view: View) -> JsonObject:
    told = {key: view.body[key] for key in ("title", "submit", "close", "blocks")}
    return {"id": view.id, "kind": view.kind, "hash": view.hash, "errors": {**view.errors}, **told}
