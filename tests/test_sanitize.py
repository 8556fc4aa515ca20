"""Text that is printed has no escape sequences, controls or hidden characters, and a known width."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich._unicode_data import load as load_cell_table
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from comfytui.sanitize import sanitize, sanitize_lines
from comfytui.ui.terminal.control_filter import ControlFilter, filter_controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a red fox", "a red fox"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]52;c;aGk=\x1b\\copied", "copied"),
        ("a\nb\r\nc", "a b c"),
        ("\u202egnp.exe", "gnp.exe"),
        ("[red]not markup[/]", "[red]not markup[/]"),
        ("狐と雪 🦊", "狐と雪 🦊"),
        ("\x9b31mred", "31mred"),
        ("\ud800", ""),
        ("क्\u200dष", "क्\u200dष"),
        ("❤\ufe0f 👍\U0001f3fd 👩\u200d🚀", "❤ 👍 👩🚀"),
        ("a\u061c\u206a\u180e\ufff9\u115f\u3164\uffa0\U000e0041\U000e0100b", "ab"),
        (
            "می\u200cخواهم \u0dc1\u0dca\u200d\u0dbb\u0dd3 র\u200d্য",
            "می\u200cخواهم \u0dc1\u0dca\u200d\u0dbb\u0dd3 র\u200d্য",
        ),
        ("p\u200da\u200cy\u200dpal\u200d", "paypal"),
        ("می\u200c\u200d\u200cخ\u200c", "می\u200cخ"),
        ("e" + "\u0301" * 1000 + "f", "e" + "\u0301" * 4 + "f"),
        ("က" + "\u103c\u102d" * 50, "က" + "\u103c\u102d" * 2),
        ("ᄀ" + "ᅡ" * 50, "ᄀ" + "ᅡ" * 4),
    ],
)
def test_control_and_hidden_characters_are_removed(text: str, shown: str) -> None:
    assert sanitize(text) == shown


def test_long_text_ends_with_an_ellipsis() -> None:
    assert sanitize("x" * 1000, 10) == "x" * 9 + "…"
    assert sanitize("\u200b" * 1000 + "x", 10) == "…"


REAL_TEXTS = [
    "Tiếng Việt có nhiều dấu: thuở, những, được",
    unicodedata.normalize("NFD", "Tiếng Việt có nhiều dấu: thuở, những, được"),
    "בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים אֵ֥ת הַשָּׁמַ֖יִם וְאֵ֥ת הָאָֽרֶץ",
    "สวัสดีครับ ที่นี่ น้ำ ผู้ใหญ่",
    "မှို့ ကျွန်ုပ်တို့ မြွေ့",
    "བསྒྲུབས་ ཧཱུྃ",
    "हिन्दी में क्ष और ज्ञ",
    "بِسْمِ ٱللَّهِ ٱلرَّحْمَٰنِ ٱلرَّحِيمِ",
    unicodedata.normalize("NFD", "각하 훈민정음"),
    "ⲁ⳯ ⲃ 〪〭か゚ が",
]


@pytest.mark.parametrize("text", REAL_TEXTS)
def test_real_scripts_keep_their_marks(text: str) -> None:
    assert sanitize(text) == text
    (painted,) = ControlFilter().apply([Segment(text)], Color(0, 0, 0))
    assert painted.text == text


IGNORABLE = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
    *(*range(0x180B, 0x1810), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)),
    *(*range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B)),
    *range(0xE0000, 0xE1000),
]
"""Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties."""
EVERY = [chr(code) for code in range(sys.maxunicode + 1)]
CATEGORIES = dict(zip(EVERY, map(unicodedata.category, EVERY), strict=True))
HIDDEN = {*map(chr, IGNORABLE), *(char for char in EVERY if CATEGORIES[char] in {"Cc", "Cf", "Cs", "Zl", "Zp"})}


def test_no_hidden_character_of_unicode_passes() -> None:
    for first in sorted(HIDDEN - {"\x1b"}):  # an escape removes what follows it as well
        assert sanitize(f"a{first}b") in {"ab", "a b"}, ascii(first)
    everything = "".join(EVERY)
    assert not HIDDEN & {*sanitize(everything, len(everything))}
    assert not HIDDEN & {*filter_controls(everything)}


def test_no_character_without_cells_stacks_up() -> None:
    without_cells = [(start, end) for start, end, cells in load_cell_table("auto").widths if cells == 0]
    assert without_cells
    for char in (chr(code) for start, end in without_cells for code in range(start, end + 1)):
        assert len(sanitize(f"x{char * 50}")) <= 5, ascii(char)


def test_every_visible_character_of_unicode_stays() -> None:
    skin_tones = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
    removed = {*HIDDEN, *skin_tones}
    shown = "x".join(char for char in EVERY if CATEGORIES[char] not in {"Cn", "Co"} and char not in removed)
    assert sanitize(f"x{shown}x", len(shown) + 2) == f"x{shown}x"


@given(st.text(st.characters()))
def test_no_control_character_survives(text: str) -> None:
    shown = sanitize(text)
    assert shown.isprintable() or all(ord(c) >= 0xA0 for c in shown if not c.isprintable())
    assert len(shown) <= 500
    assert all(ord(c) >= 0x20 and not 0x7F <= ord(c) < 0xA0 for c in sanitize_lines(text).replace("\n", ""))


VARIED = ["❤\ufe0f", "1\ufe0f\u20e3", "👍\U0001f3fd", "🏳\ufe0f\u200d🌈", "🧔\U0001f3fd\u200d♂\ufe0f", "🦊", "狐"]


@given(st.lists(st.sampled_from([*VARIED, "a", " "])).map("".join))
def test_emoji_variants_are_painted_as_the_plain_emoji(text: str) -> None:
    (painted,) = ControlFilter().apply([Segment(text)], Color(0, 0, 0))
    assert cell_len(painted.text) == cell_len(text) == sum(map(cell_len, painted.text))
    assert not set(painted.text) & {"\ufe0f", "\U0001f3fd"}


@given(st.text(st.characters()))
def test_painted_text_keeps_its_width_and_has_no_controls(text: str) -> None:
    (painted,) = ControlFilter().apply([Segment(text)], Color(0, 0, 0))
    shown = painted.text
    assert sum(map(cell_len, shown)) == cell_len(text)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in shown)


def test_letters_after_a_joiner_use_the_blank_cells_that_follow() -> None:
    line = [Segment("क\u094d\u200dष क\u094d\u200dष"), Segment("    "), Segment("│")]
    assert sum(segment.cell_length for segment in line) == 8
    painted = ControlFilter().apply(line, Color(0, 0, 0))
    assert [segment.text for segment in painted] == [line[0].text, "  ", "│"]
    assert sum(cell_len(char) for segment in painted for char in segment.text) == 8


def test_a_line_of_joiners_keeps_its_width() -> None:
    line = [Segment("क\u200d" * 100 + "क"), Segment("│")]
    painted = ControlFilter().apply(line, Color(0, 0, 0))
    assert sum(cell_len(char) for char in painted[0].text) == cell_len(line[0].text)
