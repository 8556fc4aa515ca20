"""Reads from the history how jobs ended: those that left the queue, and those that no poll of the queue showed."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.replies import HistoryEntry, JobInfo
from comfytui.session.boil import past
from comfytui.session.events import HistorySnapshot, Past, SessionEvent
from comfytui.session.state import SessionState
from comfytui.session.unsettled import unsettled
from comfytui.workflow.recipe import GraphReader

HISTORY_AT_START = 60
"""Entries of the history that are read when a link opens, and at most in one piece: each carries a whole graph."""
ASKED_AT_ONCE = 8
"""Jobs whose history is asked for at the same time; of more jobs of others, the newest entries are read instead."""
NEWEST = 8
"""Lines of the light list of jobs that are read at each poll."""
RUNNING = "in_progress"
"""What that list calls a job that runs."""
MARGIN = 2
"""Entries that are read beyond as many as are looked for: others may have ended meanwhile."""

Apply = Callable[[SessionEvent], None]
State = Callable[[], SessionState]


async def read_ends(client: ComfyClient, apply: Apply, state: State) -> None:
    """Read how each job ended that the queue no longer has; raises ComfyError."""
    jobs, asked = state().jobs, unsettled(state())
    others = tuple(key for key in asked if not jobs[key].mine)
    if len(others) > ASKED_AT_ONCE:
        asked = tuple(key for key in asked if jobs[key].mine)
        ended = await read_history(client, min(len(others) + MARGIN, HISTORY_AT_START))
        apply(HistorySnapshot(ended, others))
    open_ends = iter(asked)
    while some := tuple(islice(open_ends, ASKED_AT_ONCE)):
        ends = await asyncio.gather(*map(client.history_of, some))
        apply(HistorySnapshot(_pasts(end for end in ends if end), some))


async def read_newest(client: ComfyClient, apply: Apply, state: State, count: int) -> int:
    """Read the newest entries of the history until `count` unknown ones are found; how many there were.

    It goes back to one that is known to have ended, at most `HISTORY_AT_START` entries. Raises ComfyError.
    """
    size = min(count + MARGIN, HISTORY_AT_START)
    while True:
        ended = await read_history(client, size)
        jobs = state().jobs
        new = sum(each.seen.prompt_id not in jobs for each in ended)
        reached = bool(ended) and _has_ended(state(), ended[0].seen.prompt_id) and new >= count
        if reached or len(ended) < size or size == HISTORY_AT_START:
            apply(HistorySnapshot(ended))
            return new
        size = min(4 * size, HISTORY_AT_START)


async def newest_lines(client: ComfyClient, *, busy: bool) -> tuple[JobInfo, ...] | None:
    """What runs (if it is `busy`) and what ended lately, in a light list; None on servers that have none.

    Raises ComfyError.
    """
    lines = await client.jobs(NEWEST, f"{RUNNING},completed,failed,cancelled")
    if lines is None or not busy or len(lines) < NEWEST or any(line.status == RUNNING for line in lines):
        return lines
    # The list is ordered by age: what runs may be older than all of these.
    return (*lines, *(await client.jobs(status=RUNNING) or ()))


async def newest_ended(client: ComfyClient) -> tuple[str, ...]:
    """The prompt that ended last; raises ComfyError."""
    return await client.kept_history(1, lambda entry: entry.item.prompt_id)


def unknown(state: SessionState, prompt_ids: Iterable[str]) -> int:
    """How many of these are not known to have ended."""
    return sum(not _has_ended(state, prompt_id) for prompt_id in prompt_ids)


def _has_ended(state: SessionState, prompt_id: str) -> bool:
    # One that was taken for lost may yet turn up.
    return prompt_id in state.jobs and state.jobs[prompt_id].status.final


async def read_history(client: ComfyClient, size: int) -> tuple[Past, ...]:
    """The newest entries as the session takes them, none of whose graphs is kept; raises ComfyError."""
    reader = GraphReader()
    return await client.kept_history(size, lambda entry: past(entry, reader))


def _pasts(entries: Iterable[HistoryEntry]) -> tuple[Past, ...]:
    """Entries as the session takes them; one reader serves all."""
    reader = GraphReader()
    return tuple(past(entry, reader) for entry in entries)
