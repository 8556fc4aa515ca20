"""Where a prompt is whose answer was lost: an old server gives it an id of its own, so its marks count as well."""

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.replies import QueueItem
from comfytui.service.orders import Parcel

LATEST = 1_000
"""Entries of the history that are searched for a prompt of ours before it is sent again."""


async def landed(client: ComfyClient, parcel: Parcel) -> QueueItem | None:
    """The prompt as the server has it, waiting, running or ended under its own id; raises ComfyError."""
    queue = await client.queue()
    for item in (*queue.running, *queue.pending):
        if _is(item, parcel):
            return item
    entry = await client.history_of(parcel.prompt_id)
    return entry.item if entry else None


async def ended(client: ComfyClient, parcel: Parcel) -> tuple[QueueItem | None, frozenset[str]]:
    """The prompt among all that ended lately, under whatever id, and the ids of them all; raises ComfyError."""
    items = [entry.item for entry in await client.history(LATEST)]
    found = next((item for item in items if _is(item, parcel)), None)
    return found, frozenset(item.prompt_id for item in items)


def _is(item: QueueItem, parcel: Parcel) -> bool:
    return item.prompt_id == parcel.prompt_id or item.marks == parcel.marks
