"""When style sheets are read: the dashboard's at the start, the others with the first screen in front of it."""

from typing import Any

from textual.app import App

from comfytui.ui.themes import SHEETS

SCREEN_SHEETS = {"dialogs", "job", "login", "picker", "sent_prompt", "start"}
"""Sheets of which the dashboard itself uses nothing."""


class StyledScreens(App[None]):
    """Reads style sheets when they are needed, since each rule costs time for every widget that is styled.

    They are in no `CSS_PATH`: Textual reads that of an app twice, before and after it sets the theme, and for that of a
    screen it parses all styles anew and applies them to all widgets.
    """

    _has_all_sheets = False

    def read_sheets(self, *, of_screens: bool) -> None:
        """Read the sheets of the dashboard, and those of the other screens if they are needed too."""
        read = self.stylesheet.has_source
        needed = (path for path in SHEETS if of_screens or path.stem not in SCREEN_SHEETS)
        self.stylesheet.read_all([path for path in needed if not read(str(path))])
        self.stylesheet.parse()
        self._has_all_sheets = of_screens

    def push_screen(self, *args: Any, **options: Any) -> Any:
        """Show a screen in front of the others, with its styles.

        Args:
            args: Passed on to Textual's `push_screen`.
            options: Passed on to Textual's `push_screen`.

        Returns:
            What Textual's `push_screen` returns.
        """
        # The first one is in front of Textual's default screen.
        if len(self.screen_stack) > 1 and not self._has_all_sheets:
            self.read_sheets(of_screens=True)
        return super().push_screen(*args, **options)
