import pytest

from bot.domain.language import Language, language_of


@pytest.mark.parametrize("locale", ["zh", "zh-CN", "zh-TW", "zh_Hans", "ZH-cn"])
def test_people_with_any_chinese_locale_get_chinese(locale: str) -> None:
    assert language_of(locale) is Language.CHINESE


@pytest.mark.parametrize("locale", [None, "", "en-GB", "ja-JP", "zha", "de-zh"])
def test_all_others_get_english(locale: str | None) -> None:
    assert language_of(locale) is Language.ENGLISH
