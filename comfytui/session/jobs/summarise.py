"""Summarises prompts of the queue and the history to what a session keeps: no graph, none of the protocol's types."""

from collections.abc import Mapping
from typing import TypeGuard

from comfytui.comfy.protocol.models import HistoryEntry, Json, QueueItem
from comfytui.session.events import FinishedPrompt, QueuedPrompt
from comfytui.session.jobs.execution import failure_of
from comfytui.session.jobs.transitions import ran_from_cache
from comfytui.session.model import BatchTag
from comfytui.workflow.parameters import GraphReader

MAX_ID_BYTES = 64
"""Bytes of a batch or submission id at most; ours are UUIDs."""
MAX_TAG_TOTAL = 100_000
"""Images that a batch tag may claim at most."""


def queued_prompt_of(item: QueueItem, reader: GraphReader | None = None) -> QueuedPrompt:
    """Return the summary of a prompt in the queue; pass one `reader` for all prompts of an answer."""
    reader = reader or GraphReader()
    parameters, classes = reader.read(item.graph)
    return QueuedPrompt(
        prompt_id=item.prompt_id,
        number=item.number,
        client_id=reader.share(item.client_id) if item.client_id else None,  # Few clients have most of a long queue.
        batch_tag=batch_tag_of(item.tag),
        parameters=parameters,
        classes=classes,
        created=_seconds(item.create_time),
    )


def finished_prompt_of(entry: HistoryEntry, reader: GraphReader | None = None) -> FinishedPrompt:
    """Return the summary of a prompt that ended; pass one `reader` for all prompts of an answer."""
    prompt = queued_prompt_of(entry.item, reader)
    timed = entry.started is not None and entry.ended is not None
    return FinishedPrompt(
        prompt=prompt,
        outcome=entry.outcome,
        outputs=entry.outputs,
        all_cached=ran_from_cache(frozenset(entry.cached), prompt.classes, entry.outputs),
        failure=failure_of(entry.error) if entry.error else None,
        seconds=max((entry.ended or 0) - (entry.started or 0), 0) / 1000 if timed else None,
        ended=_seconds(entry.ended),
    )


def batch_tag_of(tag: Mapping[str, Json]) -> BatchTag | None:
    """Return the tag that a prompt carries; None if there is no valid one, since any client can write one."""
    if not tag:
        return None
    batch, index, total, submission = (tag.get(name) for name in ("batch", "index", "total", "submission"))
    if not _is_id(batch) or type(index) is not int or type(total) is not int:
        return None
    total = min(total, MAX_TAG_TOTAL)
    if not 1 <= index <= total:
        return None
    return BatchTag(batch, index, total, submission if _is_id(submission) else "")


def _is_id(value: Json) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value.encode(errors="replace")) <= MAX_ID_BYTES


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
