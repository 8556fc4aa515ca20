"""A screen in plain ASCII, for terminals that have nothing else: one filter over every line that is painted."""

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_LIKENESS = str.maketrans(
    {
        **dict.fromkeys("─━╌╍┄┅╴╶╸╺▔▁▂▃", "-"),
        **dict.fromkeys("│┃╎╏┆┇▏▎▍▌▐▕║", "|"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝", "+"),
        **dict.fromkeys("█▇▆▅▄▀▊▋▉▓▒", "#"),
        **dict.fromkeys("●◉•", "*"),
        **dict.fromkeys("○◌◯", "o"),
        **dict.fromkeys("▼▾↓⬇", "v"),
        **dict.fromkeys("▲▴↑⬆", "^"),
        **dict.fromkeys("▶►▸→⏵", ">"),
        **dict.fromkeys("◀◂←", "<"),
        "·": ".",
        "…": "~",
        **dict.fromkeys("–—", "-"),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("“”", '"'),
        "×": "x",
        "✓": "v",
        "✗": "x",
        "░": ":",
        "\xa0": " ",
    }
)


@lru_cache(4_096)
def ascii_text(text: str) -> str:
    """The same number of cells in ASCII; a character without a likeness is a question mark a cell."""
    likeness = text.translate(_LIKENESS)
    if likeness.isascii():
        return likeness
    return "".join(char if char.isascii() else "?" * cell_len(char) for char in likeness)


class AsciiFilter(LineFilter):
    """Replaces every glyph beyond ASCII by its likeness."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments in ASCII."""
        return [
            segment if segment.text.isascii() else Segment(ascii_text(segment.text), segment.style, segment.control)
            for segment in segments
        ]
