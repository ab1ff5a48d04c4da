"""Read the answer of a company's token server: the token, or what came in its place. Pure.

No value of the answer is shown, since any may be a secret.
"""

import json
import re

from bot.domain.finding import Problem
from bot.domain.in_general import fix_of, in_general
from bot.domain.sentence import Sentence
from bot.guidance import for_code

_READ_AGAIN_AFTER = 60.0
_LONGEST_LIFE = 7200.0  # JSON numbers can be too large for a float
_TOKEN = re.compile(r"\s*([!-~]+)\s*")
_KEYS = ("authorizer_access_token", "access_token")
_PLATFORMS = "component_access_token"
_MOST_KEYS, _LONGEST_KEY = 6, 40
_GIVE_AN_OBJECT = Sentence("Let it answer an object with authorizer_access_token and expires_in.")
_CHECK_THE_URL = Sentence(
    "Check that WECHAT_TOKEN_SERVER_URL is the address that answers JSON, and whether a sign-in page stands before it."
)


def read_token(body: bytes, owner: str) -> tuple[str, float] | Problem:
    """Return the owner's token and its life in seconds from a token server's JSON, or what came in its place."""
    text = body.decode("utf-8-sig", errors="replace").strip()
    if not text:
        return Problem(Sentence("nothing came"), _CHECK_THE_URL)
    if text.startswith("<"):
        return Problem(Sentence("a web page came"), _CHECK_THE_URL)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return Problem(Sentence("text came that is no JSON"), _GIVE_AN_OBJECT)
    if not isinstance(answer, dict):
        what = (
            Sentence("a JSON string came")
            if isinstance(answer, str)
            else Sentence("JSON that is no object came")
        )
        return Problem(what, _GIVE_AN_OBJECT)
    other = answer.get("authorizer_appid")
    if isinstance(other, str) and other != owner:
        fix = Sentence(
            "Check {appid} in WECHAT_TOKEN_SERVER_URL, and which owner the server looks up."
        )
        return Problem(
            Sentence("a token came of {other}, not of {owner}", other=_shown(other), owner=owner),
            fix,
        )
    token = answer.get(_KEYS[0]) or answer.get(_KEYS[1])
    found = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    if not found:
        return _without_token(answer)
    expires_in = answer.get("expires_in")
    life = expires_in if isinstance(expires_in, int | float) else _READ_AGAIN_AFTER
    return found[1], float(max(0.0, min(life, _LONGEST_LIFE)))


def _without_token(answer: dict[str, object]) -> Problem:
    if _PLATFORMS in answer and not any(key in answer for key in _KEYS):
        found = Sentence(
            "{key} came, which is the platform's token and not the owner's", key=_PLATFORMS
        )
        return Problem(found, Sentence("Let the server give the owner's authorizer_access_token."))
    if present := [key for key in _KEYS if key in answer]:
        return Problem(Sentence("{key} came, but holds no token", key=present[0]), _GIVE_AN_OBJECT)
    errcode = answer.get("errcode")
    if isinstance(errcode, int) and errcode:
        guidance = for_code(errcode)
        found = Sentence(
            "WeChat's error {errcode} came: {title}",
            errcode=errcode,
            title=in_general(guidance.title),
        )
        return Problem(found, fix_of(guidance))
    keys = ", ".join(map(_shown, [*answer][:_MOST_KEYS])) or Sentence("no keys")
    return Problem(
        Sentence("JSON came with {keys}, and without a token", keys=keys), _GIVE_AN_OBJECT
    )


def _shown(word: str) -> str:
    """Return a key or an appid, without what could control a terminal, and cut off."""
    return "".join(char for char in word if char.isprintable())[:_LONGEST_KEY]
