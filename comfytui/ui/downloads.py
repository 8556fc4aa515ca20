"""Fetching a job's pictures and saving them."""

import asyncio
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App

from comfytui.comfy.errors import ComfyError
from comfytui.sanitize import sanitize
from comfytui.service.notifications import Severity
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job
from comfytui.ui.new_files import SaveError, clear_parts, new_file
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.workflow.image_metadata import graph_in
from comfytui.workflow.parameters import GenerationParameters, parameters_of

if TYPE_CHECKING:
    from comfytui.comfy.protocol.events import Output

NOT_ITS_OWN = (
    "{} has a different seed than this job: it is an older image from the cache, or a newer one of the same name."
)


MANY_FILES = 100
"""Files of one job that are saved without a question; a server may claim any number."""


async def save_and_tell(app: App[None], service: ServiceThread, job: Job, folder: Path) -> None:
    """Save every file of a job, and say what is where; call it in a worker, since many files are asked about."""
    if len(job.outputs) > MANY_FILES:
        question = (
            f"The server lists {len(job.outputs):,} files for this job. Save them all in {sanitize(str(folder), 200)}?"
        )
        if not await app.push_screen_wait(ConfirmScreen(question)):
            return
    text, severity = await save_outputs(service, job, folder)
    app.notify(sanitize(text, 600), severity=severity, markup=False)


async def save_outputs(service: ServiceThread, job: Job, folder: Path) -> tuple[str, Severity]:
    """Save every file of a job in `folder`; one sentence that says what is where."""
    if not job.outputs:
        return "This job has no files to save.", "information"
    saved: list[Path] = []
    strange = ""
    try:
        await asyncio.to_thread(clear_parts, folder)
        for output in job.outputs:
            saved.append(await _save(service, output, folder))
            if not strange and await asyncio.to_thread(lambda: _is_of_another(job, _start_of(saved[-1]))):
                strange = sanitize(output.filename, 80)
    except (ComfyError, SaveError) as error:
        done = f"{len(saved)} of {len(job.outputs)} saved. " if saved else ""
        return f"{done}{error}", "error"
    where = sanitize(str(saved[0]), 200)
    told = f"Saved {where}" if len(saved) == 1 else f"Saved {len(saved)} files, the first as {where}"
    if strange:
        return f"{told}. {NOT_ITS_OWN.format(strange)}", "warning"
    return told, "information"


READ_LIMIT = 32 * 2**20
"""Bytes of a saved file in which the graph that made it is looked for."""
SHOWN_LIMIT = 32 * 2**20
"""Bytes of a picture that is only to be shown."""


async def shown_picture(service: ServiceThread, output: "Output") -> bytes:
    """A light version of a picture, for the screen."""
    return await asyncio.wrap_future(
        service.call(lambda client: client.view(output, preview="webp;90", limit=SHOWN_LIMIT))
    )


async def _save(service: ServiceThread, output: "Output", folder: Path) -> Path:
    """Save one file as it arrives, so that no large one stands in memory; where it went."""
    with ExitStack() as stack:
        file = await asyncio.to_thread(stack.enter_context, new_file(folder))

        async def take(piece: bytes) -> None:
            await asyncio.to_thread(file.write, piece)

        await asyncio.wrap_future(service.call(lambda client: client.download(output, take)))
        return await asyncio.to_thread(file.take_name, output.filename)


def _start_of(path: Path) -> bytes:
    """What is read of a saved file to find the graph that made it."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(READ_LIMIT)
    return b""


def _is_of_another(job: Job, data: bytes) -> bool:
    """Whether a picture names another seed than the job had: a server whose folder is emptied counts anew."""
    seeds = zip(_seeds(parameters_of(graph_in(data))), _seeds(job.parameters), strict=False)
    return any(None not in pair and pair[0] != pair[1] for pair in seeds)


def _seeds(parameters: GenerationParameters) -> tuple[int | None, ...]:
    return parameters.seed, *parameters.more_seeds
