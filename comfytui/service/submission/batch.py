"""What a user orders: a batch of graphs, and how it becomes prompts with ids and marks."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from comfytui.session.model import Batch, BatchTag, Job, JobStatus
from comfytui.workflow.graph import Graph, classes_of
from comfytui.workflow.parameters import parameters_of


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Images asked for at once: one graph each, its seed set; `preview_method` in ComfyUI's words, None for its own."""

    title: str
    graphs: tuple[Graph, ...] = field(repr=False)
    preview_method: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One prompt on its way to the server."""

    prompt_id: str
    batch: str
    graph: Graph = field(repr=False)
    marks: Mapping[str, Any]
    preview_method: str | None


def plan(order: BatchRequest, client_id: str, wall: float) -> tuple[Batch, tuple[Job, ...], tuple[Submission, ...]]:
    """The batch, its jobs and its parcels, with ids minted here; `wall` is the time of the order in seconds."""
    total = len(order.graphs)
    batch_id, submission = str(uuid4()), str(uuid4())
    ids = tuple(str(uuid4()) for _ in order.graphs)
    marks = [BatchTag(batch_id, index, total, submission) for index in range(1, total + 1)]
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
        for prompt_id, batch_tag, graph in zip(ids, marks, order.graphs, strict=True)
    )
    submissions = tuple(
        Submission(prompt_id, batch_id, graph, asdict(batch_tag), order.preview_method)
        for prompt_id, batch_tag, graph in zip(ids, marks, order.graphs, strict=True)
    )
    return Batch(batch_id, total, order.title, ids, wall), jobs, submissions
