import pytest

from bot.domain.language import Language, language_of


@pytest.mark.parametrize("locale", ["zh", "zh-CN", "zh-TW", "zh_Hans", "ZH-cn"])
def test_whoever_reads_any_chinese_is_spoken_to_in_chinese(locale: str) -> None:
    assert language_of(locale) is Language.CHINESE


@pytest.mark.parametrize("locale", [None, "", "en-GB", "ja-JP", "zha", "de-zh"])
def test_all_others_are_spoken_to_in_english(locale: str | None) -> None:
    assert language_of(locale) is Language.ENGLISH
