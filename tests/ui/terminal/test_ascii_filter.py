"""In ASCII mode every character is replaced by one of the same width."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from comfytui.sanitize import sanitize
from comfytui.ui.terminal.ascii_filter import ascii_text


def test_borders_bars_and_glyphs_have_lookalikes() -> None:
    assert ascii_text("╭─ Now ─╮ ━╸ ● ▶ ✓ × ▾ · …") == "+- Now -+ -- * > v x v . ~"


def test_a_character_without_a_lookalike_keeps_its_cells() -> None:
    assert ascii_text("狐 fox") == "?? fox"


@given(st.text().map(sanitize))
def test_every_text_becomes_ascii_of_the_same_width(text: str) -> None:
    assert ascii_text(text).isascii()
    assert len(ascii_text(text)) == cell_len(text)
