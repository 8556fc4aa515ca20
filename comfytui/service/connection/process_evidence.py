"""Evidence that the server's process was not restarted: if any of it is left later, the same process still answers.

Queue, history and log are in the process's memory alone, and gone after a restart. So a prompt that is in none of them
never arrived only if something else is still there that was there before it was sent, or if a websocket that was open
then is still answered on.
"""

import asyncio
from collections.abc import Sequence, Set
from contextlib import suppress

from comfytui.comfy.errors import ComfyError, NotComfyUI, ServerError, Unauthorized
from comfytui.service.backend import Backend
from comfytui.session.delivery import NO_EVIDENCE, Evidence
from comfytui.session.jobs.index import indexed
from comfytui.session.model import RAN
from comfytui.session.state import SessionState

MAX_PROMPTS = 8
"""Prompts of the queue, and as many finished ones, that are kept as evidence: some may be deleted by hand."""


def prompts_held(state: SessionState, history: Sequence[str], since: float) -> Evidence:
    """Return the prompts that the server is known to hold, as evidence.

    Args:
        state: The session's state.
        history: The prompt ids of the history.
        since: The wall second in which it was read.
    """
    queued = list(indexed(state.jobs).queue_positions)
    ended = [key for key, job in state.jobs.items() if job.status in RAN and (job.ended or 0.0) >= since]
    # The running one stays whatever is deleted from the queue, the last ones stay the longest.
    return Evidence((*queued[:1], *queued[1:][1 - MAX_PROMPTS :], *[*history, *ended][-MAX_PROMPTS:]))


async def last_log_line(backend: Backend, seconds: float) -> Evidence:
    """Return the time of the last line of the server's log; nothing where it is hidden, or takes longer than that."""
    with suppress(ComfyError, TimeoutError):
        async with asyncio.timeout(seconds):
            return Evidence(log_times=tuple((await backend.log_timestamps())[-1:]))
    return NO_EVIDENCE


async def is_same_process(evidence: Evidence, history: Set[str], backend: Backend) -> bool:
    """Return whether any of the evidence is left.

    Args:
        evidence: What the server's process held before.
        history: The prompt ids of the history as it was just read.
        backend: The server, whose queue and log are read.

    Raises:
        ComfyError: if the queue cannot be read, or the log for another reason than that a proxy hides it.
    """
    if evidence.prompt_ids:
        if not history.isdisjoint(evidence.prompt_ids):
            return True
        queue = await backend.queue(lambda item: item.prompt_id)
        if not {*queue.running, *queue.pending}.isdisjoint(evidence.prompt_ids):
            return True
    if evidence.log_times:
        with suppress(Unauthorized, ServerError, NotComfyUI):  # Some proxies hide the log.
            return not set(evidence.log_times).isdisjoint(await backend.log_timestamps())
    return False
