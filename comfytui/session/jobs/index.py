"""The jobs of a server as one immutable map that carries the indexes which the screen asks for."""

from collections import Counter
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Set, ValuesView
from dataclasses import dataclass, field
from functools import cached_property
from math import inf

from comfytui.session.delivery import Delivery
from comfytui.session.jobs.sizes import results_size, traceback_size
from comfytui.session.model import Job, JobStatus, Presence
from comfytui.session.run_times import WorkloadKey, workload_key_of

Span = tuple[float, float]
"""Begin and end, in wall seconds."""

_QUEUED = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
_RANK = {JobStatus.RUNNING: 0, JobStatus.QUEUED: 1, JobStatus.SUBMITTING: 2}


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """How many known jobs of one batch are in which status."""

    counts: Mapping[JobStatus, int] = field(default_factory=dict)
    next: str | None = None
    """The job that runs or will run first."""
    seconds: float = 0.0
    """Time in which at least one of those ran that have ended."""
    ended: float | None = None
    """When the last of them ended, in wall seconds."""
    left_queue: int = 0
    """Jobs that ran and left the queue, and whose end is yet to be read."""
    dismissed: int = 0
    """Jobs that were lost when they were cancelled."""
    spans: tuple[Span, ...] = field(default=(), compare=False, repr=False)
    """When at least one of those ran that have ended, the latest span first."""

    def of(self, *statuses: JobStatus) -> int:
        """Return how many jobs have one of these statuses."""
        return sum(self.counts.get(status, 0) for status in statuses)

    @property
    def open(self) -> int:
        """How many jobs have not ended."""
        return sum(count for status, count in self.counts.items() if not status.ended)

    @property
    def open_or_lost(self) -> int:
        """How many jobs have not ended, or are lost."""
        return sum(count for status, count in self.counts.items() if not status.final)


class Jobs(Mapping[str, Job]):
    """Jobs by prompt_id in order of arrival; each version of the map computes its indexes when they are first used."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._jobs = {job.prompt_id: job for job in jobs}
        self._counted: Mapping[str, tuple[list[Job], BatchCounts]] = {}  # by batch id, also by earlier versions

    def __getitem__(self, prompt_id: str) -> Job:
        return self._jobs[prompt_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)

    def __repr__(self) -> str:
        return f"Jobs({len(self)})"

    def with_jobs(self, jobs: Iterable[Job]) -> "Jobs":
        """Return the map with these jobs replacing those of the same ids, new ones last."""
        changed = Jobs()
        changed._counted = self._counted
        changed._jobs = self._jobs | (changed_jobs := {job.prompt_id: job for job in jobs})
        sizes = [self.results_size, self.tracebacks_size]
        for key, job in changed_jobs.items():
            known = self._jobs.get(key)
            if known is None or not _same_results(known, job):
                sizes[0] += results_size(job) - (results_size(known) if known else 0)
                sizes[1] += traceback_size(job) - (traceback_size(known) if known else 0)
        changed.__dict__["results_size"], changed.__dict__["tracebacks_size"] = sizes
        return changed

    def without(self, ids: Set[str]) -> "Jobs":
        """Return the map without the jobs of these ids."""
        return Jobs(job for job in self._jobs.values() if job.prompt_id not in ids)

    def with_replaced(self, old: str, job: Job) -> "Jobs":
        """Return the map with `job` in the place of the job `old`, whose id may differ."""
        others = self.without({job.prompt_id} - {old})
        return Jobs(job if known.prompt_id == old else known for known in others.values())

    def values(self) -> ValuesView[Job]:
        """Return the jobs; as fast as those of a dict."""
        return self._jobs.values()

    def items(self) -> ItemsView[str, Job]:
        """Return the ids with their jobs; as fast as those of a dict."""
        return self._jobs.items()

    @cached_property
    def results_size(self) -> int:
        """Bytes of the results of all jobs."""
        return sum(map(results_size, self._jobs.values()))

    @cached_property
    def tracebacks_size(self) -> int:
        """Bytes of the tracebacks of all jobs."""
        return sum(map(traceback_size, self._jobs.values()))

    @cached_property
    def queue_positions(self) -> Mapping[str, int]:
        """Position in the server's queue, from 0, of every job that is in it."""
        queued = [job for job in self._jobs.values() if job.status in _QUEUED and job.presence is Presence.EXPECTED]
        return {job.prompt_id: position for position, job in enumerate(sorted(queued, key=run_order))}

    @cached_property
    def running_ids(self) -> Set[str]:
        """Ids of the jobs that run, of any client."""
        return frozenset(key for key in self.queue_positions if self._jobs[key].status is JobStatus.RUNNING)

    @cached_property
    def batch_counts(self) -> Mapping[str, BatchCounts]:
        """Counts of my batches, by batch id; those of which no job has changed are not counted again."""
        batches: dict[str, list[Job]] = {}
        for job in self._jobs.values():
            if job.mine and job.batch_tag:
                batches.setdefault(job.batch_tag.batch, []).append(job)
        self._counted = {
            batch: known if (known := self._counted.get(batch)) and known[0] == jobs else (jobs, _count_jobs(jobs))
            for batch, jobs in batches.items()
        }
        return {batch: counts for batch, (_, counts) in self._counted.items()}

    @cached_property
    def queue_spans(self) -> Mapping[str, tuple[int, int]]:
        """For each of my batches, its last queue position and how many of its jobs are in the queue."""
        positions: dict[str, list[int]] = {}
        for prompt_id, position in self.queue_positions.items():
            job = self._jobs[prompt_id]
            if job.mine and job.batch_tag:
                positions.setdefault(job.batch_tag.batch, []).append(position)
        return {batch: (of_batch[-1], len(of_batch)) for batch, of_batch in positions.items()}

    @cached_property
    def run_seconds(self) -> Mapping[WorkloadKey, float]:
        """Seconds that the latest job of each workload ran, of any client, where the server reported them."""
        ran = [job for job in self._jobs.values() if job.status is JobStatus.SUCCEEDED and job.seconds is not None]
        return {workload_key_of(job): job.seconds or 0.0 for job in sorted(ran, key=lambda job: job.ended or 0.0)}

    @cached_property
    def awaiting_history(self) -> tuple[str, ...]:
        """Ids of jobs, of any client, that left the queue and whose end is not known in full."""
        return tuple(
            job.prompt_id
            for job in self._jobs.values()
            if job.presence is Presence.LEFT_QUEUE and (job.results_incomplete or not job.status.ended)
        )

    @cached_property
    def to_deliver(self) -> tuple[Job, ...]:
        """My jobs on their way to the server, and those that it has but was to cancel as soon as it has them."""
        return tuple(
            job for job in self._jobs.values() if job.delivery is not Delivery.ACCEPTED or job.cancel_requested
        )


def _same_results(job: Job, other: Job) -> bool:
    return job.outputs is other.outputs and job.text is other.text and job.failure is other.failure


def run_order(job: Job) -> tuple[int, bool, float, int]:
    """Return a sort key that puts open jobs in the order in which the server runs them.

    Unsent jobs come last, in image order.
    """
    return (
        _RANK[job.status],
        job.left_queue,
        inf if job.number is None else job.number,
        job.batch_tag.index if job.batch_tag else 0,
    )


def _count_jobs(jobs: list[Job]) -> BatchCounts:
    waiting = [job for job in jobs if not job.status.ended]
    spans = tuple(_run_spans(jobs))
    return BatchCounts(
        counts=Counter(job.status for job in jobs),
        next=min(waiting, key=run_order).prompt_id if waiting else None,
        seconds=sum(end - start for start, end in spans),
        ended=max((job.ended for job in jobs if job.ended is not None), default=None),
        left_queue=sum(job.left_queue and job.status is JobStatus.RUNNING for job in waiting),
        dismissed=sum(job.dismissed for job in jobs),
        spans=spans,
    )


def _run_spans(jobs: Iterable[Job]) -> Iterator[Span]:
    """Yield when at least one of these jobs ran, without overlaps, the latest span first."""
    ended = [(job.ended, job.seconds) for job in jobs if job.ended is not None and job.seconds]
    earliest = inf
    for end, seconds in sorted(ended, reverse=True):
        start = end - seconds
        if start < earliest:
            yield start, min(end, earliest)
            earliest = start


def indexed(jobs: Mapping[str, Job]) -> Jobs:
    """Return the same jobs as a map with indexes."""
    return jobs if isinstance(jobs, Jobs) else Jobs(jobs.values())
