"""The prompts that were used, as the journal has them."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from comfytui.service.journal import codec
from comfytui.service.journal.codec import decode_graph, decompress, unescape
from comfytui.session.model import JobStatus
from comfytui.workflow.annotations import restore_templates
from comfytui.workflow.parameters import parameters_of

PROMPTS_LIMIT = 2_000
"""Prompts that are returned, those used last."""
SIZE_LIMIT = 8 * 2**20
"""Characters of all of them together."""
BEST_FIRST = (
    *(JobStatus.SUCCEEDED, JobStatus.CACHED, JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.SUBMITTING),
    *(JobStatus.LOST, JobStatus.INTERRUPTED, JobStatus.CANCELLED, JobStatus.FAILED, JobStatus.REJECTED),
)
"""The statuses from the best outcome to the worst."""

GRAPHS_LIMIT = 500
"""Batches whose graphs are read for their negative prompts, those planned last."""

_GRAPHS = """SELECT base, count(*), created, group_concat(DISTINCT status),
    (SELECT seed FROM prompts AS last WHERE last.batch = batches.batch ORDER BY position DESC, seq DESC LIMIT 1)
    FROM batches JOIN prompts USING (batch) GROUP BY batches.seq ORDER BY batches.seq DESC LIMIT ?"""
_GROUPS = """SELECT title, max(batches.seq), count(*), max(created), group_concat(DISTINCT status)
    FROM batches JOIN prompts USING (batch) WHERE title != '' GROUP BY title ORDER BY max(batches.seq) DESC LIMIT ?"""
_NEWEST = """SELECT batches.base, prompts.seed FROM batches JOIN prompts USING (batch)
    WHERE batches.seq = ? ORDER BY position DESC, prompts.seq DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class UsedPrompt:
    """One prompt as it was typed, and what was made with it."""

    text: str
    images: int
    """How often it was queued."""
    last_used: float
    """When its last batch was planned, in wall-clock seconds of this machine."""
    last_seed: int | None
    """The seed of the last image of that batch."""
    best: JobStatus
    """The best outcome of all."""


def used_prompts(db: sqlite3.Connection, limit: int = PROMPTS_LIMIT) -> list[UsedPrompt]:
    """Return the prompts of all my batches on any server, the one used last first; damaged rows are left out."""
    found: list[UsedPrompt] = []
    size = 0
    for row in db.execute(_GROUPS, (limit,)):
        try:
            used = _used_prompt(db, row)
        except (TypeError, ValueError, AttributeError, StopIteration):
            continue
        if used is not None:
            size += len(used.text)
            if size > SIZE_LIMIT:
                break
            found.append(used)
    return found


def batches_with_graphs(db: sqlite3.Connection, limit: int = GRAPHS_LIMIT) -> list[tuple[Any, ...]]:
    """Return my last batches for `used_negatives`, which takes longer and needs no database."""
    return db.execute(_GRAPHS, (limit,)).fetchall()


def used_negatives(rows: Iterable[tuple[Any, ...]]) -> list[UsedPrompt]:
    """Return the negative prompts in the graphs of batches, the one used last first; damaged rows are left out."""
    found: dict[str, UsedPrompt] = {}
    size = 0
    for base, count, created, statuses, seed in rows:
        graph = decode_graph(decompress(base))
        text = parameters_of(restore_templates(graph)).negative if graph else ""
        known = [status for status in BEST_FIRST if status in str(statuses).split(",")]
        if not text or not known or (text not in found and size + len(text) > SIZE_LIMIT):
            continue
        if used := found.get(text):
            best = min(used.best, known[0], key=BEST_FIRST.index)
            found[text] = replace(used, images=used.images + count, best=best)
        else:
            size += len(text)
            found[text] = UsedPrompt(text, count, codec.number(created) or 0.0, codec.seed(seed), known[0])
    return list(found.values())


def _used_prompt(db: sqlite3.Connection, row: tuple[Any, ...]) -> UsedPrompt | None:
    """Return what was made with one title; None if it is the name of a workflow, as of batches without a prompt."""
    title, newest, count, created, statuses = row
    text = unescape(title)
    base, seed = db.execute(_NEWEST, (newest,)).fetchone()
    graph = decompress(base)
    if graph and json.dumps(text)[1:-1].encode() not in graph:
        return None
    known = [status for status in BEST_FIRST if status in statuses.split(",")]
    last_used = codec.number(created)
    return (
        UsedPrompt(text, count, 0.0 if last_used is None else last_used, codec.seed(seed), known[0]) if known else None
    )
