"""Making a job again: one that failed, was stopped or is done anew, and lost ones as they were."""

import asyncio
from collections.abc import Sequence
from random import SystemRandom

from textual import work

from comfytui.comfy.errors import ComfyError
from comfytui.presentation import formatting
from comfytui.service.submission.batch import BatchRequest
from comfytui.session.model import Job, JobStatus
from comfytui.session.selectors import batch_of, lost_jobs
from comfytui.ui.dashboard.context import ActingScreen
from comfytui.ui.form.batch_builder import preview_method
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.ui.widgets.footer import resends
from comfytui.workflow.graph import Graph
from comfytui.workflow.parameters import parameters_of
from comfytui.workflow.seeds import reseeded


class AgainActions(ActingScreen):
    """The part of the dashboard that has jobs made again."""

    _searching = False
    """Whether images of lost jobs are being searched for."""

    @work(group="again")
    async def action_again(self) -> None:
        """Make the selected job again as it was, or resend what is lost."""
        job = self._panel.selected()
        if resends(self._state, job):
            await self._resend(lost_jobs(self._state))
        elif job is None:
            self._say("Select a job first.")
        elif job.status.final:
            await self._make_again(job, new_seed=False)
        elif job.status is JobStatus.LOST:
            self._say("This job belongs to another running comfytui: resend it there.")
        else:
            self._say("This job has not ended yet. R makes another one with a new seed.")

    @work(group="again")
    async def action_again_new_seed(self) -> None:
        """Make the selected job once more, with new seeds."""
        if job := self._panel.selected():
            await self._make_again(job, new_seed=True)
        else:
            self._say("Select a job first.")

    async def _make_again(self, job: Job, *, new_seed: bool) -> None:
        """Queue the graph of a job as a batch of one; say so if it cannot be had."""
        try:
            graph = await asyncio.wrap_future(self._service.graph_of(job.prompt_id))
        except ComfyError as error:
            self._say(f"This job cannot be made again: its workflow is only on the server. {error}", "error")
            return
        if graph is None:
            self._say("This job cannot be made again: neither comfytui nor the server has its workflow.", "error")
            return
        made = reseeded(graph, SystemRandom()) if new_seed else graph
        if made is None:
            self._say("This workflow has no seed to change: r makes the job again as it is.", "warning")
            return
        batch = batch_of(self._state, job)
        title = job.parameters.prompt or (batch.title if batch else "")
        self._known = frozenset(self._state.batches)
        self._service.submit(BatchRequest(title, (made,), preview_method(previews=self._previews)))
        self._say(_queued_again(made, new_seed=new_seed))

    async def _resend(self, lost: list[Job]) -> None:
        """Search for images of all lost jobs, say what was found, resend the rest, perhaps after a question."""
        if self._searching:
            self._say("Already searching for the images of lost jobs.")
            return
        searched = await self._search_for(lost)
        asked = {job.prompt_id for job in lost}
        rest = [job for job in lost_jobs(self._service.state) if job.prompt_id in asked]
        unsure = sum(job.may_have_finished for job in rest)
        question = formatting.ask_about_lost(len(rest), unsure, _batches(rest))
        answer: bool | None = True
        if question:
            answers = formatting.answers_about_lost(len(rest), unsure)
            answer = await self.app.push_screen_wait(ConfirmScreen(f"{searched}\n\n{question}".strip(), **answers))
        else:
            self._say(searched)
        self._service.resend(resent(rest, answer))

    async def _search_for(self, lost: list[Job]) -> str:
        """Search for the images of lost jobs; what came of it, or why it could not be done."""
        self._say("First searching the server for the images of lost jobs.")
        self._searching = True
        try:
            found = await asyncio.wrap_future(self._service.recover_outputs([job.prompt_id for job in lost]))
        except ComfyError as error:
            return f"The search for the images of lost jobs failed: {error}"
        finally:
            self._searching = False
        return formatting.searched(len(lost), _batches(lost), found)


def resent(lost: Sequence[Job], answer: bool | None) -> list[str]:
    """The ids of lost jobs that are resent after a question: all (True), only those surely not done, or none (None)."""
    force = [job for job in lost if not job.may_have_finished]
    jobs = lost if answer else force if answer is False and len(force) < len(lost) else ()
    return [job.prompt_id for job in jobs]


def _batches(jobs: list[Job]) -> int:
    return len({job.batch_tag.batch if job.batch_tag else job.prompt_id for job in jobs})


def _queued_again(graph: Graph, *, new_seed: bool) -> str:
    parameters = parameters_of(graph)
    seeds = [str(seed) for seed in (parameters.seed, *parameters.more_seeds) if seed is not None]
    which = "the same" if not new_seed else "a new" if len(seeds) < 2 else "new"
    return f"Queued again with {which} {', '.join(('seed' if len(seeds) < 2 else 'seeds', *seeds))}."
