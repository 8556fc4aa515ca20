"""Reading the journal: which ids own what, and batches as they were last written."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from comfytui.service.journal import codec
from comfytui.service.journal.codec import (
    decode_failure,
    decode_graph,
    decode_outputs,
    decode_strings,
    decompress,
    escape,
    unescape,
)
from comfytui.service.journal.records import AT_ENDPOINT, Endpoint, SavedBatch, SavedPrompt
from comfytui.session.model import Batch, BatchTag, JobStatus
from comfytui.workflow.graph import Graph
from comfytui.workflow.parameters import GraphReader

T = TypeVar("T")
Row = tuple[Any, ...]

UNFINISHED = "({})".format(", ".join(f"'{status}'" for status in JobStatus if not status.ended))
"""The statuses of prompts that are still to end, for SQL."""
DAMAGED = "damaged"
"""The status of prompts, and the server of batches, of which a value made no sense: they are left alone."""
BY_ID = """seq = (
    SELECT seq FROM (
        SELECT seq, 0 AS place FROM prompts WHERE prompt_id = :id
        UNION ALL SELECT seq, 1 FROM prompts WHERE accepted_id = :id
    ) ORDER BY place, seq DESC LIMIT 1
)"""
"""The prompt that has an id, its own or the server's; its own goes first, since a server may give any."""
_PROMPTS = f"""SELECT seq, prompt_id, position, submission, status, graph, preview_method, seed, accepted_id, number,
    sending, witnesses, outputs, failure, seconds, ended FROM prompts WHERE batch = ? AND status != '{DAMAGED}'
    ORDER BY position, seq"""


class Restored(NamedTuple):
    """Batches, oldest first, and the `seq` of the batches and prompts of which a value made no sense."""

    batches: list[SavedBatch]
    bad_batches: list[int]
    bad_prompts: list[int]


def unfinished_owners(db: sqlite3.Connection, endpoint: Endpoint | None = None) -> list[str]:
    """The client ids that own unfinished prompts (of one endpoint), oldest first."""
    return [
        unescape(str(client_id))
        for (client_id,) in db.execute(
            f"""SELECT client_id FROM batches WHERE {AT_ENDPOINT if endpoint else "true"}
            AND EXISTS (SELECT 1 FROM prompts WHERE prompts.batch = batches.batch AND status IN {UNFINISHED})
            GROUP BY client_id ORDER BY min(seq)""",
            endpoint.values if endpoint else {},
        )
    ]


def owners_among(db: sqlite3.Connection, fingerprint: str, client_ids: Iterable[str]) -> list[str]:
    """Those of these client ids that own batches of a server of this fingerprint, wherever it was reached."""
    query = "SELECT EXISTS (SELECT 1 FROM batches WHERE server = ? AND client_id = ?)"
    return [each for each in client_ids if db.execute(query, (escape(fingerprint), escape(each))).fetchone()[0]]


def read_batches(
    db: sqlite3.Connection, endpoint: Endpoint, mine: Collection[str], recent: int, is_free: Callable[[str], bool]
) -> Restored:
    """The unfinished batches of `mine` and the `recent` last ended ones of free ids, of one endpoint."""
    rows = db.execute(
        f"""SELECT seq, batch, client_id, title, total, created, base,
        EXISTS (SELECT 1 FROM prompts WHERE prompts.batch = batches.batch AND status IN {UNFINISHED})
        FROM batches WHERE {AT_ENDPOINT} ORDER BY seq DESC""",
        endpoint.values,
    )
    reader = GraphReader()
    bad_prompts: list[int] = []
    batches, bad_batches = _readable(
        lambda row: _batch(db, row, reader, bad_prompts), _chosen(rows, mine, recent, is_free)
    )
    return Restored(batches[::-1], bad_batches, bad_prompts)


def _readable(make: Callable[[Row], T], rows: Iterable[Row]) -> tuple[list[T], list[int]]:
    """What can be made of these rows, and the `seq` of the others: a value of the wrong kind costs its row alone."""
    made, bad = [], []
    for seq, *row in rows:
        try:
            made.append(make(tuple(row)))
        except (TypeError, ValueError, AttributeError):
            bad.append(int(seq))
    return made, bad


def _chosen(
    rows: sqlite3.Cursor, mine: Collection[str], recent: int, is_free: Callable[[str], bool]
) -> Iterator[tuple[Any, ...]]:
    free: dict[str, bool] = {}
    for *row, unfinished in rows:
        client_id = unescape(str(row[2]))
        if unfinished:
            if client_id in mine:
                yield tuple(row)
        elif recent > 0:
            if client_id not in free:
                free[client_id] = client_id in mine or is_free(client_id)
            if free[client_id]:
                recent -= 1
                yield tuple(row)


def _batch(db: sqlite3.Connection, row: Row, reader: GraphReader, bad_prompts: list[int]) -> SavedBatch:
    batch_id, client_id, title, total, created, base = row
    owner, count = codec.text(client_id), codec.integer(total, 0, codec.MOST_IMAGES)
    at = codec.number(created)
    batch = Batch(codec.text(batch_id), count, codec.text(title), (), 0.0 if at is None else at)
    base_text = decompress(codec.blob(base)) or b""
    prompts, bad = _readable(
        lambda prompt: _prompt(prompt, batch, owner, base_text, reader), db.execute(_PROMPTS, (batch_id,))
    )
    if batch.total and not prompts:
        raise ValueError("nothing is left of it")
    bad_prompts += bad
    keys = tuple(prompt.key for prompt in prompts)
    return SavedBatch(replace(batch, prompts=keys), owner, tuple(prompts))


def _prompt(row: Row, batch: Batch, owner: str, base: bytes, reader: GraphReader) -> SavedPrompt:
    prompt_id, position, submission, status, graph, preview, seed, accepted, number, sending, witnesses, *end = row
    outputs, failure, seconds, ended = end
    known = codec.status(status)
    unwanted = known is JobStatus.CANCELLED and sending is not None
    known = JobStatus.SUBMITTING if unwanted else known
    text = decompress(codec.blob(graph), base)
    parameters, classes = reader.read(text)
    kept_seed = codec.seed(seed)
    return SavedPrompt(
        prompt_id=codec.text(prompt_id),
        client_id=owner,
        batch_tag=BatchTag(batch.id, codec.integer(position, 1, batch.total), batch.total, codec.text(submission)),
        status=known,
        created=batch.created,
        # What was pruned or damaged still has its seed.
        parameters=parameters
        if parameters.seed is not None or kept_seed is None
        else replace(parameters, seed=kept_seed),
        classes=classes,
        graph=None if known.ended else decode_graph(text),
        preview_method=codec.optional_text(preview),
        accepted_id=codec.optional_text(accepted),
        number=codec.number(number),
        sending_since=codec.number(sending),
        witnesses=decode_strings(codec.raw_text(witnesses)),
        unwanted=unwanted,
        outputs=decode_outputs(codec.raw_text(outputs)),
        failure=decode_failure(codec.raw_text(failure)),
        seconds=codec.number(seconds),
        ended=codec.number(ended),
    )


def graph_of(db: sqlite3.Connection, prompt_id: str) -> Graph | None:
    """The graph of a prompt, or None where it is not known or no longer kept."""
    row = db.execute(
        f"SELECT graph, (SELECT base FROM batches WHERE batches.batch = prompts.batch) FROM prompts WHERE {BY_ID}",
        {"id": prompt_id},
    ).fetchone()
    return decode_graph(decompress(row[0], decompress(row[1]) or b"")) if row else None
