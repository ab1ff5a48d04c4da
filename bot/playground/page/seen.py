"""What one person sees: the whole workspace as JSON, in named parts, so that only changed parts are sent."""

from collections.abc import Iterator
from dataclasses import asdict

from bot.playground.acts import Acts
from bot.playground.guide import STEPS, ThingToTry
from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.surfaces import View
from bot.playground.slack.transcript import PostedMessage
from bot.playground.slack.workspace import Workspace
from bot.playground.troubles import WORDS, meaning
from bot.playground.world import ABOUT, ROLES, Channel

_MARKS = {"public": "#", "private": "🔒"}
_KINDS = {"public": "public channel", "private": "private channel", "im": "direct message"}


def seen(acts: Acts, user: str) -> dict[str, Json]:
    """Return what a person sees, by part."""
    slack, wechat = acts.stage.slack, acts.stage.wechat
    modal, home = slack.modal(user), slack.home(user)
    held = [*dict.fromkeys(wechat.shared)][-60:]  # whoever was given an env twice holds it once
    return {
        "world": {
            "me": user,
            "bot": slack.world.bot_user_id,
            "people": [
                {"id": id_, "role": role, "name": slack.people[id_].name, "about": ABOUT[role]}
                for role, id_ in ROLES.items()
            ],
            "places": [*_places(slack, user)],
            "names": {
                "USLACKBOT": "Slackbot",
                **{each.id: each.name for each in slack.people.values()},
                **{each.id: each.handle for each in slack.groups.values()},
                **{c.id: c.name for c in slack.channels.values() if slack.enters(user, c)},
            },
        },
        "modal": _view(modal) if modal else None,
        "home": _view(home) if home else None,
        "steps": [
            {
                **asdict(step),
                "done": step.is_done(slack.messages, acts.lines),
                "answer": _answer(slack, user, step),
            }
            for step in STEPS
        ],
        "policy": acts.stage.rules.text,
        "language": acts.stage.bot.language.value,
        "wechat": {
            "calls": [*wechat.transcript().splitlines()[-60:]],
            "shared": [{"env": env, "appid": appid} for _, env, appid in held],
            "planned": acts.planned,
            "about": meaning(acts.planned),
            "words": [[word, about] for word, about in WORDS.items()],
        },
        **{
            f"{each.channel} {each.ts}": _message(slack, each)
            for each in slack.messages
            if not each.deleted and slack.sees(user, each)
        },
    }


def _answer(slack: Workspace, user: str, step: ThingToTry) -> Json:
    """Return where the answer of a step stands, if a person sees it."""
    for each in slack.messages:
        if step.shows(each) and slack.sees(user, each) and slack.thread(each.channel, each.ts):
            return {"channel": each.channel, "ts": each.ts}
    return None


def _places(slack: Workspace, user: str) -> Iterator[JsonObject]:
    """Yield the conversations a person can open: channels, then direct messages, those with the bot first."""
    bot, own = slack.people[slack.world.bot_user_id].name, slack.direct_message(user)
    for each in slack.channels.values():
        if each.kind != "im" and slack.enters(user, each):
            yield _place(slack, each, _MARKS.get(each.kind, "●"), each.name)
    if own:
        yield {**_place(slack, own, "☁", bot), "note": "app"}
        about = "The bot's own page, which only you see"
        home: JsonObject = {"id": "home", "note": bot, "title": f"{bot} · Home", "about": about}
        yield _place(slack, own, "⌂", "Home") | home
    for each in [*slack.channels.values()]:
        if each.kind == "im" and user in each.members and each != own:
            other = next(iter(each.members - {user}), user)
            yield _place(slack, each, "●", slack.people[other].name)


def _place(slack: Workspace, channel: Channel, mark: str, name: str) -> JsonObject:
    bot, direct = slack.people[slack.world.bot_user_id].name, channel.kind == "im"
    about = (
        _KINDS.get(channel.kind, "group"),
        f"{bot} is here" if slack.is_member(channel) else f"{bot} was not invited",
        "shared with another organisation" if channel.ext_shared else "",
        "archived" if channel.archived else "",
        "read-only" if channel.read_only else "",
    )
    return {
        "id": channel.id,
        "group": "Direct messages" if direct else "Channels",
        "mark": mark,
        "name": name,
        "note": "archived" if channel.archived else "shared" if channel.ext_shared else "",
        "title": name if direct else f"{mark} {name}",
        "about": " · ".join(filter(None, about)),
    }


def _message(slack: Workspace, message: PostedMessage) -> JsonObject:
    return {
        "ts": message.ts,
        "channel": message.channel,
        "user": message.user,
        "text": message.text,
        "blocks": [*message.blocks],
        "thread": message.thread_ts,
        "only": message.ephemeral_to is not None,
        "edited": message.edits > 0,
        "replies": len(slack.thread(message.channel, message.ts)),
    }


def _view(view: View) -> JsonObject:
    told = {key: view.body[key] for key in ("title", "submit", "close", "blocks")}
    return {"id": view.id, "errors": {**view.errors}, **told}
