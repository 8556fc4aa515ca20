"""Describe a batch: its progress, title, rates and times, the image that is shown, and why it failed."""

from collections.abc import Iterable

from comfytui.presentation.formatting import duration, rate, time_left, time_until_start
from comfytui.presentation.status_text import failure_text
from comfytui.sanitize import sanitize
from comfytui.session.model import Batch, Job, Phase
from comfytui.session.progress import BatchProgress, Stage
from comfytui.session.selectors import batch_number, jobs_of
from comfytui.session.state import SessionState

PROMPT_LIMIT = 2_000
"""Characters of a batch's title, or of its prompt."""


def idle_text(state: SessionState) -> str:
    """Return what the server does while there is no batch of mine."""
    if state.queue_remaining:
        return f"None of your jobs is running; {state.queue_remaining} of other clients in the queue"
    return "Nothing is running"


def batch_title(state: SessionState, batch: Batch, job: Job | None) -> str:
    """Return the prompt of a batch's `job`, which its title may be the template of, numbered if there are several."""
    title = (sanitize(job.parameters.prompt, PROMPT_LIMIT) if job else "") or whole_title(batch, job)
    return f"Batch {batch_number(state, batch)}: {title}" if len(state.batches) > 1 else title


def whole_title(batch: Batch, job: Job | None) -> str:
    """Return the title of a batch, continued by the prompt of its `job`."""
    title = sanitize(batch.title, PROMPT_LIMIT)
    prompt = sanitize(job.parameters.prompt, PROMPT_LIMIT) if job else ""
    return prompt if prompt.startswith(title) else title


def batch_failure(state: SessionState, batch: Batch) -> str:
    """Return why the job of a batch failed that failed last; empty if none did."""
    failed = [job for job in jobs_of(state, batch) if job.failure]
    if not failed:
        return ""
    job = max(failed, key=lambda job: job.ended or 0.0)
    image = f"Image {job.batch_tag.index} " if job.batch_tag and job.batch_tag.total > 1 else ""
    label = job.status.label
    return failure_text(f"{image}{label}" if image else label.capitalize(), job.failure) if job.failure else ""


def image_caption(job: Job) -> str:
    """Return the caption of an image whose job is not the one that is described."""
    image = f"image {job.batch_tag.index} of {job.batch_tag.total}" if job.batch_tag else "another image"
    return f"Shown: {image}" + (f", seed {job.parameters.seed}" if job.parameters.seed is not None else "")


def progress_line(progress: BatchProgress) -> str:
    """Return the progress as one line of text, such as `Image 2 of 4 - Step 12/20 (60%)`."""
    image = f"Image {progress.image_index} of {progress.total_images}"
    others = f"  +{progress.also_running} running" if progress.also_running else ""
    match progress.stage:
        case Stage.RUNNING if progress.current_step:
            return f"{image} - Step {progress.current_step}/{progress.total_steps} ({progress.percentage}%){others}"
        case Stage.RUNNING:
            return f"{image} - {'step unknown' if progress.unobserved else progress.phase}{others}"
        case Stage.QUEUED:
            return f"{image} - queued, {progress.ahead} ahead" if progress.ahead else f"{image} - queued, next"
        case Stage.SENDING:
            return f"{progress.sent} of {progress.total_images - progress.cancelled} sent{_other_counts(progress)}"
        case Stage.ENDED:
            return f"{progress.done} of {progress.total_images} done{_other_counts(progress)}"


def _other_counts(progress: BatchProgress) -> str:
    """Return the counts to append to the number of images done."""
    counts = {
        "cached": progress.cached,
        "failed": progress.failed,
        "rejected": progress.rejected,
        "interrupted": progress.interrupted,
        "cancelled": progress.cancelled - progress.dismissed,
        "dismissed": progress.dismissed,
        "lost": progress.lost,
    }
    return "".join(f", {count} {label}" for label, count in counts.items() if count)


def phase_text(progress: BatchProgress) -> str:
    """Return `KSampler · sampling` while steps are counted; before that, the `progress_line` names the phase."""
    phase = progress.phase or "" if progress.current_step and progress.phase is not Phase.WORKING else ""
    again = f"pass {progress.passes}" if progress.passes > 1 else ""
    return _joined((sanitize(progress.node_class, 40), phase, again), " · ")


def image_figures(progress: BatchProgress) -> str:
    """Return `3.1 it/s  0:05 left` for the image that runs."""
    remaining = (progress.image_left, progress.image_left) if progress.image_left is not None else None
    return _joined((rate(progress.rate), time_left(remaining)), "  ")


def batch_figures(progress: BatchProgress, width: int) -> str:
    """Return how long the batch has run and will run; only the latter if both do not fit in `width` cells."""
    seconds = progress.batch_elapsed or 0.0
    elapsed = f"{duration(seconds)} elapsed" if seconds >= 1 else ""
    # With other jobs ahead or in between, the time that the batch runs is not the time until it is done.
    rest = time_until_start(progress.starts_in) if progress.waits_for_others else time_left(progress.batch_left)
    both = _joined((elapsed, rest), "  ")
    return rest if rest and 0 < width < len(both) else both


def _joined(parts: Iterable[str], separator: str) -> str:
    return separator.join(part for part in parts if part)
