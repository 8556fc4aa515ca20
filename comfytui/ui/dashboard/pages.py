"""The pages of a small screen, form and queue, and where the focus goes on any screen."""

from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from comfytui.session.state import SessionState
from comfytui.ui.dashboard.context import DashboardContext

if TYPE_CHECKING:
    from comfytui.ui.app import ComfyApp


BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
"""The minimum columns of a screen for each of its classes."""


def layout_of(columns: int) -> str:
    """Return the class of a screen of so many columns."""
    return next(name for least, name in reversed(BREAKPOINTS) if columns >= least)


def opens_with_form(state: SessionState) -> bool | None:
    """Return whether a start shows the form, since there is nothing in the queue.

    Returns:
        None while the server's queue is not known.
    """
    if state.batches or state.queue_remaining:
        return False
    return True if state.unobserved_since is None else None


class PageSwitcher:
    """Switches between form and queue.

    A small screen shows one of them at a time, the form while it has the class `-writing`.

    Args:
        context: What the dashboard shares.
        undecided: Whether a small screen still has to choose the page that it begins with.
    """

    def __init__(self, context: DashboardContext, *, undecided: bool) -> None:
        self._context = context
        self._undecided = undecided
        self._keys_before = 0
        """The number of keys that were typed before the dashboard appeared."""

    @property
    def _screen(self) -> Screen[None]:
        return self._context.screen

    @property
    def on_form_page(self) -> bool:
        """Whether a small screen shows the form."""
        return self._screen.has_class("-narrow", "-writing")

    @property
    def in_form(self) -> bool:
        """Whether typed text goes to the form."""
        focused = self._screen.focused
        return self.on_form_page or (focused is not None and self._context.form in focused.ancestors)

    def allows(self, action: str) -> bool:
        """Return whether an action of the dashboard has an effect with the present page and focus."""
        focused = self._screen.focused
        match action:
            case "leave":
                panel = self._context.panel
                return focused is not panel.queue_list or self.on_form_page or panel.is_filter_open
            case "filter":
                return focused is None or not focused.check_consume_key("slash", "/")
            case "cancel" | "cancel_batch" | "save" | "again" | "again_new_seed":
                return not self.on_form_page
        return True

    def show_form(self) -> None:
        """Show the form and focus it."""
        # What is typed next is meant for the form, and only a displayed widget takes the focus.
        self._write(True)
        self._context.form.focus_first()

    def show_filter(self) -> None:
        """Show the form and focus the filter of its inputs."""
        self._write(True)
        self._context.form.inputs.open_filter()

    def leave(self) -> None:
        """Leave the form, or else clear the filter, and focus the queue."""
        panel = self._context.panel
        if self.in_form or not panel.close_filter():
            self._write(False)
            self._screen.set_focus(panel.queue_list)
        self._screen.refresh_bindings()

    def _write(self, writing: bool) -> None:
        """Show the form on a small screen, or the queue."""
        # No style of a larger screen depends on the class, and updating them all takes longer than all the rest.
        self._screen.set_class(writing, "-writing", update=self._screen.has_class("-narrow"))

    def begin(self) -> None:
        """Remember how many keys were typed before the dashboard appeared."""
        self._keys_before = self._keys_typed

    def choose_first(self) -> None:
        """Turn to the queue if there is something in it: once, and not after the user did something."""
        if not self._undecided or (with_form := opens_with_form(self._context.state)) is None:
            return
        self._undecided = False
        if not with_form and self._screen.has_class("-narrow") and self._is_untouched():
            self.leave()

    def _is_untouched(self) -> bool:
        """Return whether the user did nothing since the dashboard appeared."""
        screen = self._screen
        at_start = screen.focused is None or screen.focused is self._context.form.first_control
        return at_start and screen.app.screen is screen and self._keys_typed == self._keys_before

    @property
    def _keys_typed(self) -> int:
        return cast("ComfyApp", self._screen.app).keys_typed

    def focus_visible(self) -> None:
        """Move the focus to the form or else the queue if nothing that is visible has it.

        At once: by the time of a later message, a key may have moved it to where the next letters belong.
        """
        form, focused = self._context.form, self._screen.focused
        if focused is None and form.region.area:
            form.focus_first()
        elif focused is None or not all(each.display for each in focused.ancestors_with_self):
            # What was shown a moment ago has no region yet.
            self._screen.set_focus(self._context.panel.queue_list)
