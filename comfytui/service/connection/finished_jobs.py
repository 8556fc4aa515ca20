"""Reads from the history how jobs ended: those that left the queue, and those that no poll of the queue showed."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from comfytui.comfy.errors import ComfyError, NotComfyUI, ServerError
from comfytui.comfy.protocol.models import HistoryEntry, JobInfo
from comfytui.service.backend import Backend
from comfytui.session.events import FinishedPrompt, HistorySnapshot, SessionEvent
from comfytui.session.jobs.summarise import finished_prompt_of
from comfytui.session.selectors import awaiting_history
from comfytui.session.state import SessionState
from comfytui.workflow.parameters import GraphReader

HISTORY_PAGE = 60
"""Entries of the history that are read when a connection opens, and at most at first: each carries a whole graph."""
MAX_ENTRIES_READ = 1_000
"""Entries of the history that are read at most to find jobs that the first page lacks."""
CONCURRENT_REQUESTS = 8
"""Jobs whose history is requested at the same time; for more jobs of other clients, the newest entries are read."""
RECENT_JOBS = 8
"""Entries of the list of recent jobs that are read at each poll."""
IN_PROGRESS = "in_progress"
"""The status of a running job in that list."""
MARGIN = 2
"""Entries that are read beyond as many as are needed: other jobs may have ended meanwhile."""

Apply = Callable[[SessionEvent], None]
State = Callable[[], SessionState]


async def read_finished(backend: Backend, apply: Apply, state: State) -> None:
    """Read how each job ended that has left the queue.

    Raises:
        ComfyError: if a request fails.
    """
    jobs, left_queue = state().jobs, awaiting_history(state())
    others = tuple(key for key in left_queue if not jobs[key].mine)
    if len(others) > CONCURRENT_REQUESTS:
        finished, missing = await _find_in_newest(backend, others, len(left_queue) + MARGIN)
        # A few that are missing may have ended long ago; so many can only have been deleted from the queue.
        by_id = missing if len(missing) <= CONCURRENT_REQUESTS else ()
        apply(HistorySnapshot(finished, tuple(key for key in others if key not in by_id)))
        left_queue = (*(key for key in left_queue if jobs[key].mine), *by_id)
    await read_by_id(backend, left_queue, apply)


async def _find_in_newest(
    backend: Backend, wanted: Sequence[str], size: int
) -> tuple[tuple[FinishedPrompt, ...], tuple[str, ...]]:
    """Return the newest entries of the history, more of them if the first page lacks some, and the ids they lack."""
    for limit in (HISTORY_PAGE, MAX_ENTRIES_READ):
        finished = await read_history(backend, min(size, limit))
        present = {each.prompt.prompt_id for each in finished}
        missing = tuple(key for key in wanted if key not in present)
        if not missing or size <= limit or len(finished) < limit:
            break
    return finished, missing


async def read_by_id(backend: Backend, prompt_ids: Iterable[str], apply: Callable[[HistorySnapshot], None]) -> None:
    """Read how each of these jobs ended; an entry that cannot be read does not hold up the others.

    Args:
        backend: The server.
        prompt_ids: The jobs.
        apply: Receives the history entries of some of them at a time.

    Raises:
        ComfyError: if the server cannot be reached, or none of the entries can be read.
    """
    reader, failed, read = GraphReader(), None, False
    ids = iter(prompt_ids)
    while some := tuple(islice(ids, CONCURRENT_REQUESTS)):
        answers = await asyncio.gather(*(_entry_of(backend, prompt_id) for prompt_id in some))
        known = tuple(key for key, answer in zip(some, answers, strict=True) if not isinstance(answer, ComfyError))
        failed = failed or next((answer for answer in answers if isinstance(answer, ComfyError)), None)
        read = read or bool(known)
        apply(
            HistorySnapshot(
                tuple(finished_prompt_of(each, reader) for each in answers if isinstance(each, HistoryEntry)), known
            )
        )
    if failed is not None and not read:
        raise failed


async def _entry_of(backend: Backend, prompt_id: str) -> HistoryEntry | ComfyError | None:
    """Return the entry of one prompt, None where there is none, or why it cannot be read; raises other errors."""
    try:
        return await backend.history_entry(prompt_id)
    except (ServerError, NotComfyUI) as error:
        return error


async def read_newest(backend: Backend, apply: Apply, state: State, count: int) -> int:
    """Read the newest entries of the history until `count` jobs are found that the session lacks.

    It reads back to a job that is known to have ended, at most `HISTORY_PAGE` entries.

    Returns:
        How many jobs were found.

    Raises:
        ComfyError: if a request fails.
    """
    size = min(count + MARGIN, HISTORY_PAGE)
    while True:
        finished = await read_history(backend, size)
        jobs = state().jobs
        new = sum(each.prompt.prompt_id not in jobs for each in finished)
        reached = bool(finished) and _has_final_status(state(), finished[0].prompt.prompt_id) and new >= count
        if reached or len(finished) < size or size == HISTORY_PAGE:
            apply(HistorySnapshot(finished))
            return new
        size = min(4 * size, HISTORY_PAGE)


async def recent_jobs(backend: Backend, *, busy: bool) -> tuple[JobInfo, ...] | None:
    """Return what ended lately and, if `busy`, what runs, without graphs; None on servers without a list of jobs.

    Raises:
        ComfyError: if a request fails.
    """
    recent = await backend.jobs(RECENT_JOBS, f"{IN_PROGRESS},completed,failed,cancelled")
    if recent is None or not busy or len(recent) < RECENT_JOBS or any(job.status == IN_PROGRESS for job in recent):
        return recent
    # The list is ordered by age: what runs may be older than all of these.
    return (*recent, *(await backend.jobs(status=IN_PROGRESS) or ()))


async def last_finished(backend: Backend) -> tuple[str, ...] | None:
    """Return the id of the prompt that ended last, if any; None where the server ignores the limit and sends all.

    Raises:
        ComfyError: if a request fails.
    """
    finished: list[str] = []

    def keep(entry: HistoryEntry) -> None:
        if finished:
            raise _LimitIgnoredError
        finished.append(entry.item.prompt_id)

    try:
        await backend.history(1, keep)
    except _LimitIgnoredError:
        return None
    return tuple(finished)


class _LimitIgnoredError(Exception):
    """More than one entry came where one was requested: the rest is not read."""


def without_final_status(state: SessionState, prompt_ids: Iterable[str]) -> tuple[str, ...]:
    """Return those of the prompts that the session does not know to have ended."""
    return tuple(prompt_id for prompt_id in prompt_ids if not _has_final_status(state, prompt_id))


def _has_final_status(state: SessionState, prompt_id: str) -> bool:
    # A job that was taken for lost may yet turn up.
    return prompt_id in state.jobs and state.jobs[prompt_id].status.final


async def read_history(backend: Backend, size: int) -> tuple[FinishedPrompt, ...]:
    """Return the newest entries of the history, summarised: their graphs are not kept.

    Raises:
        ComfyError: if the request fails.
    """
    reader = GraphReader()
    return await backend.history(size, lambda entry: finished_prompt_of(entry, reader))
