"""Everyday words in a command: one table says what each means. What it does not know is never left out of a corrected line. Pure."""

import difflib
import re
from collections.abc import Iterable, Sequence
from enum import Enum

from bot.command.grammar import OPTIONS
from bot.command.tokenizer import plain_dashes


class Sense(Enum):
    """What an everyday word means in a command. Of several in one word, the first counts."""

    REVERSE = "asks for the opposite of a share, or for none"
    LIMIT = "asks for a share that ends, begins later or only lets the receiver read"
    LOOK = "asks what was shared: `history`"
    ASK = "makes a question of the line"
    WHAT = "asks which envs there are: `help`"
    DRY_RUN = "asks for a dry run"
    UNCLEAR = "is no env, but may ask for something else than a share"
    RETRY = "asks to try a request again, which a button does"
    AGAIN = "asks for what was shared before: `--again`"
    NAME = "names a mini program beside its appid"
    MAY = "asks for a permission, if the line is a question"
    FILLER = "neither an env nor a reason"


_WORDS = {
    Sense.REVERSE: """
        unshare unshared unsharing un de dis undo undone unlink unbind revoke revoked revoking remove removed removing
        delete deleted deleting del rm stop stopped stopping cancel canceled cancelled withdraw detach disconnect
        disable disallow deny block ban forbid reject exclude evict eject expel kick suspend pause drop kill end
        abort revert rollback take lose leaves off cut lock close wait without except instead never not no
        terminate terminated expired decommission decommissioned offboard offboarded obsolete deactivate deactivated
        nevermind wrong mistake
        dont doesnt didnt cannot cant wont shouldnt mustnt isnt arent wasnt hasnt havent wouldnt couldnt neednt aint nor
        取消 撤销 撤回 撤 收回 删除 删 移除 去掉 停止 停用 停 终止 中止 解除 解绑 关闭 关 断开 禁止 拒绝 不 别 勿 没 除了
        等等 踢 移出 移走 回收 收走 注销 清除 作废 剔除 拉黑 退出 退 吊销 剥夺 去除 排除 屏蔽 冻结 暂停 关掉 拿掉
        下线 下架 结束 回滚 到期 过期 失效 归还 释放 转让 用完 发错 算了 错 废
        撤銷 刪除 關閉 終止 斷開 別
        🚫 ❌ ⛔ 👎 ✗ ✘ ≠
    """,
    Sense.LIMIT: """
        until till til temporarily temporary temp today tonight tomorrow later soon next weekend
        monday tuesday wednesday thursday friday saturday sunday
        minute minutes hour hours day days week weeks month months year years duration deadline ttl expires expiry
        readonly read-only read reading readable view viewer view-only
        临时 暂时 短期 期间 为止 截止 截至 直到 今天 今晚 今日 明天 明日 后天 下周 下月 本周 本月 周末 月底 年底 稍后 晚点
        天 周 星期 礼拜 月 年 日 小时 分钟 只读 仅读 只看 仅查看
    """,
    Sense.LOOK: """
        list lists listing status show check query find is are was were has does did shared already requests
        who whom whose when where
        列表 列出 状态 历史 记录 查询 查看 查 有没有 谁 多少 已 我的请求 我的申请 狀態 歷史 記錄 查詢
    """,
    Sense.ASK: """
        whether ? 吗 么 嘛 呢 嗎 麼 是否 能不能 可不可以 能否 可否 是不是 要不要 该不该 需不需要 行不行 好不好
    """,
    Sense.WHAT: "what which 哪 哪些 什么 啥 什麼",
    Sense.DRY_RUN: """
        dry dryrun dry-run preview simulate simulated simulation test try n 试运行 试跑 模拟 预览 演练
    """,
    Sense.UNCLEAR: "from of by or owner now if after before 关于",
    Sense.RETRY: "retry retries rerun redo 重试 重跑 重做 重試",
    Sense.AGAIN: "again 再次 再 重新",
    Sense.NAME: """
        shop store mall 商城 商店 店 店铺 商铺 门店 旗舰店 专卖店 超市 便利店 餐厅 饭店 酒店 公司 集团
    """,
    Sense.MAY: "can could would will shall may might must should allowed able 能 可以 可 应该",
    Sense.FILLER: """
        a an the this that these those it its am i we me you us our your my their
        to with for on in at into onto via as and also plus run
        please sorry pls plz kindly thanks thank hi hey hello ok okay yes asap just so
        share shares sharing share-env give gives grant grants add allow permit enable assign invite authorize authorise let make do use access
        want wants need needs like
        all every any everything everyone everybody full between among
        appid app-id app_id env env-id env_id envid envs environment environments id cloud app apps mini program programs receiver receivers
        请 麻烦 帮 帮忙 一下 谢谢 谢 你好 我 我们 你 它 这个 这 那个 那 把 将 给 向 到 对 和 与 及 以及 用 使用
        让 要 想 需要 共享 分享 开放 开通 允许 授予 添加 授权 访问 权限 小程序 公众号 应用 所有 全部
        环境 云环境 测试环境 生产环境 正式环境 线上环境 预发环境 开发环境 云开发
        抱歉 不好意思 没问题 没事 不同 分别 特别 级别 类别 現在 现在 马上 吧 了 個 个
        請 麻煩 幫 謝謝 我們 這個 將 給 與 共用 開通 允許 環境
    """,
}
SENSES = {word: sense for sense, words in _WORDS.items() for word in words.split()}
JOINING = {"", "and", "also", "plus", *"&+•·・*-", "--", "和", "与", "及", "以及", "與"}
"""What may stand between two receivers."""

_UNDERSTOOD = {Sense.FILLER, Sense.MAY, Sense.NAME, Sense.DRY_RUN, Sense.AGAIN}
_NAMES = tuple(word for word in _WORDS[Sense.NAME].split() if not word.isascii())
_TIME = re.compile(
    r"\d+(?:s|secs?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|months?|y|years?|am|pm)"
    r"|\d{4}-\d{1,2}(?:-\d{1,2})?"
)

# Chinese has no spaces between words: they are found in a run of characters, longest first.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_HAN_RUN = re.compile(f"([{_HAN}]+)")
_LONGEST_FIRST = sorted(filter(_HAN_RUN.fullmatch, SENSES), key=len, reverse=True)
_HAN_WORDS = re.compile("|".join([*_LONGEST_FIRST, "."]))
_SIGNS = re.compile(r"[^\w-]|_")
_SHORTEST_START = 3
_ALIKE = 0.8


def senses(word: str) -> set[Sense | None]:
    """Return the meanings of an everyday word, ignoring case, dashes and punctuation; {None} for any other word.

    A run of Chinese has several, with None if it holds an unknown word.
    """
    plain = _SIGNS.sub("", plain_dashes(word).lower()).strip("-")
    if not plain:
        return {SENSES.get(word[:1], Sense.FILLER)}
    if plain in SENSES:
        return {SENSES[plain]}
    if _TIME.fullmatch(plain):
        return {Sense.LIMIT}
    if _HAN_RUN.fullmatch(plain):
        said = {SENSES.get(part) for part in _HAN_WORDS.findall(plain)}
        named = plain.endswith(_NAMES) and said <= _UNDERSTOOD | {None}
        return {Sense.NAME, *({None} & said)} if named else said
    joined = {SENSES.get(part) for part in plain.split("-")}
    negated = Sense.REVERSE in joined and joined <= {
        Sense.REVERSE,
        Sense.UNCLEAR,
        Sense.MAY,
        Sense.FILLER,
    }
    return {Sense.REVERSE} if negated else {None}


def sense(word: str) -> Sense | None:
    """Return the meaning of an everyday word that counts; None for a word that the table does not know.

    Beside an unknown word, only a meaning counts that forbids a share, and the name that a run of Chinese ends with.
    """
    said = senses(word)
    known = {Sense.AGAIN, Sense.MAY, Sense.FILLER}
    counting = (each for each in Sense if each in said and not (None in said and each in known))
    return next(counting, None)


def is_understood(word: str) -> bool:
    """Return whether a corrected line may leave out `word`, or say it in another way."""
    return sense(word) in _UNDERSTOOD


def split_chinese(words: Iterable[str]) -> list[str]:
    """Return `words` with Chinese separated from other text that is attached without a space."""
    return [run for word in words for run in _HAN_RUN.split(word) if run or not word]


def nearest(word: str, known: Sequence[str], cutoff: float) -> str | None:
    """Return the word of `known` that begins with `word`, else the most similar one, if any."""
    begun = [name for name in known if len(word) >= _SHORTEST_START and name.startswith(word)]
    return next(iter(begun or difflib.get_close_matches(word, known, n=1, cutoff=cutoff)), None)


def nearest_option(word: str) -> str | None:
    """Return the option that `word` most likely means; None if that is unclear. `--again=false` means none."""
    name, _, value = word.lower().partition("=")
    if sense(name) is Sense.DRY_RUN:
        return "--dry-run"
    near = nearest(name.strip("-:"), [option.lstrip("-") for option in OPTIONS], _ALIKE)
    return f"--{near}" if near and not (near == "again" and value) else None
