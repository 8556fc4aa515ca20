"""Finds the graph of a job: in this process, in the journal, or on the server."""

import json
from typing import Final

from comfytui.comfy.errors import NotComfyUI, ServerError
from comfytui.comfy.protocol.media_types import Media, media_of
from comfytui.service.backend import Backend
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.submission.batch import GraphStore
from comfytui.session.model import Job
from comfytui.workflow.graph import Graph, sendable_graph
from comfytui.workflow.parameters import parameters_of

IMAGE_HEAD: Final = 2**20
"""Bytes of an image that are read: in a PNG, the graph is before the pixels."""


async def local_graph(prompt_id: str, job: Job | None, graphs: GraphStore, journal: AsyncJournal) -> Graph | None:
    """Return the graph that this machine has of a job, which the session may not know, or None."""
    if job and (submission := graphs.submission_of(job)):
        return submission.graph
    return await journal.graph_of(prompt_id)


async def server_graph(job: Job, backend: Backend) -> Graph | None:
    """Return the graph that the server has of a job, or None; raises ComfyError.

    It is in the list of jobs, which not every server has, in the history or the queue, or else in an image of the job.
    """
    for search in (_in_jobs, _in_history, _in_queue, _in_image):
        if graph := await search(job, backend):
            return graph
    return None


async def _in_jobs(job: Job, backend: Backend) -> Graph | None:
    try:
        return sendable_graph(await backend.job_graph(job.prompt_id))
    except (ServerError, NotComfyUI):
        return None


async def _in_history(job: Job, backend: Backend) -> Graph | None:
    entry = await backend.history_entry(job.prompt_id)
    return sendable_graph(entry.item.graph) if entry and entry.item.prompt_id == job.prompt_id else None


async def _in_queue(job: Job, backend: Backend) -> Graph | None:
    if job.status.ended:
        return None
    queue = await backend.queue(lambda item: item if item.prompt_id == job.prompt_id else None)
    graphs = (sendable_graph(_parsed(item.graph)) for item in (*queue.running, *queue.pending) if item)
    return next(filter(None, graphs), None)


async def _in_image(job: Job, backend: Backend) -> Graph | None:
    """Return the graph in the metadata of the job's first image, unless a later job has overwritten the file."""
    from comfytui.workflow.media.metadata import extract_graph

    image = next((output for output in job.outputs if media_of(output) is Media.IMAGE), None)
    if image is None:
        return None
    try:
        graph = sendable_graph(extract_graph(await backend.view_head(image, IMAGE_HEAD)))
    except (ServerError, NotComfyUI):
        return None
    return graph if graph and parameters_of(graph) == job.parameters else None


def _parsed(graph: object) -> object:
    """Parse a graph of the queue, which is unparsed JSON until it is needed; return None if it is invalid."""
    if not isinstance(graph, bytes):
        return graph
    try:
        return json.loads(graph)
    except (ValueError, RecursionError):
        return None
