"""Save a job's files in a folder of this machine."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comfytui.comfy.errors import ComfyError, Unreachable
from comfytui.new_files import DiskFullError, SaveError, new_file, remove_stale_parts
from comfytui.workflow.parameters import GenerationParameters, parameters_of

if TYPE_CHECKING:
    from comfytui.comfy.protocol.events import Output
    from comfytui.service.thread import ServiceThread
    from comfytui.session.model import Job


@dataclass(frozen=True, slots=True)
class SavedOutputs:
    """What became of a job's files."""

    total: int
    """How many files the job has."""
    paths: tuple[Path, ...] = ()
    """The files that were saved, in the job's order."""
    other_seed: str = ""
    """The server's name of the first file that has a different seed than the job."""
    error: ComfyError | SaveError | None = None
    """Why one of the others was not saved."""
    missing: tuple[int, ...] = ()
    """The places, from 0, of the files that were not saved."""

    @property
    def is_disk_full(self) -> bool:
        """Whether there was no room for them; with more of it, they can be saved."""
        return isinstance(self.error, DiskFullError)


async def save_outputs(service: "ServiceThread", job: "Job", folder: Path) -> SavedOutputs:
    """Save every file of a job in a folder, under the server's names made safe, and never over another file.

    A file that cannot be saved holds up none of the others, unless the server is away or the disk is full.
    Several jobs can be saved in one folder at the same time.
    """
    saved: list[Path] = []
    missing: list[int] = []
    other_seed = ""
    error: ComfyError | SaveError | None = None
    if job.outputs:
        await asyncio.to_thread(remove_stale_parts, folder)
    for place, output in enumerate(job.outputs):
        try:
            saved.append(await _save(service, output, folder))
        except (ComfyError, SaveError) as failure:
            error = error or failure
            if isinstance(failure, Unreachable | DiskFullError):
                error = failure
                missing += range(place, len(job.outputs))
                break
            missing.append(place)
            continue
        if not other_seed and await asyncio.to_thread(_seed_differs, job, saved[-1]):
            other_seed = output.filename
    return SavedOutputs(len(job.outputs), tuple(saved), other_seed, error, tuple(missing))


async def _save(service: "ServiceThread", output: "Output", folder: Path) -> Path:
    """Download one file piece by piece, so that a large one is never in memory, and return its path."""
    with ExitStack() as stack:
        file = await asyncio.to_thread(stack.enter_context, new_file(folder))

        async def write(piece: bytes) -> None:
            await asyncio.to_thread(file.write, piece)

        await asyncio.wrap_future(service.call(lambda backend: backend.download(output, write)))
        return await asyncio.to_thread(file.commit, output.filename)


def _seed_differs(job: "Job", path: Path) -> bool:
    """Return whether a saved file's metadata name another seed than the job had.

    A server whose output folder was emptied starts numbering anew, so that file names are used again.
    """
    from comfytui.workflow.media.metadata import graph_in_file

    seeds = zip(_seeds(parameters_of(graph_in_file(path))), _seeds(job.parameters), strict=False)
    return any(None not in pair and pair[0] != pair[1] for pair in seeds)


def _seeds(parameters: GenerationParameters) -> tuple[int | None, ...]:
    return parameters.seed, *parameters.more_seeds
