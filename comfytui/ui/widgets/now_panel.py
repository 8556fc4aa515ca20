"""The *Now* panel: the status of the current batch, its progress bars, its latest image and its settings."""

import time
from collections.abc import Collection

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from comfytui.presentation.batch_text import (
    batch_failure,
    batch_figures,
    batch_title,
    idle_text,
    image_caption,
    image_figures,
    phase_text,
    progress_line,
)
from comfytui.presentation.formatting import parameters_line
from comfytui.presentation.status_text import AS_LAST_SEEN
from comfytui.sanitize import sanitize
from comfytui.session.model import Batch, Job, LinkKind
from comfytui.session.progress import BatchProgress, Stage, progress_of
from comfytui.session.runs.stall import current_stall
from comfytui.session.selectors import current_batch, next_job
from comfytui.session.state import SessionState, shown_run
from comfytui.ui.images.image_view import ImageView
from comfytui.ui.widgets.progress_bar import BarStyle, ProgressBar
from comfytui.ui.widgets.text import Line, Paragraph, SettingsLine

DETAIL_MIN_WIDTH = 64
"""Columns of the panel from which on there is a detail beside the status."""
DETAIL_MIN_CELLS = 12
"""Columns that a detail beside the status needs."""
PREVIEW_MAX_CELLS = (200, 100)
"""Columns and rows that a preview may have at most."""
FIGURES_INTERVAL = 0.9
"""Seconds between two paints of rates and times; a little less than the dashboard's tick."""


class NowPanel(Vertical):
    """Shows the batch that runs, else the next one, else the one that ended last.

    The class `-empty` marks a panel that has no image to show, `-plain` one that shows none.
    """

    def __init__(self, *, id: str | None = None, images: bool = True) -> None:  # noqa: A002
        super().__init__(id=id, classes="-empty" if images else "-empty -plain")
        self.border_title = "Now"
        self.shown_batch: Batch | None = None
        """The batch that is shown."""
        self.latest_prompt_id = ""
        """The prompt_id of the job whose image, preview or finished, was passed in last; empty for none."""
        self._is_preview = False
        self._image_jobs: list[tuple[bytes, Job]] = []
        """The data of the image that is painted and of the latest one, each with its job."""
        self._described_job: Job | None = None
        self._figures_subject: object = None
        self._figures_due = 0.0

    def compose(self) -> ComposeResult:
        """Yield the status, two bars with their figures, and below them the image and its details."""
        with Horizontal(classes="now-line"):
            yield Line(id="status")
            yield Line(id="status-detail")
        with Horizontal(classes="now-line"):
            yield Line("image", classes="bar-label")
            yield ProgressBar(id="image-bar")
            yield Line(id="image-figures", classes="figures")
        with Horizontal(classes="now-line"):
            yield Line("batch", classes="bar-label")
            yield ProgressBar(id="batch-bar")
            yield Line(id="batch-figures", classes="figures")
        with Horizontal(id="now-body"):
            yield ImageView(id="preview")
            with Vertical(id="details"):
                yield Paragraph(id="details-title")
                yield SettingsLine(id="details-settings")
                yield Paragraph(id="details-note")
                yield Line(id="image-caption")

    def on_mount(self) -> None:
        """Update the caption whenever another image is painted."""
        self.watch(self.query_one(ImageView), "shown_data", self._show_caption, init=False)

    def show(self, state: SessionState) -> None:
        """Show the current batch of a state as it is now."""
        batch = current_batch(state)
        if batch is None:
            self._show_none(state)
            return
        if self.shown_batch is None or batch.id != self.shown_batch.id:
            self._figures_subject = None
        self.shown_batch = batch
        if self.latest_prompt_id and self.latest_prompt_id not in batch.prompt_ids:
            self.clear_image()
        progress = progress_of(state, batch, time.monotonic())
        self._line("status").set_text(progress_line(progress))
        fresh = state.link.kind in {LinkKind.LIVE, LinkKind.POLLING}
        stale = not fresh and progress.stage is not Stage.ENDED
        stall = None if stale or progress.unobserved else current_stall(state, shown_run(state), time.monotonic())
        failure = batch_failure(state, batch) if progress.failed or progress.rejected else ""
        detail = AS_LAST_SEEN if stale else "stalled" if stall else phase_text(progress)
        self._show_detail(detail or ("" if self.query_one("#now-body").display else failure))
        self._show_figures(progress, stale or stall is not None)
        subject, style = (batch.id, progress.image_index), _style(progress)
        self.query_one("#image-bar", ProgressBar).show(progress.image_fraction, style, subject=subject)
        self.query_one("#batch-bar", ProgressBar).show(progress.batch_fraction, style, subject=batch.id)
        self._show_details(state, batch, str(stall) if stall else sanitize(progress.note, 200) or failure)

    def _show_none(self, state: SessionState) -> None:
        """Show that there is no batch, with nothing of one that was shown before, as of another server."""
        self._line("status").set_text(idle_text(state))
        if self.shown_batch is None:
            return
        self.shown_batch = self._described_job = self._figures_subject = None
        for name in ("image-figures", "batch-figures", "details-title", "details-settings", "details-note"):
            self._line(name).set_text("")
        self._show_detail("")
        for bar in self.query(ProgressBar):
            bar.show(0.0, "idle")
        self.clear_image()

    def set_images_visible(self, visible: bool) -> None:
        """Reserve the part of the panel that images are shown in, or give it to the text."""
        if not visible:
            self.clear_image()
        self.set_class(not visible, "-plain")

    @property
    def has_room_for_images(self) -> bool:
        """Whether an image would be visible; asked of the body, as the image is hidden until there is one."""
        return self.query_one("#now-body").region.area > 0 and not self.has_class("-plain")

    def show_preview(self, data: bytes, job: Job) -> None:
        """Show a preview of the image that runs."""
        self._is_preview = True
        self._remember(data, job)
        self.query_one(ImageView).show(data, max_cells=PREVIEW_MAX_CELLS)

    def show_finished(self, data: bytes, job: Job, running: Collection[str] = ()) -> None:
        """Show a finished image, unless the panel shows another batch, or previews of a later or `running` image."""
        prompts = self.shown_batch.prompt_ids if self.shown_batch else ()
        if job.prompt_id not in prompts:
            return
        latest = self.latest_prompt_id
        is_later = latest in prompts and prompts.index(latest) > prompts.index(job.prompt_id)
        goes_on = latest in running and latest != job.prompt_id
        if not (self._is_preview and (is_later or goes_on)):
            self._is_preview = False
            self._remember(data, job)
            self.query_one(ImageView).show(data)

    def clear_image(self) -> None:
        """Remove the image."""
        self._is_preview, self.latest_prompt_id = False, ""
        self._image_jobs.clear()
        self.add_class("-empty")
        self.query_one(ImageView).show(None)

    def _remember(self, data: bytes, job: Job) -> None:
        """Remember which job an image belongs to until another one is painted in its place."""
        painted = self.query_one(ImageView).shown_data
        self._image_jobs = [each for each in self._image_jobs if each[0] is painted] + [(data, job)]
        self.latest_prompt_id = job.prompt_id
        self.remove_class("-empty")

    def _show_caption(self) -> None:
        """Name the image that is painted, if it is not the one that the details describe."""
        painted = self.query_one(ImageView).shown_data
        job = next((job for data, job in self._image_jobs if data is painted), None)
        described = self._described_job
        other = job if job and described and job.prompt_id != described.prompt_id else None
        self._line("image-caption").set_text(image_caption(other) if other else "")

    def _show_detail(self, text: str) -> None:
        """Show a text beside the status, in the columns that this leaves, or not at all."""
        width = self.content_size.width
        available = width - cell_len(self._line("status").text) - 2
        shown = width >= DETAIL_MIN_WIDTH and available >= DETAIL_MIN_CELLS
        detail = self._line("status-detail")
        detail.display = shown
        if shown:
            detail.set_text(text if cell_len(text) <= available else set_cell_size(text, available - 1) + "…")

    def _show_figures(self, progress: BatchProgress, stale: bool) -> None:
        """Show rates and times, at most once a second for one image: each change repaints the bars beside them."""
        batch = self.shown_batch.id if self.shown_batch else ""
        now, subject = time.monotonic(), (batch, progress.stage, progress.image_index, stale)
        if subject == self._figures_subject and now < self._figures_due:
            return
        self._figures_subject, self._figures_due = subject, now + FIGURES_INTERVAL
        self._line("image-figures").set_text("" if stale else image_figures(progress))
        figures = self._line("batch-figures")
        figures.set_text("" if stale else batch_figures(progress, figures.content_size.width))

    def _show_details(self, state: SessionState, batch: Batch, note: str) -> None:
        job = next_job(state, batch) or state.jobs.get(batch.prompt_ids[-1] if batch.prompt_ids else "")
        self._line("details-title").set_text(batch_title(state, batch, job))
        self._line("details-settings").set_text(parameters_line(job.parameters) if job else "")
        self._line("details-note").set_text(note)
        self._described_job = job
        self._show_caption()

    def _line(self, name: str) -> Line:
        return self.query_one(f"#{name}", Line)


def _style(progress: BatchProgress) -> BarStyle:
    if progress.stage is not Stage.ENDED:
        return "running"
    return "failed" if progress.failed or progress.rejected else "done"
