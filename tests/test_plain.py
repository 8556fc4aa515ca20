"""Foreign text never carries anything that a terminal would obey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from comfytui.plain import harmless, plain, plain_lines


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


@given(st.text(st.characters()))
def test_harmless_text_takes_as_many_cells_and_holds_no_control(text: str) -> None:
    shown = harmless(text)
    assert cell_len(shown) == cell_len(text)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in shown)
