"""Turns the states of a session into events: what each job and batch of mine came to, and how far the others are."""

from collections.abc import Callable, Mapping, Sequence

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.headless.documents.events import (
    EndEvent,
    Event,
    ImageEvent,
    batch_end,
    batch_progress,
    image_event,
    job_end,
    job_progress,
)
from comfytui.headless.documents.jobs import Outcome, outcome_of
from comfytui.headless.facts import MAX_FACTS, Facts, FeedEvent, feed_event
from comfytui.session.model import Batch, Job, JobStatus, Stamp
from comfytui.session.selectors import batch_of, is_complete, jobs_of
from comfytui.session.state import SessionState

MAX_PRESENT = 10_000
"""Events that are kept until the next update, for all who follow the same: more than there are open batches."""
MAX_PLACES = 2_000
"""Places of jobs in batches that are kept beyond twice those of the session."""
RESTART_MARGIN_MS = 60_000
"""Milliseconds before the last event of an earlier process from which a client is told again what ended."""


class Feed:
    """The events of my jobs and batches, in one order for all who follow them.

    Events that are still true later (an image, an end) are kept; of the progress only the present one exists.
    Ids are milliseconds of the wall clock, so that those of a later process are greater.

    Args:
        urls: Whether the files in the events have paths on the relay.
        clock: The time source.
    """

    def __init__(self, *, urls: bool = False, clock: Clock = SYSTEM_CLOCK) -> None:
        self.state = SessionState()
        """The newest state."""
        self.revision = 0
        """The id of the newest change: the events before it have smaller ids."""
        self._urls = urls
        self._clock = clock
        self._last_id = self._first_id = int(clock.wall() * 1000)
        self._facts = Facts()
        self._new_facts: list[tuple[int, Job | Batch]] = []  # ids, and what ended in this update
        self._outcomes: dict[str, Outcome] = {}
        self._open_batches: list[Batch] | None = None
        self._open: set[str] = set()  # jobs that this process saw before they ended, or that came after `begin`
        self._earlier: frozenset[str] | None = None  # jobs that were known when `begin` was called
        self._batch_outcomes: dict[str, dict[str, Outcome | None]] = {}  # of the jobs of batches that have ended
        self._ends: dict[str, int] = {}  # ids of the last events that were told, by job and batch
        self._places: dict[str, tuple[str, int]] = {}
        self._present: dict[tuple[str, str], FeedEvent] = {}  # events that are made once for all followers
        self._now = Stamp(clock.monotonic(), clock.wall())

    def update(self, state: SessionState) -> None:
        """Take the newest state."""
        before, self.state = self.state, state
        self._now = Stamp(self._clock.monotonic(), self._clock.wall())
        self._present = {}
        if any(getattr(state, part) is not getattr(before, part) for part in ("jobs", "batches", "held_elsewhere")):
            for batch_id, jobs in self._changed_jobs(before).items():
                batch = state.batches[batch_id]
                for job in jobs:
                    # What is resumed has the times of this machine.
                    if self._earlier is not None and not batch.resumed and job.prompt_id not in self._earlier:
                        self._open.add(job.prompt_id)
                    self._update_job(job)
                self._update_batch(batch)
            self._keep_new_facts()
            self._forget_dropped()
            self._open_batches = None
        self.revision = self._next_id()

    def begin(self) -> None:
        """Take every job that the server has from now on, and did not have before, to end from now on.

        By the server's clock, which may be slow, one that came and went between two polls ended earlier.
        """
        self._earlier = frozenset(self.state.jobs)

    def facts_after(self, id_: int, batch_id: str | None = None) -> list[FeedEvent]:
        """Return the images and ends with ids above `id_`, of one batch or of all of mine, in order.

        An id of an earlier process is taken to be a minute older, since its last events may not have been received.
        """
        after = id_ if id_ >= self._first_id else id_ - RESTART_MARGIN_MS
        return self._facts.after(after, batch_id)

    def progress_of_batch(self, batch: Batch) -> FeedEvent:
        """Return how far a batch is; the same object until the next update."""
        now = self._now.monotonic
        return self._once("progress", batch.id, self.revision, lambda: batch_progress(self.state, batch, now))

    def progress_of_job(self, job: Job) -> FeedEvent:
        """Return how far a job is; the same object until the next update."""
        now = self._now.monotonic
        return self._once("progress", job.prompt_id, self.revision, lambda: job_progress(self.state, job, now))

    def open_batches(self) -> Sequence[Batch]:
        """Return my batches that have not ended."""
        if self._open_batches is None:
            self._open_batches = [batch for batch in self.state.batches.values() if not self.has_ended(batch)]
        return self._open_batches

    def has_ended(self, batch: Batch) -> bool:
        """Return whether every job of a batch has ended, and all is known of how."""
        return batch.id in self._batch_outcomes

    def is_settled(self, job: Job) -> bool:
        """Return whether a job has ended, and all is known of how.

        Whether a job of another running comfytui is lost is left to that one.
        """
        if job.status is JobStatus.LOST and job.owner in self.state.held_elsewhere:
            return job.loss_recorded
        return job.status.ended and not job.results_incomplete

    def job(self, prompt_id: str) -> Job | None:
        """Return a job by its id, also by the one that it had before an old server gave it another."""
        if job := self.state.jobs.get(prompt_id):
            return job
        batch_id, index = self._places.get(prompt_id, ("", 0))
        batch = self.state.batches.get(batch_id)
        jobs = jobs_of(self.state, batch) if batch else []
        return next((job for job in jobs if job.batch_tag and job.batch_tag.index == index), None)

    def register(self, batch_id: str, prompt_ids: tuple[str, ...]) -> None:
        """Remember the ids of a batch's prompts before the server has them, in image order."""
        self._places |= {prompt_id: (batch_id, index) for index, prompt_id in enumerate(prompt_ids, 1)}

    def image(self, job: Job) -> FeedEvent:
        """Return the event about a job that has ended, with an id below that of the last one."""
        id_ = self._ends.setdefault(job.prompt_id, self.revision) - 1
        return self._once("image", job.prompt_id, id_, lambda: self._fact(job))

    def end_of_job(self, job: Job) -> FeedEvent:
        """Return the last event about a job that has ended; its id is the same each time."""
        id_ = self._ends.setdefault(job.prompt_id, self.revision)
        return self._once("end", job.prompt_id, id_, lambda: job_end(self.state, job, urls=self._urls))

    def end_of_batch(self, batch: Batch) -> FeedEvent:
        """Return the last event about a batch that has ended; its id is the same each time."""
        id_ = self._ends.setdefault(batch.id, self.revision)
        return self._once("end", batch.id, id_, lambda: self._fact(batch))

    def end_id(self, key: str) -> int | None:
        """Return the id of the last event about a job or a batch; None if nobody was told of it yet."""
        return self._ends.get(key)

    def _changed_jobs(self, before: SessionState) -> Mapping[str, Sequence[Job]]:
        """Return the jobs that differ from those in `before`, by the ids of my batches that do."""
        state = self.state
        if state.held_elsewhere is not before.held_elsewhere:
            return {batch.id: jobs_of(state, batch) for batch in state.batches.values()}
        changed: dict[str, list[Job]] = {
            key: [] for key, batch in state.batches.items() if before.batches.get(key) is not batch
        }
        known = dict(before.jobs.items())
        for prompt_id, job in state.jobs.items():
            if known.get(prompt_id) is not job and (batch := batch_of(state, job)):
                changed.setdefault(batch.id, []).append(job)
        return changed

    def _update_batch(self, batch: Batch) -> None:
        jobs, known = jobs_of(self.state, batch), self._batch_outcomes.get(batch.id, {})
        # The newest first: those are the ones that are open.
        if not is_complete(batch, jobs) or not all(map(self.is_settled, reversed(jobs))):
            self._batch_outcomes.pop(batch.id, None)
            self._ends.pop(batch.id, None)
        # A long session forgets the oldest images, also of batches that have ended.
        elif not (outcomes := {job.prompt_id: outcome_of(job) for job in jobs}).items() <= known.items():
            seen = bool(known) or any(job.prompt_id in self._open for job in jobs)
            self._batch_outcomes[batch.id] = outcomes
            self._ends.pop(batch.id, None)
            ended = max((job.ended or 0.0 for job in jobs), default=0.0)
            self._add(batch, None if seen else ended)

    def _update_job(self, job: Job) -> None:
        if job.batch_tag:
            self._places[job.prompt_id] = (job.batch_tag.batch, job.batch_tag.index)
        if not self.is_settled(job):
            self._open.add(job.prompt_id)
            self._outcomes.pop(job.prompt_id, None)
            self._ends.pop(job.prompt_id, None)
            return
        outcome = outcome_of(job)
        if outcome is not None and self._outcomes.get(job.prompt_id) != outcome:
            seen = job.prompt_id in self._open or job.prompt_id in self._outcomes
            self._outcomes[job.prompt_id] = outcome
            self._add(job, None if seen else job.ended or 0.0)

    def _add(self, subject: Job | Batch, ended: float | None) -> None:
        """Note what has ended; the event about an end before this process has the wall second `ended` as its id.

        The clock of a server may be wrong: an id in the future would be above those that its followers have for long.
        """
        id_ = int((ended or 0.0) * 1000)
        if ended is None or id_ >= self._first_id:
            id_ = self._next_id()
        self._new_facts.append((id_, subject))

    def _keep_new_facts(self) -> None:
        """Keep the events about what ended in this update; those that would be dropped at once are not made."""
        if new := sorted(self._new_facts, key=lambda fact: fact[0])[-MAX_FACTS:]:
            self._new_facts = []
            self._facts.add([feed_event(id_, self._fact(subject)) for id_, subject in new])

    def _fact(self, subject: Job | Batch) -> ImageEvent | EndEvent:
        if isinstance(subject, Job):
            return image_event(self.state, subject, urls=self._urls)
        return batch_end(self.state, subject, urls=self._urls)

    def _next_id(self) -> int:
        self._last_id = max(self._last_id + 1, int(self._now.wall * 1000))
        return self._last_id

    def _once(self, kind: str, key: str, id_: int, event: Callable[[], Event]) -> FeedEvent:
        """Return the event of a kind about a job or batch, which is made once until the next update."""
        if (kind, key) not in self._present:
            if len(self._present) >= MAX_PRESENT:
                self._present = {}
            self._present[kind, key] = feed_event(id_, event())
        return self._present[kind, key]

    def _forget_dropped(self) -> None:
        """Forget what is kept of batches that the session no longer has."""
        batches = self.state.batches
        if len(self._places) > 2 * sum(len(batch.prompt_ids) for batch in batches.values()) + MAX_PLACES:
            self._places = {key: place for key, place in self._places.items() if place[0] in batches}
            self._open &= self._places.keys()
            self._outcomes = {key: each for key, each in self._outcomes.items() if key in self._places}
        if not self._batch_outcomes.keys() <= batches.keys():
            self._batch_outcomes = {key: each for key, each in self._batch_outcomes.items() if key in batches}
        self._ends = {key: id_ for key, id_ in self._ends.items() if key in batches or key in self.state.jobs}
