"""Fetching a job's pictures and saving them."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App

from comfytui.comfy.errors import ComfyError
from comfytui.plain import plain
from comfytui.service.notices import Severity
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job
from comfytui.ui.confirm import ConfirmScreen
from comfytui.ui.save import SaveError, clear_parts, save
from comfytui.workflow.picture import graph_in
from comfytui.workflow.recipe import Recipe, recipe_of

if TYPE_CHECKING:
    from comfytui.comfy.client import ComfyClient
    from comfytui.comfy.events import Output

NOT_ITS_OWN = (
    "{} has a different seed than this job: it is an older image from the cache, or a newer one of the same name."
)


MANY_FILES = 100
"""Files of one job that are saved without a question; a server may claim any number."""


async def save_and_tell(app: App[None], service: ServiceThread, job: Job, folder: Path) -> None:
    """Save every file of a job, and say what is where; call it in a worker, since many files are asked about."""
    if len(job.outputs) > MANY_FILES:
        question = (
            f"The server lists {len(job.outputs):,} files for this job. Save them all in {plain(str(folder), 200)}?"
        )
        if not await app.push_screen_wait(ConfirmScreen(question)):
            return
    text, severity = await save_outputs(service, job, folder)
    app.notify(plain(text, 600), severity=severity, markup=False)


async def save_outputs(service: ServiceThread, job: Job, folder: Path) -> tuple[str, Severity]:
    """Save every file of a job in `folder`; one sentence that says what is where."""
    if not job.outputs:
        return "This job has no files to save.", "information"
    saved: list[Path] = []
    strange = ""
    try:
        await asyncio.to_thread(clear_parts, folder)
        for output in job.outputs:
            data = await asyncio.wrap_future(service.ask(partial(_view, output=output)))
            saved.append(await asyncio.to_thread(save, folder, output.filename, data))
            if not strange and await asyncio.to_thread(_is_of_another, job, data):
                strange = plain(output.filename, 80)
    except (ComfyError, SaveError) as error:
        done = f"{len(saved)} of {len(job.outputs)} saved. " if saved else ""
        return f"{done}{error}", "error"
    where = plain(str(saved[0]), 200)
    told = f"Saved {where}" if len(saved) == 1 else f"Saved {len(saved)} files, the first as {where}"
    if strange:
        return f"{told}. {NOT_ITS_OWN.format(strange)}", "warning"
    return told, "information"


FILE_LIMIT = 512 * 2**20
"""Bytes of a file that is saved."""
SHOWN_LIMIT = 32 * 2**20
"""Bytes of a picture that is only to be shown."""


async def shown_picture(service: ServiceThread, output: "Output") -> bytes:
    """A light version of a picture, for the screen."""
    return await asyncio.wrap_future(
        service.ask(lambda client: client.view(output, preview="webp;90", limit=SHOWN_LIMIT))
    )


async def _view(client: "ComfyClient", output: "Output") -> bytes:
    return await client.view(output, limit=FILE_LIMIT)


def _is_of_another(job: Job, data: bytes) -> bool:
    """Whether a picture names another seed than the job had: a server whose folder is emptied counts anew."""
    seeds = zip(_seeds(recipe_of(graph_in(data))), _seeds(job.recipe), strict=False)
    return any(None not in pair and pair[0] != pair[1] for pair in seeds)


def _seeds(recipe: Recipe) -> tuple[int | None, ...]:
    return recipe.seed, *recipe.more_seeds
