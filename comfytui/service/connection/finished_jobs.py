"""Reads from the history how jobs ended: those that left the queue, and those that no poll of the queue showed."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, ServerError
from comfytui.comfy.protocol.models import HistoryEntry, JobInfo
from comfytui.session.events import FinishedPrompt, HistorySnapshot, SessionEvent
from comfytui.session.jobs.summarise import finished_prompt_of
from comfytui.session.selectors import awaiting_history
from comfytui.session.state import SessionState
from comfytui.workflow.parameters import GraphReader

HISTORY_AT_START = 60
"""Entries of the history that are read when a link opens, and at most at first: each carries a whole graph."""
LATEST = 1_000
"""Entries of the history that are read at most, where jobs are looked for that the first ones lack."""
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
    jobs, asked = state().jobs, awaiting_history(state())
    others = tuple(key for key in asked if not jobs[key].mine)
    if len(others) > ASKED_AT_ONCE:
        ended, left = await _found(client, others, len(asked) + MARGIN)
        # The few that are left may have ended long ago; so many can only have been taken out of the queue.
        by_id = left if len(left) <= ASKED_AT_ONCE else ()
        apply(HistorySnapshot(ended, tuple(key for key in others if key not in by_id)))
        asked = (*(key for key in asked if jobs[key].mine), *by_id)
    await read_by_id(client, asked, apply)


async def _found(
    client: ComfyClient, wanted: Sequence[str], size: int
) -> tuple[tuple[FinishedPrompt, ...], tuple[str, ...]]:
    """The newest entries of the history, more of them if the first ones lack some; and the ids that they lack."""
    for most in (HISTORY_AT_START, LATEST):
        ended = await read_history(client, min(size, most))
        there = {each.prompt.prompt_id for each in ended}
        left = tuple(key for key in wanted if key not in there)
        if not left or size <= most or len(ended) < most:
            break
    return ended, left


async def read_by_id(client: ComfyClient, prompt_ids: Iterable[str], apply: Callable[[HistorySnapshot], None]) -> None:
    """Read how each of these jobs ended.

    One whose entry cannot be read does not stand in the way of the others.

    Args:
        client: The server.
        prompt_ids: The jobs.
        apply: Takes in what the history has of some of them.

    Raises:
        ComfyError: if there is no server to be asked, or none of the entries can be read.
    """
    reader, failed, read = GraphReader(), None, False
    ids = iter(prompt_ids)
    while some := tuple(islice(ids, ASKED_AT_ONCE)):
        answers = await asyncio.gather(*(_entry_of(client, prompt_id) for prompt_id in some))
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


async def _entry_of(client: ComfyClient, prompt_id: str) -> HistoryEntry | ComfyError | None:
    """The entry of one prompt, None where there is none, or what is wrong with it; raises other errors."""
    try:
        return await client.history_entry(prompt_id)
    except (ServerError, NotComfyUI) as error:
        return error


async def read_newest(client: ComfyClient, apply: Apply, state: State, count: int) -> int:
    """Read the newest entries of the history until `count` jobs are found that the list lacks; how many there were.

    It goes back to one that is known to have ended, at most `HISTORY_AT_START` entries. Raises ComfyError.
    """
    size = min(count + MARGIN, HISTORY_AT_START)
    while True:
        ended = await read_history(client, size)
        jobs = state().jobs
        new = sum(each.prompt.prompt_id not in jobs for each in ended)
        reached = bool(ended) and _has_ended(state(), ended[0].prompt.prompt_id) and new >= count
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


async def newest_ended(client: ComfyClient) -> tuple[str, ...] | None:
    """The prompt that ended last; None where the server sends all of its history for that. Raises ComfyError."""
    ended: list[str] = []

    def keep(entry: HistoryEntry) -> None:
        if ended:
            raise _SendsAllError
        ended.append(entry.item.prompt_id)

    try:
        await client.history(1, keep)
    except _SendsAllError:
        return None
    return tuple(ended)


class _SendsAllError(Exception):
    """More than one entry came where one was asked for: the rest is not waited for."""


def unknown(state: SessionState, prompt_ids: Iterable[str]) -> tuple[str, ...]:
    """Those of them that are not known to have ended."""
    return tuple(prompt_id for prompt_id in prompt_ids if not _has_ended(state, prompt_id))


def _has_ended(state: SessionState, prompt_id: str) -> bool:
    # One that was taken for lost may yet turn up.
    return prompt_id in state.jobs and state.jobs[prompt_id].status.final


async def read_history(client: ComfyClient, size: int) -> tuple[FinishedPrompt, ...]:
    """The newest entries as the session takes them, none of whose graphs is kept; raises ComfyError."""
    reader = GraphReader()
    return await client.history(size, lambda entry: finished_prompt_of(entry, reader))
