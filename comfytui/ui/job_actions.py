"""What keys do to the selected job and its batch."""

import asyncio

from textual import on, work

from comfytui.comfy.errors import ComfyError
from comfytui.plain import plain
from comfytui.session.model import Job, JobStatus
from comfytui.session.views import batch_of, lost_jobs, tally
from comfytui.ui import words
from comfytui.ui.acting import ActingScreen
from comfytui.ui.confirm import ConfirmScreen
from comfytui.ui.job_screen import JobScreen
from comfytui.ui.queue_list import QueueList
from comfytui.ui.saving import save_and_tell


class JobActions(ActingScreen):
    """The part of the dashboard that acts on jobs."""

    _looking = False
    """Whether pictures of lost jobs are being looked for."""

    @work(exclusive=True, group="cancel")
    async def action_cancel(self) -> None:
        """Cancel the selected job; somebody else's, or one whose interrupt may hit another, only after a question."""
        job = self._panel.selected()
        if job is None:
            self._say("Select a job first.")
            return
        risk = words.blunt_interrupt(self._state.abilities) if job.status is JobStatus.RUNNING else ""
        question = f"{risk} Stop it?" if risk else ""
        if not (job.mine or job.status.ended):
            question = f"{risk} {_whose(job)}".strip()
        if not question or await self.app.push_screen_wait(ConfirmScreen(question)):
            self._service.cancel(job.prompt_id, sure=bool(risk))

    @work(exclusive=True, group="cancel")
    async def action_cancel_batch(self) -> None:
        """Cancel what is still to end or lost of the selected job's batch, after a question."""
        job = self._panel.selected()
        batch = batch_of(self._state, job) if job else None
        if batch is None or not (left := tally(self._state, batch).unsettled):
            self._say("Select a job of an unfinished batch of your own.")
        else:
            risk = words.blunt_interrupt(self._state.abilities)
            question = words.ask_about_batch(left, tally(self._state, batch).of(JobStatus.LOST), risk)
            if await self.app.push_screen_wait(ConfirmScreen(question)):
                self._service.cancel_batch(batch.id, sure=bool(risk))

    @work(group="again")
    async def action_again(self) -> None:
        """Send again what the server forgot of the selected batch, else of all; what may have finished, if asked to."""
        lost = self._forgotten()
        if not lost:
            self._say("None of your jobs is lost.")
            return
        if self._looking:
            self._say("Already searching for their images.")
            return
        searched = await self._look_for(lost)
        asked = {job.prompt_id for job in lost}
        lost = [job for job in lost_jobs(self._service.state) if job.prompt_id in asked]
        unsure = [job for job in lost if job.note]
        question = words.ask_about_unsure(len(unsure), len(lost), searched=searched)
        if unsure and not await self.app.push_screen_wait(ConfirmScreen(question)):
            lost = [job for job in lost if not job.note]
        self._service.resend([job.prompt_id for job in lost])

    def _forgotten(self) -> list[Job]:
        """My lost jobs: of the selected batch, or all where that has none."""
        selected = self._panel.selected()
        batch = batch_of(self._state, selected) if selected else None
        return lost_jobs(self._state, batch) or lost_jobs(self._state)

    async def _look_for(self, lost: list[Job]) -> bool:
        """Look for the pictures of lost jobs, and say what came of it; whether it could be done."""
        self._say("Searching the server for their images first.")
        self._looking = True
        try:
            found = await asyncio.wrap_future(self._service.look_for([job.prompt_id for job in lost]))
        except ComfyError as error:
            self._say(f"The search for their images failed: {error}", "warning")
            return False
        finally:
            self._looking = False
        if found:
            self._say(f"{found} of them had finished: the server has their images.")
        return True

    @on(QueueList.Selected)
    def _show_job(self) -> None:
        if job := self._panel.selected():
            self.app.push_screen(JobScreen(self._service, self._state, job.prompt_id, self._options.output))

    def action_save(self) -> None:
        """Save the selected job's pictures."""
        if job := self._panel.selected():
            self.app.run_worker(save_and_tell(self.app, self._service, job, self._options.output), group="save")

    def _follow_jobs(self) -> None:
        """Let a job that is shown large go on."""
        for screen in self.app.screen_stack:
            if isinstance(screen, JobScreen):
                screen.follow(self._state)


def _whose(job: Job) -> str:
    what = plain(job.recipe.prompt, 80) or "untitled"
    return f"'{what}' ({job.status}) belongs to another client, {plain(job.owner or 'unknown', 8)}. Cancel it?"
