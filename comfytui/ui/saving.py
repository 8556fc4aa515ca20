"""Fetching a job's pictures and saving them."""

import asyncio
from functools import partial
from pathlib import Path

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError
from comfytui.comfy.events import Output
from comfytui.plain import plain
from comfytui.service.notices import Severity
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job
from comfytui.ui.save import SaveError, save


async def save_outputs(service: ServiceThread, job: Job, folder: Path) -> tuple[str, Severity]:
    """Save every file of a job in `folder`; one sentence that says what is where."""
    if not job.outputs:
        return "This job has no files to save.", "information"
    saved: list[Path] = []
    try:
        for output in job.outputs:
            data = await asyncio.wrap_future(service.ask(partial(_view, output=output)))
            saved.append(await asyncio.to_thread(save, folder, output.filename, data))
    except (ComfyError, SaveError) as error:
        done = f"{len(saved)} of {len(job.outputs)} saved. " if saved else ""
        return f"{done}{error}", "error"
    where = plain(str(saved[0]), 200)
    return (f"Saved {where}" if len(saved) == 1 else f"Saved {len(saved)} files, the first as {where}"), "information"


async def _view(client: ComfyClient, output: Output) -> bytes:
    return await client.view(output)
