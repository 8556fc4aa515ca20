"""Batches of graphs, and the submissions that they become."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4, uuid5

from comfytui.session.delivery import Delivery
from comfytui.session.model import Batch, BatchTag, Failure, Job, JobStatus
from comfytui.workflow.graph import Graph, classes_of
from comfytui.workflow.parameters import parameters_of

NAMESPACE = UUID("3c9f5a1e-6b0d-4f3a-9a27-8d1f0c5e7b42")
"""The namespace of the ids of a batch with a key."""
PREVIEWS_ON, PREVIEWS_OFF = "auto", "none"
NO_GRAPH = Failure("Its workflow is damaged on disk, so it was not sent: make the image again.")


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A request for images: one graph each, with its seed set; made by `batch_request`."""

    batch_id: str
    submission_id: str
    prompt_ids: tuple[str, ...]
    """The ids of the prompts, one for each graph; an old server assigns others."""
    title: str
    graphs: tuple[Graph, ...] = field(repr=False)
    preview_method: str | None = None
    """ComfyUI's name of it; None for the server's own."""


def preview_method_for(*, previews: bool) -> str:
    """Return the preview method that a prompt requests, as ComfyUI names it."""
    return PREVIEWS_ON if previews else PREVIEWS_OFF


def batch_request(
    title: str, graphs: Iterable[Graph], preview_method: str | None = None, key: str = ""
) -> BatchRequest:
    """Return a request for images with ids, by which the caller knows the batch and its prompts from then on.

    Args:
        title: What the batch is called.
        graphs: The graph of each image.
        preview_method: ComfyUI's name of it; None for the server's own.
        key: What the ids are made of, so that a request that is repeated has the same ones; empty for new ids.
    """
    graphs = tuple(graphs)

    def new_id(name: str) -> str:
        return str(uuid5(NAMESPACE, f"{key}/{name}") if key else uuid4())

    prompt_ids = tuple(new_id(str(index)) for index in range(len(graphs)))
    return BatchRequest(new_id("batch"), new_id("submission"), prompt_ids, title, graphs, preview_method)


@dataclass(frozen=True, slots=True)
class Submission:
    """One prompt to be sent; `tag` is its batch tag as JSON, which the server keeps in its `extra_data`."""

    prompt_id: str
    batch: str
    graph: Graph = field(repr=False)
    tag: Mapping[str, Any]
    preview_method: str | None


class GraphStore:
    """The graphs of my jobs that have not ended, as submissions: they are too large for the state.

    They are found by the job's place in its batch, since old servers give a prompt another id.
    """

    def __init__(self) -> None:
        self._by_place: dict[tuple[str, int], Submission] = {}

    def add(self, submissions: Iterable[Submission]) -> None:
        """Keep submissions until their jobs end."""
        self._by_place |= {(each.batch, each.tag["index"]): each for each in submissions}

    def submission_of(self, job: Job) -> Submission | None:
        """Return the submission of a job of mine, under its present id, or None."""
        place = (job.batch_tag.batch, job.batch_tag.index) if job.mine and job.batch_tag else None
        submission = self._by_place.get(place) if place else None
        if submission and submission.prompt_id != job.prompt_id:
            return replace(submission, prompt_id=job.prompt_id)
        return submission

    def drop_ended(self, jobs: Iterable[Job]) -> None:
        """Forget the submissions of the jobs among these whose status is final."""
        if not self._by_place:
            return
        for job in jobs:
            if job.mine and job.batch_tag and job.status.final:
                self._by_place.pop((job.batch_tag.batch, job.batch_tag.index), None)

    def clear(self) -> None:
        """Forget all."""
        self._by_place.clear()


def plan(request: BatchRequest, client_id: str, wall: float) -> tuple[Batch, tuple[Job, ...], tuple[Submission, ...]]:
    """Return the batch of a request, its jobs and its submissions.

    Args:
        request: The images.
        client_id: The client id that owns the jobs.
        wall: The wall-clock time of the request, in seconds.
    """
    total = len(request.graphs)
    tags = [BatchTag(request.batch_id, index, total, request.submission_id) for index in range(1, total + 1)]
    prompts = list(zip(request.prompt_ids, tags, request.graphs, strict=True))
    jobs = tuple(
        Job(
            prompt_id=prompt_id,
            status=JobStatus.SUBMITTING,
            delivery=Delivery.PLANNED,
            mine=True,
            owner=client_id,
            batch_tag=batch_tag,
            parameters=parameters_of(graph),
            classes=classes_of(graph),
            created=wall,
        )
        for prompt_id, batch_tag, graph in prompts
    )
    submissions = tuple(
        Submission(prompt_id, request.batch_id, graph, asdict(batch_tag), request.preview_method)
        for prompt_id, batch_tag, graph in prompts
    )
    return Batch(request.batch_id, total, request.title, request.prompt_ids, wall), jobs, submissions
