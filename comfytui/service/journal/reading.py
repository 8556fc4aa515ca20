"""Reading the journal: which ids own what, and batches as they were last written."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from comfytui.service.journal.saved import SavedBatch, SavedPrompt
from comfytui.service.journal.text import failure_from, graph_from, names_from, outputs_from, unescaped, unpacked
from comfytui.session.model import Batch, JobStatus, Mark
from comfytui.workflow.graph import Graph
from comfytui.workflow.recipe import GraphReader

T = TypeVar("T")

OPEN = "({})".format(", ".join(f"'{status}'" for status in JobStatus if not status.ended))
"""The statuses of prompts that are still to end, for SQL."""
ROW_OF = """seq = (
    SELECT seq FROM (
        SELECT seq, 0 AS place FROM prompts WHERE prompt_id = :id
        UNION ALL SELECT seq, 1 FROM prompts WHERE accepted_id = :id
    ) ORDER BY place, seq DESC LIMIT 1
)"""
"""The prompt that has an id, its own or the server's; its own goes first, since a server may give any."""
_PROMPTS = """SELECT prompt_id, position, submission, status, graph, preview_method, seed, accepted_id, number, sending,
    witnesses, outputs, failure, seconds, ended FROM prompts WHERE batch = ? ORDER BY position, seq"""


def owners(db: sqlite3.Connection, server: str | None = None) -> list[str]:
    """The client ids that own unfinished prompts (of one server), oldest first."""
    return [
        unescaped(str(client_id))
        for (client_id,) in db.execute(
            f"""SELECT client_id FROM batches WHERE (:server IS NULL OR server = :server)
            AND EXISTS (SELECT 1 FROM prompts WHERE prompts.batch = batches.batch AND status IN {OPEN})
            GROUP BY client_id ORDER BY min(seq)""",
            {"server": server},
        )
    ]


def saved_batches(
    db: sqlite3.Connection, server: str, mine: Collection[str], recent: int, is_free: Callable[[str], bool]
) -> list[SavedBatch]:
    """The unfinished batches of `mine` and the `recent` last ended ones of free ids, oldest first."""
    rows = db.execute(
        f"""SELECT batch, client_id, title, total, created, base,
        EXISTS (SELECT 1 FROM prompts WHERE prompts.batch = batches.batch AND status IN {OPEN})
        FROM batches WHERE server = ? ORDER BY seq DESC""",
        (server,),
    )
    reader = GraphReader()
    return _readable(lambda row: _batch(db, row, reader), _chosen(rows, mine, recent, is_free))[::-1]


def _readable(make: Callable[[tuple[Any, ...]], T], rows: Iterable[tuple[Any, ...]]) -> list[T]:
    """What can be made of these rows: a value that a bad disk turned may be of any type, and costs its row alone."""
    made = []
    for row in rows:
        with suppress(TypeError, ValueError, AttributeError):
            made.append(make(row))
    return made


def _chosen(
    rows: sqlite3.Cursor, mine: Collection[str], recent: int, is_free: Callable[[str], bool]
) -> Iterator[tuple[Any, ...]]:
    free: dict[str, bool] = {}
    for *row, unfinished in rows:
        client_id = unescaped(str(row[1]))
        if unfinished:
            if client_id in mine:
                yield tuple(row)
        elif recent > 0:
            if client_id not in free:
                free[client_id] = client_id in mine or is_free(client_id)
            if free[client_id]:
                recent -= 1
                yield tuple(row)


def _batch(db: sqlite3.Connection, row: tuple[Any, ...], reader: GraphReader) -> SavedBatch:
    batch_id, client_id, title, total, created, base = row
    batch_text, owner = unescaped(batch_id), unescaped(client_id)
    base_text = unpacked(base) or b""

    def prompt(row: tuple[Any, ...]) -> SavedPrompt:
        prompt_id, position, submission, status, graph, preview, seed, accepted, number, sending, witnesses, *end = row
        outputs, failure, seconds, ended = end
        unwanted = status == JobStatus.CANCELLED and sending is not None
        status = JobStatus.SUBMITTING if unwanted else _status(status)
        text = unpacked(graph, base_text)
        recipe, classes = reader.read(text)
        return SavedPrompt(
            prompt_id=unescaped(prompt_id),
            client_id=owner,
            mark=Mark(batch_text, position, total, unescaped(submission)),
            status=status,
            created=created,
            # What was pruned or damaged still has its seed.
            recipe=recipe if recipe.seed is not None or seed is None else replace(recipe, seed=int(seed)),
            classes=classes,
            graph=None if status.ended else graph_from(text),
            preview_method=None if preview is None else unescaped(preview),
            accepted_id=None if accepted is None else unescaped(accepted),
            number=number,
            sending_since=sending,
            witnesses=names_from(witnesses),
            unwanted=unwanted,
            outputs=outputs_from(outputs),
            failure=failure_from(failure),
            seconds=seconds,
            ended=ended,
        )

    prompts = tuple(_readable(prompt, db.execute(_PROMPTS, (batch_id,))))
    keys = tuple(prompt.key for prompt in prompts)
    return SavedBatch(Batch(batch_text, total, unescaped(title), keys, created), owner, prompts)


def _status(text: str) -> JobStatus:
    try:
        return JobStatus(text)
    except ValueError:
        # What a damaged row says of an end is not known, and the server is asked about it.
        return JobStatus.LOST


def graph_of(db: sqlite3.Connection, prompt_id: str) -> Graph | None:
    """The graph of a prompt, or None where it is not known or no longer kept."""
    row = db.execute(
        f"SELECT graph, (SELECT base FROM batches WHERE batches.batch = prompts.batch) FROM prompts WHERE {ROW_OF}",
        {"id": prompt_id},
    ).fetchone()
    return graph_from(unpacked(row[0], unpacked(row[1]) or b"")) if row else None
