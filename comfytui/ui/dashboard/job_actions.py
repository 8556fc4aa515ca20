"""Actions on the selected job and its batch: show, save, cancel."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from comfytui.comfy.errors import ComfyError
from comfytui.presentation.command_text import cancellation_message
from comfytui.presentation.notification_text import lost_jobs_message
from comfytui.presentation.questions import cancel_batch_question, cancel_question, interrupt_warning
from comfytui.service.results import BatchCancelled, Cancelled
from comfytui.session.model import Job, JobStatus
from comfytui.session.selectors import batch_of, cancellable_jobs, counts_of
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.downloads import start_saving

if TYPE_CHECKING:
    from comfytui.ui.screens.job import JobScreen

T = TypeVar("T", Cancelled, BatchCancelled)

LOST_DELAY = 1.0
"""Seconds in which lost jobs are collected for one message, since they are found one after another."""


class JobActions:
    """Acts on jobs in the queue, and reports those that are lost.

    Args:
        context: What the dashboard shares.
        recall: Fills the form with what a job was made of.
    """

    def __init__(self, context: DashboardContext, recall: Callable[[Job], None]) -> None:
        self._context = context
        self._recall = recall
        self._lost: list[Job] = []
        self._job_screen: JobScreen | None = None

    def cancel(self) -> None:
        """Cancel the selected job, after confirmation if it is another client's or interrupting may stop another."""
        self._context.run(self._cancel, "cancel")

    async def _cancel(self) -> None:
        context = self._context
        job = context.panel.selected_job()
        if job is None:
            context.notify("Select a job first.")
            return
        risk = interrupt_warning(context.state.capabilities) if job.status is JobStatus.RUNNING else ""
        question = cancel_question(job, risk)
        if question and not await context.confirm(question):
            return
        self._report(context.service.cancel(job.prompt_id, force=bool(risk)))

    def cancel_batch(self) -> None:
        """Cancel the unfinished jobs of the selected job's batch, after confirmation; lost ones are dismissed."""
        self._context.run(self._cancel_batch, "cancel")

    async def _cancel_batch(self) -> None:
        context = self._context
        job = context.panel.selected_job()
        batch = batch_of(context.state, job) if job else None
        if batch is None or not (jobs := cancellable_jobs(context.state, batch)):
            context.notify("Select a job of an unfinished batch of your own.")
        else:
            risk = interrupt_warning(context.state.capabilities)
            counts = counts_of(context.state, batch)
            others = counts.open_or_lost - len(jobs)
            question = cancel_batch_question(len(jobs), counts.of(JobStatus.LOST), risk, uncancellable=others)
            if await context.confirm(question):
                self._report(context.service.cancel_batch(batch.id, force=bool(risk)))

    def _report(self, result: Future[T]) -> None:
        """Notify the user of what became of a cancellation, without keeping the next one waiting."""
        self._context.run(partial(self._await_result, result), "results", exclusive=False)

    async def _await_result(self, future: Future[T]) -> None:
        try:
            if result := await self._context.result_of(future):
                self._context.notify(*cancellation_message(result))
        except ComfyError as error:
            self._context.notify(*cancellation_message(error))

    def show(self) -> None:
        """Show the selected job on a screen of its own."""
        # Imported late: the first paint does not need it.
        from comfytui.ui.screens.job import JobScreen

        context = self._context
        if job := context.panel.selected_job():
            screen = JobScreen(context.service, context.state, job.prompt_id, context.options.output, self._recall)
            self._job_screen = screen
            context.screen.app.push_screen(screen)

    def update_job_screen(self) -> None:
        """Pass the newest state on to the screen that shows a job, if there is one."""
        screen = self._job_screen
        if screen is not None and screen in self._context.screen.app.screen_stack:
            screen.follow(self._context.state)

    def save(self) -> None:
        """Save the files of the selected job."""
        context = self._context
        if job := context.panel.selected_job():
            start_saving(context.screen.app, context.service, job, context.options.output)

    def report_lost(self, job: Job) -> None:
        """Notify the user of a lost job, together with others that are found lost at the same time."""
        if not self._lost:
            self._context.screen.set_timer(LOST_DELAY, self._notify_lost)
        self._lost.append(job)

    def _notify_lost(self) -> None:
        lost, self._lost = self._lost, []
        self._context.notify(*lost_jobs_message(lost))
