"""Download a job's files: to save them, or to show an image."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App
from textual.worker import Worker

from comfytui.sanitize import sanitize
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job
from comfytui.ui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from comfytui.comfy.protocol.events import Output

MANY_FILES = 100
"""Files of one job that are saved without confirmation; a server may claim any number."""
MAX_SHOWN_BYTES = 32 * 2**20
"""Bytes of an image that is downloaded only to be shown."""


def start_saving(app: App[None], service: ServiceThread, job: Job, folder: Path) -> Worker[None]:
    """Save every file of a job in a worker of the application, which goes on when a screen is closed."""
    return app.run_worker(_save_and_notify(app, service, job, folder), group="save")


async def _save_and_notify(app: App[None], service: ServiceThread, job: Job, folder: Path) -> None:
    """Save every file of a job, after confirmation if there are many, and notify the user of the result."""
    # Imported late: the first paint does not need them.
    from comfytui.presentation.saving_text import saving_message
    from comfytui.service.saving import save_outputs

    if len(job.outputs) > MANY_FILES:
        question = (
            f"The server lists {len(job.outputs):,} files for this job. Save them all in {sanitize(str(folder), 200)}?"
        )
        if not await app.push_screen_wait(ConfirmScreen(question)):
            return
    saved = await save_outputs(service, job, folder)
    text, severity = saving_message(saved)
    if saved.is_disk_full:
        text += " Then press s again."
    app.notify(sanitize(text, 600), severity=severity, markup=False)


async def fetch_for_display(service: ServiceThread, output: "Output") -> bytes:
    """Download an image in a small format, to be shown only.

    Raises:
        ComfyError: It could not be downloaded.
    """
    return await asyncio.wrap_future(
        service.call(lambda backend: backend.view(output, preview="webp;90", limit=MAX_SHOWN_BYTES))
    )
