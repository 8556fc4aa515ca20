"""A ComfyUI server as the backend of a session: its HTTP API, its events, what it can do, and how it cancels jobs."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence, Set
from contextlib import suppress

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, ServerError, TimedOut, Unauthorized
from comfytui.comfy.protocol.capabilities import Capabilities, capabilities_of
from comfytui.comfy.protocol.events import Event
from comfytui.comfy.protocol.models import Obstacle, QueueItem
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import ConnectionEvent
from comfytui.comfy.websocket.event_stream import stream_events
from comfytui.timings import DEFAULT, Timings


class ComfyBackend(ComfyClient):
    """A ComfyUI server; its calls raise the errors of `comfytui.comfy.errors`.

    Args:
        server: The server, with its credentials.
        timings: Time limits of requests, and when a socket is pinged.
        clock: Measures the silence and the lag of sockets.
    """

    def __init__(self, server: Server, timings: Timings = DEFAULT, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(server, timings.http)
        self._timings = timings
        self._clock = clock

    def events(
        self, client_id: str, report_lag: Callable[[float], None]
    ) -> AsyncGenerator[Event | ConnectionEvent, None]:
        """Connect as a client id, and yield what is received and how the connection fares; see `stream_events`."""
        return stream_events(
            self._server,
            client_id,
            keep_unanswered=self._is_busy,
            timings=self._timings.socket,
            clock=self._clock,
            report_lag=report_lag,
        )

    async def capabilities(self, version: str) -> Capabilities:
        """Return what a server of this version can do; a list of jobs that it refuses counts as missing."""
        jobs = None
        with suppress(Unauthorized, ServerError, NotComfyUI):
            jobs = await self.jobs(limit=1)
        return capabilities_of(version, jobs=jobs is not None)

    async def cancel(self, prompt_id: str, capabilities: Capabilities, *, force: bool = False) -> bool | Obstacle:
        """Cancel a prompt, pending or running: in one step where the server can, else by delete or interrupt.

        Args:
            prompt_id: The prompt.
            capabilities: What the server can do.
            force: Interrupt even where the server can only stop whatever runs.

        Returns:
            Whether the server had it, or why it was not interrupted.
        """
        if capabilities.atomic_cancel and (done := await self.cancel_job(prompt_id)) is not None:
            return done
        queue = await self.queue()
        pending = _has(queue.pending, prompt_id)
        if pending:
            await self.delete([prompt_id])
            queue = await self.queue()
        running = _has(queue.running, prompt_id)
        if running:
            interrupted = await self._interrupt(prompt_id, capabilities, force=force)
            if isinstance(interrupted, Obstacle):
                return interrupted
        return pending or running

    async def remove(self, prompt_ids: Set[str]) -> Set[str]:
        """Remove prompts that are pending; return those that are gone, or have ended meanwhile."""
        pending = prompt_ids & {item.prompt_id for item in (await self.queue()).pending}
        if not pending:
            return pending
        await self.delete(sorted(pending))
        queue = await self.queue()
        return pending - {item.prompt_id for item in (*queue.running, *queue.pending)}

    async def interrupt(
        self, prompt_ids: Set[str], capabilities: Capabilities, *, force: bool = False
    ) -> tuple[int, Obstacle | None]:
        """Interrupt those of the prompts that are running; arguments as for `cancel`.

        Returns:
            How many were interrupted, and why others were not, if any.
        """
        interrupted, obstacle = 0, None
        for prompt_id in prompt_ids & {item.prompt_id for item in (await self.queue()).running}:
            if capabilities.atomic_cancel and await self.cancel_job(prompt_id) is not None:
                interrupted += 1
                continue
            done = await self._interrupt(prompt_id, capabilities, force=force)
            if isinstance(done, Obstacle):
                obstacle = done
            else:
                interrupted += done
        return interrupted, obstacle

    async def _interrupt(self, prompt_id: str, capabilities: Capabilities, *, force: bool) -> bool | Obstacle:
        """Interrupt a running prompt unless it has just ended; return whether it was, or why not."""
        if not capabilities.targeted_interrupt:
            if not force:
                return Obstacle.NOT_TARGETED
            running = [item.prompt_id for item in (await self.queue()).running]
            if prompt_id not in running:
                return False
            if running != [prompt_id]:
                return Obstacle.OTHERS_RUNNING
        await self.interrupt_running(prompt_id)
        return True

    async def _is_busy(self) -> bool:
        """Return whether the server accepts a new connection but does not answer on it, e.g. while it loads a model.

        A server that answers has dropped our socket; on one that accepts no connection nothing arrives anyway.
        """
        async with ComfyClient(self._server, self._timings.http) as client:
            try:
                async with asyncio.timeout(self._timings.connection.busy_probe):
                    await client.queue_count()
            except (TimedOut, TimeoutError):
                return True
            except ComfyError:
                return False
        return False


def _has(items: Sequence[QueueItem], prompt_id: str) -> bool:
    return any(item.prompt_id == prompt_id for item in items)
