"""`comfytui status`: one look at a server, its queue and my batches."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.server import Server
from comfytui.headless.commands.connecting import connected
from comfytui.headless.commands.short_ids import short_length
from comfytui.headless.commands.unsent import read_unsent, with_unsent
from comfytui.headless.documents.jobs import VERSION, Document
from comfytui.headless.documents.server import ServerSnapshot, server_snapshot
from comfytui.headless.documents.snapshots import QueueSnapshot, queue_snapshot
from comfytui.presentation.batch_text import progress_line, whole_title
from comfytui.presentation.formatting import server_memory
from comfytui.presentation.queue_rows import QueueRow, build_rows
from comfytui.sanitize import sanitize
from comfytui.session.model import JobStatus
from comfytui.session.progress import progress_of
from comfytui.session.selectors import next_job
from comfytui.session.state import SessionState

if TYPE_CHECKING:
    from comfytui.headless.commands.status_screen import Screen

MAX_ROWS = 50
"""Jobs that are listed as text; the JSON has more."""
MAX_BATCHES = 10
"""Batches that are listed as text, the newest."""
NAME_LIMIT = 200
"""Characters of a server's name or version that are shown."""
OTHER_LINES = 5
"""Lines of the screen that are neither batches nor jobs, with that of the next prompt of the shell."""


class StatusDocument(Document, frozen=True, kw_only=True):
    """What `status --json` writes."""

    version: int = VERSION
    server: ServerSnapshot
    queue: QueueSnapshot


class Status:
    """What one look at a server showed.

    Args:
        server: The server.
        state: The session with it.
        clock: The time source.
    """

    def __init__(self, server: Server, state: SessionState, clock: Clock = SYSTEM_CLOCK) -> None:
        self._server = server
        self._state = state
        self._now = clock.monotonic()

    def document(self) -> StatusDocument:
        """Return it as a JSON document."""
        return StatusDocument(
            server=server_snapshot(self._state, self._server, self._now),
            queue=queue_snapshot(self._state, self._now, urls=False),
        )

    def lines(self, screen: "Screen | None" = None) -> Iterator[str]:
        """Yield it as lines of text that are safe to print; they fit a terminal's screen, if one is given."""
        state = self._state
        version = f" (ComfyUI {sanitize(state.stats.version, NAME_LIMIT)})" if state.stats else ""
        reason = sanitize(state.link.reason, NAME_LIMIT)
        yield f"{sanitize(self._server.label, NAME_LIMIT)}{version}: {state.link.kind}. {reason}".rstrip()
        if memory := server_memory(state.stats, ascii_only=True):
            yield memory
        batches = [*self._batch_lines(screen)]
        yield from batches
        yield from self._queue_lines(screen, OTHER_LINES + len(batches))

    def _batch_lines(self, screen: "Screen | None") -> Iterator[str]:
        """Yield how far my batches are that have not ended."""
        state = self._state
        batches = [batch for batch in state.batches.values() if next_job(state, batch)]
        length = short_length([*state.batches])
        for batch in batches[-MAX_BATCHES:]:
            batch_id = sanitize(batch.id[:length] if screen else batch.id, NAME_LIMIT)
            title = f"Batch {batch_id}: {whole_title(batch, next_job(state, batch)) or 'untitled'}"
            rest = f": {progress_line(progress_of(state, batch, self._now))}"
            yield screen.cut(title, len(rest)) + rest if screen else title + rest

    def _queue_lines(self, screen: "Screen | None", above: int) -> Iterator[str]:
        rows = [row for row in build_rows(self._state) if not row.status.ended]
        yield _heading(rows)
        shown = rows[: min(MAX_ROWS, screen.rows_below(above)) if screen else MAX_ROWS]
        length = short_length([*self._state.jobs])
        for row in shown:
            yield screen.row(row, length) if screen else _row_line(row)
        if len(rows) > len(shown):
            yield f"and {len(rows) - len(shown)} more."


def _heading(rows: Sequence[QueueRow]) -> str:
    unsent = sum(row.status is JobStatus.SUBMITTING for row in rows)
    counts = {"in the queue": len(rows) - unsent, "not sent yet": unsent}
    return (
        ", ".join(f"{count} {what}" for what, count in counts.items() if count) + ":" if rows else "The queue is empty."
    )


def _row_line(row: QueueRow) -> str:
    """Return a job in one line: its id, whose it is, where it stands, and what it is."""
    state = "" if row.state == row.status.label else row.state
    stands = ", ".join(filter(None, (row.status.label, state, row.figure)))
    title = f"{row.title} ({row.position})" if row.position else row.title
    return f"{sanitize(row.prompt_id, NAME_LIMIT)}  {row.owner}  {stands}  {title}"


@asynccontextmanager
async def look(server: Server) -> AsyncIterator[Status]:
    """Give one look at a server, without claiming, sending or recording anything; the context's end disconnects.

    Raises:
        ConnectError: There is no session with the server.
    """
    async with connected(server, observe=True) as session:
        yield Status(server, with_unsent(session.state, await read_unsent(server), SYSTEM_CLOCK))
