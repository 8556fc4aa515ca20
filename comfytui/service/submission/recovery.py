"""Jobs that a server forgot: how they are sent again, and how pictures are found that nobody saw it make."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import NotComfyUI, ServerError
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.media_types import Media, media_of
from comfytui.comfy.protocol.models import HistoryEntry, QueueItem
from comfytui.service.connection.finished_jobs import CONCURRENT_REQUESTS, HISTORY_LIMIT, read_by_id, read_history
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.submission.batch import Submission
from comfytui.session.events import FinishedPrompt, HistorySnapshot
from comfytui.session.jobs.summarise import finished_prompt_of
from comfytui.session.model import Job
from comfytui.workflow.graph import Graph
from comfytui.workflow.image_metadata import graph_in

LOOKED_AT = 60
"""The newest pictures that are looked at; each is a request, and what was lost is not old."""
HEAD_SECONDS = 10.0
"""Seconds for one of them."""
HEAD = 128 * 1024
"""Bytes of a picture that hold the prompt which ComfyUI writes before the pixels; few graphs are larger."""


async def parcels_of(jobs: Sequence[Job], kept: Mapping[str, Submission], journal: AsyncJournal) -> list[Submission]:
    """The prompts of these jobs as they were sent, seeds and all; those that nobody kept are left out."""
    submissions = []
    for job in jobs:
        if submission := kept.get(job.prompt_id):
            # A server that mints its own ids knew it under another one.
            submissions.append(replace(submission, prompt_id=job.prompt_id))
        elif job.batch_tag and (graph := await journal.graph_of(job.prompt_id)):
            submissions.append(Submission(job.prompt_id, job.batch_tag.batch, graph, asdict(job.batch_tag), None))
    return submissions


async def in_history(prompt_ids: Sequence[str], client: ComfyClient) -> tuple[FinishedPrompt, ...]:
    """The prompts that the server's history has after all."""
    found, left = dict[str, FinishedPrompt](), set(prompt_ids)
    if len(left) > CONCURRENT_REQUESTS:
        entries = await read_history(client, HISTORY_LIMIT)
        found = {each.prompt.prompt_id: each for each in entries if each.prompt.prompt_id in left}
        left -= found.keys()
        if len(entries) < HISTORY_LIMIT and len(left) > CONCURRENT_REQUESTS:
            left = set()  # The history has no others.

    def take(answer: HistorySnapshot) -> None:
        found.update((each.prompt.prompt_id, each) for each in answer.entries)

    await read_by_id(client, [prompt_id for prompt_id in prompt_ids if prompt_id in left], take)
    return tuple(found[prompt_id] for prompt_id in prompt_ids if prompt_id in found)


async def found(submissions: Sequence[Submission], client: ComfyClient) -> tuple[FinishedPrompt, ...]:
    """The prompts of which the server has all pictures, as ended: ComfyUI writes into each the graph that made it.

    Only the top of its output folder is known to list; a picture that is in a subfolder is not found.
    """
    outputs: dict[str, list[Output]] = {}
    wanted = [(_made_by(submission.graph), submission.prompt_id) for submission in submissions]
    prefixes = tuple({prefix for submission in submissions for prefix in _prefixes(submission.graph)})
    made = [Output(name) for name in await client.output_names() if name.startswith(prefixes)]
    for output in [each for each in made if media_of(each) is Media.PICTURE][:LOOKED_AT]:
        made_by = _read(await _head(client, output))
        if prompt_id := next((prompt_id for graph, prompt_id in wanted if graph == made_by), None):
            outputs.setdefault(prompt_id, []).insert(0, output)
    whole = [
        submission
        for submission in submissions
        if len(outputs.get(submission.prompt_id, ())) >= _pictures(submission.graph)
    ]
    items = [QueueItem(submission.prompt_id, 0, submission.graph, marks=submission.marks) for submission in whole]
    return tuple(finished_prompt_of(HistoryEntry(item, "success", tuple(outputs[item.prompt_id]))) for item in items)


async def _head(client: ComfyClient, output: Output) -> bytes:
    """The first bytes of a picture; nothing where the server does not give it, or takes too long."""
    try:
        async with asyncio.timeout(HEAD_SECONDS):
            return await client.view_head(output, HEAD)
    except (ServerError, NotComfyUI, TimeoutError):
        return b""


def _pictures(graph: Graph) -> int:
    """How many pictures a graph makes: each node that saves saves the whole batch of latents."""
    inputs = [node.get("inputs", {}) for node in graph.values()]
    batches = (size for each in inputs if isinstance(size := each.get("batch_size"), int))
    return max(1, sum(isinstance(each.get("filename_prefix"), str) for each in inputs)) * max([1, *batches])


def _prefixes(graph: Graph) -> Iterable[str]:
    """How the names begin that its nodes give to files; what the server puts in for `%` is not known here."""
    prefixes = (node.get("inputs", {}).get("filename_prefix") for node in graph.values())
    return (prefix.partition("%")[0] for prefix in prefixes if isinstance(prefix, str))


def _made_by(graph: Mapping[str, Any]) -> dict[str, tuple[object, object]]:
    """A graph without what says nothing of the picture: titles, and what the server computed."""
    return {key: (node.get("class_type"), node.get("inputs")) for key, node in graph.items() if isinstance(node, dict)}


def _read(head: bytes) -> dict[str, tuple[object, object]] | None:
    """The graph in the first bytes of a picture; None where there is none to be read."""
    graph = graph_in(head)
    return _made_by(graph) if isinstance(graph, dict) else None
