"""Look at WeChat's lists of the owners' envs, to tell why a share of one failed, or would fail."""

import asyncio
import logging
from collections.abc import Sequence

from bot.domain.outcome import Outcome, looks
from bot.domain.request import Request
from bot.guidance import Cause, EnvList, cause_of
from bot.policy.kinds import Policy
from bot.workflow.deadline import answer_by
from bot.workflow.judge import Asker, Judge
from bot.workflow.ports import EnvListing

_MOST_OWNERS = 20  # whose envs are read; each call counts against the owner's own quota

_log = logging.getLogger(__name__)


async def cause_after(
    judge: Judge, listing: EnvListing, request: Request, outcome: Outcome, until: float
) -> Cause | None:
    """Return why a request failed, if the lists tell that by `until`, a deadline of the loop's clock; never raises.

    Nothing is read unless they may tell it.
    """
    if not looks(outcome):
        return None
    asker = await answer_by(until, judge.asker(request.origin), None)
    if asker is None:
        return None
    return await cause_before(listing, asker, request.owner, request.env, until)


async def cause_before(
    listing: EnvListing, asker: Asker, owner: str, env: str, until: float
) -> Cause | None:
    """Return what the lists tell by `until` about an env, to somebody who may share it; never raises."""
    if not asker.may_share_env(env):
        return None
    try:
        lists = await env_lists(listing, [owner], until)
        if env not in lists.get(owner, (env,)):
            lists |= await env_lists(listing, owners_read(asker.policy), until)
    except Exception:  # noqa: BLE001  # the answer does not depend on it
        _log.exception("unforeseen error")
        return None
    return cause_by(asker, lists, owner, env)


def cause_by(asker: Asker, lists: dict[str, EnvList], owner: str, env: str) -> Cause | None:
    """Return what the lists, by owner, tell about an env; of the others, only those that `asker` may share are named."""
    return cause_of(env, owner, lists, asker.owner_of, asker.may_share_env)


async def env_lists(listing: EnvListing, owners: Sequence[str], until: float) -> dict[str, EnvList]:
    """Return the envs of those of `owners` that WeChat lists by `until`, a deadline of the loop's clock."""
    reads = (answer_by(until, listing(each), None) for each in owners)
    found = zip(owners, await asyncio.gather(*reads), strict=True)
    return {owner: envs for owner, envs in found if envs is not None}


def owners_read(policy: Policy) -> Sequence[str]:
    """Return the owners whose envs are read."""
    return policy.all_owners[:_MOST_OWNERS]
