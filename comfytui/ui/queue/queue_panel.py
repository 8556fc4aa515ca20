"""The queue with its filter."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from comfytui.presentation.queue_rows import build_rows
from comfytui.presentation.status_text import AS_LAST_SEEN
from comfytui.session.model import Job, LinkKind
from comfytui.session.state import SessionState
from comfytui.ui.queue.queue_heading import QueueHeading
from comfytui.ui.queue.queue_list import QueueList

EMPTY = "Nothing queued. Fill in the form (n) and press F5."
UNKNOWN = "The queue is not known yet."
HEADING_FROM = 12
"""Lines of the panel from which on one of them is spent on the names of the columns."""
NO_MATCH = "Nothing matches the filter. Press esc to clear it."


class QueuePanel(Vertical):
    """What runs, what waits and what ended, newest end first."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = "Queue"
        self._state = SessionState()

    def compose(self) -> ComposeResult:
        """The filter is hidden until it is asked for."""
        filter_ = Input(placeholder="filter by prompt, seed, model, status, owner, file", id="filter", compact=True)
        filter_.cursor_blink = False
        yield filter_
        yield QueueHeading()
        yield QueueList(EMPTY, id="queue-list")

    @property
    def rows(self) -> QueueList:
        """The list itself."""
        return self.query_one(QueueList)

    @property
    def filtering(self) -> bool:
        """Whether the filter is open."""
        return self.query_one("#filter", Input).has_class("-open")

    @property
    def needle(self) -> str:
        """The filter's text."""
        return self.query_one("#filter", Input).value.strip()

    def show(self, state: SessionState) -> None:
        """Show the jobs of a new state."""
        self._state = state
        rows = build_rows(state, self.needle)
        known = UNKNOWN if state.link.kind is LinkKind.CONNECTING else EMPTY
        self.rows.empty = NO_MATCH if self.needle and state.jobs else known
        self.rows.set_rows(rows)
        self._show_heading()
        self.border_title = f"Queue {AS_LAST_SEEN}" if state.link.kind.away and state.jobs else "Queue"
        self.border_subtitle = f"{len(rows)} of {len(state.jobs)}" if self.needle else ""

    def _show_heading(self) -> None:
        heading = self.query_one(QueueHeading)
        heading.display = bool(self.rows.rows) and self.size.height >= HEADING_FROM

    def on_resize(self) -> None:
        """There may be a line to spare for the heading, or no longer."""
        self._show_heading()

    def selected(self) -> Job | None:
        """The job under the cursor."""
        prompt_id = self.rows.selected_id
        return self._state.jobs.get(prompt_id) if prompt_id else None

    def open_filter(self) -> None:
        """Let the user type what to look for."""
        self.query_one("#filter", Input).add_class("-open").focus()

    def close_filter(self) -> bool:
        """Take the filter away; whether there was one."""
        filter_ = self.query_one("#filter", Input)
        was_open = filter_.has_class("-open")
        filter_.value = ""
        filter_.remove_class("-open")
        if was_open:
            self.rows.focus()
        return was_open

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.show(self._state)

    @on(Input.Submitted, "#filter")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.rows.focus()
