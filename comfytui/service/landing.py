"""Where a prompt is whose answer was lost: an old server gives it an id of its own, so its marks count as well."""

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.replies import HistoryEntry, QueueItem
from comfytui.service.orders import Parcel

LATEST = 1_000
"""Entries of the history that are searched for a prompt of ours before it is sent again."""


async def landed(client: ComfyClient, parcel: Parcel) -> QueueItem | None:
    """The prompt as the server has it, waiting, running or ended under its own id; raises ComfyError."""
    queue = await client.kept_queue(lambda item: item if _is(item, parcel) else None)
    for item in (*queue.running, *queue.pending):
        if item is not None:
            return item
    entry = await client.history_of(parcel.prompt_id)
    return entry.item if entry else None


async def ended(client: ComfyClient, parcel: Parcel) -> tuple[QueueItem | None, frozenset[str]]:
    """The prompt among all that ended lately, under whatever id, and the ids of them all; raises ComfyError."""

    def keep(entry: HistoryEntry) -> tuple[str, QueueItem | None]:
        return entry.item.prompt_id, entry.item if _is(entry.item, parcel) else None

    kept = await client.kept_history(LATEST, keep)
    return next((item for _, item in kept if item is not None), None), frozenset(prompt_id for prompt_id, _ in kept)


def _is(item: QueueItem, parcel: Parcel) -> bool:
    return item.prompt_id == parcel.prompt_id or item.marks == parcel.marks
