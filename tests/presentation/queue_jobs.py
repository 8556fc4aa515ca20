"""Build jobs, states and rendered rows for the tests of the queue."""

from typing import Any

from rich.cells import cell_len

from comfytui.presentation.queue_rows import QueueRow
from comfytui.presentation.row_layout import row_parts
from comfytui.session.model import Job, JobStatus
from comfytui.session.state import SessionState
from comfytui.workflow.parameters import GenerationParameters


def job(prompt_id: str, status: JobStatus, **fields: Any) -> Job:
    """Return a job of mine whose prompt is its id; `fields` replace its fields."""
    return Job(prompt_id, status, **{"mine": True, "parameters": GenerationParameters(prompt_id), **fields})


def state_of(*jobs: Job) -> SessionState:
    """Return a session with these jobs."""
    return SessionState(jobs={job.prompt_id: job for job in jobs})


def drawn(row: QueueRow, width: int, *, ascii_only: bool = False) -> tuple[str, int]:
    """Return a row as text, and the number of its cells."""
    text = "".join(text for text, _ in row_parts(row, width, ascii_only=ascii_only))
    return text, cell_len(text)
