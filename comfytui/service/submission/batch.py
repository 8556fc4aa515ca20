"""Batches of graphs, and the submissions that they become."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from comfytui.session.model import Batch, BatchTag, Job, JobStatus
from comfytui.workflow.graph import Graph, classes_of
from comfytui.workflow.parameters import parameters_of


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A request for images: one graph each, with its seed set; `preview_method` is ComfyUI's name, None for its own."""

    title: str
    graphs: tuple[Graph, ...] = field(repr=False)
    preview_method: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One prompt to be sent; `tag` is its batch tag as JSON, which the server keeps in its `extra_data`."""

    prompt_id: str
    batch: str
    graph: Graph = field(repr=False)
    tag: Mapping[str, Any]
    preview_method: str | None


def plan(request: BatchRequest, client_id: str, wall: float) -> tuple[Batch, tuple[Job, ...], tuple[Submission, ...]]:
    """Return the batch of a request, its jobs and its submissions, with new ids.

    Args:
        request: The images.
        client_id: The client id that owns the jobs.
        wall: The wall-clock time of the request, in seconds.
    """
    total = len(request.graphs)
    batch_id, submission_id = str(uuid4()), str(uuid4())
    prompt_ids = tuple(str(uuid4()) for _ in request.graphs)
    tags = [BatchTag(batch_id, index, total, submission_id) for index in range(1, total + 1)]
    jobs = tuple(
        Job(
            prompt_id=prompt_id,
            status=JobStatus.SUBMITTING,
            mine=True,
            owner=client_id,
            batch_tag=batch_tag,
            parameters=parameters_of(graph),
            classes=classes_of(graph),
            created=wall,
        )
        for prompt_id, batch_tag, graph in zip(prompt_ids, tags, request.graphs, strict=True)
    )
    submissions = tuple(
        Submission(prompt_id, batch_id, graph, asdict(batch_tag), request.preview_method)
        for prompt_id, batch_tag, graph in zip(prompt_ids, tags, request.graphs, strict=True)
    )
    return Batch(batch_id, total, request.title, prompt_ids, wall), jobs, submissions
