"""Finds the graph of a job: in this process, in the journal, or on the server."""

import json

from comfytui.comfy.errors import NotComfyUI, ServerError
from comfytui.service.backend import Backend
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.submission.batch import GraphStore
from comfytui.session.model import Job
from comfytui.workflow.graph import Graph, sendable_graph


async def local_graph(prompt_id: str, job: Job | None, graphs: GraphStore, journal: AsyncJournal) -> Graph | None:
    """Return the graph that this machine has of a job, which the session may not know, or None."""
    if job and (submission := graphs.submission_of(job)):
        return submission.graph
    return await journal.graph_of(prompt_id)


async def server_graph(job: Job, backend: Backend) -> Graph | None:
    """Return the graph that the server has of a job, or None; raises ComfyError."""
    entry = await backend.history_entry(job.prompt_id)
    if entry and entry.item.prompt_id == job.prompt_id and (graph := sendable_graph(entry.item.graph)):
        return graph
    if not job.status.ended:
        queue = await backend.queue(lambda item: item if item.prompt_id == job.prompt_id else None)
        for item in (*queue.running, *queue.pending):
            if item and (graph := sendable_graph(_parsed(item.graph))):
                return graph
    try:
        return sendable_graph(await backend.job_graph(job.prompt_id))
    except (ServerError, NotComfyUI):
        return None  # Not every server has a list of jobs.


def _parsed(graph: object) -> object:
    """Parse a graph of the queue, which is unparsed JSON until it is needed; return None if it is invalid."""
    if not isinstance(graph, bytes):
        return graph
    try:
        return json.loads(graph)
    except (ValueError, RecursionError):
        return None
