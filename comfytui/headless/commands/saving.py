"""Saves the files of images as they come, one image after another, and says where they are."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from comfytui.headless.documents.events import EndEvent, ImageEvent
from comfytui.headless.documents.jobs import OutputFile, files_of
from comfytui.presentation.saving_text import saving_message
from comfytui.service.saving import save_outputs
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Batch, Job
from comfytui.session.selectors import jobs_of
from comfytui.session.state import SessionState


class ImageSaver:
    """Saves the files of each image before the event about it is written.

    Args:
        service: The session with the server.
        folder: Where to save; it need not exist.
        on_saved: Receives each event with the paths of its files, in the order in which the events were added.
        on_problem: Receives a sentence about files that were not saved, or that seem to be another image's.
    """

    def __init__(
        self,
        service: ServiceThread,
        folder: Path,
        on_saved: Callable[[ImageEvent], object],
        on_problem: Callable[[str], object],
    ) -> None:
        self._service = service
        self._folder = folder
        self._on_saved = on_saved
        self._on_problem = on_problem
        self._files: dict[str, tuple[OutputFile, ...]] = {}
        self._last: asyncio.Task[None] | None = None
        self.failed = False
        """Whether a file could not be saved."""

    def add(self, event: ImageEvent, job: Job) -> None:
        """Save the files of a job once those before it are saved."""
        self._last = asyncio.create_task(self._save(event, job, self._last))

    async def finish(self) -> None:
        """Wait until all files are saved."""
        if self._last:
            await self._last

    def with_paths(self, event: EndEvent, state: SessionState, batch: Batch) -> EndEvent:
        """Return the last event about a batch with the paths of its files."""
        files = (self._files.get(job.prompt_id) or files_of(job, urls=False) for job in jobs_of(state, batch))
        return replace(event, outputs=tuple(file for each in files for file in each))

    async def _save(self, event: ImageEvent, job: Job, previous: asyncio.Task[None] | None) -> None:
        if previous:
            await previous
        saved = await save_outputs(self._service, job, self._folder)
        paths = [*map(str, saved.paths), *[None] * len(event.outputs)]
        outputs = tuple(replace(file, path=path) for file, path in zip(event.outputs, paths, strict=False))
        self._files[event.prompt_id] = outputs
        self.failed |= saved.error is not None
        text, severity = saving_message(saved)
        if severity != "information":
            self._on_problem(f"Image {event.image_index}: {text}")
        self._on_saved(replace(event, outputs=outputs))
