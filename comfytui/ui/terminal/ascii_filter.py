"""A filter that replaces every non-ASCII character on the screen, for terminals that have only ASCII."""

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_ASCII_LOOKALIKES = str.maketrans(
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
    """Return the text in ASCII, in as many cells; a character without a lookalike becomes a question mark per cell."""
    replaced = text.translate(_ASCII_LOOKALIKES)
    if replaced.isascii():
        return replaced
    return "".join(char if char.isascii() else "?" * cell_len(char) for char in replaced)


class AsciiFilter(LineFilter):
    """Replaces non-ASCII characters in every painted line."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in ASCII."""
        return [
            segment if segment.text.isascii() else Segment(ascii_text(segment.text), segment.style, segment.control)
            for segment in segments
        ]
