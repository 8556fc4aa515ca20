"""One job, large: its picture with words, seed and settings, how far it is, or why there is none."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from comfytui.comfy.errors import ComfyError
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.media_types import Media, media_of
from comfytui.presentation.formatting import job_words, node_of
from comfytui.presentation.parameters_line import parameters_line
from comfytui.sanitize import sanitize, sanitize_lines
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job
from comfytui.session.selectors import batch_of, is_overwritten
from comfytui.session.state import SessionState
from comfytui.ui.downloads import fetch_for_display, save_and_notify
from comfytui.ui.images.image_view import Picture
from comfytui.ui.screens.help import HelpScreen
from comfytui.ui.widgets.line import Line
from comfytui.ui.widgets.paragraph import Paragraph, SettingsLine

PROMPT_LIMIT = 100_000
"""Characters of a prompt that are shown; a longer one ends with an ellipsis."""

OVERWRITTEN = "a newer job uses the same name"
"""Said of a picture that may be that job's."""


@dataclass(frozen=True, slots=True)
class Page:
    """One picture of a job, or the job itself while it has none."""

    job: Job
    output: Output | None = None


def pages_of(state: SessionState, prompt_id: str) -> tuple[Page, ...]:
    """The pages of a job's whole batch, image by image; of a job of somebody else, its own."""
    job = state.jobs.get(prompt_id)
    batch = batch_of(state, job) if job else None
    ids = batch.prompts if batch else (prompt_id,)
    jobs = [state.jobs[each] for each in ids if each in state.jobs]
    return tuple(Page(each, output) for each in jobs for output in (each.outputs or (None,)))


class JobScreen(Screen[None]):
    """Shows a job as it goes on, and turns to the other pictures of its batch."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "app.pop_screen", "Back", key_display="esc", id="job-back"),
        Binding("s", "save", "Save", id="job-save", tooltip="Save all files of this job"),
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

    def __init__(self, service: ServiceThread, state: SessionState, prompt_id: str, folder: Path) -> None:
        super().__init__()
        self._service = service
        self._state = state
        self._folder = folder
        self._pages = pages_of(state, prompt_id)
        self._index = next((at for at, page in enumerate(self._pages) if page.job.prompt_id == prompt_id), 0)
        self._shown: tuple[str, Output | None] = ("", None)
        """The job and the picture that are shown; the picture may be that of several jobs."""

    @property
    def _page(self) -> Page:
        return self._pages[self._index]

    def compose(self) -> ComposeResult:
        """Words and settings above, the picture or what there is to say of the job below."""
        # Not to be focused: their keys are the screen's, which scroll all as one text.
        with VerticalScroll(id="job-prompt", can_focus=False):
            yield Line(id="job-title")
            yield Line(id="job-negative")
        with VerticalScroll(id="job-settings", can_focus=False):
            yield SettingsLine(id="job-recipe")
        yield Paragraph(id="job-file")
        yield Picture(id="large")
        with VerticalScroll(id="job-words", can_focus=False):
            yield Static(markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin with the job that was asked for."""
        self._show()

    def on_resize(self) -> None:
        """Whether there is anything to scroll depends on the size."""
        self.call_after_refresh(self.refresh_bindings)

    def follow(self, state: SessionState) -> None:
        """Show what became of the job; one that left the session stays as it was."""
        self._state = state
        job, output = self._page.job, self._page.output
        pages = pages_of(state, job.prompt_id)
        place = [at for at, page in enumerate(pages) if page.job.prompt_id == job.prompt_id]
        if not place:
            return
        turned = next((at for at in place if pages[at].output == output), place[0])
        if len(pages) != len(self._pages):
            self.refresh_bindings()
        self._pages, self._index = pages, turned
        if self.is_mounted:
            self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what this batch has can be turned to, only what this job has saved, only a long text scrolled."""
        if action == "turn":
            return len(self._pages) > 1
        if action in {"scroll_text", "scroll_to_end"}:
            return any(part.max_scroll_y > 0 for part in self._parts)
        return action != "save" or bool(self._page.job.outputs)

    def action_turn(self, step: int) -> None:
        """Show the next or previous picture of the batch."""
        self._index = (self._index + step) % len(self._pages)
        self.refresh_bindings()
        self._show()

    @property
    def _parts(self) -> list[VerticalScroll]:
        """What can be scrolled, from top to bottom."""
        return [part for part in self.query(VerticalScroll) if part.display]

    def action_scroll_text(self, direction: int, page: bool = False) -> None:
        """Scroll by a line or a page: down (1) the prompt to its end and then what is below it, up (-1) back again."""
        if direction > 0:
            part = next((part for part in self._parts if part.scroll_offset.y < part.max_scroll_y), None)
        else:
            part = next((part for part in reversed(self._parts) if part.scroll_offset.y > 0), None)
        if part:
            lines = max(1, part.scrollable_content_region.height - 1) if page else 1
            part.scroll_relative(y=direction * lines, animate=False)

    def action_scroll_to_end(self, direction: int) -> None:
        """Scroll to the beginning (-1) or the end (1) of all text."""
        for part in self._parts:
            part.scroll_to(y=part.max_scroll_y if direction > 0 else 0, animate=False)

    def action_save(self) -> None:
        """Save all files of this job; that goes on when this screen is closed."""
        self.app.run_worker(save_and_notify(self.app, self._service, self._page.job, self._folder), group="save")

    def action_help(self) -> None:
        """Show all keys."""
        self.app.push_screen(HelpScreen())

    def _show(self) -> None:
        job, output = self._page.job, self._page.output
        parameters = job.parameters
        batch = batch_of(self._state, job)
        title = parameters.prompt or (batch.title if batch else job.prompt_id)
        self._line("title").say(_sanitized(title))
        self._line("negative").say(f"negative: {_sanitized(parameters.negative)}" if parameters.negative else "")
        self._line("negative").display = bool(parameters.negative)
        self._line("recipe").say(parameters_line(parameters))
        picture = output if output and media_of(output) is Media.PICTURE else None
        self.query_one(Picture).display = picture is not None
        words = self.query_one("#job-words")
        words.display = picture is None
        if picture is None:
            self._line("file").say(self._file(output))
            text = self._about_file(output) if output else _words(self._state, job)
            words.query_one(Static).update(Text(text), layout=True)
        if (job.prompt_id, picture) != self._shown:
            self._shown = (job.prompt_id, picture)
            self.query_one(Picture).show(None)
            self._fetch(picture)
        self.call_after_refresh(self.refresh_bindings)

    def _place(self) -> str:
        """Which image of its batch it is."""
        batch_tag = self._page.job.batch_tag
        return f"Image {batch_tag.index} of {batch_tag.total}" if batch_tag and batch_tag.total > 1 else ""

    def _file(self, output: Output | None) -> str:
        """Which image of the batch, which file, and which of the files of the job it is."""
        parts = [self._place()]
        if output is not None:
            own = self._page.job.outputs
            what = "image" if all(media_of(each) is Media.PICTURE for each in own) else "file"
            parts.append(sanitize(output.filename, 200))
            parts.append(f"{what} {own.index(output) + 1} of {len(own)}" if len(own) > 1 else "")
            parts.append(OVERWRITTEN if is_overwritten(self._state, self._page.job, output) else "")
        return "   ".join(part for part in parts if part)

    def _about_file(self, output: Output) -> str:
        """What is said in place of a file that is no picture."""
        media = media_of(output)
        what = "A file" if media is Media.OTHER else f"{media[0].upper()}{media[1:]} file"
        hint = f"It cannot be shown here. Press s to save it in {sanitize(str(self._folder), 500)}."
        return f"{what}: {sanitize(output.filename, 200)}\n\n{hint}"

    @work(exclusive=True, group="picture")
    async def _fetch(self, output: Output | None) -> None:
        if output is None:
            return
        name = self._file(output)
        file = self._line("file")
        file.say(f"{name}   loading")
        try:
            data = await fetch_for_display(self._service, output)
        except ComfyError as error:
            file.say(f"{name}   {error}")
        else:
            if self.display:  # Not while it closes, when the picture's place may be gone.
                file.say(name)
                self.query_one(Picture).show(data)

    def _line(self, name: str) -> Line:
        return self.query_one(f"#job-{name}", Line)


@lru_cache(maxsize=8)
def _sanitized(prompt: str) -> str:
    """A prompt as it is shown; a job is shown anew at each step, its prompt stays the same."""
    return sanitize(prompt, PROMPT_LIMIT)


def _words(state: SessionState, job: Job) -> str:
    """What there is to say of a job without pictures."""
    lines = [job_words(job, state.run), *job.text]
    if failure := job.failure:
        where = node_of(failure.node_type, failure.node_id)
        lines += ["", f"{where}: {failure.message}" if where else failure.message]
        lines += [
            f"{node_of(error.class_type, error.node_id)}: {error.message} {error.details}"
            for error in failure.node_errors
        ]
        lines += ["", *(part.rstrip("\n") for part in failure.traceback)]
    return sanitize_lines("\n".join(lines))
