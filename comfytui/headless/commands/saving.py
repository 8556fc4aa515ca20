"""Saves the files of images as they come, one image after another, and says where they are."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec.structs import replace

from comfytui.headless.documents.events import EndEvent, ImageEvent, image_event
from comfytui.headless.documents.jobs import OutputFile, files_of
from comfytui.presentation.saving_text import saving_message
from comfytui.sanitize import sanitize
from comfytui.service.saving import save_outputs
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Batch, Job
from comfytui.session.selectors import jobs_of
from comfytui.session.state import SessionState

PROBLEM_LIMIT = 1_000
"""Characters of a sentence about files that were not saved."""


class ImageSaver:
    """Saves the files of images, and puts their paths into the events about them.

    Args:
        service: The session with the server.
        folder: Where to save; it need not exist.
        on_problem: Receives a sentence about files that were not saved, or that seem to be another image's; it is safe
            to print.
    """

    def __init__(
        self,
        service: ServiceThread,
        folder: Path,
        on_problem: Callable[[str], object],
    ) -> None:
        self._service = service
        self._folder = folder
        self._on_problem = on_problem
        self._files: dict[str, tuple[OutputFile, ...]] = {}
        self._last: asyncio.Task[None] | None = None
        self._unsaved: set[str] = set()

    def add(self, event: ImageEvent, job: Job, on_saved: Callable[[ImageEvent], object]) -> None:
        """Save the files of a job once those before it are saved; `on_saved` then gets the event with their paths."""
        self._last = asyncio.create_task(self._save_next(event, job, on_saved, self._last))

    @property
    def failed(self) -> bool:
        """Whether a file could not be saved."""
        return bool(self._unsaved)

    @property
    def summary(self) -> str:
        """How many images could not be saved; empty if all could."""
        count, total = len(self._unsaved), len(self._files)
        return f"{count} of {total} {'image' if total == 1 else 'images'} could not be saved." if count else ""

    async def finish(self, event: EndEvent, state: SessionState, batch: Batch) -> EndEvent:
        """Save what is left of a batch that has ended, and return its last event with the paths of all its files.

        Of a long batch, or of one that ended long ago, there are no events about the oldest images.
        """
        if self._last:
            await self._last
        jobs = jobs_of(state, batch)
        for job in jobs:
            if job.outputs and job.prompt_id not in self._files:
                await self.save(image_event(state, job, urls=False), job)
        return self.with_paths(event, jobs)

    def with_paths(self, event: EndEvent, jobs: Iterable[Job]) -> EndEvent:
        """Return the last event about some jobs with the paths of their files."""
        files = (self._files.get(job.prompt_id) or files_of(job, urls=False) for job in jobs)
        return replace(event, outputs=tuple(file for each in files for file in each))

    async def save(self, event: ImageEvent, job: Job) -> ImageEvent:
        """Save the files of a job, and return the event about it with their paths."""
        saved = await save_outputs(self._service, job, self._folder)
        paths = map(str, saved.paths)
        outputs = tuple(
            file if place in saved.missing else replace(file, path=next(paths, None))
            for place, file in enumerate(event.outputs)
        )
        self._files[event.prompt_id] = outputs
        if saved.error is not None:
            self._unsaved.add(event.prompt_id)
        text, severity = saving_message(saved)
        if severity != "information":
            self._on_problem(sanitize(f"Image {event.image_index}: {text}", PROBLEM_LIMIT))
        return replace(event, outputs=outputs)

    async def _save_next(
        self,
        event: ImageEvent,
        job: Job,
        on_saved: Callable[[ImageEvent], object],
        previous: asyncio.Task[None] | None,
    ) -> None:
        if previous:
            await previous
        on_saved(await self.save(event, job))
