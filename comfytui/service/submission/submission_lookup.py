"""Where a prompt is whose answer was lost: an old server gives it an id of its own, so its marks count as well."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError
from comfytui.comfy.protocol.models import HistoryEntry, QueueItem
from comfytui.service.connection.process_evidence import Evidence
from comfytui.service.journal.records import SavedPrompt
from comfytui.service.submission.batch import Submission
from comfytui.service.submission.recovery import found
from comfytui.session.events import FinishedPrompt

LATEST = 1_000
"""Entries of the history that are searched for a prompt of ours before it is sent again."""


async def landed(client: ComfyClient, submission: Submission) -> QueueItem | None:
    """The prompt as the server has it, waiting, running or ended under its own id; raises ComfyError."""
    queue = await client.queue(lambda item: item if _is(item, submission) else None)
    for item in (*queue.running, *queue.pending):
        if item is not None:
            return item
    entry = await client.history_entry(submission.prompt_id)
    return entry.item if entry else None


async def ended(client: ComfyClient, submission: Submission) -> tuple[QueueItem | None, frozenset[str]]:
    """The prompt among all that ended lately, under whatever id, and the ids of them all; raises ComfyError."""

    def keep(entry: HistoryEntry) -> tuple[str, QueueItem | None]:
        return entry.item.prompt_id, entry.item if _is(entry.item, submission) else None

    kept = await client.history(LATEST, keep)
    return next((item for _, item in kept if item is not None), None), frozenset(prompt_id for prompt_id, _ in kept)


def _is(item: QueueItem, submission: Submission) -> bool:
    return item.prompt_id == submission.prompt_id or item.marks == submission.marks


SEARCH_SECONDS = 30.0
"""Seconds that the picture of a prompt is looked for while others wait to be sent; `r` looks without haste."""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A POST whose answer is lost: sent at monotonic second `since`, to a server that held this `evidence`."""

    since: float
    evidence: Evidence


NONE_UNCONFIRMED: Mapping[str, Unconfirmed] = MappingProxyType({})


def unconfirmed_of(prompt: SavedPrompt) -> Unconfirmed | None:
    """What the journal knows of a POST that has no answer; None where there is none."""
    if prompt.sending_since is None:
        return None
    # A clock that was set back meanwhile is no reason to look for it for ever.
    ago = max(time.time() - prompt.sending_since, 0.0)
    return Unconfirmed(time.monotonic() - ago, prompt.evidence)


async def picture_of(submission: Submission, client: ComfyClient) -> tuple[FinishedPrompt, ...]:
    """The prompt as ended if the server has its pictures; nothing where it has not, or they cannot be looked for."""
    with suppress(ComfyError, TimeoutError):
        async with asyncio.timeout(SEARCH_SECONDS):
            return await found([submission], client)
    return ()
