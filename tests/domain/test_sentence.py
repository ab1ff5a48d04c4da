"""A sentence for operators is English as text, and is told in another language with the same values."""

import pytest

from bot.domain.sentence import SEMICOLON, Sentence, cleaned, joined, told

_CHINESE = {
    "the {proxy} takes {what}": "{proxy} 接受 {what}",
    "no calls": "不接受调用",
    "the proxy": "代理",
    "{one}; {other}": "{one}；{other}",
}


def _in_chinese(text: str) -> str:
    return told(text, lambda template: _CHINESE.get(template, template))


def test_a_value_that_is_a_sentence_is_told_too_and_no_blank_stands_between_chinese() -> None:
    proxy, calls = Sentence("the proxy"), Sentence("no calls")
    sentence = Sentence("the {proxy} takes {what}", proxy=proxy, what=calls)
    assert sentence == "the the proxy takes no calls"
    assert _in_chinese(sentence) == "代理接受不接受调用"
    assert _in_chinese(Sentence("the {proxy} takes {what}", proxy="x", what=2)) == "x 接受 2"


@pytest.mark.parametrize(
    ("items", "english", "chinese"),
    [
        ([], "", ""),
        (["a"], "a", "a"),
        (["a", Sentence("no calls")], "a; no calls", "a；不接受调用"),
    ],
)
def test_items_are_joined_as_each_language_does(
    items: list[str], english: str, chinese: str
) -> None:
    assert joined(items, SEMICOLON) == english
    assert _in_chinese(joined(items, SEMICOLON)) == chinese


def test_secrets_are_hidden_in_values_and_the_sentence_keeps_its_translation() -> None:
    why = Sentence("the {proxy} takes {what}", proxy="a", what="hunter2")
    clean = cleaned(
        Sentence("{one}; {other}", one=why, other=3), lambda text: text.replace("hunter2", "…")
    )
    assert clean == "the a takes …; 3"
    assert _in_chinese(clean) == "a 接受 …；3"


def test_a_secret_across_values_is_hidden_and_the_sentence_stays_english() -> None:
    whole = Sentence("{one}; {other}", one="hunter", other="2")
    clean = cleaned(whole, lambda text: text.replace("hunter; 2", "…"))
    assert clean == _in_chinese(clean) == "…"
