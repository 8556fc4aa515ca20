"""The *Now* panel: the one line that tells the truth, two bars, the picture, and what is being made."""

import time
from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from comfytui.plain import plain
from comfytui.session.model import Batch, LinkKind
from comfytui.session.progress import Progress, Stage, line, progress_of
from comfytui.session.silence import stall_of
from comfytui.session.state import SessionState
from comfytui.session.views import batch_number, current_batch, next_job
from comfytui.ui import words
from comfytui.ui.bar import Bar, BarStyle
from comfytui.ui.line import Line
from comfytui.ui.picture import Picture
from comfytui.ui.recipes import recipe_line

IDLE = "Nothing runs"
ROOM_FOR_PHASE = 64
"""Columns of the panel from which on the line of truth and the node beside it both fit."""
FIGURES_PAUSE = 0.9
"""Seconds between two paints of rates and times; a little less than the tick that moves clocks."""


class NowPanel(Vertical):
    """Shows the batch that runs, else the next one, else the one that ended last."""

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
            yield Picture(id="preview")
            with Vertical(id="about"):
                yield Line(id="about-title")
                yield Line(id="about-recipe")
                yield Line(id="about-note")

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = "Now"
        self._batch = ""
        self._occasion: object = None
        self._figures_due = 0.0

    def show(self, state: SessionState) -> None:
        """Paint the words and bars of the present moment."""
        batch = current_batch(state)
        if batch is None:
            self._line("truth").say(_foreign(state))
            return
        if batch.id != self._batch:
            self._batch = batch.id
            self.show_preview(None)
        progress = progress_of(state, batch, time.monotonic())
        style = _style(progress)
        self._line("truth").say(line(progress))
        # The line of truth comes first: what stands beside it gives way.
        self._line("phase").display = self.size.width >= ROOM_FOR_PHASE
        fresh = state.link.kind in {LinkKind.LIVE, LinkKind.POLLING}
        stale = not fresh and progress.stage is not Stage.ENDED
        stall = None if stale or progress.blind else stall_of(state, time.monotonic())
        self._line("phase").say(words.AS_LAST_SEEN if stale else "stalled" if stall else _phase(progress))
        self._show_figures(progress, stale or stall is not None)
        subject = (batch.id, progress.image_index)
        self.query_one("#image-bar", Bar).show(progress.image_fraction, style, subject=subject)
        self.query_one("#batch-bar", Bar).show(progress.batch_fraction, style, subject=batch.id)
        self._show_about(state, batch, str(stall) if stall else progress.note)

    def show_preview(self, data: bytes | None) -> None:
        """Show a picture of the running image, or none."""
        picture = self.query_one(Picture)
        picture.show(data, max_cells=picture.size)

    def show_finished(self, data: bytes, batch: str) -> None:
        """Show a finished image of a batch as large as there is room, unless another batch has the panel by now."""
        if batch == self._batch:
            self.query_one(Picture).show(data)

    def _show_figures(self, progress: Progress, stale: bool) -> None:
        """Rates and times once a second at most: they stand right of the bars, which are painted along with them."""
        now, occasion = time.monotonic(), (self._batch, progress.stage, progress.image_index, stale)
        if occasion == self._occasion and now < self._figures_due:
            return
        self._occasion, self._figures_due = occasion, now + FIGURES_PAUSE
        self._line("image-figures").say("" if stale else _image_figures(progress))
        self._line("batch-figures").say("" if stale else _batch_figures(progress))

    def _show_about(self, state: SessionState, batch: Batch, note: str) -> None:
        title = plain(batch.title, 200)
        several = len(state.batches) > 1
        self._line("about-title").say(f"Batch {batch_number(state, batch)}: {title}" if several else title)
        job = next_job(state, batch) or state.jobs.get(batch.prompts[-1] if batch.prompts else "")
        self._line("about-recipe").say(recipe_line(job.recipe) if job else "")
        self._line("about-note").say(plain(note, 200))

    def _line(self, name: str) -> Line:
        return self.query_one(f"#{name}", Line)


def _foreign(state: SessionState) -> str:
    if state.queue_remaining:
        return f"None of your jobs runs; {state.queue_remaining} of other clients in the queue"
    return IDLE


def _style(progress: Progress) -> BarStyle:
    if progress.stage is not Stage.ENDED:
        return "running"
    return "failed" if progress.failed or progress.rejected else "done"


def _phase(progress: Progress) -> str:
    """`KSampler · sampling` while steps are counted; before, the phase stands in the line of truth."""
    phase = progress.phase or "" if progress.current_step else ""
    again = f"pass {progress.passes}" if progress.passes > 1 else ""
    return _joined((plain(progress.node_class, 40), phase, again), " · ")


def _image_figures(progress: Progress) -> str:
    remaining = (progress.image_left, progress.image_left) if progress.image_left is not None else None
    return _joined((words.rate(progress.rate), words.left(remaining)), "  ")


def _batch_figures(progress: Progress) -> str:
    gone = f"{words.duration(progress.batch_elapsed)} elapsed" if progress.batch_elapsed >= 1 else ""
    return _joined((gone, words.left(progress.batch_left)), "  ")


def _joined(parts: Iterable[str], separator: str) -> str:
    return separator.join(part for part in parts if part)
