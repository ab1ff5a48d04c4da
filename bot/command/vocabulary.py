"""Everyday words in a command: what they mean, and whether they ask for a share at all. Pure.

A command whose words ask for the opposite of a share gets no corrected line.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import pairwise, takewhile

from bot.command.grammar import (
    BLANK_APPID,
    BLANK_ENV,
    FIRST_WORDS,
    SUBCOMMANDS,
    Help,
    History,
    Subcommand,
    Whoami,
    Why,
    is_appid,
    is_env,
)
from bot.command.mistake import OnlyShares, UnclearReceiver, UnknownWord


class Sense(Enum):
    """What an everyday word means in a command."""

    REVERSE = "asks for the opposite of a share, or for none"
    LOOK = "asks what was shared: `history`"
    FILLER = "neither an env nor a reason"


_WORDS = {
    Sense.REVERSE: """
        unshare unshared unsharing un undo undoing undone unlink unlinked unlinking unbind revoke revoked revoking
        remove removed removing removal delete deleted deleting deletion rm del stop stopped stopping
        cancel canceled cancelled canceling cancelling withdraw withdrawn withdrawing retract recall rescind
        detach disconnect disable disabled deny block ban forbid reject refuse prevent avoid drop kill end abort
        terminate take reverse revert rollback erase purge close lock without except instead never not no
        dont doesnt didnt cannot cant wont shouldnt mustnt neednt isnt arent
        off kick eject evict expel exclude restrict suspend pause hold cut strip reset nuke deauth quit
        取消 撤销 撤回 撤 收回 删除 删 移除 去掉 停止 停用 停 终止 中止 解除 解绑 关闭 断开 禁止 拒绝 不 别 勿 没 无需 除了
        踢 移出 移走 回收 收走 注销 清除 清空 作废 失效 剔除 拉黑 退出 吊销 剥夺 去除 排除 屏蔽 冻结 暂停 关掉 拿掉
        撤銷 刪除 關閉 終止 斷開 別 無需
    """,
    Sense.LOOK: """
        list lists listing status show check query find is are was were has does did shared already whether
        who whom whose what when where which how
        列表 列出 状态 历史 记录 查询 查看 查 是否 有没有 吗 谁 哪 什么 多少 已 狀態 歷史 記錄 查詢 嗎 誰
    """,
    Sense.FILLER: """
        a an the this that these those it its am i we you me us our your my their
        to with for from of by in on at into onto via as and or also plus
        please pls plz kindly thanks thank hi hey hello ok okay yes now asap today just so
        share shares sharing share-env give gives grant grants add allow permit enable assign invite authorize authorise let make do use access
        can could would will shall may must should want wants need needs like
        env envs environment environments cloud app apps mini program programs receiver receivers owner
        请 麻烦 帮 帮忙 一下 谢谢 谢 你好 我 我们 你 它 这个 这 那个 那 把 将 给 向 到 对 从 由 来自 的 和 与 及 以及 或 用 使用
        让 要 想 需要 可以 能 能不能 可不可以 能否 共享 分享 授权 访问 权限 环境 云环境 云开发 小程序 应用 現在 现在 马上 吧 了 個 个
        請 麻煩 幫 謝謝 我們 這個 將 給 從 與 共用 環境
    """,
}
SENSES = {word: sense for sense, words in _WORDS.items() for word in words.split()}
_STAND_FOR = {
    Help.word: re.compile("帮助|怎么|如何|how$", re.IGNORECASE),
    Whoami.word: re.compile("我是谁"),
    Why.word: re.compile("为什么|为何"),
}
_BACKWARDS = re.compile(r"(?:un|de|dis)-?([a-z]{3,})")
_MISSPELT = ("unshare", "revoke", "remove", "delete", "cancel", "unlink", "withdraw", "stop")
_SHORTEST_MISSPELT = 5

JOINING = frozenset({"and", "also", "plus", "&", "+", "和", "与", "及", "以及", "與"})
_OWNING = ("from", "of", "by", "owner", "从", "由", "来自", "從")

_KINDS = re.compile("(?:测试|生产|正式|线上|预发|开发)(?=环境)")

# Chinese has no spaces between words: they are found in a run of characters, longest first.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_RUNS = re.compile(f"[{_HAN}]+|[^{_HAN}]+")
_ALL_HAN = re.compile(f"[{_HAN}]+")
_SIGNS = re.compile(r"[^\w<>-]|_")
_HAN_WORDS = re.compile("|".join([*sorted(SENSES, key=len, reverse=True), f"[{_HAN}]"]))


def sense(word: str) -> Sense | None:
    """Return the meaning of an everyday word, ignoring case, dashes and punctuation; None for any other word."""
    if word and not any(map(str.isalnum, word)):
        return Sense.FILLER
    plain = _SIGNS.sub("", word.lower()).strip("-")
    if plain in SENSES:
        return SENSES[plain]
    if _ALL_HAN.fullmatch(plain):
        said = {SENSES.get(part) for part in _HAN_WORDS.findall(plain)}
        return next(
            (each for each in (Sense.REVERSE, Sense.LOOK, None) if each in said), Sense.FILLER
        )
    backwards = _BACKWARDS.fullmatch(plain)
    if backwards and SENSES.get(backwards[1]) is Sense.FILLER:
        return Sense.REVERSE
    parts = {SENSES.get(part) for part in plain.split("-")}
    return Sense.REVERSE if Sense.REVERSE in parts and None not in parts else None


def nearly_reverse(word: str) -> bool:
    """Return whether a word may be a misspelling of one that asks for the opposite of a share."""
    long = len(word) >= _SHORTEST_MISSPELT and word.isalpha() and sense(word) is None
    return long and bool(difflib.get_close_matches(word.lower(), _MISSPELT, n=1, cutoff=0.82))


def names_an_owner(before: str, after: str) -> bool:
    """Return whether an appid between these two words is the env's owner instead of a receiver."""
    comes_from = sense(before) is Sense.FILLER and before.lower().strip(":").endswith(_OWNING)
    return comes_from or after.startswith("的")


def split_chinese(words: Iterable[str]) -> list[str]:
    """Return `words` with Chinese separated from other text that is attached without a space."""
    return [run for word in words for run in _RUNS.findall(word) or [word]]


def meaning(words: Iterable[str], meant: Sense) -> list[str]:
    """Return the words with this meaning."""
    return [word for word in words if sense(word) is meant]


def without_fillers(words: Iterable[str]) -> list[str]:
    """Return `words` without filler words."""
    return [word for word in split_chinese(words) if sense(word) is not Sense.FILLER]


def names_reason(word: str) -> bool:
    """Return whether `word` is the option `--reason` or a misspelling of it."""
    return word.startswith("--r") and sense(word) is not Sense.REVERSE


def without_reasons(words: Iterable[str]) -> list[str]:
    """Return `words` without the word after `--reason`."""
    pairs = pairwise(["", *words])
    return [word for before, word in pairs if not names_reason(before) or "=" in before[:-1]]


def single_words(words: Iterable[str]) -> list[str]:
    """Return all single words, also those inside quotes, except a reason's."""
    kept = [word for word in without_reasons(words) if not names_reason(word)]
    return split_chinese(part for word in kept for part in word.split())


def subcommand(word: str) -> Subcommand | None:
    """Return the subcommand that `word` is, or stands for."""
    means = _stands_for(word) or (History.word if sense(word) is Sense.LOOK else word.lower())
    return next((row for row in SUBCOMMANDS if row.word == means), None)


def _stands_for(word: str) -> str | None:
    return next((first for first, said in _STAND_FOR.items() if said.match(word)), None)


def named_in(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the appids in `words`, and the env if only one word can be it."""
    appids = [word.lower() for word in map(bare, words) if is_appid(word.lower())]
    envs = envs_in(words)
    return list(dict.fromkeys(appids)), envs[0] if len(envs) == 1 else None


def envs_in(words: Sequence[str]) -> list[str]:
    """Return the words that can be the env; if any have a dash, as envs usually do, only those."""
    found = [
        w for w in map(bare, words) if is_env(w) and not meant_as_appid(w) and sense(w) is None
    ]
    return list(dict.fromkeys([word for word in found if "-" in word] or found))


def bare(word: str) -> str:
    """Return `word` without surrounding brackets, asterisks and punctuation."""
    return word.strip("<>()[]*_~!?:")


def meant_as_appid(word: str) -> bool:
    """Return whether `word` is more likely a malformed appid than an env, which usually has a dash."""
    return word.lower() in {"appid", BLANK_APPID} or re.match(r"(?i)wx[^-]{10}", word) is not None


def words_outside_reason(words: Sequence[str]) -> list[str]:
    """Return the words outside the reason; after a complete command, everything after `--reason` belongs to it."""
    before = words_before_reason(words)
    whole = all(named_in(without_fillers(before)))
    options = [word for word in words if word.startswith("-") and not names_reason(word)]
    return [*before, *single_words(options)] if whole else single_words(words)


def words_before_reason(words: Sequence[str]) -> list[str]:
    """Return the words before `--reason`."""
    return single_words(takewhile(lambda word: not names_reason(word), words))


def objection_in(
    said: Sequence[str], loose: Sequence[str]
) -> tuple[OnlyShares | UnknownWord | UnclearReceiver, list[str] | None] | None:
    """Return the mistake if everyday words ask for no share or make its receiver unclear, and the words to correct, if possible.

    `loose` are the words that may ask for the opposite of a share. Words that begin with a subcommand are never a mistake.
    """
    if _asks(said):
        return None
    if opposites := meaning(loose, Sense.REVERSE):
        return OnlyShares(opposites[0]), None
    looks = meaning(said, Sense.LOOK)
    if looks and (len(looks) > 1 or looks != without_fillers(said)[:1]):
        return UnknownWord(looks[0], History.word), [History.word, *said]
    if _unclear_receiver(said):
        return UnclearReceiver(), [word for word in said if not is_appid(bare(word).lower())]
    return None


def misspelt_opposite(said: Sequence[str]) -> OnlyShares | None:
    """Return the mistake if an invalid command may contain a misspelt word for the opposite of a share."""
    word = next(filter(nearly_reverse, said), None)
    return OnlyShares(word) if word and not _asks(said) else None


def not_understood(words: Iterable[str], line: str) -> str | None:
    """Return the first word in front of appid and env that may ask for anything, where `line` would share."""
    kept = line.lower().split()[1:]
    if not kept or not is_appid(kept[0]) or BLANK_ENV in kept:
        return None
    front = takewhile(lambda word: bare(word).lower() not in kept, split_chinese(words))
    return next((word for word in front if _may_ask(word)), None)


def _may_ask(word: str) -> bool:
    plain = _KINDS.sub("", bare(word))
    known = sense(plain) is Sense.FILLER or meant_as_appid(plain.removesuffix("'s"))
    return not (known or word.startswith("-")) and re.sub("[-'’]", "", plain).isalpha()


def _asks(said: Sequence[str]) -> bool:
    return any(
        word.lower() in FIRST_WORDS or _stands_for(word) == Why.word
        for word in without_fillers(said)[:1]
    )


def _unclear_receiver(words: Sequence[str]) -> bool:
    """Return whether an appid in `words` may not be a receiver: it may be the owner, or be replaced by another."""
    names = [bare(word) for word in words]
    at = [place for place, word in enumerate(names) if is_appid(word.lower())]
    if any(names_an_owner(*["", *names, ""][place : place + 3 : 2]) for place in at):
        return True
    between = names[at[0] : at[-1]] if at else []
    if not between:
        return False
    known = {*JOINING, *map(str.lower, envs_in(words))}
    return any(
        word.lower() not in known and (word.isalpha() or sense(word) is Sense.FILLER)
        for word in between
        if not is_appid(word.lower())
    )
