"""Why a share of an env failed: wrong setups, what WeChat would list in each, and the cause that is named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.guidance import EnvFine, EnvList, ListedEnv, all_guidance, cause_of, explained, for_code
from bot.guidance.causes import (
    CAUSE_ROWS,
    Cause,
    NoEnvs,
    NoSuchEnv,
    NotInService,
    OtherOwner,
    OtherToken,
)
from bot.guidance.types import Fixer, Guidance
from tests.guidance.test_lookup import texts

A, B = "wx0123456789abcdef", "wxfedcba9876543210"
OURS: EnvList = {
    "prod-1": ListedEnv(),
    "prod-2": ListedEnv(alias="shop"),
    "pay-7g2k": ListedEnv("HALTED"),
}
THEIRS: EnvList = {"theirs-1": ListedEnv(), "theirs-2": ListedEnv()}
BOTH = {A: OURS, B: THEIRS}


@dataclass(frozen=True)
class Setup:
    """A wrong setup: what was asked, WeChat's code, what it lists by owner's token, and what the cause says."""

    env: str
    code: int
    lists: Mapping[str, EnvList]
    cause: Cause | None
    says: str
    fixer: Fixer
    owners: Mapping[str, str] = field(default_factory=lambda: {"theirs-*": B, "*": A})
    """By glob, as the policy names them; the first that matches counts."""
    covered: str = "*"
    """The envs that the requester may share."""


SETUPS = {
    "the env is mistyped": Setup(
        "prod1", 40097, BOTH, NoSuchEnv("prod-1"), "The nearest that you may share is {found}", Fixer.REQUESTER
    ),
    "its alias was typed": Setup(
        "shop", -501009, BOTH, NoSuchEnv("prod-2"), "The nearest that you may share is {found}", Fixer.REQUESTER
    ),
    "its end was left out": Setup(
        "pay", 40097, BOTH, NoSuchEnv("pay-7g2k"), "The nearest that you may share is {found}", Fixer.REQUESTER
    ),
    "the env is mistyped, and the requester may not share the right one": Setup(
        "prod-l", 40097, BOTH, NoSuchEnv(), "Compare the env", Fixer.REQUESTER, covered="prod-l"
    ),
    "the env was deleted": Setup(
        "campaign", -501005, BOTH, NoSuchEnv(), "lists other envs, and not {env}", Fixer.REQUESTER
    ),
    "the owner has not enabled CloudBase": Setup(
        "prod-1", 85088, {A: {}, B: THEIRS}, NoEnvs(), "CloudBase (云开发) is off", Fixer.OPERATOR
    ),
    "the policy names the default owner for another's env": Setup(
        "theirs-1", 40097, BOTH, OtherOwner(B), "lists {env} for {found}", Fixer.OPERATOR, {"*": A}
    ),
    "the token server gives the same token for all owners": Setup(
        "prod-1", -601012, {A: THEIRS, B: THEIRS}, OtherToken(B), "lists the envs of {found}", Fixer.OPERATOR
    ),
    "the fixed token is another owner's": Setup(
        "prod-1", 40097, {A: THEIRS}, OtherToken(B), "WECHAT_AUTHORIZER_ACCESS_TOKEN", Fixer.OPERATOR
    ),
    "a bill is overdue": Setup(
        "pay-7g2k", -501018, BOTH, NotInService("HALTED"), "as {found}; it must be NORMAL", Fixer.OPERATOR
    ),
    "the env is being made": Setup(
        "new-1", 40097, {A: {"new-1": ListedEnv("UNAVAILABLE")}}, NotInService("UNAVAILABLE"), "must be NORMAL", Fixer.OPERATOR
    ),
    "the receiver is mistyped, or of another company": Setup(
        "prod-1", 40097, BOTH, EnvFine(), "the appid is mistyped, or another company's", Fixer.REQUESTER
    ),
    "the receiver is of another company, and CloudBase says so": Setup(
        "prod-1", -601013, BOTH, EnvFine(), "the receiver belongs to another company", Fixer.OPERATOR
    ),
    "WeChat errs about CloudBase": Setup(
        "prod-1", 85088, BOTH, EnvFine(), "This is unexpected", Fixer.OPERATOR
    ),
    "the permission was withdrawn, so nothing is listed": Setup(
        "prod-1", 40097, {B: THEIRS}, None, "Compare both", Fixer.REQUESTER
    ),
}  # fmt: skip


def looked_at(setup: Setup) -> Cause | None:
    def owner_of(env: str) -> str | None:
        return next((whose for glob, whose in setup.owners.items() if fnmatchcase(env, glob)), None)

    return cause_of(
        setup.env, A, setup.lists, owner_of, lambda env: fnmatchcase(env, setup.covered)
    )


@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
def test_the_cause_of_a_wrong_setup_is_named_with_its_fixer(setup: Setup) -> None:
    cause = looked_at(setup)
    assert cause == setup.cause
    told = explained(for_code(setup.code), cause)
    assert setup.says in " ".join(texts(told))
    assert told.fixer is setup.fixer
    assert told.key == for_code(setup.code).key  # which the ledger, metrics and alerts know it by


def test_another_owners_list_that_only_looks_like_the_tokens_is_not_called_its() -> None:
    # The policy says that all envs listed are B's, and B has others.
    setup = Setup(
        "prod-9", 40097, {A: {"theirs-9": ListedEnv()}, B: THEIRS}, None, "", Fixer.NOBODY
    )
    assert looked_at(setup) == NoSuchEnv()


@given(
    lists=st.dictionaries(
        st.sampled_from([A, B]),
        st.dictionaries(st.text("ab-", min_size=1, max_size=4), st.builds(ListedEnv)),
    ),
    env=st.text("ab-", min_size=1, max_size=4),
    may=st.sets(st.text("ab-", min_size=1, max_size=4)),
)
def test_an_env_that_the_requester_may_not_share_is_never_named(
    lists: Mapping[str, EnvList], env: str, may: set[str]
) -> None:
    cause = cause_of(env, A, lists, lambda _: A, may.__contains__)
    if isinstance(cause, NoSuchEnv):
        assert cause.nearest in {*may, ""}


@pytest.mark.parametrize("row", all_guidance(), ids=lambda row: row.key)
def test_a_code_that_is_not_about_an_env_keeps_its_guidance_whatever_is_listed(
    row: Guidance,
) -> None:
    causes = (NoSuchEnv(), NoEnvs(), NotInService("HALTED"), OtherOwner(B), OtherToken(B))
    told = {explained(row, cause) is row for cause in causes}
    assert told == {not row.looks}
    assert explained(row, None) is row


def test_these_codes_are_looked_into() -> None:
    assert {row.key for row in all_guidance() if row.looks} == {
        *("40097", "85088", "cloudbase"),
        *("-501005", "-501007", "-501009", "-501018", "-501019", "-601012", "-601013"),
    }


@pytest.mark.parametrize("row", CAUSE_ROWS, ids=lambda row: row.key)
def test_each_cause_is_worded_as_guidance_is(row: Guidance) -> None:
    for text in texts(row)[1:]:
        assert text[-1] == "."
    assert len(row.title) <= 70
