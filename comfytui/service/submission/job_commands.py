"""What the user has done to jobs that are there: cancels, resends and recovers them, and finds their graphs."""

from collections.abc import Callable, Sequence

from comfytui.service.backend import Backend
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.results import BatchCancelled, Cancelled, Resent
from comfytui.service.store import SessionStore
from comfytui.service.submission.batch import GraphStore
from comfytui.service.submission.cancel import cancel
from comfytui.service.submission.cancel_batch import cancel_batch
from comfytui.service.submission.graph_lookup import local_graph, server_graph
from comfytui.service.submission.recovery import finished_by_images, finished_in_history, submissions_of
from comfytui.session.events import HistorySnapshot, JobCancelled, JobsResent
from comfytui.session.model import JobStatus
from comfytui.session.selectors import lost_jobs
from comfytui.timings import DEFAULT, SubmissionTimings
from comfytui.workflow.graph import Graph


class JobCommands:
    """The commands that are given for jobs of one session.

    Args:
        store: The session.
        graphs: The graphs of my jobs.
        journal: Has the graphs of my other jobs, and what other comfytui processes did to them.
        require_backend: Returns the server; raises Unreachable while there is no connection to it.
        poll: Requests a poll.
        timings: How long it waits for the images of lost jobs.
    """

    def __init__(
        self,
        store: SessionStore,
        graphs: GraphStore,
        journal: AsyncJournal,
        require_backend: Callable[[], Backend],
        poll: Callable[[], None],
        timings: SubmissionTimings = DEFAULT.submission,
    ) -> None:
        self._store = store
        self._graphs = graphs
        self._journal = journal
        self._require_backend = require_backend
        self._poll = poll
        self._timings = timings

    async def resend(self, prompt_ids: Sequence[str]) -> Resent:
        """Send lost jobs once more, as they were and in their order."""
        await self.apply_cancelled_elsewhere()
        jobs = [job for job in lost_jobs(self._store.state) if job.prompt_id in prompt_ids]
        submissions = await submissions_of(jobs, self._graphs, self._journal)
        self._graphs.add(submissions)
        self._store.apply(JobsResent(tuple(submission.prompt_id for submission in submissions)))
        return Resent(len(submissions), missing=len(jobs) - len(submissions))

    async def recover_outputs(self, prompt_ids: Sequence[str]) -> int:
        """Search the server for images of lost jobs; return how many of the jobs were finished after all.

        Raises:
            ComfyError: if a request fails.
        """
        backend = self._require_backend()
        await self.apply_cancelled_elsewhere()
        jobs = [job for job in lost_jobs(self._store.state) if job.prompt_id in prompt_ids]
        known = await finished_in_history([job.prompt_id for job in jobs], backend)
        ids = {each.prompt.prompt_id for each in known}
        rest = [job for job in jobs if job.prompt_id not in ids]
        submissions = await submissions_of(rest, self._graphs, self._journal)
        finished = (*known, *await finished_by_images(submissions, backend, self._timings))
        self._store.apply(HistorySnapshot(finished))
        return len(finished)

    async def find_ended(self, prompt_ids: Sequence[str]) -> None:
        """Read jobs of any client from the history, however long ago they ended.

        Raises:
            ComfyError: if a request fails.
        """
        self._store.apply(HistorySnapshot(tuple(await finished_in_history(prompt_ids, self._require_backend()))))

    async def graph_of(self, prompt_id: str) -> Graph | None:
        """Return the graph of any client's job; None where neither this machine nor the server has it.

        Raises:
            ComfyError: if a request fails.
        """
        job = self._store.state.jobs.get(prompt_id)
        if graph := await local_graph(prompt_id, job, self._graphs, self._journal):
            return graph
        return await server_graph(job, self._require_backend()) if job else None

    async def submission_of(self, prompt_id: str) -> str | None:
        """Return the id of the submission that the journal has a prompt of, after all that was written before."""
        return await self._journal.submission_of(prompt_id)

    async def cancel(self, prompt_id: str, *, force: bool = False) -> Cancelled:
        """Cancel one job.

        Args:
            prompt_id: The job.
            force: Interrupt even if the server can only stop whatever runs.

        Raises:
            ComfyError: if the server cannot be asked.
        """
        try:
            backend = self._require_backend()
            return await cancel(prompt_id, lambda: self._store.state, backend, self._store.apply, force=force)
        finally:
            self._poll()

    async def cancel_batch(self, batch: str, *, force: bool = False) -> BatchCancelled:
        """Cancel the unfinished and lost jobs of a batch, also what another comfytui sends; `force` as in `cancel`.

        Raises:
            Unreachable: if there is no backend just now.
        """
        try:
            backend = self._require_backend()
            return await cancel_batch(batch, self._store, backend, self._journal, self._poll, force=force)
        finally:
            self._poll()

    async def apply_cancelled_elsewhere(self) -> None:
        """Read from the journal which of my jobs that left the queue another comfytui cancelled."""
        jobs = [job for job in self._store.state.jobs.values() if job.mine]
        left_queue = [job for job in jobs if job.left_queue or job.status is JobStatus.LOST]
        unfinished = [job.prompt_id for job in left_queue if not job.status.final]
        for prompt_id in await self._journal.cancelled_among(unfinished) if unfinished else ():
            self._store.apply(JobCancelled(prompt_id))
