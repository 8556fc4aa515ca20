"""The pages of the job screen, one for each output of a batch, and the texts on them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comfytui.comfy.protocol.media_types import Media, media_of
from comfytui.presentation.formatting import cell_text
from comfytui.presentation.status_text import job_status_text, node_label
from comfytui.sanitize import sanitize, sanitize_lines
from comfytui.session.model import Job
from comfytui.session.selectors import batch_of, is_overwritten
from comfytui.session.state import SessionState

if TYPE_CHECKING:
    from comfytui.comfy.protocol.events import Output

OVERWRITTEN = "a newer job uses the same name"
"""Note at an image that may be the newer job's."""


@dataclass(frozen=True, slots=True)
class Page:
    """One output of a job, or the job itself while it has none."""

    job: Job
    output: "Output | None" = None


def pages_of(state: SessionState, prompt_id: str) -> tuple[Page, ...]:
    """Return the pages of all jobs of a job's batch, in their order; of another client's job, its own pages."""
    job = state.jobs.get(prompt_id)
    batch = batch_of(state, job) if job else None
    ids = batch.prompt_ids if batch else (prompt_id,)
    jobs = [state.jobs[each] for each in ids if each in state.jobs]
    return tuple(Page(each, output) for each in jobs for output in (each.outputs or (None,)))


def file_caption(state: SessionState, page: Page) -> str:
    """Return which image of the batch a page shows, the file's name, and which of the job's files it is."""
    job, output = page.job, page.output
    tag = job.batch_tag
    parts = [f"Image {tag.index} of {tag.total}" if tag and tag.total > 1 else ""]
    parts.append(cell_text(job.parameters.cell))
    if output is not None:
        own = job.outputs
        what = "image" if all(media_of(each) is Media.IMAGE for each in own) else "file"
        parts.append(sanitize(output.filename, 200))
        parts.append(f"{what} {own.index(output) + 1} of {len(own)}" if len(own) > 1 else "")
        parts.append(OVERWRITTEN if is_overwritten(state, job, output) else "")
    return "   ".join(part for part in parts if part)


def file_text(output: "Output", folder: Path) -> str:
    """Return the text in place of a file that is no image.

    Args:
        output: The file.
        folder: Where it would be saved.
    """
    media = media_of(output)
    what = "A file" if media is Media.OTHER else f"{media[0].upper()}{media[1:]} file"
    hint = f"It cannot be shown here. Press s to save it in {sanitize(str(folder), 500)}."
    return f"{what}: {sanitize(output.filename, 200)}\n\n{hint}"


def job_text(state: SessionState, job: Job) -> str:
    """Return the text about a job without outputs: its state, its text output and its failure."""
    lines = [job_status_text(job, state.runs.get(job.prompt_id)), *job.text]
    if failure := job.failure:
        where = node_label(failure.node_type, failure.node_id)
        lines += ["", f"{where}: {failure.message}" if where else failure.message]
        lines += [
            f"{node_label(error.class_type, error.node_id)}: {error.message} {error.details}"
            for error in failure.node_errors
        ]
        lines += ["", *(part.rstrip("\n") for part in failure.traceback)]
    return sanitize_lines("\n".join(lines))
