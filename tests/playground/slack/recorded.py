"""What Slack sends, in the shape in which others recorded or documented it; all values are made up.

In the sources, docs is docs.slack.dev, bolt is slackapi/bolt-python, java slackapi/java-slack-sdk, and sdk
slackapi/python-slack-sdk; recordings are java's json-logs/samples.
"""

from typing import Any

from bot.playground.world import APPID, BOT, HARBOUR, ORG, TEAM
from tests.playground.shapes import Payload, Recorded, recorded

REQUEST = "MadeUpRequest"
PERSON, CHANNEL, TOKEN = "U0REQUESTER", "C0RELEASES", "made-up-verification-token"
PARENT, REPLY, ACTED = "1790000000.000100", "1790000001.000200", "1790000002.000300"
ASKED = f"{APPID} prod-1"
TRIGGER = "1790000002.1.0123456789abcdef0123456789abcdef"
HOOK = "https://hooks.slack.com/actions/T0PLAYGROUND/1/MadeUpMadeUp"

APP: Payload = {"api_app_id": "A0SHAREENV", "token": TOKEN}
HERE: Payload = {"enterprise": None, "is_enterprise_install": False}
TEAM_FIELDS: Payload = {"id": TEAM, "domain": "playground"}
NAMED: Payload = {"id": PERSON, "username": "requester", "name": "requester", "team_id": TEAM}
PLACE: Payload = {"id": CHANNEL, "name": "releases"}
ACTS: Payload = {"user": NAMED, "team": TEAM_FIELDS, "trigger_id": TRIGGER, **APP, **HERE}


def text(said: str, kind: str = "plain_text") -> Payload:
    return {"type": kind, "text": said, "emoji": True}


BUTTON: Payload = {"type": "button", "action_id": "confirm", "text": text("Confirm")}
BUTTON |= {"value": f"{REQUEST} because", "style": "primary"}
BLOCKS: list[Payload] = [{"type": "actions", "block_id": "MaDe", "elements": [BUTTON]}]
CLICKED: Payload = {**BUTTON, "block_id": "MaDe", "action_ts": ACTED}
CHOICE: Payload = {"text": text("prod-1"), "value": "prod-1"}

OWN: Payload = {"type": "message", "user": BOT, "bot_id": "B0SHAREENV", "app_id": "A0SHAREENV"}
OWN |= {"text": "Are you sure?", "ts": PARENT, "team": TEAM, "blocks": BLOCKS}
META: Payload = {"event_type": "share_env_request", "event_payload": {"request": REQUEST}}
IN_THREAD: Payload = {"thread_ts": PARENT, "parent_user_id": BOT}
WORDS: Payload = {"type": "rich_text_section", "elements": [{"type": "text", "text": ASKED}]}
RICH: list[Payload] = [{"type": "rich_text", "block_id": "RiCh", "elements": [WORDS]}]
THEIRS: Payload = {"client_msg_id": "made-up", "type": "message", "user": PERSON, "ts": REPLY}
THEIRS |= {"text": f"please {ASKED}", "team": TEAM, "blocks": RICH}
STATE: Payload = {"state": {"values": {}}}


def view(kind: str, **more: Any) -> Payload:
    """Return a view; also an App Home has a title, which nobody gave it."""
    modal = kind == "modal"
    return {
        "id": "V0MADEUP",
        "team_id": TEAM,
        "type": kind,
        "blocks": BLOCKS,
        "private_metadata": "",
        "callback_id": "",
        **STATE,
        "hash": "1790000002.MadeUp",
        "title": text("Share an env" if modal else "View Title"),
        "clear_on_close": False,
        "notify_on_close": False,
        "close": text("Cancel") if modal else None,
        "submit": text("Share") if modal else None,
        "previous_view_id": None,
        "root_view_id": "V0MADEUP",
        "app_id": "A0SHAREENV",
        "external_id": "",
        "app_installed_team_id": TEAM,
        "bot_id": "B0SHAREENV",
        **more,
    }


def of_view(shown: Payload) -> Payload:
    return {"container": {"type": "view", "view_id": shown["id"]}, "view": shown}


def on_message(at: str, *, ephemeral: bool = False, **more: Any) -> Payload:
    where = {"type": "message", "message_ts": at, "channel_id": CHANNEL, "is_ephemeral": ephemeral}
    return {"container": {**where, **more}, "channel": PLACE, **STATE, "response_url": HOOK}


def asks(name: str, element: Payload) -> Payload:
    named: Payload = {"type": "input", "block_id": name, "label": text(name), "optional": False}
    hint = {} if element["type"] == "checkboxes" else {"placeholder": text("…")}
    return named | {"dispatch_action": False, "element": {**element, "action_id": name, **hint}}


SELECT: Payload = {"type": "external_select", "min_query_length": 0}
LINE: Payload = {"type": "plain_text_input", "multiline": True, "max_length": 300}
BOXES: Payload = {"type": "checkboxes", "options": [CHOICE]}
FIELDS = [asks("env", SELECT), asks("appids", LINE), asks("reason", LINE), asks("dry_run", BOXES)]
OPENED_AT = f'["{CHANNEL}", "releases", "", "", ""]'
FORM = view("modal", callback_id="share_env_form", private_metadata=OPENED_AT, blocks=FIELDS)


def filled(env: Payload | None, appids: str | None, boxes: list[Payload]) -> Payload:
    held: Payload = {
        "env": {"type": "external_select", "selected_option": env},
        "appids": {"type": "plain_text_input", "value": appids},
        "reason": {"type": "plain_text_input", "value": None},
        "dry_run": {"type": "checkboxes", "selected_options": boxes},
    }
    return FORM | {"state": {"values": {name: {name: value} for name, value in held.items()}}}


def submitted(shown: Payload) -> Payload:
    return {"type": "view_submission", **ACTS, "view": shown, "response_urls": []}


def of_organisation(body: Payload) -> Payload:
    """Return an interaction with an app that is installed for an organisation."""
    enterprise = {"id": ORG, "name": "seaside"}
    within = {"user": {**body["user"], "team_id": HARBOUR}, "team": None}
    if "view" in body:
        within["view"] = {**body["view"], "team_id": HARBOUR, "app_installed_team_id": ORG}
    return {**body, **within, "enterprise": enterprise, "is_enterprise_install": True}


DECISION = view("modal", callback_id="approve", private_metadata=f"{REQUEST} {CHANNEL}/{PARENT}")
DECISION |= {"blocks": [asks("comment", LINE)], "state": {"values": {}}}
COMMENT = {"comment": {"comment": {"type": "plain_text_input", "value": "go ahead"}}}

COMMAND: Payload = {
    **APP,
    "team_id": TEAM,
    "team_domain": "playground",
    "channel_id": CHANNEL,
    "channel_name": "releases",
    "user_id": PERSON,
    "user_name": "requester",
    "command": "/share-env",
    "text": ASKED,
    "is_enterprise_install": "false",
    "response_url": HOOK,
    "trigger_id": TRIGGER,
}
SHORTCUT: Payload = {"type": "shortcut", "token": TOKEN, "action_ts": ACTED, "team": TEAM_FIELDS}
SHORTCUT |= {"user": {"id": PERSON, "username": "requester", "team_id": TEAM}, **HERE}
SHORTCUT |= {"callback_id": "share_env", "trigger_id": TRIGGER}
ON_MESSAGE: Payload = {"type": "message_action", "token": TOKEN, "action_ts": ACTED, **HERE}
ON_MESSAGE |= {"team": TEAM_FIELDS, "user": {"id": PERSON, "name": "requester"}, "channel": PLACE}
ON_MESSAGE |= {"callback_id": "share_env_from_message", "trigger_id": TRIGGER, "message": THEIRS}
ON_MESSAGE |= {"message_ts": REPLY, "response_url": HOOK}


def event(said: Payload, **more: Any) -> Payload:
    """Return an event with what is around it."""
    granted = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT, "is_bot": True}
    about = {**APP, "team_id": TEAM, "type": "event_callback", "event": said}
    about |= {"event_id": "Ev0MADEUP", "event_time": 1790000001, "is_ext_shared_channel": False}
    about |= {"event_context": "made-up", "authorizations": [{**granted, **HERE}]}
    del about["authorizations"][0]["enterprise"]
    return about | more


MENTIONED: Payload = {**THEIRS, "type": "app_mention", "text": f"<@{BOT}> {ASKED}"}
MENTIONED |= {"channel": CHANNEL, "event_ts": REPLY}
EDITED: Payload = {"edited": {"user": PERSON, "ts": ACTED}}
HOME_OPENED: Payload = {
    "type": "app_home_opened",
    "user": PERSON,
    "channel": "D0BOT",
    "tab": "home",
}
HOME_OPENED |= {"event_ts": ACTED}
OF_ORG: Payload = {"enterprise_id": ORG, "team_id": HARBOUR}
GRANTED_ORG: Payload = {"enterprise_id": ORG, "team_id": None, "user_id": BOT, "is_bot": True}


def enveloped(kind: str, payload: Payload, **more: Any) -> Payload:
    about = {"envelope_id": "made-up-envelope", "type": kind, "payload": payload}
    return {**about, "accepts_response_payload": kind == "slash_commands", **more}


HELLO: Payload = {
    "type": "hello",
    "num_connections": 2,
    "connection_info": {"app_id": "A0SHAREENV"},
}
DEBUG: Payload = {"host": "made-up", "build_number": 7, "approximate_connection_time": 18060}
HELLO |= {"debug_info": DEBUG}
FAREWELL: Payload = {"type": "disconnect", "reason": "warning", "debug_info": {"host": "made-up"}}

PAYLOADS: dict[str, Recorded] = {
    "command": recorded(
        "docs, interactivity/implementing-slash-commands; bolt, test_payload_utils.py", COMMAND
    ),
    "command in an organisation": recorded(
        "bolt, test_slash_command.py; java, SlashCommandPayloadTest",
        COMMAND
        | {"team_id": HARBOUR, "team_domain": "harbour", "is_enterprise_install": "true"}
        | {"enterprise_id": ORG, "enterprise_name": "seaside"},
    ),
    "click on a message": recorded(
        "java, BlockActionPayloadTest (interactionsFromRemoteFunction); bolt, test_block_actions.py",
        {"type": "block_actions", **ACTS, **on_message(PARENT), "message": OWN}
        | {"actions": [CLICKED]},
    ),
    "click on a reply": recorded(
        "java, BlockActionPayloadTest (jsonInThread), recordings (BlockActionPayload)",
        {"type": "block_actions", **ACTS, **on_message(REPLY, thread_ts=PARENT)}
        | {"message": {**OWN, "ts": REPLY, **IN_THREAD}, "actions": [CLICKED]},
    ),
    "click on an ephemeral message": recorded(
        "java, BlockActionPayloadTest (jsonWithState); bolt, test_block_actions.py",
        {"type": "block_actions", **ACTS, **on_message(REPLY, ephemeral=True)}
        | {"actions": [CLICKED]},
    ),
    "click on an ephemeral reply": recorded(
        "java, BlockActionPayloadTest (jsonInThread)",
        {"type": "block_actions", **ACTS, "actions": [CLICKED]}
        | on_message(REPLY, ephemeral=True, thread_ts=PARENT),
    ),
    "click on the App Home": recorded(
        "java, BlockActionPayloadTest (jsonWithConfirm)",
        {"type": "block_actions", **ACTS, **of_view(view("home")), "actions": [CLICKED]},
    ),
    "click in a modal": recorded(
        "sdk, mock_socket_mode_server.py (block_actions)",
        {"type": "block_actions", **ACTS, **of_view(view("modal")), "actions": [CLICKED]},
    ),
    "options of a form": recorded(
        "java, BlockSuggestionPayloadTest; bolt, test_block_suggestion.py",
        {"type": "block_suggestion", "user": NAMED, "team": TEAM_FIELDS, **APP, **of_view(FORM)}
        | {"action_id": "env", "block_id": "env", "value": "prod"},
    ),
    "form": recorded(
        "bolt, test_view_submission.py; java, ViewSubmissionPayloadTest",
        submitted(filled(CHOICE, APPID, [])),
        submitted(filled(None, None, [CHOICE])),
    ),
    "decision": recorded(
        "bolt, test_view_submission.py; java, ViewSubmissionPayloadTest",
        submitted(DECISION | {"state": {"values": COMMENT}}),
    ),
    "form in an organisation": recorded(
        "java, ViewSubmissionPayloadTest (orgAppPayload)",
        of_organisation(submitted(filled(CHOICE, APPID, []))),
        of_organisation(submitted(filled(None, None, [CHOICE]))),
    ),
    "shortcut": recorded("sdk, mock_socket_mode_server.py (shortcut)", SHORTCUT),
    "shortcut in an organisation": recorded(
        "java, GlobalShortcutPayloadTest", of_organisation(SHORTCUT)
    ),
    "shortcut on a message": recorded(
        "bolt, test_app_using_methods_in_class.py; java, MessageShortcutPayloadTest", ON_MESSAGE
    ),
    "shortcut on a reply": recorded(
        "the same; recordings (MessageShortcutPayload)",
        ON_MESSAGE | {"message": {**THEIRS, **IN_THREAD}},
    ),
    "mention": recorded("sdk, mock_socket_mode_server.py (app_mention)", event(MENTIONED)),
    "edited mention in a thread": recorded(
        "docs, reference/events/app_mention, reference/events/message; bolt, test_events.py",
        event({**MENTIONED, **EDITED, **IN_THREAD}),
    ),
    "App Home opened": recorded(
        "docs, reference/events/app_home_opened; recordings (AppHomeOpenedPayload)",
        event({**HOME_OPENED, "view": view("home")}),
    ),
    "App Home opened for the first time": recorded(
        "docs, reference/events/app_home_opened", event(HOME_OPENED)
    ),
    "App Home opened in an organisation": recorded(
        "bolt, test_events_org_apps.py",
        event(
            HOME_OPENED, **OF_ORG, authorizations=[{**GRANTED_ORG, "is_enterprise_install": True}]
        ),
    ),
    "hello": recorded("sdk, mock_socket_mode_server.py (socket_mode_hello_message)", HELLO),
    "disconnect": recorded(
        "docs, apis/events-api/using-socket-mode; without the number: node-slack-sdk#1654",
        FAREWELL | {"num_connections": 1},
        FAREWELL,
    ),
    "envelope of a command": recorded(
        "sdk, mock_socket_mode_server.py", enveloped("slash_commands", COMMAND)
    ),
    "envelope of an event": recorded(
        "sdk, mock_socket_mode_server.py",
        enveloped("events_api", event(HOME_OPENED), retry_attempt=0, retry_reason=""),
    ),
    "envelope of an interaction": recorded(
        "sdk, mock_socket_mode_server.py", enveloped("interactive", SHORTCUT)
    ),
}
"""What Slack sends to the app."""

PROFILE: Payload = {"real_name": "Made Up", "display_name": "made-up", "team": TEAM}
PERSON_FIELDS: Payload = {
    "id": PERSON,
    "team_id": TEAM,
    "name": "requester",
    "real_name": "Made Up",
}
PERSON_FIELDS |= {
    "color": "9f69e7",
    "tz": "Europe/Berlin",
    "tz_offset": 3600,
    "updated": 1790000000,
}
PERSON_FIELDS |= {"profile": PROFILE, "deleted": False, "is_bot": False, "is_app_user": True}
FLAGS = ("admin", "owner", "primary_owner", "restricted", "ultra_restricted", "email_confirmed")
PERSON_FIELDS |= {f"is_{flag}": False for flag in FLAGS} | {"locale": "zh-CN"}
GONE: Payload = {
    name: PERSON_FIELDS[name] for name in ("id", "team_id", "name", "profile", "is_bot")
}
GONE |= {"deleted": True, "is_app_user": True, "updated": 1790000000, "locale": "en-US"}
ON_GRID: Payload = {"id": PERSON, "enterprise_id": ORG, "enterprise_name": "seaside"}
ON_GRID |= {"is_admin": False, "is_owner": False, "teams": [TEAM, HARBOUR]}


def told(**more: Any) -> Payload:
    return {"ok": True, **more}


def refused(error: str, **more: Any) -> Payload:
    return {"ok": False, "error": error, **more}


IDENTITY: Payload = {
    "url": "https://playground.slack.com/",
    "team": "playground",
    "user": "share-env",
}
IDENTITY |= {"team_id": TEAM, "user_id": BOT, "bot_id": "B0SHAREENV"}
PROFILE_OF_BOT: Payload = {"id": "B0SHAREENV", "deleted": False, "name": "share-env"}
PROFILE_OF_BOT |= {"updated": 1790000000, "app_id": "A0SHAREENV", "team_id": TEAM}
POSTED: Payload = {**OWN, "bot_profile": PROFILE_OF_BOT}
UPDATED: Payload = {**POSTED, "text": "Done", "edited": {"user": BOT, "ts": ACTED}}
KINDS = ("is_channel", "is_group", "is_im", "is_mpim", "is_private", "is_archived", "is_member")
SHARED = ("is_shared", "is_org_shared", "is_ext_shared", "is_pending_ext_shared")
CHANNEL_FIELDS: Payload = {
    "id": CHANNEL,
    "name": "releases",
    "created": 1790000000,
    "creator": PERSON,
}
CHANNEL_FIELDS |= {name: name in {"is_channel", "is_member"} for name in (*KINDS, *SHARED)}
CHANNEL_FIELDS |= {"shared_team_ids": [TEAM], "pending_shared": [], "context_team_id": TEAM}
DIRECT: Payload = {"id": "D0BOT", "created": 1790000000, "user": PERSON, "is_open": True}
DIRECT |= {name: name == "is_im" for name in (*KINDS[:-1], *SHARED)}
GROUP: Payload = {"id": "S0PLATFORM", "team_id": TEAM, "is_usergroup": True, "handle": "platform"}
GROUP |= {"name": "Platform", "description": "", "is_external": False, "date_create": 1790000000}
GROUP |= {"date_update": 1790000000, "date_delete": 0, "created_by": PERSON, "user_count": 1}
GROUP |= {"auto_type": None, "prefs": {"channels": [], "groups": []}, "users": [PERSON]}
LACKING: Payload = {"needed": "chat:write", "provided": "commands,users:read"}

ANSWERS: dict[str, Recorded] = {
    "auth.test": recorded(
        "docs, reference/methods/auth.test; recordings",
        told(**IDENTITY, is_enterprise_install=False),
    ),
    "auth.test of an organisation": recorded(
        "java, its auth.test with is_enterprise_install; recordings",
        told(**IDENTITY | {"team_id": ORG}, is_enterprise_install=True, enterprise_id=ORG),
    ),
    "apps.connections.open": recorded(
        "docs, reference/methods/apps.connections.open", told(url="wss://made-up.slack.com/link")
    ),
    "chat.postMessage": recorded(
        "docs, reference/methods/chat.postMessage; recordings",
        told(channel=CHANNEL, ts=PARENT, message={**POSTED, "metadata": META}),
    ),
    "chat.postMessage in a thread": recorded(
        "docs, reference/methods/chat.postMessage; recordings",
        told(channel=CHANNEL, ts=REPLY, message={**POSTED, "ts": REPLY, "thread_ts": PARENT}),
    ),
    "chat.postEphemeral": recorded("recordings", told(message_ts=REPLY)),
    "chat.update": recorded(
        "docs, reference/methods/chat.update; recordings",
        told(channel=CHANNEL, ts=PARENT, text="Done", message=UPDATED),
        told(channel=CHANNEL, ts=PARENT, text="Done", message=UPDATED | {"thread_ts": PARENT}),
    ),
    "conversations.info": recorded(
        "docs, reference/methods/conversations.info; recordings", told(channel=CHANNEL_FIELDS)
    ),
    "conversations.info of a direct message": recorded(
        "docs, reference/objects/conversation-object; recordings", told(channel=DIRECT)
    ),
    "conversations.open": recorded("recordings", told(channel={"id": "D0BOT"})),
    "conversations.replies": recorded(
        "docs, reference/methods/conversations.replies, messaging/message-metadata; recordings",
        told(has_more=True, response_metadata={"next_cursor": "made-up"})
        | {
            "messages": [
                {**THEIRS, "ts": PARENT, "thread_ts": PARENT, "reply_count": 1},
                {**POSTED, "ts": REPLY, **IN_THREAD, "metadata": META, "edited": EDITED["edited"]},
            ]
        },
    ),
    "users.info of a member": recorded(
        "docs, reference/objects/user-object; recordings", told(user=PERSON_FIELDS)
    ),
    "users.info of a member on Grid": recorded(
        "docs, reference/objects/user-object; recordings",
        told(user=PERSON_FIELDS | {"enterprise_user": ON_GRID}),
    ),
    "users.info of a guest": recorded(
        "docs, reference/objects/user-object", told(user=PERSON_FIELDS | {"is_restricted": True})
    ),
    "users.info of one who is deactivated": recorded(
        "docs, reference/objects/user-object", told(user=GONE)
    ),
    "users.info of a bot": recorded(
        "docs, reference/objects/user-object",
        told(user=PERSON_FIELDS | {"id": BOT, "is_bot": True, "is_app_user": False}),
    ),
    "usergroups.list": recorded(
        "docs, reference/methods/usergroups.list; recordings", told(usergroups=[GROUP])
    ),
    "views.open": recorded(
        "docs, reference/methods/views.open; recordings", told(view=view("modal"))
    ),
    "views.publish": recorded(
        "docs, reference/methods/views.publish; recordings", told(view=view("home"))
    ),
    "missing_scope": recorded(
        "docs, reference/methods/chat.postMessage (errors); recordings",
        refused("missing_scope", **LACKING),
    ),
    "channel_not_found": recorded(
        "docs, reference/methods/chat.postMessage", refused("channel_not_found")
    ),
    "ratelimited": recorded("docs, apis/web-api/rate-limits", refused("ratelimited")),
    "invalid_blocks": recorded(
        "bolt#1016; java#1017",
        refused("invalid_blocks", errors=["made up [json-pointer:/blocks/0]"])
        | {"response_metadata": {"messages": ["[ERROR] made up [json-pointer:/blocks/0]"]}},
    ),
}
"""What the Web API answers."""
