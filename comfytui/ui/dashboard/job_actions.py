"""What keys do to the selected job and its batch."""

from textual import on, work

from comfytui.presentation import formatting
from comfytui.sanitize import sanitize
from comfytui.session.model import Job, JobStatus
from comfytui.session.selectors import batch_of, counts_of
from comfytui.ui.dashboard.context import ActingScreen
from comfytui.ui.downloads import save_and_notify
from comfytui.ui.queue.queue_list import QueueList
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.ui.screens.job import JobScreen


class JobActions(ActingScreen):
    """The part of the dashboard that acts on jobs."""

    @work(exclusive=True, group="cancel")
    async def action_cancel(self) -> None:
        """Cancel the selected job; somebody else's, or one whose interrupt may hit another, only after a question."""
        job = self._panel.selected()
        if job is None:
            self._say("Select a job first.")
            return
        risk = formatting.blunt_interrupt(self._state.capabilities) if job.status is JobStatus.RUNNING else ""
        question = f"{risk} Stop it?" if risk else ""
        if not (job.mine or job.status.ended):
            question = f"{risk} {_whose(job)}".strip()
        if question and not await self.app.push_screen_wait(ConfirmScreen(question)):
            return
        self._service.cancel(job.prompt_id, force=bool(risk))

    @work(exclusive=True, group="cancel")
    async def action_cancel_batch(self) -> None:
        """Cancel what is still to end or lost of the selected job's batch, after a question."""
        job = self._panel.selected()
        batch = batch_of(self._state, job) if job else None
        if batch is None or not (left := counts_of(self._state, batch).open_or_lost):
            self._say("Select a job of an unfinished batch of your own.")
        else:
            risk = formatting.blunt_interrupt(self._state.capabilities)
            question = formatting.ask_about_batch(left, counts_of(self._state, batch).of(JobStatus.LOST), risk)
            if await self.app.push_screen_wait(ConfirmScreen(question)):
                self._service.cancel_batch(batch.id, force=bool(risk))

    @on(QueueList.Selected)
    def _show_job(self) -> None:
        if job := self._panel.selected():
            self.app.push_screen(JobScreen(self._service, self._state, job.prompt_id, self._options.output))

    def action_save(self) -> None:
        """Save the selected job's pictures."""
        if job := self._panel.selected():
            self.app.run_worker(save_and_notify(self.app, self._service, job, self._options.output), group="save")

    def _follow_jobs(self) -> None:
        """Let a job that is shown large go on."""
        for screen in self.app.screen_stack:
            if isinstance(screen, JobScreen):
                screen.follow(self._state)


def _whose(job: Job) -> str:
    what = sanitize(job.parameters.prompt, 80) or "untitled"
    return f"'{what}' ({job.status.label}) belongs to another client, {sanitize(job.owner or 'unknown', 8)}. Cancel it?"
