"""The job screen: the images of a job with its prompt and parameters, or its state if it has none."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from comfytui.comfy.errors import ComfyError
from comfytui.comfy.protocol.media_types import Media, media_of
from comfytui.presentation.formatting import parameters_line
from comfytui.sanitize import sanitize
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job
from comfytui.session.selectors import batch_of
from comfytui.session.state import SessionState
from comfytui.ui.downloads import fetch_for_display, start_saving
from comfytui.ui.images.image_view import ImageView
from comfytui.ui.screens.help import HelpScreen
from comfytui.ui.screens.job_pages import Page, file_caption, file_text, job_text, pages_of
from comfytui.ui.widgets.text import Line, Paragraph, SettingsLine

if TYPE_CHECKING:
    from comfytui.comfy.protocol.events import Output

MAX_PROMPT = 100_000
"""Characters of a prompt that are shown; a longer one ends with an ellipsis."""


class JobScreen(Screen[None]):
    """Shows a job, follows its state, and turns to the other pages of its batch.

    Args:
        service: The service, which downloads the images.
        state: The session state at the start; `follow` takes newer ones.
        prompt_id: The job to begin with.
        folder: Where files are saved.
        recall: Fills the form with what a job was made of.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "app.pop_screen", "Back", key_display="esc", id="job-back"),
        Binding("s", "save", "Save", id="job-save", tooltip="Save all files of this job"),
        Binding("e", "recall", "Edit", id="job-recall", tooltip="Fill the form with what this job was made of"),
        Binding("left,h", "turn(-1)", "Previous", key_display="←", id="job-previous"),
        Binding("right,l", "turn(1)", "Next", key_display="→", id="job-next"),
        Binding("down,j", "scroll_text(1)", "Scroll", key_display="↑↓", id="job-down", tooltip="Scroll the text"),
        Binding("up,k", "scroll_text(-1)", show=False, id="job-up"),
        Binding("pagedown,space", "scroll_text(1, True)", show=False, id="job-page-down"),
        Binding("pageup", "scroll_text(-1, True)", show=False, id="job-page-up"),
        Binding("home,g", "scroll_to_end(-1)", show=False, id="job-top"),
        Binding("end,G", "scroll_to_end(1)", show=False, id="job-bottom"),
        Binding("question_mark", "help", "Help", key_display="?", id="job-help", tooltip="Show all keys"),
    ]

    def __init__(
        self,
        service: ServiceThread,
        state: SessionState,
        prompt_id: str,
        folder: Path,
        recall: Callable[[Job], None],
    ) -> None:
        super().__init__()
        self._service = service
        self._state = state
        self._folder = folder
        self._recall = recall
        self._pages = pages_of(state, prompt_id)
        self._index = next((at for at, page in enumerate(self._pages) if page.job.prompt_id == prompt_id), 0)
        self._shown: tuple[str, Output | None] = ("", None)
        """The prompt_id and the image that are shown; several jobs may have the same image."""

    @property
    def _page(self) -> Page:
        return self._pages[self._index]

    def compose(self) -> ComposeResult:
        """Compose prompts and parameters, and below them the image or the text about the job."""
        # Without focus: the screen's own keys scroll all of them as one text.
        with VerticalScroll(id="job-prompt", can_focus=False):
            yield Line(id="job-title")
            yield Line(id="job-negative")
        with VerticalScroll(id="job-settings", can_focus=False):
            yield SettingsLine(id="job-parameters")
        yield Paragraph(id="job-file")
        yield ImageView(id="large")
        with VerticalScroll(id="job-text", can_focus=False):
            yield Static(markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show the page of the job to begin with."""
        self._show()

    def on_resize(self) -> None:
        """Update the footer: whether there is anything to scroll depends on the size."""
        self.call_after_refresh(self.refresh_bindings)

    def follow(self, state: SessionState) -> None:
        """Show a newer state; a job that left the session stays as it was."""
        self._state = state
        job, output = self._page.job, self._page.output
        pages = pages_of(state, job.prompt_id)
        own = [at for at, page in enumerate(pages) if page.job.prompt_id == job.prompt_id]
        if not own:
            return
        index = next((at for at in own if pages[at].output == output), own[0])
        if len(pages) != len(self._pages):
            self.refresh_bindings()
        self._pages, self._index = pages, index
        if self.is_mounted:
            self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to turn if there are several pages, to scroll if the text is long, and to save if there are files."""
        if action == "turn":
            return len(self._pages) > 1
        if action in {"scroll_text", "scroll_to_end"}:
            return any(part.max_scroll_y > 0 for part in self._scrollables)
        return action != "save" or bool(self._page.job.outputs)

    def action_turn(self, step: int) -> None:
        """Show the next (1) or previous (-1) page."""
        self._index = (self._index + step) % len(self._pages)
        self.refresh_bindings()
        self._show()

    @property
    def _scrollables(self) -> list[VerticalScroll]:
        """The visible scrollable widgets, from top to bottom."""
        return [part for part in self.query(VerticalScroll) if part.display]

    def action_scroll_text(self, direction: int, page: bool = False) -> None:
        """Scroll by a line or a page: down (1) the prompt to its end and then what is below it, or back up (-1)."""
        if direction > 0:
            part = next((part for part in self._scrollables if part.scroll_offset.y < part.max_scroll_y), None)
        else:
            part = next((part for part in reversed(self._scrollables) if part.scroll_offset.y > 0), None)
        if part:
            lines = max(1, part.scrollable_content_region.height - 1) if page else 1
            part.scroll_relative(y=direction * lines, animate=False)

    def action_scroll_to_end(self, direction: int) -> None:
        """Scroll all text to its beginning (-1) or end (1)."""
        for part in self._scrollables:
            part.scroll_to(y=part.max_scroll_y if direction > 0 else 0, animate=False)

    def action_save(self) -> None:
        """Save all files of this job."""
        start_saving(self.app, self._service, self._page.job, self._folder)

    def action_recall(self) -> None:
        """Go back to the form, and fill it with what this job was made of."""
        job = self._page.job
        self.app.pop_screen()
        self._recall(job)

    def action_help(self) -> None:
        """Show all keys."""
        self.app.push_screen(HelpScreen())

    def _show(self) -> None:
        job, output = self._page.job, self._page.output
        parameters = job.parameters
        batch = batch_of(self._state, job)
        title = parameters.prompt or (batch.title if batch else job.prompt_id)
        self._line("title").set_text(_sanitized(title))
        self._line("negative").set_text(f"negative: {_sanitized(parameters.negative)}" if parameters.negative else "")
        self._line("negative").display = bool(parameters.negative)
        self._line("parameters").set_text(parameters_line(parameters))
        image = output if output and media_of(output) is Media.IMAGE else None
        self.query_one(ImageView).display = image is not None
        text_area = self.query_one("#job-text")
        text_area.display = image is None
        if image is None:
            self._line("file").set_text(file_caption(self._state, self._page))
            text = file_text(output, self._folder) if output else job_text(self._state, job)
            text_area.query_one(Static).update(Text(text), layout=True)
        if (job.prompt_id, image) != self._shown:
            self._shown = (job.prompt_id, image)
            self.query_one(ImageView).show(None)
            self._fetch(image)
        self.call_after_refresh(self.refresh_bindings)

    @work(exclusive=True, group="image")
    async def _fetch(self, output: "Output | None") -> None:
        if output is None:
            return
        caption = file_caption(self._state, self._page)
        file = self._line("file")
        file.set_text(f"{caption}   loading")
        try:
            data = await fetch_for_display(self._service, output)
        except ComfyError as error:
            file.set_text(f"{caption}   {error}")
        else:
            if self.display:  # While the screen closes, the widget may be gone.
                file.set_text(caption)
                self.query_one(ImageView).show(data)

    def _line(self, name: str) -> Line:
        return self.query_one(f"#job-{name}", Line)


@lru_cache(maxsize=8)
def _sanitized(prompt: str) -> str:
    """Return a prompt as it is shown; cached, since the screen is updated at each step with the same prompt."""
    return sanitize(prompt, MAX_PROMPT)
