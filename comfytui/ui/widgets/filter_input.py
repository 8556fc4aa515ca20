"""The text input of a list that typing filters: keys that move the cursor of the list are the list's."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from comfytui.ui.widgets.match_list import MatchList


class FilterInput(Input):
    """The words to search for; keys that move the cursor of the list are passed on to it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "list('move', -1)", show=False),
        Binding("down", "list('move', 1)", show=False),
        Binding("pageup", "list('page', -1)", show=False),
        Binding("pagedown", "list('page', 1)", show=False),
        Binding("home", "list('first')", show=False),
        Binding("end", "list('last')", show=False),
        Binding("tab", "group(1)", show=False),
        Binding("shift+tab", "group(-1)", show=False),
        Binding("left", "left", show=False),
        Binding("right", "right", show=False),
    ]

    class GroupSwitched(Message):
        """Posted when the user asks for another group."""

        def __init__(self, steps: int) -> None:
            super().__init__()
            self.steps = steps

    def action_list(self, action: str, *parameters: int) -> None:
        """Pass a key on to the list."""
        matches = self.screen.query_one(MatchList)
        getattr(matches, f"action_{action}")(*parameters)

    def action_group(self, steps: int) -> None:
        """Switch to another group."""
        self.post_message(self.GroupSwitched(steps))

    def action_left(self) -> None:
        """Move the text cursor, or switch the group while nothing is typed."""
        if self.value:
            self.action_cursor_left()
        else:
            self.action_group(-1)

    def action_right(self) -> None:
        """Move the text cursor, or switch the group while nothing is typed."""
        if self.value:
            self.action_cursor_right()
        else:
            self.action_group(1)
