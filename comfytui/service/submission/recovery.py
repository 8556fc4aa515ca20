"""Recovers lost jobs: submissions to re-send, and images that the server made while nothing was connected."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from comfytui.comfy.errors import NotComfyUI, ServerError
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.media_types import Media, media_of
from comfytui.comfy.protocol.models import HistoryEntry, QueueItem
from comfytui.service.backend import Backend
from comfytui.service.connection.finished_jobs import CONCURRENT_REQUESTS, MAX_ENTRIES_READ, read_by_id, read_history
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.submission.batch import GraphStore, Submission
from comfytui.session.events import FinishedPrompt, HistorySnapshot
from comfytui.session.jobs.summarise import finished_prompt_of
from comfytui.session.model import Job
from comfytui.timings import DEFAULT, SubmissionTimings
from comfytui.workflow.graph import Graph

MAX_IMAGES_READ = 60
"""How many images are read, the newest ones: each is a request, and a lost job is not old."""
HEAD = 128 * 1024
"""Bytes of an image that are read: ComfyUI writes the prompt before the pixels, and few graphs are larger."""


async def submissions_of(jobs: Sequence[Job], graphs: GraphStore, journal: AsyncJournal) -> list[Submission]:
    """Return the submissions of jobs as they were sent, with the same seeds.

    Args:
        jobs: The jobs. Those whose graphs are in neither place are left out.
        graphs: The graphs of this process.
        journal: Has the graphs of the others.
    """
    submissions = []
    for job in jobs:
        if submission := graphs.submission_of(job):
            submissions.append(submission)
        elif job.batch_tag and (graph := await journal.graph_of(job.prompt_id)):
            submissions.append(Submission(job.prompt_id, job.batch_tag.batch, graph, asdict(job.batch_tag), None))
    return submissions


async def finished_in_history(prompt_ids: Sequence[str], backend: Backend) -> tuple[FinishedPrompt, ...]:
    """Return the prompts among these that the server's history has after all; raises ComfyError."""
    finished, missing = dict[str, FinishedPrompt](), set(prompt_ids)
    if len(missing) > CONCURRENT_REQUESTS:
        entries = await read_history(backend, MAX_ENTRIES_READ)
        finished = {each.prompt.prompt_id: each for each in entries if each.prompt.prompt_id in missing}
        missing -= finished.keys()
        if len(entries) < MAX_ENTRIES_READ and len(missing) > CONCURRENT_REQUESTS:
            missing = set()  # That was the whole history.

    def add(snapshot: HistorySnapshot) -> None:
        finished.update((each.prompt.prompt_id, each) for each in snapshot.entries)

    await read_by_id(backend, [prompt_id for prompt_id in prompt_ids if prompt_id in missing], add)
    return tuple(finished[prompt_id] for prompt_id in prompt_ids if prompt_id in finished)


async def finished_by_images(
    submissions: Sequence[Submission],
    backend: Backend,
    timings: SubmissionTimings = DEFAULT.submission,
    *,
    head: int = HEAD,
    max_images: int = MAX_IMAGES_READ,
) -> tuple[FinishedPrompt, ...]:
    """Return the prompts whose images the server all has, as finished; raises ComfyError.

    ComfyUI writes into each image the graph that made it. Only the top of the output folder can be listed, so images
    in a subfolder are not found.

    Args:
        submissions: The prompts.
        backend: The server.
        timings: How long it waits for the head of an image.
        head: Bytes of an image that are read.
        max_images: How many images are read, the newest ones.
    """
    outputs: dict[str, list[Output]] = {}
    wanted = [(_comparable(submission.graph), submission.prompt_id) for submission in submissions]
    prefixes = tuple({prefix for submission in submissions for prefix in _prefixes(submission.graph)})
    files = [Output(name) for name in await backend.output_names() if name.startswith(prefixes)]
    for output in [each for each in files if media_of(each) is Media.IMAGE][:max_images]:
        image_graph = _graph_of_image(await _head(backend, output, head, timings.image_head))
        if prompt_id := next((prompt_id for graph, prompt_id in wanted if graph == image_graph), None):
            outputs.setdefault(prompt_id, []).insert(0, output)
    complete = [
        submission
        for submission in submissions
        if len(outputs.get(submission.prompt_id, ())) >= _image_count(submission.graph)
    ]
    items = [QueueItem(submission.prompt_id, 0, submission.graph, tag=submission.tag) for submission in complete]
    return tuple(finished_prompt_of(HistoryEntry(item, "success", tuple(outputs[item.prompt_id]))) for item in items)


async def _head(backend: Backend, output: Output, size: int, seconds: float) -> bytes:
    """Return the first bytes of an image; nothing if the server refuses it, or takes too long."""
    try:
        async with asyncio.timeout(seconds):
            return await backend.view_head(output, size)
    except (ServerError, NotComfyUI, TimeoutError):
        return b""


def _image_count(graph: Graph) -> int:
    """Return how many images a graph makes: each node that saves images saves the whole batch of latents."""
    inputs = [node.get("inputs", {}) for node in graph.values()]
    batches = (size for each in inputs if isinstance(size := each.get("batch_size"), int))
    return max(1, sum(isinstance(each.get("filename_prefix"), str) for each in inputs)) * max([1, *batches])


def _prefixes(graph: Graph) -> Iterable[str]:
    """Return how the file names of a graph begin; what the server puts in for `%` is unknown here."""
    prefixes = (node.get("inputs", {}).get("filename_prefix") for node in graph.values())
    return (prefix.partition("%")[0] for prefix in prefixes if isinstance(prefix, str))


def _comparable(graph: Mapping[str, Any]) -> dict[str, tuple[object, object]]:
    """Return the class and the inputs of each node, without what does not affect the image, such as titles."""
    return {key: (node.get("class_type"), node.get("inputs")) for key, node in graph.items() if isinstance(node, dict)}


def _graph_of_image(head: bytes) -> dict[str, tuple[object, object]] | None:
    """Return the comparable graph in the first bytes of an image, or None if there is none."""
    from comfytui.workflow.media.metadata import extract_graph

    graph = extract_graph(head)
    return _comparable(graph) if isinstance(graph, dict) else None
