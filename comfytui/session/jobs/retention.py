"""Decides which jobs are kept that were not submitted here: a server may show new ones without end."""

from collections.abc import Iterable, Set
from dataclasses import replace
from types import MappingProxyType

from comfytui.session.jobs.index import indexed
from comfytui.session.jobs.sizes import graph_size, results_size, traceback_size
from comfytui.session.model import Job
from comfytui.session.state import SessionState
from comfytui.workflow.parameters import GenerationParameters

OTHERS_KEPT = 200
"""Ended jobs of other clients that are kept, the newest."""
ADOPTED_KEPT = 1_000
"""Ended jobs of mine that are kept although only the server knows of them, the newest."""
LEFT_QUEUE_KEPT = 1_000
"""Jobs of each of these two groups that are kept after they left the queue, until their end is read."""
ENDED_SIZE = 16 * 2**20
"""Bytes of ended jobs that are kept, in each of these two groups."""
GRAPHS_SIZE = 48 * 2**20
"""Bytes of what is known of the graphs of all jobs."""


def is_submitted_here(state: SessionState, job: Job) -> bool:
    """Return whether the user submitted it with comfytui on this machine, in this session or an earlier one."""
    batch = state.batches.get(job.batch_tag.batch) if job.mine and job.batch_tag else None
    return batch is not None and not batch.adopted


def drop_excess_parameters(state: SessionState, jobs: list[Job]) -> list[Job]:
    """Return these new jobs, without their parameters where the limit for those is reached."""
    if not jobs:
        return jobs
    counted: set[int] = set()
    size = sum(graph_size(job, counted) for job in state.jobs.values())
    kept = []
    for job in jobs:
        size += graph_size(job, counted)
        kept.append(
            job
            if size <= GRAPHS_SIZE
            else replace(job, parameters=GenerationParameters(), classes=MappingProxyType({}))
        )
    return kept


def excess_ids(state: SessionState, new: Iterable[Job]) -> Set[str]:
    """Return the ids of the oldest jobs, `new` ones included, that were not submitted here and left the queue."""
    jobs = {**state.jobs, **{job.prompt_id: job for job in new}}
    removable = [
        job for job in jobs.values() if (job.status.ended or job.left_queue) and job.prompt_id not in state.runs
    ]
    mine = [job for job in removable if job.mine and not is_submitted_here(state, job)]
    others = [job for job in removable if not job.mine]
    return {*_beyond_limits(mine, ADOPTED_KEPT), *_beyond_limits(others, OTHERS_KEPT)}


def remove_jobs(state: SessionState, ids: Set[str]) -> SessionState:
    """Return the state without the jobs of these ids, and without the batches that this leaves empty."""
    jobs = [job for key in ids if (job := state.jobs.get(key))]
    if not jobs:
        return state
    batches = dict(state.batches)
    for key in {job.batch_tag.batch for job in jobs if job.mine and job.batch_tag} & batches.keys():
        rest = tuple(prompt for prompt in batches[key].prompt_ids if prompt not in ids)
        if rest:
            batches[key] = replace(batches[key], prompt_ids=rest)
        else:
            del batches[key]
    return replace(state, jobs=indexed(state.jobs).without(ids), batches=MappingProxyType(batches))


def _beyond_limits(jobs: list[Job], limit: int) -> Iterable[str]:
    """Return the ids of the jobs beyond the newest, limited by number and by size."""
    ended = sorted((job for job in jobs if job.status.ended), key=lambda job: job.ended or 0.0, reverse=True)
    rest = [job for job in jobs if not job.status.ended]
    counted: set[int] = set()
    size = 0
    for place, job in enumerate(ended):
        size += graph_size(job, counted) + results_size(job) - traceback_size(job)  # Few tracebacks are kept.
        if place >= limit or size > ENDED_SIZE:
            yield job.prompt_id
    yield from (job.prompt_id for job in rest[:-LEFT_QUEUE_KEPT])
