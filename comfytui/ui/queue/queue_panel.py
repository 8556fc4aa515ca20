"""The *Queue* panel: the filter, the column names and the list of jobs."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from comfytui.presentation.queue_rows import build_rows, update_running
from comfytui.presentation.status_text import AS_LAST_SEEN
from comfytui.session.model import Job, LinkKind
from comfytui.session.state import SessionState
from comfytui.ui.queue.queue_heading import QueueHeading
from comfytui.ui.queue.queue_list import QueueList

EMPTY = "Nothing queued. Fill in the form (n) and press F5."
UNKNOWN = "The queue is not known yet."
HEADING_MIN_HEIGHT = 12
"""Lines of the panel from which on the heading is shown."""
NO_MATCH = "Nothing matches the filter. Press esc to clear it."


class QueuePanel(Vertical):
    """Lists the jobs of the session, and filters them."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = "Queue"
        self._state: SessionState | None = None
        """The state that is shown."""

    def compose(self) -> ComposeResult:
        """Yield the filter, which is hidden until it is opened, the heading and the list."""
        filter_input = Input(
            placeholder="filter by prompt, seed, model, status, owner, file", id="filter", compact=True
        )
        filter_input.cursor_blink = False
        yield filter_input
        yield QueueHeading()
        yield QueueList(EMPTY, id="queue-list")

    @property
    def queue_list(self) -> QueueList:
        """The list of jobs."""
        return self.query_one(QueueList)

    @property
    def is_filter_open(self) -> bool:
        """Whether the filter is open."""
        return self.query_one("#filter", Input).has_class("-open")

    @property
    def filter_text(self) -> str:
        """The text of the filter."""
        return self.query_one("#filter", Input).value.strip()

    def show(self, state: SessionState) -> None:
        """Show a newer state: all rows, or only those of running jobs if nothing else has changed."""
        before, self._state = self._state, state
        if (
            before is None
            or state.jobs is not before.jobs
            or state.batches is not before.batches
            or state.link.kind is not before.link.kind
        ):
            self._show_all(state)
        elif state.runs is not before.runs:
            self.queue_list.set_rows(update_running(self.queue_list.rows, state))

    def _show_all(self, state: SessionState) -> None:
        rows = build_rows(state, self.filter_text)
        empty = UNKNOWN if state.link.kind is LinkKind.CONNECTING else EMPTY
        self.queue_list.empty = NO_MATCH if self.filter_text and state.jobs else empty
        self.queue_list.set_rows(rows)
        self._show_heading()
        self.border_title = f"Queue {AS_LAST_SEEN}" if state.link.kind.away and state.jobs else "Queue"
        self.border_subtitle = f"{len(rows)} of {len(state.jobs)}" if self.filter_text else ""

    def _show_heading(self) -> None:
        heading = self.query_one(QueueHeading)
        heading.display = bool(self.queue_list.rows) and self.size.height >= HEADING_MIN_HEIGHT

    def on_resize(self) -> None:
        """Show or hide the heading, depending on the height."""
        self._show_heading()

    def selected_job(self) -> Job | None:
        """Return the job under the cursor; None in an empty list."""
        prompt_id = self.queue_list.selected_id
        return self._state.jobs.get(prompt_id) if self._state and prompt_id else None

    def open_filter(self) -> None:
        """Show the filter and focus it."""
        self.query_one("#filter", Input).add_class("-open").focus()

    def close_filter(self) -> bool:
        """Clear and hide the filter, and return whether it was open."""
        filter_input = self.query_one("#filter", Input)
        was_open = filter_input.has_class("-open")
        filter_input.value = ""
        filter_input.remove_class("-open")
        if was_open:
            self.queue_list.focus()
        return was_open

    @on(Input.Changed, "#filter")
    def _apply_filter(self, event: Input.Changed) -> None:
        event.stop()
        if self._state:
            self._show_all(self._state)

    @on(Input.Submitted, "#filter")
    def _leave_filter(self, event: Input.Submitted) -> None:
        event.stop()
        self.queue_list.focus()
