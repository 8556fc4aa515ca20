"""The images in the *Now* panel: previews of the running image, and finished images from the server."""

from functools import partial
from typing import TYPE_CHECKING

from comfytui.comfy.errors import ComfyError
from comfytui.presentation.notification_text import previews_message
from comfytui.presentation.status_text import UP
from comfytui.session.model import Job
from comfytui.session.selectors import first_image, newest_image
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.downloads import fetch_for_display
from comfytui.ui.widgets.now_panel import NowPanel

if TYPE_CHECKING:
    from comfytui.comfy.protocol.events import Output


class NowImages:
    """Gives the *Now* panel its images, unless the user switched them off."""

    def __init__(self, context: DashboardContext) -> None:
        self._context = context
        self._requested = ""
        """The prompt_id of the job whose image was requested last."""

    @property
    def _panel(self) -> NowPanel:
        return self._context.screen.query_one(NowPanel)

    def show_preview(self, image: bytes, prompt_id: str) -> None:
        """Show a preview of a running image."""
        if self._context.previews and (running := self._context.state.jobs.get(prompt_id)):
            self._panel.show_preview(image, running)

    def show_ended(self, job: Job) -> None:
        """Show the first image of a job that ended."""
        if self._context.previews and (image := first_image(job)):
            self._show(job, image)

    def show_newest(self) -> None:
        """Show the newest image of the batch if none is shown, as after a start; each is requested once."""
        panel, state = self._panel, self._context.state
        if panel.shown_batch is None:
            self._requested = ""
            return
        if not self._context.previews or panel.latest_prompt_id or state.link.kind not in UP:
            return
        newest = newest_image(state, panel.shown_batch)
        if newest and newest[0].prompt_id != self._requested and panel.has_room_for_images:
            self._show(*newest)

    def _show(self, job: Job, image: "Output") -> None:
        fetch = partial(self._fetch_and_show, job, image)
        self._context.run(fetch, "finished")

    async def _fetch_and_show(self, job: Job, image: "Output") -> None:
        if not self._panel.has_room_for_images:
            return
        self._requested = job.prompt_id
        try:
            data = await fetch_for_display(self._context.service, image)
        except ComfyError:
            return  # The queue shows that the job ended; its own screen tries again and shows the error.
        if self._context.screen.display:  # While the screen closes, the panel may be gone.
            self._panel.show_finished(data, job, self._context.state.runs)

    def toggle(self) -> None:
        """Switch images on or off; while they are off, batches are submitted without previews."""
        context = self._context
        context.previews = not context.previews
        self._requested = ""
        self._panel.set_images_visible(context.previews)
        context.notify(previews_message(context.state.capabilities, on=context.previews))
