"""Events as one line of text each, for terminals and screen readers."""

from collections.abc import Mapping

from comfytui.headless.documents.events import EndEvent, Event, ImageEvent, ProgressEvent
from comfytui.headless.documents.jobs import ENDS, End, JobError, Outcome
from comfytui.presentation.formatting import cell_text, rate, time_left
from comfytui.presentation.status_text import FAILURE_LIMIT
from comfytui.sanitize import sanitize

PATH_LIMIT = 4_096
"""Characters of a file's name or path that are shown."""
_OUTCOMES: Mapping[Outcome, str] = {"succeeded": "done", "lost": "lost: no longer on the server"}


def event_text(event: Event) -> str:
    """Return an event as one line that is safe to print, such as `Image 2 of 4 - Step 12/20 (60%)`."""
    match event:
        case ProgressEvent():
            return progress_text(event)
        case ImageEvent():
            return image_text(event)
        case EndEvent():
            return end_text(event)


def progress_text(event: ProgressEvent) -> str:
    """Return how far a job or a batch is."""
    image = f"Image {event.image_index} of {event.total_images}"
    if event.status == "running":
        if event.current_step:
            return f"{image} - Step {event.current_step}/{event.total_steps} ({event.percentage}%)"
        return f"{image} - {event.phase or 'step unknown'}"
    if event.status == "queued":
        return f"{image} - queued, {f'{event.ahead} ahead' if event.ahead else 'next'}"
    return f"{image} - {event.status}"


def progress_figures(event: ProgressEvent) -> str:
    """Return `3.1 it/s  0:05 left` of a job or a batch, or as much of it as is known."""
    left = event.left_seconds
    return "  ".join(filter(None, (rate(event.rate), time_left(None if left is None else (left, left)))))


def image_text(event: ImageEvent) -> str:
    """Return how an image ended: `Image 2 of 4 done: fox_00002_.png (Steps 20, seed 7)`, or why it failed."""
    ended = f"Image {event.image_index} of {event.total_images} {_OUTCOMES.get(event.outcome, event.outcome)}"
    if event.error:
        return _error_text(ended, event.error)
    names = ", ".join(sanitize(file.path or file.filename, PATH_LIMIT) for file in event.outputs)
    seeds = ", ".join(map(str, event.seeds))
    cell = cell_text(tuple((each.label, each.value) for each in event.cell))
    about = ", ".join(filter(None, (cell, seeds and f"{'seed' if len(event.seeds) == 1 else 'seeds'} {seeds}")))
    return ended + (f": {names}{f' ({about})' if about else ''}" if names else "")


def _error_text(ended: str, error: JobError) -> str:
    where = f" in {sanitize(error.node, 60)}" if error.node else ""
    reasons = [sanitize(reason, FAILURE_LIMIT) for reason in (error.message, *error.inputs) if reason]
    return f"{ended}{where}: {'; '.join(reasons)}" if reasons else ended + where


def end_text(event: EndEvent) -> str:
    """Return how many images ended how: `3 of 4 done, 1 failed`."""
    others: list[End] = [end for end in ENDS if end != "done" and event.counts.get(end)]
    return f"{event.counts.get('done', 0)} of {event.total_images} done" + "".join(
        f", {event.counts[end]} {end}" for end in others
    )
