"""One job, large: its picture with words, seed and settings, how far it is, or why there is none."""

from dataclasses import dataclass
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
from comfytui.comfy.events import Output
from comfytui.plain import plain, plain_lines
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job
from comfytui.session.state import SessionState
from comfytui.session.views import batch_of, is_overwritten
from comfytui.ui.help import HelpScreen
from comfytui.ui.line import Line
from comfytui.ui.picture import Picture
from comfytui.ui.recipes import recipe_line
from comfytui.ui.saving import save_and_tell, shown_picture
from comfytui.ui.words import job_words

WORDS_SHOWN = 2_000
"""Characters of a prompt that are shown."""

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
        Binding("s", "save", "Save", id="job-save", tooltip="Save all pictures of this job"),
        Binding("left,h,up,k", "turn(-1)", "Previous", key_display="←", id="job-previous"),
        Binding("right,l,down,j", "turn(1)", "Next", key_display="→", id="job-next"),
        Binding("question_mark", "help", "Help", key_display="?", id="job-help", tooltip="Show all keys"),
    ]

    def __init__(self, service: ServiceThread, state: SessionState, prompt_id: str, folder: Path) -> None:
        super().__init__()
        self._service = service
        self._state = state
        self._folder = folder
        self._pages = pages_of(state, prompt_id)
        self._index = next((at for at, page in enumerate(self._pages) if page.job.prompt_id == prompt_id), 0)
        self._shown: Output | None = None

    @property
    def _page(self) -> Page:
        return self._pages[self._index]

    def compose(self) -> ComposeResult:
        """Words and settings above, the picture or what there is to say of the job below."""
        yield Line(id="job-title")
        yield Line(id="job-negative")
        yield Line(id="job-recipe")
        yield Line(id="job-file")
        yield Picture(id="large")
        with VerticalScroll(id="job-words"):
            yield Static(markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin with the job that was asked for."""
        self._show()

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
        """Only what this batch has can be turned to, only what this job has saved."""
        if action == "turn":
            return len(self._pages) > 1
        return action != "save" or bool(self._page.job.outputs)

    def action_turn(self, step: int) -> None:
        """Show the next or previous picture of the batch."""
        self._index = (self._index + step) % len(self._pages)
        self.refresh_bindings()
        self._show()

    def action_save(self) -> None:
        """Save all pictures of this job; that goes on when this screen is closed."""
        self.app.run_worker(save_and_tell(self.app, self._service, self._page.job, self._folder), group="save")

    def action_help(self) -> None:
        """Show all keys."""
        self.app.push_screen(HelpScreen())

    def _show(self) -> None:
        job, output = self._page.job, self._page.output
        recipe = job.recipe
        batch = batch_of(self._state, job)
        title = recipe.prompt or (batch.title if batch else job.prompt_id)
        self._line("title").say(plain(title, WORDS_SHOWN))
        self._line("negative").say(f"negative: {plain(recipe.negative, WORDS_SHOWN)}" if recipe.negative else "")
        self._line("negative").display = bool(recipe.negative)
        self._line("recipe").say(recipe_line(recipe))
        self.query_one(Picture).display = output is not None
        words = self.query_one("#job-words")
        words.display = output is None
        if output is None:
            self._line("file").say(self._place())
            words.query_one(Static).update(Text(_words(self._state, job)), layout=True)
        if output != self._shown:
            self._shown = output
            self.query_one(Picture).show(None)
            self._fetch(output)

    def _place(self) -> str:
        """Which image of its batch it is."""
        mark = self._page.job.mark
        return f"Image {mark.index} of {mark.total}" if mark and mark.total > 1 else ""

    @work(exclusive=True, group="picture")
    async def _fetch(self, output: Output | None) -> None:
        if output is None:
            return
        own = self._page.job.outputs
        among = f"{own.index(output) + 1} of {len(own)}" if len(own) > 1 else ""
        warned = OVERWRITTEN if is_overwritten(self._state, self._page.job, output) else ""
        name = "   ".join(part for part in (self._place(), plain(output.filename, 200), among, warned) if part)
        file = self._line("file")
        file.say(f"{name}   loading")
        try:
            data = await shown_picture(self._service, output)
        except ComfyError as error:
            file.say(f"{name}   {error}")
        else:
            if self.display:  # Not while it closes, when the picture's place may be gone.
                file.say(name)
                self.query_one(Picture).show(data)

    def _line(self, name: str) -> Line:
        return self.query_one(f"#job-{name}", Line)


def _words(state: SessionState, job: Job) -> str:
    """What there is to say of a job without pictures."""
    lines = [job_words(job, state.live), *job.text]
    if failure := job.failure:
        where = f"{failure.node_type} {failure.node_id}".strip()
        lines += ["", f"{where}: {failure.message}" if where else failure.message]
        lines += [
            f"{error.class_type} {error.node_id}: {error.message} {error.details}" for error in failure.node_errors
        ]
        lines += ["", *(part.rstrip("\n") for part in failure.traceback)]
    return plain_lines("\n".join(lines))
