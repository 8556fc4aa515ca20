"""Foreign text never carries anything that a terminal would obey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from comfytui.plain import harmless, plain, plain_lines
from comfytui.ui.harmless import HarmlessFilter


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
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert plain("x" * 1000, 10) == "x" * 9 + "…"


@given(st.text(st.characters()))
def test_no_control_character_survives(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable() or all(ord(c) >= 0xA0 for c in shown if not c.isprintable())
    assert len(shown) <= 500
    assert all(ord(c) >= 0x20 and not 0x7F <= ord(c) < 0xA0 for c in plain_lines(text).replace("\n", ""))


VARIED = ["❤\ufe0f", "1\ufe0f\u20e3", "👍\U0001f3fd", "🏳\ufe0f\u200d🌈", "🧔\U0001f3fd\u200d♂\ufe0f", "🦊", "狐"]


@given(st.lists(st.sampled_from([*VARIED, "a", " "])).map("".join))
def test_emoji_that_terminals_do_not_agree_on_are_painted_as_those_that_they_do(text: str) -> None:
    (painted,) = HarmlessFilter().apply([Segment(text)], Color(0, 0, 0))
    assert cell_len(painted.text) == cell_len(text) == sum(map(cell_len, painted.text))
    assert not set(painted.text) & {"\ufe0f", "\U0001f3fd"}


@given(st.text(st.characters()))
def test_harmless_text_takes_as_many_cells_and_holds_no_control(text: str) -> None:
    shown = harmless(text)
    assert cell_len(shown) == cell_len(text)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in shown)
