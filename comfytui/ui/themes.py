"""Colour themes, the stored choice of one, and the style sheets."""

from contextlib import suppress
from pathlib import Path

from textual.theme import Theme

from comfytui.private_files import read_small, replace_private

# In all themes one accent marks what runs, and red only what failed.
DARK = Theme(
    name="comfytui-dark",
    primary="#7aa2c8",
    secondary="#8a93a3",
    accent="#e0a95c",
    foreground="#d6dae2",
    background="#14161b",
    surface="#1c1f26",
    panel="#252932",
    success="#8fb573",
    warning="#d7b15f",
    error="#e06c6c",
    dark=True,
    variables={
        "text-accent": "#e0a95c",
        "text-success": "#8fb573",
        "text-warning": "#d7b15f",
        "text-error": "#e06c6c",
        "border": "#e0a95c",
        "border-blurred": "#3a404c",
        "footer-key-foreground": "#e0a95c",
        "footer-background": "#14161b",
        "input-selection-background": "#7aa2c8 30%",
        "block-cursor-background": "#e0a95c",
        "block-cursor-foreground": "#14161b",
    },
)
LIGHT = Theme(
    name="comfytui-light",
    primary="#2f6491",
    secondary="#667085",
    accent="#9a5b00",
    foreground="#23272f",
    background="#f6f5f2",
    surface="#ecebe6",
    panel="#e0ded7",
    success="#3f7322",
    warning="#8a6100",
    error="#b3261e",
    dark=False,
    variables={
        "text-accent": "#9a5b00",
        "text-success": "#3f7322",
        "text-warning": "#8a6100",
        "text-error": "#b3261e",
        "border": "#9a5b00",
        "border-blurred": "#c3c0b6",
        "footer-key-foreground": "#9a5b00",
        "footer-background": "#f6f5f2",
        "block-cursor-background": "#9a5b00",
        "block-cursor-foreground": "#f6f5f2",
    },
)
ANSI = Theme(
    name="comfytui-16",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_white",
    accent="ansi_yellow",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    dark=True,
    variables={
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "border": "ansi_yellow",
        "border-blurred": "ansi_bright_black",
        "footer-key-foreground": "ansi_yellow",
        "block-cursor-background": "ansi_yellow",
        "block-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
        "scrollbar": "ansi_bright_black",
        "scrollbar-hover": "ansi_yellow",
        "scrollbar-active": "ansi_yellow",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
    },
)
"""The terminal's own colours; eight or sixteen are enough."""
THEMES = (DARK, LIGHT, ANSI)
MAX_NAME_BYTES = 100
"""Bytes of the stored name that are read."""


def default_theme(color_system: str | None) -> Theme:
    """Return the theme for a terminal with one of Rich's colour systems, before the user chooses one."""
    return ANSI if color_system == "standard" else DARK


class ThemeStore:
    """The name of the chosen theme in a file of the state folder; without a folder it is not stored."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = folder / "theme" if folder else None

    def read(self) -> str:
        """Return the stored name, which may be no theme's, or an empty string."""
        if self._file:
            with suppress(OSError, ValueError):
                return read_small(self._file, MAX_NAME_BYTES).decode().strip()
        return ""

    def write(self, name: str) -> None:
        """Store a name; a failure is ignored, since it is a convenience only."""
        if self._file:
            with suppress(OSError):
                replace_private(self._file, f"{name}\n".encode())


_PACKAGE = Path(__file__).parent.parent

STYLES = next(path for path in (_PACKAGE / "styles", _PACKAGE.parent / "styles") if path.is_dir())
SHEETS = sorted(STYLES.glob("*.tcss"))
