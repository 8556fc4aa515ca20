"""What a server's process remembers: if any of it is left later, the same process still answers.

Queue, history and log are in its memory alone, and gone when it is restarted. So a prompt that is in none of them never
came only if something else is still there that was there before it was sent, or a websocket that was open then is
still answered on.
"""

import asyncio
from collections.abc import Sequence, Set
from contextlib import suppress

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, ServerError, Unauthorized
from comfytui.session.jobs.index import indexed
from comfytui.session.model import RAN
from comfytui.session.state import SessionState

Evidence = Sequence[str]
"""Ids of prompts that the server had, or one time of a line of its log."""
KEPT = 8
"""Prompts of the queue, and as many that ended, that are remembered: some may be deleted by hand."""
LOG_SECONDS = 1.0
"""Seconds that a POST waits for the log: some proxies never answer for it."""
LOG_LINE = "log line of "
"""What marks a time among ids."""


def held_by(state: SessionState, history: Sequence[str], since: float) -> Evidence:
    """What the server is known to hold in its queue and its `history`, which was read at wall second `since`."""
    queued = list(indexed(state.jobs).queue_positions)
    ended = [key for key, job in state.jobs.items() if job.status in RAN and (job.ended or 0.0) >= since]
    # The one that runs stays whatever is taken out of the queue, the last ones stay for the longest.
    return (*queued[:1], *queued[1:][1 - KEPT :], *[*history, *ended][-KEPT:])


async def last_log_line(client: ComfyClient) -> Evidence:
    """The time of the last line of the server's log; nothing where it is hidden, or does not come soon."""
    with suppress(ComfyError, TimeoutError):
        async with asyncio.timeout(LOG_SECONDS):
            return tuple(LOG_LINE + time for time in (await client.log_timestamps())[-1:])
    return ()


async def is_same_process(evidence: Evidence, history: Set[str], client: ComfyClient) -> bool:
    """Whether any evidence is left: in `history` as it was just read, the queue or the log; raises ComfyError."""
    if not history.isdisjoint(evidence):
        return True
    if any(not each.startswith(LOG_LINE) for each in evidence):
        queue = await client.queue(lambda item: item.prompt_id)
        if not {*queue.running, *queue.pending}.isdisjoint(evidence):
            return True
    with suppress(Unauthorized, ServerError, NotComfyUI):  # Some proxies hide the log.
        times = {each.removeprefix(LOG_LINE) for each in evidence if each.startswith(LOG_LINE)}
        return bool(times) and not times.isdisjoint(await client.log_timestamps())
    return False
