"""The progress bars of a batch on a terminal, below the lines about what has ended."""

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from comfytui.headless.commands.event_text import event_text, progress_figures, progress_text
from comfytui.headless.commands.output import write_note
from comfytui.headless.documents.events import EndEvent, Event, ProgressEvent


class ProgressBars:
    """Shows the progress of the image and of its batch, and writes a line above for each image and end.

    It repaints once for all events that come together, and never by itself.

    Args:
        label: Returns what a line begins with.
    """

    def __init__(self, label: Callable[[Event], str] = lambda _: "") -> None:
        self._label = label
        self._console = Console(highlight=False, soft_wrap=True)
        self._bars: _Bars | None = None

    def write(self, events: Iterable[Event]) -> None:
        """Write events that came together."""
        progress: ProgressEvent | None = None
        for event in events:
            if isinstance(event, ProgressEvent):
                progress = event
            elif not isinstance(event, EndEvent) or event.prompt_id is None:
                self._print(self._label(event) + event_text(event))
            if isinstance(event, EndEvent):
                progress = None
                self.close()
        if progress is not None:
            if self._bars is None:
                self._bars = _Bars(self._console)
                self._bars.start()
            self._bars.show(progress, self._label(progress))

    def note(self, text: str) -> None:
        """Write a line to standard error, above the bars if that is the terminal."""
        if self._bars and sys.stderr is not None and sys.stderr.isatty():
            with suppress(OSError):
                self._print(text)
        else:
            write_note(text)

    def close(self) -> None:
        """Remove the bars."""
        if self._bars:
            with suppress(OSError):  # The terminal may have been closed.
                self._bars.stop()
            self._bars = None

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


class _Bars(Progress):
    """A line of text above one bar for the image, and one for its batch if that has several."""

    def __init__(self, console: Console) -> None:
        self._line = Text()
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(complete_style="yellow", finished_style="yellow", pulse_style="yellow"),
            TaskProgressColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[figures]}", markup=False),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._image = self.add_task("Image", total=1.0, figures="")
        self._batch = self.add_task("Batch", total=1.0, figures="", visible=False)

    def show(self, event: ProgressEvent, label: str) -> None:
        """Show how far a job or a batch is."""
        self._line = Text(label + progress_text(event), no_wrap=True, overflow="ellipsis")
        is_batch = event.batch_fraction is not None and event.total_images > 1
        figures = progress_figures(event)
        self.update(
            self._image,
            completed=event.image_fraction or 0.0,
            total=None if event.image_fraction is None else 1.0,
            figures="" if is_batch else figures,
        )
        self.update(self._batch, completed=event.batch_fraction or 0.0, visible=is_batch, figures=figures)
        self.refresh()

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the line, and the bars below it."""
        yield self._line
        yield self.make_tasks_table(self.tasks)
