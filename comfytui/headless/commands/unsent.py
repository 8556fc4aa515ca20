"""The batches of other processes that the server does not have completely, and so does not tell of."""

import asyncio
from collections.abc import Iterable

from comfytui.clock import Clock
from comfytui.comfy.server import Server
from comfytui.service.journal.open_jobs import unsent_batches
from comfytui.service.journal.paths import state_folder
from comfytui.service.journal.records import SavedBatch
from comfytui.session.events import BatchPlanned
from comfytui.session.model import JobStatus, Stamp
from comfytui.session.reducer import reduce
from comfytui.session.state import SessionState


async def read_unsent(server: Server) -> list[SavedBatch]:
    """Return the batches of mine that a server does not have completely, oldest first."""
    return await asyncio.to_thread(unsent_batches, state_folder(), server.label, server.address)


def with_unsent(state: SessionState, saved: Iterable[SavedBatch], clock: Clock) -> SessionState:
    """Return the state with the jobs of saved batches that the server does not have yet, and those that ended before.

    The session leaves these batches to others: what they sent of them is in the server's queue.
    """
    now = Stamp(clock.monotonic(), clock.wall())
    for each in saved:
        jobs = (prompt.job(now) for prompt in each.prompts)
        known = tuple(job for job in jobs if job.status is JobStatus.SUBMITTING or job.status.ended)
        state = reduce(state, BatchPlanned(each.batch, known), now)
    return state
