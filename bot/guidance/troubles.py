"""Guidance for errors without an errcode: on the way to WeChat, at the token source, or in the bot.

WeChat sends its errors with HTTP 200, so any other status comes from something in between (412: a gateway that found no
Content-Length). The body of such a response is never shown: it is not WeChat's.
"""

from enum import Enum

from bot.guidance.types import AutoRetry, Fixer, RetryHelps, row

_REACH_WECHAT = "Check that the bot's machine reaches api.weixin.qq.com (or the host in WECHAT_API_URL) on port 443."
_PROXY = "Check the firewall, and the proxy if there is one."
_WHICH_RULE = "For this request, run share-env-bot policy with --user, --appid and --env: it shows which rule decides now."
_NO_TOKEN = "Without its token the bot cannot call WeChat."  # noqa: S105


# Unformatted, so that a row reads as one block.
# fmt: off
class Trouble(Enum):
    """An error without an errcode from WeChat; the value is its guidance."""

    # On the way to WeChat.
    NOT_SENT_CONNECT = row("not-sent-connect", Fixer.OPERATOR, "The bot could not reach WeChat",
        "The name api.weixin.qq.com was not found, or no connection could be made.",
        _REACH_WECHAT,
        _PROXY,
        helps=RetryHelps.LATER, retry=AutoRetry.BACKOFF)
    NOT_SENT_TLS = row("not-sent-tls", Fixer.OPERATOR, "The bot's connection to WeChat is not secure",
        "What answered could not prove that it is WeChat.",
        "If a proxy decrypts HTTPS, exempt api.weixin.qq.com, or trust its certificate.",
        "Check the machine's clock and root certificates.",
        "If WECHAT_API_URL is set, check its host's certificate.",
        retry=AutoRetry.BACKOFF)
    TIMEOUT = row("timeout", Fixer.NOBODY, "WeChat did not answer in time",
        "The call went out, but no answer came.",
        "If it keeps failing, send this message to {contact}: they run share-env-bot doctor, and raise WECHAT_TIMEOUT if it is low.",
        retry=AutoRetry.BACKOFF, in_doubt=True)
    LOST = row("lost", Fixer.NOBODY, "The connection broke before WeChat answered",
        "The call went out, but no answer came back.",
        "If it keeps failing, send this message to {contact}: they run share-env-bot doctor and check the network.",
        retry=AutoRetry.BACKOFF, in_doubt=True)
    # HTTP 401, 403 or 407, or a proxy that refuses to connect: it does not let the call through.
    GATEWAY_CLOSED = row("gateway-closed", Fixer.OPERATOR, "A proxy did not let the call through to WeChat",
        "WeChat itself does not use this status, so a proxy or gateway sent it.",
        "Let the bot reach api.weixin.qq.com through the proxy, and check its user and password in HTTPS_PROXY.")
    # HTTP 411 or 412: the call arrived without a Content-Length.
    GATEWAY_LENGTH = row("gateway-length", Fixer.OPERATOR, "The call lost its length on the way to WeChat",
        "The bot sends a Content-Length; WeChat's gateway found none.",
        "Check that no proxy removes Content-Length or sends the call in chunks.")
    # Any other HTTP 4xx, from something that did not forward the call.
    GATEWAY_REFUSED = row("gateway-refused", Fixer.OPERATOR, "Something between the bot and WeChat refused the call",
        "WeChat itself does not use this status, so a proxy or gateway sent it.",
        "Check that WECHAT_API_URL names the right host, without a path.",
        _PROXY)
    # HTTP 5xx, or a 4xx that a gateway sends after it forwarded the call.
    GATEWAY_BROKEN = row("gateway-broken", Fixer.NOBODY, "A gateway answered with an error page instead of WeChat",
        "A gateway or proxy on the way is in trouble.",
        "If it keeps failing, send this message to {contact}: they run share-env-bot doctor and check the proxy and WECHAT_API_URL.",
        in_doubt=True)
    # HTTP 3xx except 303; redirects are not followed.
    REDIRECTED = row("redirected", Fixer.OPERATOR, "The address of WeChat points somewhere else",
        "The bot does not follow, since the call carries a secret.",
        "Remove WECHAT_API_URL, or set it to the final address, beginning with https.",
        "Check whether a proxy or a sign-in page stands in between.")
    # HTTP 2xx or 303 with a body that is not WeChat's: HTML, empty, truncated, too long, compressed.
    NOT_JSON = row("not-json", Fixer.OPERATOR, "The answer was not WeChat's",
        "It was empty, cut short, or a web page, such as a proxy's or a sign-in page.",
        "Check WECHAT_API_URL, and whether a proxy or a sign-in page answers for api.weixin.qq.com.",
        helps=RetryHelps.LATER, in_doubt=True)
    NO_ERRCODE = row("no-errcode", Fixer.OPERATOR, "WeChat's answer did not say whether it worked",
        "It had the right form, but no code that means yes or no.",
        "Check that WECHAT_API_URL leads to WeChat, and not to another service.",
        helps=RetryHelps.LATER, in_doubt=True)
    # At the token source. WeChat has not been asked to share, or has refused the token.
    TOKEN_FIXED_DEAD = row("token-fixed-dead", Fixer.OPERATOR, "The bot's fixed access token is no longer valid",
        "Such a token lives for two hours, and the bot cannot renew it.",
        "Get a fresh authorizer_access_token of {owner} from whatever keeps the platform's tokens, set WECHAT_AUTHORIZER_ACCESS_TOKEN, restart the bot.",
        "Sources that last: a token server (WECHAT_TOKEN_SERVER_URL), or the bot itself (WECHAT_COMPONENT_APPID).",
        doctor=False)
    TOKEN_FIXED_OTHER_OWNER = row("token-fixed-other-owner", Fixer.OPERATOR, "The bot has no access token for the owner of this env",
        "Its one fixed token is the default owner's, not {owner}'s.",
        "If the default owner owns {env} (WECHAT_AUTHORIZER_APPID), correct the owners in POLICY_FILE.",
        "If not, use a token source for all owners: WECHAT_TOKEN_SERVER_URL, or WECHAT_COMPONENT_APPID.")
    TOKEN_SERVER_DOWN = row("token-server-down", Fixer.OPERATOR, "The bot could not reach the central token server",
        _NO_TOKEN,
        "Check that the server at WECHAT_TOKEN_SERVER_URL is running.",
        "Check that the bot's machine can look up, reach and trust that address.")
    TOKEN_SERVER_SLOW = row("token-server-slow", Fixer.OPERATOR, "The central token server did not answer in time",
        _NO_TOKEN,
        "Check how long the address in WECHAT_TOKEN_SERVER_URL takes to answer on the bot's machine, and restart the server if it hangs.",
        helps=RetryHelps.LATER)
    TOKEN_SERVER_REFUSED = row("token-server-refused", Fixer.OPERATOR, "The central token server does not let the bot in",
        "The bot got no token from it.",
        "Check WECHAT_TOKEN_SERVER_AUTHORIZATION. It is sent as it stands, so it may lack a word such as Bearer.",
        "Ask who runs it whether the bot may fetch {owner}'s token.")
    TOKEN_SERVER_ANSWER = row("token-server-answer", Fixer.OPERATOR, "The central token server gave no usable token",
        "Its answer held no token.",
        "Check that WECHAT_TOKEN_SERVER_URL is the whole address, with the place for the appid.",
        "Check that it answers JSON with authorizer_access_token or access_token, and expires_in.",
        "Ask who runs the server whether it knows {owner}.")
    TOKEN_SERVER_STALE = row("token-server-stale", Fixer.OPERATOR, "The central token server keeps giving out a dead token",
        "WeChat refused it, and the server gave it again.",
        "Check that it still renews {owner}'s token, and its clock.",
        "Check that no cache keeps old tokens.")
    # In the token chain that the bot keeps itself.
    NO_TICKET = row("no-ticket", Fixer.OPERATOR, "The platform has no good ticket from WeChat",
        "The bot asked for another: its log has WeChat's answer.",
        "At open.weixin.qq.com, compare 授权事件接收URL (https, your host, then /wechat/events), WECHAT_MESSAGE_TOKEN and WECHAT_ENCODING_AES_KEY.",
        "Let the addresses of /cgi-bin/getcallbackip through the firewall.",
        helps=RetryHelps.LATER)
    NO_TOKEN_ANSWER = row("no-token-answer", Fixer.OPERATOR, "WeChat gave the bot no access token",
        "WeChat gave no usable answer, twice.",
        _REACH_WECHAT,
        _PROXY,
        helps=RetryHelps.LATER)
    # -1, "system error", from api_start_push_ticket: WeChat's staff found a mini program's AppID and secret behind it.
    NO_PUSH = row("no-push", Fixer.OPERATOR, "WeChat could not start to push the platform's ticket",
        "Often the AppID and secret are a mini program's, and not the platform's.",
        "Copy the platform's AppID and AppSecret from open.weixin.qq.com into WECHAT_COMPONENT_APPID and WECHAT_COMPONENT_APPSECRET; restart the bot.",
        "If they are right, wait ten minutes.",
        helps=RetryHelps.LATER)
    # A token was not renewed in time, by this replica or another one.
    RENEWAL_SLOW = row("renewal-slow", Fixer.OPERATOR, "Renewing an access token takes too long",
        "No new token came within twenty seconds.",
        "Check that it reaches WeChat and the database in DATABASE_URL, and how busy these are.",
        helps=RetryHelps.LATER)
    TOKENS_NOT_KEPT = row("tokens-not-kept", Fixer.OPERATOR, "The bot cannot read or store its tokens",
        "They are in the bot's database, which does not answer or cannot be written.",
        "Check the database in DATABASE_URL, and the disk.")
    # Among people.
    NO_APPROVER = row("no-approver", Fixer.OPERATOR, "Nobody who could approve this can be asked",
        "The approvers are not active, may not decide, or cannot be reached in their channel.",
        "In the policy file, name approvers besides the requester.",
        "Unarchive the approvers' channel, or invite the bot.",
        "If everybody may approve, choose your own organisation's channel.")
    RULE_CHANGED = row("rule-changed", Fixer.OPERATOR, "The rule that asks for an approval has changed",
        "Before its approvers could be asked, it was renamed or removed, or it asks for no approval any more.",
        _WHICH_RULE,
        helps=RetryHelps.NOW, doctor=False)
    UNCHECKED = row("unchecked", Fixer.OPERATOR, "The bot could not check whether you may still do this",
        "For an hour Slack did not tell who you are, or who is in a group that the policy names.",
        "Check the scopes users:read and usergroups:read: api.slack.com/apps, your app, Install App, Reinstall to Workspace.")
    # The policy no longer allowed the request when it was to be retried after a crash.
    STOPPED = row("stopped-midway", Fixer.OPERATOR, "The policy stopped this midway",
        "The policy changed while the bot asked WeChat, so it did not ask once more.",
        _WHICH_RULE,
        helps=RetryHelps.IF_ALLOWED, in_doubt=True, doctor=False)
    # Of an item that WeChat may have been called for, if somebody has cancelled the rest of its batch since.
    CANCELLED = row("cancelled-midway", Fixer.OPERATOR, "The batch was cancelled before WeChat's answer was known",
        "The bot had asked WeChat, got no clear answer, and did not ask once more.",
        "Run share-env-bot request with the request's id: it shows what WeChat said before.",
        helps=RetryHelps.NOW, in_doubt=True, doctor=False)
    GIVEN_UP = row("given-up", Fixer.OPERATOR, "The bot crashed too often during this request",
        "It tried again after each crash, and has now given up.",
        "Run share-env-bot request with the request's id; the log has what stopped the bot.",
        in_doubt=True)
    BUG = row("bug", Fixer.OPERATOR, "The bot made a mistake of its own",
        "The fault is in the bot's code, not in your request.",
        "Run share-env-bot request with the request's id, and report it, with the log, to whoever maintains the bot's code.",
        helps=RetryHelps.NOW, in_doubt=True, doctor=False)
