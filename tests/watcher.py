"""A subscriber that records all notifications of a service, for tests that drive the service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from comfytui.comfy.errors import ComfyError
from comfytui.comfy.server import Server
from comfytui.presentation.batch_text import progress_line
from comfytui.service.notifications import CancelledOnArrival, Notification, SessionChanged, UserMessage
from comfytui.service.results import BatchCancelled, Cancelled
from comfytui.service.submission.batch import BatchRequest, batch_request
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Batch, Job, JobStatus, LinkKind
from comfytui.session.progress import BatchProgress, progress_of
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, Timings
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field, FieldValue
from comfytui.workflow.graph import apply_values
from tests.waiting import eventually

LIVE_TIMEOUT = 600.0
"""Seconds for a job on a slow CPU."""


class Watcher:
    """Records the notifications of a service, and the states among them, in order."""

    def __init__(self, service: ServiceThread) -> None:
        self.service = service
        self.notifications: list[Notification] = []
        self.states: list[SessionState] = []
        self._loop = asyncio.get_running_loop()
        self._mailbox = service.subscribe(lambda: self._loop.call_soon_threadsafe(self._take))

    def _take(self) -> None:
        for notification in self._mailbox.take():
            self.notifications.append(notification)
            if isinstance(notification, SessionChanged):
                self.states.append(notification.state)

    @property
    def state(self) -> SessionState:
        return self.service.state

    def kinds(self, since: int = 0) -> set[LinkKind]:
        """Return the kinds that the link has had, even briefly."""
        return {state.link.kind for state in self.states[since:]}

    @property
    def messages(self) -> list[str]:
        return [notification.text for notification in self.notifications if isinstance(notification, UserMessage)]

    @property
    def cancelled_on_arrival(self) -> list[Cancelled | ComfyError]:
        """The results of cancellations that had to wait until the server had the job."""
        return [each.result for each in self.notifications if isinstance(each, CancelledOnArrival)]

    async def live(self) -> None:
        await eventually(lambda: self.state.link.kind is LinkKind.LIVE, "a live link")

    async def submit(self, images: int = 1, previews: bool = False, **values: FieldValue) -> Batch:
        """Submit a small txt2img batch, and return the batch once it is planned."""
        request = small_batch(images, previews, **values)
        self.service.submit(request)
        await eventually(lambda: request.batch_id in self.state.batches, "the batch")
        return self.state.batches[request.batch_id]

    async def cancel(self, prompt_id: str, *, force: bool = False) -> Cancelled:
        """Cancel a job, and return the result."""
        return await asyncio.wrap_future(self.service.cancel(prompt_id, force=force))

    async def cancel_batch(self, batch: Batch, *, force: bool = False) -> BatchCancelled:
        """Cancel a batch, and return the result."""
        return await asyncio.wrap_future(self.service.cancel_batch(batch.id, force=force))

    async def until(self, batch: Batch, *statuses: JobStatus, within: float = LIVE_TIMEOUT) -> list[Job]:
        """Wait until every job of a batch has one of these statuses (default: has ended)."""

        def there() -> bool:
            return all(job.status in statuses if statuses else job.status.ended for job in self.jobs(batch))

        await eventually(there, f"{statuses or 'the end'} of {[job.status for job in self.jobs(batch)]}", within)
        return self.jobs(batch)

    async def queued(self, batch: Batch) -> list[str]:
        """Wait until the server has the whole batch; return the jobs' ids, which may be the server's own."""

        def there() -> bool:
            return not any(job.status is JobStatus.SUBMITTING for job in self.jobs(batch))

        await eventually(there, "the batch on the server", LIVE_TIMEOUT)
        return [job.prompt_id for job in self.jobs(batch)]

    def jobs(self, batch: Batch) -> list[Job]:
        """Return the jobs of a batch, by their current ids."""
        state = self.state
        return [state.jobs[prompt_id] for prompt_id in state.batches[batch.id].prompt_ids if prompt_id in state.jobs]

    def seen(self, batch: Batch) -> list[BatchProgress]:
        """Return the batch's progress in every recorded state."""
        return [progress_of(state, state.batches[batch.id], 0.0) for state in self.states if batch.id in state.batches]

    def line(self, batch: Batch) -> str:
        """Return the batch's current progress as a line of text; empty while the batch is unknown."""
        state = self.state
        return progress_line(progress_of(state, state.batches[batch.id], 0.0)) if batch.id in state.batches else ""


def small_batch(images: int, previews: bool = False, **values: FieldValue) -> BatchRequest:
    """Return a request for small images with few steps; seeds are random unless given."""
    workflow = txt2img()
    base: dict[Field, FieldValue] = {
        Field.WIDTH: 64,
        Field.HEIGHT: 64,
        Field.STEPS: 3,
        Field.CFG: 1.0,
        Field.PROMPT: "a red fox in snow",
    }
    chosen = {**base, **{Field(name): value for name, value in values.items()}}
    seeds = [values["seed"]] * images if "seed" in values else [Random().randrange(2**53) for _ in range(images)]
    graphs = tuple(apply_values(workflow, {**chosen, Field.SEED: seed}) for seed in seeds)
    return batch_request(str(chosen[Field.PROMPT]), graphs, "auto" if previews else "none")


@asynccontextmanager
async def watching(
    server: Server,
    client_id: str | None = None,
    *,
    folder: Path | None = None,
    fresh: bool = False,
    observe: bool = False,
    timings: Timings = DEFAULT,
) -> AsyncIterator[Watcher]:
    """Run a service on a server, and record its notifications."""
    service = ServiceThread(server, client_id=client_id, folder=folder, fresh=fresh, observe=observe, timings=timings)
    watcher = Watcher(service)  # Before the start: what is posted at once is recorded, too.
    service.start()
    try:
        yield watcher
    finally:
        assert await asyncio.to_thread(service.stop), "the service did not stop in time"
