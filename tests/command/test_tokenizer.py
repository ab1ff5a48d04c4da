import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.command.tokenizer import Word, seen, tokenize, tokenize_unquoted

A = "wx5fe6bb43205e9e70"
PAIR = [A, "prod-1"]

INVISIBLE = {
    "zero-width-space": "\u200b",
    "zero-width-non-joiner": "\u200c",
    "zero-width-joiner": "\u200d",
    "word-joiner": "\u2060",
    "byte-order-mark": "\ufeff",
    "soft-hyphen": "\u00ad",
    "left-to-right-mark": "\u200e",
    "right-to-left-override": "\u202e",
    "null": "\x00",
    "lone-surrogate": "\ud800",
    "escape": "\x1b",
    "backspace": "\x08",
}
LOOK_BLANK = {
    "hangul-choseong-filler": "\u115f",
    "hangul-jungseong-filler": "\u1160",
    "hangul-filler": "\u3164",
    "half-width-hangul-filler": "\uffa0",
    "braille-blank": "\u2800",
    "khmer-inherent-vowels": "\u17b4\u17b5",
    "combining-grapheme-joiner": "\u034f",
    "variation-selectors": "\ufe00\ufe0f\U000e0100\U000e01ef",
    "mongolian-variation-selectors": "\u180b\u180c\u180d\u180f",
    "khitan-filler": "\U00016fe4",
    "null-notehead": "\U0001d159",
    "egyptian-blanks": "\U00013441\U00013442",
    "tags": "\U000e0001\U000e0041\U000e007f",
    "object-replacement": "\ufffc",
    "unassigned-and-ignorable": "\u2065\ufff0\ufff8\U000e0fff",
    "several-of-them-and-blanks": " \u3164\u200b\u00a0\n\u2800\ud800 ",
}
BLANKS = {
    "space": " ",
    "tab": "\t",
    "line-break": "\n",
    "windows-line-break": "\r\n",
    "vertical-tab-of-word-processors": "\v",
    "form-feed": "\f",
    "next-line": "\x85",
    "line-separator": "\u2028",
    "paragraph-separator": "\u2029",
    "no-break-space": "\u00a0",
    "narrow-no-break-space": "\u202f",
    "figure-space": "\u2007",
    "en-space": "\u2002",
    "ideographic-space": "\u3000",
    "comma": ",",
    "comma-and-space": ", ",
    "semicolon": ";",
    "ideographic-comma": "、",
    "ideographic-full-stop": "。",
    "half-width-full-stop": "｡",
    "full-width-comma": "，",
    "full-width-semicolon": "；",
    "backtick": "`",
    "full-width-backtick": "｀",
    "entity-of-the-no-break-space": "&nbsp;",
}
HYPHENS = {
    "hyphen": "\u2010",
    "non-breaking-hyphen": "\u2011",
    "figure-dash": "\u2012",
    "minus": "\u2212",
    "full-width-hyphen": "－",
    "small-hyphen": "﹣",
}
QUOTATIONS = {
    "straight": ('"', '"'),
    "curly": ("“", "”"),
    "curly-the-wrong-way-round": ("”", "“"),
    "low": ("„", "“"),
    "low-and-high": ("„", "”"),
    "opened-straight-closed-curly": ('"', "”"),
    "opened-curly-closed-straight": ("“", '"'),
    "full-width": ("＂", "＂"),
    "single": ("'", "'"),
    "single-curly": ("‘", "’"),
    "single-curly-the-wrong-way-round": ("’", "‘"),
    "corner": ("「", "」"),
    "white-corner": ("『", "』"),
    "angled": ("«", "»"),
    "entity": ("&quot;", "&quot;"),
    "numbered-entity": ("&#34;", "&#x22;"),
}


def plain(text: str) -> list[str]:
    words, closed = tokenize(text)
    assert closed
    return [word.text for word in words]


def table(rows: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("char", rows.values(), ids=list(rows))


@table(BLANKS)
def test_every_kind_of_blank_and_separator_separates_words(char: str) -> None:
    assert plain(f"{A}{char}prod-1") == PAIR
    assert plain(f"{char}{A}{char}{char}prod-1{char}") == PAIR


@table(INVISIBLE)
def test_invisible_characters_are_dropped(char: str) -> None:
    assert plain(f"{char}wx5f{char}{A[4:]}{char} prod{char}-1{char}") == PAIR


@table(INVISIBLE)
def test_invisible_characters_alone_are_not_a_word(char: str) -> None:
    assert plain(f"{A} {char} prod-1 {char}") == PAIR


@table(HYPHENS)
def test_every_kind_of_hyphen_is_read_as_a_hyphen(char: str) -> None:
    assert plain(f"{A} prod{char}1") == PAIR


@pytest.mark.parametrize("char", "–—―")
def test_a_long_dash_inside_a_name_or_a_value_stays(char: str) -> None:
    assert plain(f"prod{char}1 -{char}env{char}id=prod{char}1") == [
        f"prod{char}1",
        f"--env-id=prod{char}1",
    ]


@pytest.mark.parametrize("mark", "²₂ₐ①⒈½Ⅱªⓐ™🄰㏒№")
def test_a_footnotes_mark_or_a_sign_is_not_read_as_a_part_of_a_name(mark: str) -> None:
    assert plain(f"{A} prod-1{mark}") == [A, f"prod-1{mark}"]


@pytest.mark.parametrize(
    "option",
    [
        "--dry-run",
        "—dry-run",
        "–dry-run",
        "―dry-run",
        "——dry—run",
        "－－dry－run",
        "−−dry−run",
        "–-dry‑run",
        "-–dry-run",
        "‐‐dry-run",
        "--dry\u00ad-run",
    ],
)
def test_a_long_dash_before_a_word_is_read_as_two_hyphens(option: str) -> None:
    assert plain(option) == ["--dry-run"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ｗｘ５ｆｅ６ｂｂ４３２０５ｅ９ｅ７０　ｐｒｏｄ－１", PAIR),
        (f"`{A}` `prod-1`", PAIR),
        (f"```\n{A} prod-1\n```", PAIR),
        (f"{A},prod-1", PAIR),
        (f"{A} prod-1.", PAIR),
        (f"{A} prod-1…", [A, "prod-1…"]),
        (f"{A} prod-1...", [A, "prod-1..."]),
        (f"{A} prod-1。", PAIR),
        (f"{A} ... prod-1 .", PAIR),
        ("<http://a.b|a.b>", ["a.b"]),
        ("<https://a.b/c?d=e|a.b/c>", ["a.b/c"]),
        ("<http://a.b>", ["a.b"]),
        ("<http://a.b|>", ["a.b"]),
        ("&lt;http://a.b|a.b&gt;", ["a.b"]),
        ("<mailto:a@b.c|a@b.c>", ["a@b.c"]),
        ("<tel:123|123>", ["123"]),
        ("<@U1>", ["@U1"]),
        ("<@U1|ann>", ["@U1"]),
        ("<#C1|general>", ["#C1"]),
        ("<#C1|>", ["#C1"]),
        ("<!here>", ["!here"]),
        ("<!subteam^S1|@ops>", ["!subteam^S1"]),
        ("&lt;appid&gt; &lt;env&gt;", ["<appid>", "<env>"]),
        ("<appid> <env>", ["<appid>", "<env>"]),
        ("a&amp;b", ["a&b"]),
        ("&amp;lt;", ["&lt"]),
        ("a&b &copy &unheardof;", ["a&b", "&copy", "&unheardof"]),
        ("ﬁle", ["ﬁle"]),
        ("", []),
        (" \n\u200b… ", []),
    ],
)
def test_markup_and_replacements_of_slack_and_keyboards_are_undone(
    text: str, expected: list[str]
) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize("quotes", QUOTATIONS.values(), ids=list(QUOTATIONS))
def test_quotes_of_any_kind_join_words(quotes: tuple[str, str]) -> None:
    opening, closing = quotes
    text = f"--reason {opening}two words{closing} {A}"
    assert tokenize(text) == ([Word("--reason"), Word("two words", quoted=True), Word(A)], True)


@pytest.mark.parametrize("quotes", QUOTATIONS.values(), ids=list(QUOTATIONS))
def test_a_quote_after_an_equals_sign_belongs_to_the_option(quotes: tuple[str, str]) -> None:
    opening, closing = quotes
    text = f"—reason={opening}two — words{closing}{A}"
    assert tokenize(text) == ([Word("--reason=two — words"), Word(A)], True)


@pytest.mark.parametrize("quotes", QUOTATIONS.values(), ids=list(QUOTATIONS))
def test_an_unclosed_quote_ends_the_words_before_it(quotes: tuple[str, str]) -> None:
    assert tokenize(f"{A} {quotes[0]}prod-1 and more") == ([Word(A)], False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"Ｆｕｌｌ， width。"', "Ｆｕｌｌ， width。"),
        ('"it\'s «here» — `now`…"', "it's «here» — `now`…"),
        ("'say \"yes\"'", 'say "yes"'),
        ('"  many \n\t blanks\u3000here "', "many blanks here"),
        ('"un\u200bseen"', "unseen"),
        ('"&lt;b&gt; <@U1|ann>"', "<b> @U1"),
        ('"--dry-run"', "--dry-run"),
        ('""', ""),
    ],
)
def test_visible_characters_inside_quotes_stay_as_typed(text: str, expected: str) -> None:
    assert tokenize(text) == ([Word(expected, quoted=True)], True)


@pytest.mark.parametrize("word", ["don't", "it’s", 'five"six', "o‘clock"])
def test_an_apostrophe_inside_a_word_does_not_open_a_quote(word: str) -> None:
    assert plain(f"{word} later") == [word, "later"]


@pytest.mark.parametrize("text", LOOK_BLANK.values(), ids=LOOK_BLANK)
def test_nothing_is_seen_of_a_text_that_looks_blank(text: str) -> None:
    assert seen(text) == ""


@pytest.mark.parametrize(
    "text", ["❤\ufe0f", "ᄒ\u1160", "1\ufe0f\u20e3", ".", "\ufffd", "葛\U000e0100"]
)
def test_a_text_of_which_something_is_seen_keeps_what_changes_how_it_looks(text: str) -> None:
    assert seen(f"\u200b {text}\0\n") == text


@pytest.mark.parametrize("text", ["&#" + "1" * 5000 + ";", "&#" + "1" * 5000, "&#x110000;", "&#0;"])
def test_an_impossible_character_reference_is_no_error(text: str) -> None:
    assert tokenize(text)[1] is True


@given(st.text())
def test_words_of_any_text_have_no_blanks_unless_quoted(text: str) -> None:
    words, _ = tokenize(text)
    bare = [w.text for w in words if not w.quoted and "=" not in w.text]
    assert [w for w in bare if not w or w.split() != [w]] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'{A} "prod-1', PAIR),
        (f"{A} “—dry-run", [A, "--dry-run"]),
        ("--reason=“QA --again", ["--reason=", "QA", "--again"]),
        ("&quot;－－ｄｒｙ－ｒｕｎ", ["--dry-run"]),
        (f"『{A}』 ‘prod-1", PAIR),
        ("", []),
    ],
)
def test_if_quotes_are_ignored_every_word_is_returned(text: str, words: list[str]) -> None:
    assert tokenize_unquoted(text) == words


@given(st.text())
def test_if_quotes_are_ignored_any_text_is_read_to_its_end(text: str) -> None:
    assert tokenize_unquoted(f"{text} prod-1")[-1] == "prod-1"
