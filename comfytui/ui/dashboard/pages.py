"""Form and queue as pages of a small screen: which one it opens with, and where the keys go."""

from typing import TYPE_CHECKING, cast

from comfytui.session.state import SessionState
from comfytui.ui.dashboard.form_actions import FormActions

if TYPE_CHECKING:
    from comfytui.ui.app import ComfyApp


def opens_with_form(state: SessionState) -> bool | None:
    """Whether there is nothing to watch, so that a start shows the form.

    Returns:
        None while the server's queue is not known.
    """
    if state.batches or state.queue_remaining:
        return False
    return True if state.unobserved_since is None else None


class PageActions(FormActions):
    """The part of the dashboard that turns its pages."""

    _page_undecided = False
    """Whether it is still open which page a small screen shows at the start."""
    _keys_before = 0
    """The keys that were typed before the dashboard appeared."""

    def _choose_page(self, state: SessionState) -> None:
        """Turn from the form to the queue if there is something to watch: once, and not under the user's hands."""
        if not self._page_undecided or (with_form := opens_with_form(state)) is None:
            return
        self._page_undecided = False
        if not with_form and self.has_class("-narrow") and self._untouched():
            self.action_leave()

    def _untouched(self) -> bool:
        """Whether the user did nothing since the dashboard appeared."""
        at_start = self.focused is None or self.focused is self._form.query("TextArea, Input").first()
        return at_start and self.app.screen is self and self._keys_typed == self._keys_before

    @property
    def _keys_typed(self) -> int:
        return cast("ComfyApp", self.app).keys_typed

    def _focus_somewhere(self) -> None:
        """See that what has the focus is on the screen: the form if it is, else the queue."""
        form = self._form
        if self.focused is None and form.region.area:
            form.focus_first()
        elif self.focused is None or not self.focused.region.area:
            self._panel.rows.focus()
