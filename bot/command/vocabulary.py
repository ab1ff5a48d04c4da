"""Everyday words in a command: one table says what each means, and what it does not know is never left out of a corrected line. Pure."""

import difflib
import re
from collections.abc import Iterable, Sequence
from enum import Enum

from bot.command.grammar import OPTIONS, SUBCOMMANDS, Subcommand, Verb, is_appid, is_env
from bot.command.tokenizer import plain_dashes


class Sense(Enum):
    """What an everyday word means in a command."""

    REVERSE = "asks for the opposite of a share, or for none"
    LOOK = "asks what was shared: `history`"
    DRY_RUN = "asks for a dry run"
    UNCLEAR = "is no env, but may ask for something else than a share"
    FILLER = "neither an env nor a reason"


_WORDS = {
    Sense.REVERSE: """
        unshare unshared unsharing un de dis undo undone unlink unbind revoke revoked revoking remove removed removing
        delete deleted deleting del rm stop stopped stopping cancel canceled cancelled withdraw detach disconnect
        disable disallow deny block ban forbid reject exclude evict eject expel kick suspend pause drop kill end
        abort revert take lose leaves off cut lock close wait without except instead never not no
        dont doesnt didnt cannot cant wont shouldnt mustnt isnt arent wasnt hasnt havent wouldnt couldnt neednt aint nor
        取消 撤销 撤回 撤 收回 删除 删 移除 去掉 停止 停用 停 终止 中止 解除 解绑 关闭 断开 禁止 拒绝 不 别 勿 没 除了
        等等 稍后 晚点 踢 移出 移走 回收 收走 注销 清除 作废 剔除 拉黑 退出 吊销 剥夺 去除 排除 屏蔽 冻结 暂停 关掉 拿掉
        撤銷 刪除 關閉 終止 斷開 別
        🚫 ❌ ⛔ 👎 ✗ ✘ ≠
    """,
    Sense.LOOK: """
        list lists listing status show check query find is are was were has does did shared already whether
        who whom whose what when where which
        列表 列出 状态 历史 记录 查询 查看 查 是否 有没有 吗 谁 哪 什么 多少 已 狀態 歷史 記錄 查詢 嗎 誰
    """,
    Sense.DRY_RUN: "dry dryrun dry-run 试运行 试跑",
    Sense.UNCLEAR: "from of by or owner until till temporarily temporary later now if after before",
    Sense.FILLER: """
        a an the this that these those it its am i we you me us our your my their
        to with for on in at into onto via as and also plus run
        please sorry pls plz kindly thanks thank hi hey hello ok okay yes asap just so
        share shares sharing share-env give gives grant grants add allow permit enable assign invite authorize authorise let make do use access
        can could would will shall may must should want wants need needs like
        all every any everything everyone everybody full between among
        appid env envs environment environments cloud app apps mini program programs receiver receivers
        请 麻烦 帮 帮忙 一下 谢谢 谢 你好 我 我们 你 它 这个 这 那个 那 把 将 给 向 到 对 和 与 及 以及 用 使用
        让 要 想 需要 可以 能 能不能 可不可以 能否 共享 分享 开放 开通 允许 授予 添加 授权 访问 权限 小程序 应用 所有 全部
        环境 云环境 测试环境 生产环境 正式环境 线上环境 预发环境 开发环境 云开发
        抱歉 不好意思 没问题 没事 不同 分别 特别 级别 类别 現在 现在 马上 吧 了 個 个
        請 麻煩 幫 謝謝 我們 這個 將 給 與 共用 開通 允許 環境
    """,
}
SENSES = {word: sense for sense, words in _WORDS.items() for word in words.split()}
JOINING = {"", "and", "also", "plus", "appid", *"&+•·・*-", "--", "和", "与", "及", "以及", "與"}
"""What may stand between two receivers."""

_STAND_FOR = {
    Verb.HELP: re.compile("帮助|怎么|如何|how$", re.IGNORECASE),
    Verb.WHOAMI: re.compile("我是谁"),
    Verb.WHY: re.compile("为什么|为何"),
}

# Chinese has no spaces between words: they are found in a run of characters, longest first.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_HAN_RUN = re.compile(f"([{_HAN}]+)")
_LONGEST_FIRST = sorted(filter(_HAN_RUN.fullmatch, SENSES), key=len, reverse=True)
_HAN_WORDS = re.compile("|".join([*_LONGEST_FIRST, "."]))
_SIGNS = re.compile(r"[^\w-]|_")
_SHORTEST_START = 3
_ALIKE = 0.8
_JOINTS = re.compile("[/=&:|>]+|->")


def sense(word: str) -> Sense | None:
    """Return the meaning of an everyday word, ignoring case, dashes and punctuation; None for any other word."""
    plain = _SIGNS.sub("", plain_dashes(word).lower()).strip("-")
    if not plain:
        return SENSES.get(word[:1], Sense.FILLER)
    if plain in SENSES:
        return SENSES[plain]
    if _HAN_RUN.fullmatch(plain):
        said = {SENSES.get(part) for part in _HAN_WORDS.findall(plain)}
        strongest = (Sense.REVERSE, Sense.LOOK, Sense.DRY_RUN, None)
        return next((each for each in strongest if each in said), Sense.FILLER)
    joined = {SENSES.get(part) for part in plain.split("-")}
    return Sense.REVERSE if Sense.REVERSE in joined and None not in joined else None


def is_filler(word: str) -> bool:
    """Return whether a corrected line may leave out `word`."""
    return sense(word) in {Sense.FILLER, Sense.DRY_RUN}


def first_with(meant: Sense, words: Iterable[str]) -> str | None:
    """Return the first word that has this meaning, or that is quoted or joined and has such a word in it."""
    return next((word for word in words if any(sense(part) is meant for part in parts(word))), None)


def opposite(words: Iterable[str]) -> str | None:
    """Return the first word that asks for the opposite of a share, also as a value: `action=unshare`, `prod-1:off`."""

    def said(word: str) -> list[str]:
        return [word] if word[:1] == "-" else [word, *re.split("[=:&]", word)]

    return next((word for word in words if first_with(Sense.REVERSE, said(word)) is not None), None)


def subcommand(word: str) -> Subcommand | None:
    """Return the subcommand that `word` is, or stands for."""
    plain = word.lower().rstrip("?!:")
    means = next((first for first, said in _STAND_FOR.items() if said.match(plain)), plain)
    if sense(means) is Sense.LOOK:
        means = Verb.HISTORY
    return next((row for row in SUBCOMMANDS if row.verb == means), None)


def split_chinese(words: Iterable[str]) -> list[str]:
    """Return `words` with Chinese separated from other text that is attached without a space."""
    return [run for word in words for run in _HAN_RUN.split(word) if run or not word]


def parts(word: str) -> list[str]:
    """Return what `word` is made of: ids that are joined, named, quoted or decorated (`A/prod-1`, `env=prod-1`, `"A prod-1"`, `<A>`) without all that.

    Appids are in lower case. Two ids of a kind are not taken apart: in `A->B`, A may not be a receiver.
    """
    found: list[str] = []
    for said in word.split() or [word]:
        split = [_bare(part) for part in _JOINTS.split(said.lstrip("-"))]
        ids = [part for part in split if sense(part) is not Sense.FILLER]
        kinds = ["appid" if is_appid(part) else "env" if may_be_env(part) else "" for part in ids]
        plain = ids and all(kinds) and len({*kinds}) == len(kinds)
        found += ids if plain else [_bare(said)]
    return found


def _bare(word: str) -> str:
    """Return `word` without surrounding brackets, asterisks, quotation marks and punctuation; an appid in lower case.

    Signs alone stay: `->` is no bullet. So do tildes: what is struck out is not meant.
    """
    if not any(map(str.isalnum, word)):
        return word
    bare = word.strip("<>()[]*_!?:\"'“”„‘’")
    return bare.lower() if is_appid(bare.lower()) else bare


def may_be_env(word: str) -> bool:
    """Return whether `word` can be the env, if its long dashes are hyphens."""
    return is_env(plain_dashes(word)) and sense(word) is None and not is_damaged_appid(word)


def is_damaged_appid(word: str) -> bool:
    """Return whether `word` is more likely a malformed appid than an env, which usually has a dash."""
    return re.match(r"(?i)wx[^-]{10}", word) is not None and not is_appid(word)


def nearest(word: str, known: Sequence[str], cutoff: float) -> str | None:
    """Return the word of `known` that begins with `word`, else the most similar one, if any."""
    begun = [name for name in known if len(word) >= _SHORTEST_START and name.startswith(word)]
    return next(iter(begun or difflib.get_close_matches(word, known, n=1, cutoff=cutoff)), None)


def nearest_option(word: str) -> str | None:
    """Return the option that `word` most likely means; None if that is unclear. `--again=false` means none."""
    name, _, value = word.lower().partition("=")
    near = nearest(name.strip("-:"), [option.lstrip("-") for option in OPTIONS], _ALIKE)
    return f"--{near}" if near and not (near == "again" and value) else None
