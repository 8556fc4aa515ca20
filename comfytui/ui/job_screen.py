"""One job, large: its picture with seed and settings, or why there is none."""

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
from comfytui.plain import plain, plain_lines
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job
from comfytui.ui.line import Line
from comfytui.ui.picture import Picture
from comfytui.ui.recipes import recipe_line
from comfytui.ui.saving import save_and_tell, shown_picture


class JobScreen(Screen[None]):
    """Shows the outputs of a job one by one, or its failure."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "app.pop_screen", "Back", key_display="esc", id="job-back"),
        Binding("s", "save", "Save", id="job-save", tooltip="Save all pictures of this job"),
        Binding("right,l", "turn(1)", "Next", id="job-next"),
        Binding("left,h", "turn(-1)", "Previous", id="job-previous"),
    ]

    def __init__(self, service: ServiceThread, job: Job, title: str, folder: Path) -> None:
        super().__init__()
        self._service = service
        self._job = job
        self._title = title
        self._folder = folder
        self._index = 0

    def compose(self) -> ComposeResult:
        """Title and settings above, the picture or the failure below."""
        job = self._job
        yield Line(plain(self._title, 300), id="job-title")
        yield Line(recipe_line(job.recipe), id="job-recipe")
        yield Line(id="job-file")
        if job.outputs:
            yield Picture(id="large")
        else:
            with VerticalScroll(id="job-words"):
                yield Static(Text(_words(job)), markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin with the first picture."""
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what this job has can be turned or saved."""
        if action == "turn":
            return len(self._job.outputs) > 1
        return action != "save" or bool(self._job.outputs)

    def action_turn(self, step: int) -> None:
        """Show the next or previous picture of this job."""
        self._index = (self._index + step) % len(self._job.outputs)
        self._show()

    def action_save(self) -> None:
        """Save all pictures of this job; that goes on when this screen is closed."""
        self.app.run_worker(save_and_tell(self.app, self._service, self._job, self._folder), group="save")

    @work(exclusive=True, group="picture")
    async def _show(self) -> None:
        outputs = self._job.outputs
        if not outputs:
            return
        output = outputs[self._index]
        place = f"   {self._index + 1} of {len(outputs)}" if len(outputs) > 1 else ""
        file = self.query_one("#job-file", Line)
        name = plain(output.filename, 200) + place
        file.say(f"{name}   loading")
        try:
            data = await shown_picture(self._service, output)
        except ComfyError as error:
            file.say(f"{name}   {error}")
        else:
            if self.display:  # Not while it closes, when the picture's place may be gone.
                file.say(name)
                self.query_one(Picture).show(data)


def _words(job: Job) -> str:
    """What there is to say of a job without pictures."""
    lines = [f"{job.status.value}   {job.note}".rstrip(), *job.text]
    if job.failure:
        lines += [
            "",
            job.failure.message,
            *(
                f"{error.class_type} {error.node_id}: {error.message} {error.details}"
                for error in job.failure.node_errors
            ),
        ]
        lines += ["", *job.failure.traceback]
    return plain_lines("\n".join(lines))
