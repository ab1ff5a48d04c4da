"""Everyday words by one table: what each means in a command. Pure."""

import difflib
import re
from collections.abc import Iterable
from enum import Enum

from bot.command.grammar import Help, Whoami, Why
from bot.command.tokenizer import plain_dashes


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
        wait later shut leave leaves lose loses off kick eject evict expel exclude restrict suspend pause hold cut strip reset nuke deauth quit
        取消 撤销 撤回 撤 收回 删除 删 移除 去掉 停止 停用 停 终止 中止 解除 解绑 关闭 断开 禁止 拒绝 不 别 勿 没 无需 除了
        等等 稍后 晚点 踢 移出 移走 回收 收走 注销 清除 清空 作废 失效 剔除 拉黑 退出 吊销 剥夺 去除 排除 屏蔽 冻结 暂停 关掉 拿掉
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
        please sorry pls plz kindly thanks thank hi hey hello ok okay yes now asap today just so
        share shares sharing share-env give gives grant grants add allow permit enable assign invite authorize authorise let make do use access
        can could would will shall may must should want wants need needs like
        all every any everything everyone everybody full between among
        env envs environment environments cloud app apps mini program programs receiver receivers owner
        请 麻烦 帮 帮忙 一下 谢谢 谢 你好 我 我们 你 它 这个 这 那个 那 把 将 给 向 到 对 从 由 来自 的 和 与 及 以及 或 用 使用
        让 要 想 需要 可以 能 能不能 可不可以 能否 共享 分享 开放 开通 申请 允许 授予 添加 授权 访问 权限 环境 云环境 云开发 小程序 应用 所有 全部
        抱歉 不好意思 没问题 没事 不同 分别 特别 级别 类别 現在 现在 马上 吧 了 個 个
        請 麻煩 幫 謝謝 我們 這個 將 給 從 與 共用 開通 申請 允許 環境
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

# Chinese has no spaces between words: they are found in a run of characters, longest first.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_HAN_RUN = re.compile(f"([{_HAN}]+)")  # the only one: each takes 2 ms to compile
_SIGNS = re.compile(r"[^\w<>-]|_")
_LONGEST_FIRST = sorted(filter(_HAN_RUN.fullmatch, SENSES), key=len, reverse=True)
_HAN_WORDS = re.compile("|".join([*_LONGEST_FIRST, "."]))
_NUMBER = r"(?:\d+|one|two|three|four|five|six|seven|ten)"
_UNIT = r"(?:min(?:ute)?s?|h(?:(?:ou)?rs?)?|d(?:ays?)?|nights?|w(?:eek(?:end)?s?)?|months?)"
_DIGITS = "一二两三四五六七八九十半几"
_NO_HAN = f"[^{_HAN}]|$"
_LAST = r"(?:\ (?:only|max|please))?\W*$"
# A reason such as “release in two days” or “三天后上线” is none of these. Compiled when first used, as that takes 5 ms.
_ENDING = rf"""(?<!\S)-*(?:
        temporarily | temporary(?=\ access|\ shar|\W*$) | until(?:\ \S+)? | till?(?:\ \S+)?
        | (?<![a-z]\ )expir(?:es|ing) | (?<=-)(?:ttl|duration|expire|expiry|lifetime)
        | through\ (?:\w+day|tomorrow) | (?:today|tonight|this\ week)\ only
        | for\ (?:(?:the\ next\ )?{_NUMBER}|(?:half\ )?an?|a\ few|a\ couple\ of)\ ?{_UNIT}
        | for\ (?:now|today|tonight|a\ while|th(?:e|is)\ {_UNIT})(?={_LAST})
        | (?<!in\ )(?<!after\ )(?<!within\ )(?<!every\ )(?<!last\ )(?<=\ ){_NUMBER}\ ?{_UNIT}(?={_LAST})
    )(?![\w'’-])
    | (?:临时|暂时|臨時|暫時|短期|限时)(?=[共分给把将授开访用使給將開]|{_NO_HAN}) | 直到 | 为止
    | [到至](?:[今明后]天|今晚|[本这下]?周[一二三四五六日天末]|星期[一二三四五六日天]|[本下]?个?月底|年底)
      (?=[吧就为前止]|{_NO_HAN})
    | (?:(?<![\w-])(?<!第\ )(?<!每\ )\d+|(?<![第每这那近去{_DIGITS}])[{_DIGITS}]+)\ ?
      (?:个?(?:分钟|小时|钟头|星期|礼拜)|个月|天|周)(?=[吧就了的左]|{_NO_HAN})"""


def runs(word: str) -> list[str]:
    """Return a word's parts: Chinese characters, and what is between them."""
    return [run for run in _HAN_RUN.split(word) if run] or [word]


def sense(word: str) -> Sense | None:
    """Return the meaning of an everyday word, ignoring case, dashes and punctuation; None for any other word."""
    if word and not any(map(str.isalnum, word)):
        return Sense.FILLER
    plain = _SIGNS.sub("", plain_dashes(word).lower()).strip("-")
    if plain in SENSES:
        return SENSES[plain]
    if _HAN_RUN.fullmatch(plain):
        said = {SENSES.get(part) for part in _HAN_WORDS.findall(plain)}
        return next(
            (each for each in (Sense.REVERSE, Sense.LOOK, None) if each in said), Sense.FILLER
        )
    backwards = _BACKWARDS.fullmatch(plain)
    if backwards and SENSES.get(backwards[1]) is Sense.FILLER:
        return Sense.REVERSE
    parts = {SENSES.get(part) for part in plain.split("-")}
    return Sense.REVERSE if Sense.REVERSE in parts and None not in parts else None


def ending(words: Iterable[str]) -> str | None:
    """Return the words that ask for a share that ends by itself, which none does; None if there are none."""
    found = re.search(_ENDING, " ".join(words).lower(), re.VERBOSE)
    return found[0].lstrip("-") if found else None


def nearly_reverse(word: str) -> bool:
    """Return whether a word may be a misspelling of one that asks for the opposite of a share."""
    word = word.lstrip("-")
    long = len(word) >= _SHORTEST_MISSPELT and word.isalpha() and sense(word) is None
    return long and bool(difflib.get_close_matches(word.lower(), _MISSPELT, n=1, cutoff=0.82))


def stands_for(word: str) -> str | None:
    """Return the subcommand that an everyday word stands for."""
    return next((first for first, said in _STAND_FOR.items() if said.match(word)), None)
