"""Actions that make a job again, and resend jobs that were lost."""

import asyncio
from collections.abc import Sequence
from random import SystemRandom
from typing import TYPE_CHECKING

from comfytui.comfy.errors import ComfyError
from comfytui.presentation.command_text import missing_message, recovery_message
from comfytui.presentation.questions import resend_answers, resend_question
from comfytui.service.submission.batch import batch_request, preview_method_for
from comfytui.session.model import Job, JobStatus
from comfytui.session.selectors import lost_jobs
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.form_actions import FormActions
from comfytui.ui.dashboard.job_graphs import graph_for, title_of
from comfytui.ui.widgets.footer import should_resend
from comfytui.workflow.graph import Graph
from comfytui.workflow.parameters import parameters_of

if TYPE_CHECKING:
    from comfytui.workflow.prompt_text.remaking import Remade


class RetryActions:
    """Makes finished jobs again, and resends lost ones."""

    def __init__(self, context: DashboardContext, form_actions: FormActions) -> None:
        self._context = context
        self._form_actions = form_actions
        self._searching = False
        """Whether the server is being searched for the images of lost jobs."""

    def retry(self) -> None:
        """Make the selected job again, or resend lost jobs where `should_resend` says so."""
        self._context.run(self._retry, "again", exclusive=False)

    async def _retry(self) -> None:
        context = self._context
        job = context.panel.selected_job()
        if should_resend(context.state, job):
            await self._resend(lost_jobs(context.state))
        elif job is None:
            context.notify("Select a job first.")
        elif job.status.final:
            await self._make_again(job, new_seed=False)
        elif job.status is JobStatus.LOST:
            context.notify("This job belongs to another running comfytui: resend it there.")
        else:
            context.notify("This job has not ended yet. R makes another one with a new seed.")

    def retry_with_new_seed(self) -> None:
        """Make the selected job again with new seeds, and with prompts that are drawn by them from their templates."""
        self._context.run(self._retry_with_new_seed, "again", exclusive=False)

    async def _retry_with_new_seed(self) -> None:
        if job := self._context.panel.selected_job():
            await self._make_again(job, new_seed=True)
        else:
            self._context.notify("Select a job first.")

    async def _make_again(self, job: Job, *, new_seed: bool) -> None:
        """Submit the graph of a job as a batch of one image, or notify the user if it is not available."""
        context = self._context
        graph = await graph_for(context, job, "This job cannot be made again")
        if graph is None:
            return
        # Imported late: the first paint does not need it.
        from comfytui.workflow.prompt_text.remaking import Remade

        made = await self._remake(graph) if new_seed else Remade(graph)
        if made.graph is None:
            context.notify("This workflow has no seed to change: r makes the job again as it is.", "warning")
            return
        title = (parameters_of(made.graph).prompt if made.new_text else "") or title_of(context, job)
        self._form_actions.send(batch_request(title, [made.graph], preview_method_for(previews=context.previews)))
        context.notify(_queued_again(made, new_seed=new_seed), "warning" if made.kept_because else "information")

    async def _remake(self, graph: Graph) -> "Remade":
        # Imported late: the first paint does not need it.
        from comfytui.workflow.prompt_text.remaking import kept_templates, remake
        from comfytui.workflow.prompt_text.rendering import NO_TOOLS

        workflow, templates = kept_templates(graph)
        tools = await self._context.prompt_tools(workflow, templates) if templates else NO_TOOLS
        # Wildcards are read when they are drawn from.
        return await asyncio.to_thread(remake, graph, SystemRandom(), tools)

    async def _resend(self, lost: list[Job]) -> None:
        """Recover the images of lost jobs and resend the others, after confirmation if some may have finished."""
        context = self._context
        if self._searching:
            context.notify("Already searching for the images of lost jobs.")
            return
        result = await self._recover(lost)
        ids = {job.prompt_id for job in lost}
        still_lost = [job for job in lost_jobs(context.service.state) if job.prompt_id in ids]
        unsure = sum(job.may_have_finished for job in still_lost)
        question = resend_question(len(still_lost), unsure, _count_batches(still_lost))
        answer: bool | None = True
        if question:
            labels = resend_answers(len(still_lost), unsure)
            answer = await context.confirm(f"{result}\n\n{question}".strip(), **labels)
        else:
            context.notify(result)
        resent = await context.result_of(context.service.resend(ids_to_resend(still_lost, answer)))
        if resent and resent.missing:
            context.notify(*missing_message(resent.missing))

    async def _recover(self, lost: list[Job]) -> str:
        """Search the server for the images of lost jobs, and return a message about the result."""
        self._context.notify("First searching the server for the images of lost jobs.")
        self._searching = True
        try:
            outputs = self._context.service.recover_outputs([job.prompt_id for job in lost])
            found = await asyncio.wrap_future(outputs)
        except ComfyError as error:
            return f"The search for the images of lost jobs failed: {error}"
        finally:
            self._searching = False
        return recovery_message(len(lost), _count_batches(lost), found)


def ids_to_resend(lost: Sequence[Job], answer: bool | None) -> list[str]:
    """Return the ids of the lost jobs to resend.

    Args:
        lost: The lost jobs; some may have finished while comfytui was not connected.
        answer: True for all, False for only those that have not finished, None for none.
    """
    unfinished = [job for job in lost if not job.may_have_finished]
    only_unfinished = answer is False and len(unfinished) < len(lost)
    jobs = lost if answer else unfinished if only_unfinished else ()
    return [job.prompt_id for job in jobs]


def _count_batches(jobs: list[Job]) -> int:
    return len({job.batch_tag.batch if job.batch_tag else job.prompt_id for job in jobs})


def _queued_again(made: "Remade", *, new_seed: bool) -> str:
    assert made.graph is not None
    parameters = parameters_of(made.graph)
    seeds = [str(seed) for seed in (parameters.seed, *parameters.more_seeds) if seed is not None]
    which = "the same" if not new_seed else "a new" if len(seeds) < 2 else "new"
    text = "Its prompt was drawn again." if made.new_text else ""
    kept = f"Its prompt is the old one. {made.kept_because}" if made.kept_because else ""
    queued = f"Queued again with {which} {', '.join(('seed' if len(seeds) < 2 else 'seeds', *seeds))}."
    return " ".join(filter(None, (queued, text, kept)))
