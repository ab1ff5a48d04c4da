"""Every sentence in every language: the catalogues are complete, and the Chinese messages follow the rules."""

import re
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from syrupy.assertion import SnapshotAssertion

from bot.domain.language import SPOKEN, Language
from bot.guidance import all_guidance
from bot.locale import languages
from bot.messages import Message
from bot.messages.words import code, contact_in, msgid
from bot.policy.kinds import DEFAULT_CONTACT
from tests.checking import checks
from tests.languages import CHINESE, ENGLISH
from tests.messages.checks import IN_CHINESE
from tests.messages.golden import goldens
from tests.messages.samples import messages
from tests.sentences import Sentence, all_misuses, all_sentences, said_in
from tests.translations import TRANSLATED, compiled, faults, main, path_of, read, renewed, written

EVERY_LANGUAGE = pytest.mark.parametrize("language", TRANSLATED, ids=lambda each: each.value)
ENGLISH_MESSAGES, CHINESE_MESSAGES = messages(ENGLISH), messages(CHINESE)
GOLDEN = re.compile(
    r"accepted|parent: |answer: (shared|40097|61005|timeout|unknown|hostile words|no ticket|in doubt)"
    r"|private: NOT_INVITED|mistake: |denied: |dry run: |why: |whoami: |help: |history: |under way|broken"
    r"|stopping|shared before|called again: shared|direct|not recorded|no history|no owner"
)
AGAIN = "Run `python -m tests.translations`, and translate what it names."


# The catalogues.


def test_sentences_are_used_in_a_way_that_can_be_collected() -> None:
    assert all_misuses() == []


@EVERY_LANGUAGE
def test_the_catalogues_are_complete_and_without_mistakes(language: Language) -> None:
    assert faults(read(language), all_sentences()) == [], AGAIN


@EVERY_LANGUAGE
def test_the_catalogues_are_as_the_command_writes_and_compiles_them(language: Language) -> None:
    path = path_of(language)
    catalogue = renewed(read(language), all_sentences())
    assert path.read_bytes() == written(catalogue), AGAIN
    assert path.with_suffix(".mo").read_bytes() == compiled(catalogue), AGAIN


@EVERY_LANGUAGE
def test_a_catalogue_has_no_dates_hosts_or_line_numbers(language: Language) -> None:
    text = path_of(language).read_text(encoding="utf-8")
    assert not re.search(r"\d{4}-\d\d-\d\d|Generated-By|Date:", text)
    rooms = {line for line in text.split("\n") if line.startswith("#:")}
    assert all(
        re.fullmatch(r"#: (bot/(command|guidance|(\w+/)+\w+\.py) ?)+", line) for line in rooms
    )


def test_the_command_begins_the_catalogue_of_a_new_language_without_translations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tmp_path) == 1
    missing = capsys.readouterr().err.count("has no translation.\n")
    assert missing == len({each.id for each in all_sentences()}) * len(TRANSLATED)
    for language in TRANSLATED:
        assert read(language, tmp_path).plural_forms == read(language).plural_forms


def test_each_language_is_the_one_of_some_locale() -> None:
    assert {*SPOKEN.values()} == {*Language}


# The checks themselves.


def catalogue_of(*pairs: tuple[str | tuple[str, str], str | tuple[str, ...]]) -> Catalog:
    catalogue = Catalog("zh_CN", fuzzy=False)
    for source, string in pairs:
        catalogue.add(source, string)
    return catalogue


@pytest.mark.parametrize(
    ("source", "string", "fault"),
    [
        ("Yes.", "是。", None),
        ("Yes.", "", "has no translation"),
        ("{a} and {b}", "{b}、{a}", None),
        ("{a} and {b}", "{a}、乙", "has other places"),
        ("{a}", "{a}{b}", "has other places"),
        ("{a}", "{ａ}", "has other places"),
        ("Use `--reason`.", "用 `--reason` 。", None),
        ("Use `--reason`.", "用 `--reasons` 。", "has other code"),
        ("Use `--reason`.", "用 --reason。", "has other code"),
        ("*Bold:* {a}", "*粗体：* {a}", None),
        ("*Bold:* {a}", "粗体：{a}", "has other markup"),
        ("✅ done", "❌ 完成", "has other markup"),
        ("a\n{b}", "甲{b}", "has other markup"),
        ("<{link}|thread>", "<{link}|消息列>", None),
        ("<{link}|thread>", "{link}", "has other markup"),
        ("Set SOME_NAME to 443.", "将 SOME_NAME 设为 443。", None),
        ("Set SOME_NAME to 443.", "将 SOME_NAMES 设为 443。", "has SOME_NAME, which"),
        ("Set SOME_NAME to 443.", "将 SOME_NAME 设为 444。", "has 443, which"),
        ("Look at a.qq.com/b_c.", "请看 a.qq.com/b。", "has /b_c, which"),
        (("one", "{count} many"), ("{count} 个",), None),
        (("one", "{count} many"), ("很多",), "has other places"),
        (("one", "{count} many"), ("",), "has no translation"),
        (("one `x`", "many `x`"), ("很多 `y`",), "has other code"),
    ],
)
def test_a_translation_whose_placeholders_or_markup_differ_is_a_fault(
    source: str | tuple[str, str], string: str | tuple[str, ...], fault: str | None
) -> None:
    text, many = (source, None) if isinstance(source, str) else source
    found = faults(catalogue_of((source, string)), [Sentence(text, many, "a.py")])
    assert len(found) == (1 if fault else 0)
    assert not fault or fault in found[0]


def test_a_translation_that_is_fuzzy_is_a_fault_and_is_not_compiled() -> None:
    catalogue = catalogue_of(("Yes.", "是。"))
    sentences = [Sentence("Yes.", None, "a.py")]
    catalogue["Yes."].flags.add("fuzzy")
    assert faults(catalogue, sentences) == ["'Yes.' is marked as fuzzy."]
    kept = renewed(catalogue, sentences)
    assert faults(kept, sentences) == ["'Yes.' is marked as fuzzy."]
    assert GNUTranslations(BytesIO(compiled(kept))).gettext("Yes.") == "Yes."


def test_sentences_that_are_new_or_no_longer_said_are_faults() -> None:
    catalogue = catalogue_of(("Old.", "旧。"), (("one", "many"), ("些",)))
    sentences = [Sentence("New.", None, "a.py"), Sentence("one", "other", "a.py")]
    assert faults(catalogue, sentences) == [
        "'New.' is not in the catalogue.",
        "'Old.' is in the catalogue, and the bot does not say it.",
        "('one', 'many') is in the catalogue, and the bot does not say it.",
        "('one', 'other') is not in the catalogue.",
    ]
    assert [message.id for message in renewed(catalogue, sentences) if message.id] == [
        "New.",
        ("one", "other"),
    ]


@pytest.mark.parametrize(
    ("source", "sentences", "wrong"),
    [
        ('words("Yes.")', ["Yes."], None),
        ('self.words("Yes.")', ["Yes."], None),
        ('x = {1: msgid("a" "b {c}")}', ["ab {c}"], None),
        ('words("a" if x else "b")', ["a", "b"], None),
        ('words("{a}", a=1)', ["{a}"], None),
        ('words.count("one", "{count} of {b}", n, b=1)', [("one", "{count} of {b}")], None),
        ("words(guidance.title)", [], None),
        ('text.count("a", "b")', [], None),
        ('other("a")', [], None),
        ('words(f"{a}")', [], "an f-string"),
        ('words("{a}")', ["{a}"], "has the places ['a'], and gets []"),
        ('words("{a}", b=1)', ["{a}"], "has the places ['a'], and gets ['b']"),
        ('words("Yes.", b=1)', ["Yes."], "has the places [], and gets ['b']"),
        ('words("{a}", **values)', ["{a}"], "**"),
        ('words.count("one", "{b}", n)', [("one", "{b}")], "has the places ['b']"),
        ('say("{env} and {a}", a=1)', ["{env} and {a}"], None),
        ('say("{env} and {a}")', ["{env} and {a}"], "has the places ['a', 'env'], and gets []"),
        ('say.count("one {id}", "{count} of {id}", n)', [("one {id}", "{count} of {id}")], None),
        ('words("{env}")', ["{env}"], "has the places ['env'], and gets []"),
    ],
)
def test_sentences_are_found_in_the_source(
    source: str, sentences: list[str | tuple[str, str]], wrong: str | None
) -> None:
    found, misuses = said_in(source, "a.py")
    assert [sentence.id for sentence in found] == sentences
    assert bool(misuses) is bool(wrong)
    assert not wrong or wrong in misuses[0]


# The languages.


def test_english_sentences_are_used_unchanged() -> None:
    assert ENGLISH("Nothing was done.") == "Nothing was done."
    assert ENGLISH("{a} of {b}", a="{b}", b=2) == "{b} of 2"
    assert ENGLISH.count("one", "{count} {what}", 1, what="x") == "one"
    assert ENGLISH.count("one", "{count} {what}", 2, what="x") == "2 x"
    assert msgid("Yes.") == "Yes."


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        ENGLISH("It leads {nowhere}.")


def test_values_in_a_sentence_are_escaped_unless_they_are_markup() -> None:
    assert ENGLISH("{a} of {b}", a="<!channel>", b=code("<b>")) == "&lt;!channel&gt; of `&lt;b&gt;`"
    assert ENGLISH("{a}", a=ENGLISH("{b}", b="<")) == "&lt;"
    assert ENGLISH.count("{a}", "{count} {a}", 2, a=code("<")) == "2 `&lt;`"


def test_plain_text_is_escaped_and_keeps_its_braces() -> None:
    text = "new wx.cloud.Cloud({resourceAppid, resourceEnv})"
    assert ENGLISH.escaped(text) == CHINESE.escaped(text) == text
    assert ENGLISH.escaped("a < b") == "a &lt; b"


@pytest.mark.parametrize("language", Language)
def test_channels_are_answered_in_the_language_of_the_setting(language: Language) -> None:
    both = languages(language)
    assert both.channel.language is language
    assert both.of[Language.ENGLISH]("Nothing was done.") == "Nothing was done."
    assert both.of[Language.CHINESE]("Nothing was done.") == "未执行任何操作。"
    assert set(both.of) == set(Language)


def test_every_sentence_with_a_contact_has_the_policys() -> None:
    texts = [each.text for each in all_sentences() if each.text != DEFAULT_CONTACT]
    assert [text for text in texts if DEFAULT_CONTACT in text.lower()] == []


def test_only_the_default_contact_is_translated() -> None:
    assert contact_in(CHINESE, DEFAULT_CONTACT) == "机器人运维人员"
    assert contact_in(ENGLISH, DEFAULT_CONTACT) == "the people who run this bot"
    assert contact_in(CHINESE, "everyone.") == "everyone"


# The Chinese messages.


def test_every_message_follows_the_rules_in_chinese() -> None:
    with checks() as check:
        for name, said in CHINESE_MESSAGES.items():
            for each in IN_CHINESE:
                with check(f"{name}: {each.__name__}"):
                    each(said)
            if "many" not in name:
                with check(f"{name}: the parts and the code of the English one"):
                    english = ENGLISH_MESSAGES[name]
                    assert [*map(type, said.parts)] == [*map(type, english.parts)]
                    assert codes(said) == codes(english)


def test_the_messages_are_worded_in_chinese_as_agreed(snapshot: SnapshotAssertion) -> None:
    shown = {name: said for name, said in CHINESE_MESSAGES.items() if GOLDEN.match(name)}
    assert goldens(shown) == snapshot


def codes(said: Message) -> list[str]:
    return sorted(re.findall(r"`[^`\n]+`|<[@#!][^>]+>", said.text))


def test_a_title_is_short_and_without_a_full_stop() -> None:
    with checks() as check:
        for row in all_guidance():
            with check(row.key):
                title = CHINESE(row.title)
                assert 0 < len(title) <= 40
                assert title[-1] not in "。.！"
