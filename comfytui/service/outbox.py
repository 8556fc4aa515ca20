"""Prompts on their way: sent one after another, never twice, kept while the server cannot take them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, Rejected, Unreachable
from comfytui.comfy.replies import QueueItem
from comfytui.service.orders import Parcel
from comfytui.session.events import PromptDelayed, PromptQueued, PromptRejected, SessionEvent
from comfytui.session.model import Failure

LANDING_TIME = 30.0
"""Seconds in which a POST whose answer was lost may still enter the queue: validation of a big graph takes its time."""
LOOK_PAUSE = 2.0
"""Seconds between looks for a prompt whose fate is unknown, and between tries while the server is down."""

Apply = Callable[[SessionEvent], None]


class Outbox:
    """The unsent prompts of one server; `apply` receives what happens to each of them."""

    def __init__(
        self, apply: Apply, client_id: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._apply = apply
        self._client_id = client_id
        self._sleep = sleep
        self._parcels: deque[Parcel] = deque()
        self._filled = asyncio.Event()
        self._sending: str | None = None

    def add(self, parcels: Iterable[Parcel]) -> None:
        """Queue prompts for sending."""
        self._parcels.extend(parcels)
        self._filled.set()

    def drop(self, prompt_id: str) -> bool:
        """Forget a prompt that is not on the wire; whether it was still here."""
        if prompt_id == self._sending:
            return False
        kept = [parcel for parcel in self._parcels if parcel.prompt_id != prompt_id]
        dropped = len(kept) < len(self._parcels)
        self._parcels = deque(kept)
        return dropped

    async def run(self, client: ComfyClient, refused: Callable[[str, Failure], None]) -> None:
        """Send for ever; a refusal takes the rest of its batch along and is told to `refused`."""
        while True:
            while not self._parcels:
                self._filled.clear()
                await self._filled.wait()
            parcel = self._parcels[0]
            self._sending = parcel.prompt_id
            try:
                await self._send(client, parcel, refused)
            finally:
                self._sending = None

    async def _send(self, client: ComfyClient, parcel: Parcel, refused: Callable[[str, Failure], None]) -> None:
        try:
            queued = await client.submit(
                parcel.graph,
                prompt_id=parcel.prompt_id,
                client_id=self._client_id,
                marks=parcel.marks,
                preview_method=parcel.preview_method,
            )
        except Rejected as error:
            self._refuse(parcel, _failure(error), refused)
        except Unreachable as error:
            self._delay(parcel, str(error))
            await self._sleep(LOOK_PAUSE)
        except ComfyError as error:
            await self._settle(client, parcel, str(error))
        else:
            self._done(parcel, queued.prompt_id, queued.number)

    async def _settle(self, client: ComfyClient, parcel: Parcel, reason: str) -> None:
        """Look for a prompt whose POST got no clear answer until it is found or can no longer land."""
        self._delay(parcel, reason)
        loop = asyncio.get_running_loop()
        over = loop.time() + LANDING_TIME
        while loop.time() < over:
            await self._sleep(LOOK_PAUSE)
            try:
                landed = await _find(client, parcel)
            except ComfyError:
                over = max(over, loop.time() + LOOK_PAUSE * 2)
                continue
            if landed is not None:
                self._done(parcel, landed.prompt_id, landed.number)
                return

    def _delay(self, parcel: Parcel, note: str) -> None:
        self._apply(PromptDelayed(parcel.prompt_id, note))

    def _done(self, parcel: Parcel, accepted_id: str, number: float) -> None:
        self._parcels.popleft()
        self._apply(PromptQueued(parcel.prompt_id, accepted_id, number))

    def _refuse(self, parcel: Parcel, failure: Failure, refused: Callable[[str, Failure], None]) -> None:
        rest = [other for other in self._parcels if other.batch == parcel.batch]
        self._parcels = deque(other for other in self._parcels if other.batch != parcel.batch)
        for other in rest:
            self._apply(PromptRejected(other.prompt_id, failure))
        refused(parcel.batch, failure)


def _failure(error: Rejected) -> Failure:
    """The refusal, led by what is wrong with the first node: the sentence above it says only that something is."""
    if not error.node_errors:
        return Failure(str(error))
    first = error.node_errors[0]
    message = f"{first.message}: {first.details}" if first.details else first.message
    return Failure(message, first.node_id, first.class_type, node_errors=error.node_errors)


async def _find(client: ComfyClient, parcel: Parcel) -> QueueItem | None:
    """The prompt as the server has it, waiting, running or ended; old servers give it an id of their own."""
    queue = await client.queue()
    for item in (*queue.running, *queue.pending):
        if item.prompt_id == parcel.prompt_id or item.marks == parcel.marks:
            return item
    entry = await client.history_of(parcel.prompt_id)
    return entry.item if entry else None
