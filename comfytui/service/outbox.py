"""Prompts on their way: sent one after another, never twice, kept while the server cannot take them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, Rejected, Unauthorized, Unreachable
from comfytui.comfy.replies import QueueItem
from comfytui.service.orders import Parcel
from comfytui.session.events import PromptDelayed, PromptQueued, PromptRejected, SessionEvent
from comfytui.session.model import Failure

LANDING_TIME = 30.0
"""Seconds in which a POST whose answer was lost may still enter the queue: validation of a big graph takes its time."""
LOOK_PAUSE = 2.0
"""Seconds between looks for a prompt whose fate is unknown, and between tries while the server is down."""

Apply = Callable[[SessionEvent], None]
Refused = Callable[[str, Failure], None]


class Outbox:
    """The unsent prompts of one server, first come first sent.

    `apply` receives what happens to each; `unsent` says whether the session still waits for a prompt to be sent.
    """

    def __init__(
        self,
        apply: Apply,
        unsent: Callable[[str], bool],
        client_id: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._apply = apply
        self._unsent = unsent
        self._client_id = client_id
        self._sleep = sleep
        self._parcels: dict[str, Parcel] = {}
        self._filled = asyncio.Event()
        self._on_wire: str | None = None
        # Survives a fault of the service, which would otherwise send again what may have landed.
        self._doubtful: str | None = None

    def add(self, parcels: Iterable[Parcel]) -> None:
        """Queue prompts for sending."""
        self._parcels |= {parcel.prompt_id: parcel for parcel in parcels}
        self._filled.set()

    def may_have_landed(self, prompt_id: str) -> bool:
        """Whether a prompt was sent and its answer lost."""
        return prompt_id == self._doubtful and prompt_id != self._on_wire

    def drop(self, prompt_id: str) -> bool:
        """Forget a prompt that is not on the wire; whether it was still here."""
        return prompt_id != self._on_wire and self._parcels.pop(prompt_id, None) is not None

    async def run(self, client: ComfyClient, refused: Refused) -> None:
        """Send for ever; a refusal takes the rest of its batch along and is told to `refused`."""
        while True:
            while not self._parcels:
                self._filled.clear()
                await self._filled.wait()
            parcel = next(iter(self._parcels.values()))
            if not self._unsent(parcel.prompt_id):
                self._done_with(parcel)
            elif parcel.prompt_id == self._doubtful:
                await self._settle(client, parcel)
            else:
                await self._send(client, parcel, refused)

    async def _send(self, client: ComfyClient, parcel: Parcel, refused: Refused) -> None:
        try:
            queued = await self._post(client, parcel)
        except Rejected as error:
            self._refuse(parcel, _failure(error), refused)
        except (Unreachable, Unauthorized) as error:
            self._doubtful = None
            self._apply(PromptDelayed(parcel.prompt_id, str(error)))
            await self._sleep(LOOK_PAUSE)
        except ComfyError as error:
            self._apply(PromptDelayed(parcel.prompt_id, str(error)))
        else:
            self._landed(parcel, queued.prompt_id, queued.number)

    async def _post(self, client: ComfyClient, parcel: Parcel) -> QueueItem:
        self._doubtful = self._on_wire = parcel.prompt_id
        try:
            queued = await client.submit(
                parcel.graph,
                prompt_id=parcel.prompt_id,
                client_id=self._client_id,
                marks=parcel.marks,
                preview_method=parcel.preview_method,
            )
        finally:
            self._on_wire = None
        return QueueItem(queued.prompt_id, queued.number)

    async def _settle(self, client: ComfyClient, parcel: Parcel) -> None:
        """Look for a prompt whose answer was lost until it is found, or can no longer land and is to be sent again."""
        loop = asyncio.get_running_loop()
        over = loop.time() + LANDING_TIME
        while loop.time() < over:
            await self._sleep(LOOK_PAUSE)
            if parcel.prompt_id not in self._parcels or not self._unsent(parcel.prompt_id):
                return
            try:
                item = await _find(client, parcel)
            except ComfyError:
                # A look that failed proves nothing, so the time to land is not over either.
                over = max(over, loop.time() + LOOK_PAUSE * 2)
                continue
            if item is not None:
                self._landed(parcel, item.prompt_id, item.number)
                return
        self._doubtful = None

    def _landed(self, parcel: Parcel, accepted_id: str, number: float) -> None:
        self._done_with(parcel)
        self._apply(PromptQueued(parcel.prompt_id, accepted_id, number))

    def _refuse(self, parcel: Parcel, failure: Failure, refused: Refused) -> None:
        for other in [other for other in self._parcels.values() if other.batch == parcel.batch]:
            self._done_with(other)
            self._apply(PromptRejected(other.prompt_id, failure))
        refused(parcel.batch, failure)

    def _done_with(self, parcel: Parcel) -> None:
        self._parcels.pop(parcel.prompt_id, None)
        if self._doubtful == parcel.prompt_id:
            self._doubtful = None


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
