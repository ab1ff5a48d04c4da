"""Which arguments each method of the stand-in's Web API has; the token is none of them.

Source: docs.slack.dev, reference/methods: each method's page lists its arguments.
"""

from bot.playground.loopback import JsonObject
from bot.playground.slack.refused import invalid_arguments

_SAID = "as_user attachments blocks link_names markdown_text metadata parse text"
_PAGED = "channel cursor include_all_metadata inclusive latest limit oldest"
_GROUPS = "include_disabled team_id"

ARGUMENTS = {
    "apps.connections.open": "",
    "auth.test": "",
    "chat.delete": "as_user channel ts",
    "chat.postEphemeral": (
        "as_user attachments blocks channel icon_emoji icon_url link_names markdown_text parse text thread_ts user username"
    ),
    "chat.postMessage": (
        f"{_SAID} channel icon_emoji icon_url mrkdwn reply_broadcast thread_ts unfurl_links unfurl_media username"
    ),
    "chat.update": f"{_SAID} channel file_ids reply_broadcast ts",
    "conversations.history": _PAGED,
    "conversations.info": "channel include_locale include_num_members",
    "conversations.open": "channel prevent_creation return_im users",
    "conversations.replies": f"{_PAGED} ts",
    "usergroups.list": f"{_GROUPS} include_count include_users",
    "usergroups.users.list": f"{_GROUPS} usergroup",
    "users.info": "include_locale user",
    "views.open": "interactivity_pointer trigger_id view",
    "views.publish": "hash user_id view",
    "views.push": "interactivity_pointer trigger_id view",
    "views.update": "external_id hash view view_id",
}


def check_arguments(method: str, args: JsonObject) -> None:
    """Refuse arguments that a method does not have."""
    unknown = sorted(args.keys() - ARGUMENTS[method].split())
    if unknown:
        raise invalid_arguments(*(f"[ERROR] unknown argument: {name}" for name in unknown))
