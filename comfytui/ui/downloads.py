"""Download a job's files: to save them, or to show an image."""

import asyncio
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App
from textual.worker import Worker

from comfytui.comfy.errors import ComfyError
from comfytui.new_files import SaveError, new_file, remove_stale_parts
from comfytui.sanitize import sanitize
from comfytui.service.notifications import Severity
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.workflow.image_metadata import extract_graph
from comfytui.workflow.parameters import GenerationParameters, parameters_of

if TYPE_CHECKING:
    from comfytui.comfy.protocol.events import Output

SEED_DIFFERS = (
    "{} has a different seed than this job: it is an older image from the cache, or a newer one of the same name."
)
MANY_FILES = 100
"""Files of one job that are saved without confirmation; a server may claim any number."""
MAX_METADATA_BYTES = 32 * 2**20
"""Bytes of a saved file that are searched for the graph in its metadata."""
MAX_SHOWN_BYTES = 32 * 2**20
"""Bytes of an image that is downloaded only to be shown."""


def start_saving(app: App[None], service: ServiceThread, job: Job, folder: Path) -> Worker[None]:
    """Save every file of a job in a worker of the application, which goes on when a screen is closed."""
    return app.run_worker(_save_and_notify(app, service, job, folder), group="save")


async def _save_and_notify(app: App[None], service: ServiceThread, job: Job, folder: Path) -> None:
    """Save every file of a job, after confirmation if there are many, and notify the user of the result."""
    if len(job.outputs) > MANY_FILES:
        question = (
            f"The server lists {len(job.outputs):,} files for this job. Save them all in {sanitize(str(folder), 200)}?"
        )
        if not await app.push_screen_wait(ConfirmScreen(question)):
            return
    text, severity = await save_outputs(service, job, folder)
    app.notify(sanitize(text, 600), severity=severity, markup=False)


async def save_outputs(service: ServiceThread, job: Job, folder: Path) -> tuple[str, Severity]:
    """Save every file of a job in a folder.

    Returns:
        A message that says what was saved where, or what failed, and its severity.
    """
    if not job.outputs:
        return "This job has no files to save.", "information"
    saved: list[Path] = []
    other_seed = ""
    try:
        await asyncio.to_thread(remove_stale_parts, folder)
        for output in job.outputs:
            saved.append(await _save(service, output, folder))
            if not other_seed and await asyncio.to_thread(lambda: _seed_differs(job, _read_head(saved[-1]))):
                other_seed = sanitize(output.filename, 80)
    except (ComfyError, SaveError) as error:
        done = f"{len(saved)} of {len(job.outputs)} saved. " if saved else ""
        return f"{done}{error}", "error"
    where = sanitize(str(saved[0]), 200)
    text = f"Saved {where}" if len(saved) == 1 else f"Saved {len(saved)} files, the first as {where}"
    if other_seed:
        return f"{text}. {SEED_DIFFERS.format(other_seed)}", "warning"
    return text, "information"


async def fetch_for_display(service: ServiceThread, output: "Output") -> bytes:
    """Download an image in a small format, to be shown only.

    Raises:
        ComfyError: It could not be downloaded.
    """
    return await asyncio.wrap_future(
        service.call(lambda backend: backend.view(output, preview="webp;90", limit=MAX_SHOWN_BYTES))
    )


async def _save(service: ServiceThread, output: "Output", folder: Path) -> Path:
    """Download one file piece by piece, so that a large one is never in memory, and return its path."""
    with ExitStack() as stack:
        file = await asyncio.to_thread(stack.enter_context, new_file(folder))

        async def write(piece: bytes) -> None:
            await asyncio.to_thread(file.write, piece)

        await asyncio.wrap_future(service.call(lambda backend: backend.download(output, write)))
        return await asyncio.to_thread(file.commit, output.filename)


def _read_head(path: Path) -> bytes:
    """Return the beginning of a saved file, or nothing if it cannot be read."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(MAX_METADATA_BYTES)
    return b""


def _seed_differs(job: Job, data: bytes) -> bool:
    """Return whether an image's metadata names another seed than the job had.

    A server whose output folder was emptied starts numbering anew, so that file names are used again.
    """
    seeds = zip(_seeds(parameters_of(extract_graph(data))), _seeds(job.parameters), strict=False)
    return any(None not in pair and pair[0] != pair[1] for pair in seeds)


def _seeds(parameters: GenerationParameters) -> tuple[int | None, ...]:
    return parameters.seed, *parameters.more_seeds
