"""The *Now* panel: the one line that tells the truth, two bars, the picture, and what is being made."""

import time
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from comfytui.presentation import formatting
from comfytui.presentation.formatting import parameters_line
from comfytui.presentation.status_text import AS_LAST_SEEN, failure_text
from comfytui.sanitize import sanitize
from comfytui.session.model import Batch, Job, LinkKind, Phase
from comfytui.session.progress import BatchProgress, Stage, progress_line, progress_of
from comfytui.session.runs.stall import current_stall
from comfytui.session.selectors import batch_number, current_batch, jobs_of, next_job
from comfytui.session.state import SessionState
from comfytui.ui.images.image_view import ImageView
from comfytui.ui.widgets.progress_bar import Bar, BarStyle
from comfytui.ui.widgets.text import Line, Paragraph, SettingsLine

IDLE = "Nothing is running"
TITLE_LIMIT = 2_000
"""Characters of a prompt, of which as many lines are shown as there is room for."""
ROOM_FOR_PHASE = 64
"""Columns of the panel from which on the line of truth and the node beside it both fit."""
PREVIEW_CELLS = (200, 100)
"""Columns and rows that a preview may have where the panel has room for it."""
LEAST_PHASE = 12
"""Columns beside the line of truth below which nothing is written there."""
FIGURES_PAUSE = 0.9
"""Seconds between two paints of rates and times; a little less than the tick that moves clocks."""


class NowPanel(Vertical):
    """Shows the batch that runs, else the next one, else the one that ended last."""

    def __init__(self, *, id: str | None = None, pictures: bool = True) -> None:  # noqa: A002
        super().__init__(id=id, classes="-empty" if pictures else "-empty -plain")
        self.border_title = "Now"
        self.current: Batch | None = None
        """The batch that is shown."""
        self.given = ""
        """The prompt_id of the image whose picture, finished or not, was given last to be shown; empty for none."""
        self._is_preview = False
        self._given: list[tuple[bytes, Job]] = []
        self._described: Job | None = None
        self._occasion: object = None
        self._figures_due = 0.0

    def compose(self) -> ComposeResult:
        """Head line, two bars, and below them picture and recipe."""
        with Horizontal(classes="now-line"):
            yield Line(id="truth")
            yield Line(id="phase", classes="aside")
        with Horizontal(classes="now-line"):
            yield Line("image", classes="bar-label")
            yield Bar(id="image-bar")
            yield Line(id="image-figures", classes="figures")
        with Horizontal(classes="now-line"):
            yield Line("batch", classes="bar-label")
            yield Bar(id="batch-bar")
            yield Line(id="batch-figures", classes="figures")
        with Horizontal(id="now-body"):
            yield ImageView(id="preview")
            with Vertical(id="about"):
                yield Paragraph(id="about-title")
                yield SettingsLine(id="about-recipe")
                yield Paragraph(id="about-note")
                yield Line(id="about-picture")

    def on_mount(self) -> None:
        """What is said of a picture changes with it."""
        self.watch(self.query_one(ImageView), "shown_data", self._show_caption, init=False)

    def show(self, state: SessionState) -> None:
        """Paint the words and bars of the present moment."""
        batch = current_batch(state)
        if batch is None:
            self._line("truth").set_text(_foreign(state))
            return
        if self.current is None or batch.id != self.current.id:
            self._occasion = None
        self.current = batch
        if self.given and self.given not in batch.prompts:
            self.clear_picture()
        progress = progress_of(state, batch, time.monotonic())
        self._line("truth").set_text(progress_line(progress))
        fresh = state.link.kind in {LinkKind.LIVE, LinkKind.POLLING}
        stale = not fresh and progress.stage is not Stage.ENDED
        stall = None if stale or progress.unobserved else current_stall(state, time.monotonic())
        failure = _failure(state, batch) if progress.failed or progress.rejected else ""
        aside = AS_LAST_SEEN if stale else "stalled" if stall else _phase(progress)
        self._show_aside(aside or ("" if self.query_one("#now-body").display else failure))
        self._show_figures(progress, stale or stall is not None)
        subject, style = (batch.id, progress.image_index), _style(progress)
        self.query_one("#image-bar", Bar).show(progress.image_fraction, style, subject=subject)
        self.query_one("#batch-bar", Bar).show(progress.batch_fraction, style, subject=batch.id)
        self._show_about(state, batch, str(stall) if stall else sanitize(progress.note, 200) or failure)

    def show_pictures(self, on: bool) -> None:
        """Give pictures their place in the panel, or take it from them."""
        if not on:
            self.clear_picture()
        self.set_class(not on, "-plain")

    @property
    def has_room_for_pictures(self) -> bool:
        """Whether a picture would be seen; it has no place of its own before there is one."""
        return self.query_one("#now-body").region.area > 0 and not self.has_class("-plain")

    def show_preview(self, data: bytes, job: Job) -> None:
        """Show a preview of the image that runs."""
        self._is_preview = True
        self._give(data, job)
        self.query_one(ImageView).show(data, max_cells=PREVIEW_CELLS)

    def show_finished(self, data: bytes, job: Job) -> None:
        """Show a finished image, unless the panel has gone on to another batch, or to previews of a later image."""
        prompts = self.current.prompts if self.current else ()
        if job.prompt_id not in prompts:
            return
        of_later = self.given in prompts and prompts.index(self.given) > prompts.index(job.prompt_id)
        if not (self._is_preview and of_later):
            self._is_preview = False
            self._give(data, job)
            self.query_one(ImageView).show(data)

    def clear_picture(self) -> None:
        """Show no picture."""
        self._is_preview, self.given = False, ""
        self._given.clear()
        self.add_class("-empty")
        self.query_one(ImageView).show(None)

    def _give(self, data: bytes, job: Job) -> None:
        """Remember whose picture it is until it is painted and replaced by another one."""
        painted = self.query_one(ImageView).shown_data
        self._given = [each for each in self._given if each[0] is painted] + [(data, job)]
        self.given = job.prompt_id
        self.remove_class("-empty")

    def _show_caption(self) -> None:
        """Say of which image the picture is that is painted, where that is not the one that is described."""
        painted = self.query_one(ImageView).shown_data
        job = next((job for data, job in self._given if data is painted), None)
        other = job if job and self._described and job.prompt_id != self._described.prompt_id else None
        self._line("about-picture").set_text(_caption(other) if other else "")

    def _show_aside(self, text: str) -> None:
        """What stands beside the line of truth, which comes first: it gets what that leaves, or nothing."""
        width = self.content_size.width
        room = width - cell_len(self._line("truth").text) - 2
        shown = width >= ROOM_FOR_PHASE and room >= LEAST_PHASE
        self._line("phase").display = shown
        if shown:
            self._line("phase").set_text(text if cell_len(text) <= room else set_cell_size(text, room - 1) + "…")

    def _show_figures(self, progress: BatchProgress, stale: bool) -> None:
        """Rates and times once a second at most: they stand right of the bars, which are painted along with them."""
        batch = self.current.id if self.current else ""
        now, occasion = time.monotonic(), (batch, progress.stage, progress.image_index, stale)
        if occasion == self._occasion and now < self._figures_due:
            return
        self._occasion, self._figures_due = occasion, now + FIGURES_PAUSE
        self._line("image-figures").set_text("" if stale else _image_figures(progress))
        figures = self._line("batch-figures")
        figures.set_text("" if stale else _batch_figures(progress, figures.content_size.width))

    def _show_about(self, state: SessionState, batch: Batch, note: str) -> None:
        title = sanitize(batch.title, TITLE_LIMIT)
        several = len(state.batches) > 1
        job = next_job(state, batch) or state.jobs.get(batch.prompts[-1] if batch.prompts else "")
        prompt = sanitize(job.parameters.prompt, TITLE_LIMIT) if job else ""
        title = prompt if prompt.startswith(title) else title
        self._line("about-title").set_text(f"Batch {batch_number(state, batch)}: {title}" if several else title)
        self._line("about-recipe").set_text(parameters_line(job.parameters) if job else "")
        self._line("about-note").set_text(note)
        self._described = job
        self._show_caption()

    def _line(self, name: str) -> Line:
        return self.query_one(f"#{name}", Line)


def _foreign(state: SessionState) -> str:
    if state.queue_remaining:
        return f"None of your jobs is running; {state.queue_remaining} of other clients in the queue"
    return IDLE


def _style(progress: BatchProgress) -> BarStyle:
    if progress.stage is not Stage.ENDED:
        return "running"
    return "failed" if progress.failed or progress.rejected else "done"


def _failure(state: SessionState, batch: Batch) -> str:
    """Why the image of a batch failed that did so last; empty where none did."""
    failed = [job for job in jobs_of(state, batch) if job.failure]
    if not failed:
        return ""
    job = max(failed, key=lambda job: job.ended or 0.0)
    image = f"Image {job.batch_tag.index} " if job.batch_tag and job.batch_tag.total > 1 else ""
    word = job.status.label
    return failure_text(f"{image}{word}" if image else word.capitalize(), job.failure) if job.failure else ""


def _caption(job: Job) -> str:
    """Of which image a picture is, where that is not the one beside it."""
    image = f"image {job.batch_tag.index} of {job.batch_tag.total}" if job.batch_tag else "another image"
    return f"Shown: {image}" + (f", seed {job.parameters.seed}" if job.parameters.seed is not None else "")


def _phase(progress: BatchProgress) -> str:
    """`KSampler · sampling` while steps are counted; before, the phase stands in the line of truth."""
    phase = progress.phase or "" if progress.current_step and progress.phase is not Phase.WORKING else ""
    again = f"pass {progress.passes}" if progress.passes > 1 else ""
    return _joined((sanitize(progress.node_class, 40), phase, again), " · ")


def _image_figures(progress: BatchProgress) -> str:
    remaining = (progress.image_left, progress.image_left) if progress.image_left is not None else None
    return _joined((formatting.rate(progress.rate), formatting.time_left(remaining)), "  ")


def _batch_figures(progress: BatchProgress, width: int) -> str:
    """How long the batch has run and still will; only the latter where both are longer than `width`."""
    seconds = progress.batch_elapsed or 0.0
    elapsed = f"{formatting.duration(seconds)} elapsed" if seconds >= 1 else ""
    # Where other jobs come first or in between, the time that it runs is not the time until it is done.
    rest = (
        formatting.time_until_start(progress.starts_in)
        if progress.held_up
        else formatting.time_left(progress.batch_left)
    )
    both = _joined((elapsed, rest), "  ")
    return rest if rest and 0 < width < len(both) else both


def _joined(parts: Iterable[str], separator: str) -> str:
    return separator.join(part for part in parts if part)
