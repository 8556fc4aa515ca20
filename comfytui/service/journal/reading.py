"""Queries of the journal: which client ids own what, and the batches of an endpoint."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from comfytui.service.journal import codec
from comfytui.service.journal.codec import (
    decode_evidence,
    decode_failure,
    decode_graph,
    decode_outputs,
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
"""SQL list of the statuses of prompts that have not ended."""
DAMAGED = "damaged"
"""The `status` of prompts, and the `server` of batches, that hold an invalid value and are not read again."""
BY_ID = """seq = (
    SELECT seq FROM (
        SELECT seq, 0 AS place FROM prompts WHERE prompt_id = :id
        UNION ALL SELECT seq, 1 FROM prompts WHERE accepted_id = :id
    ) ORDER BY place, seq DESC LIMIT 1
)"""
"""SQL condition for the prompt with an id: its own id, or else the server's, which may equal another prompt's own."""
_PROMPTS = f"""SELECT seq, prompt_id, position, submission, status, graph, preview_method, seed, accepted_id, number,
    sending, witnesses, outputs, failure, seconds, ended FROM prompts WHERE batch = ? AND status != '{DAMAGED}'
    ORDER BY position, seq"""


class Restored(NamedTuple):
    """Batches, oldest first, and the `seq` of the batches and prompts that hold an invalid value."""

    batches: list[SavedBatch]
    damaged_batches: list[int]
    damaged_prompts: list[int]


def unfinished_owners(db: sqlite3.Connection, endpoint: Endpoint | None = None) -> list[str]:
    """Return the client ids that own unfinished prompts (of an endpoint, if given), oldest first."""
    return [
        unescape(str(client_id))
        for (client_id,) in db.execute(
            f"""SELECT client_id FROM batches WHERE {AT_ENDPOINT if endpoint else "true"}
            AND EXISTS (SELECT 1 FROM prompts WHERE prompts.batch = batches.batch AND status IN {UNFINISHED})
            GROUP BY client_id ORDER BY min(seq)""",
            endpoint.parameters if endpoint else {},
        )
    ]


def fingerprint_of(db: sqlite3.Connection, server: str) -> str | None:
    """Return the fingerprint of the server that last answered at an address, or None."""
    row = db.execute("SELECT fingerprint FROM servers WHERE server = ?", (escape(server),)).fetchone()
    return unescape(row[0]) if row and isinstance(row[0], str) else None


def cancelled_among(db: sqlite3.Connection, prompt_ids: Iterable[str]) -> list[str]:
    """Return the prompts among these that are recorded as cancelled, by this process or another."""
    query = f"SELECT 1 FROM prompts WHERE {BY_ID} AND status = '{JobStatus.CANCELLED}' AND sending IS NULL"
    return [each for each in prompt_ids if db.execute(query, {"id": escape(each)}).fetchone()]


def unfinished_of(db: sqlite3.Connection, batch: str) -> list[str]:
    """Return the prompts of a batch that have not ended, by the ids that the server knows."""
    query = f"SELECT coalesce(accepted_id, prompt_id) FROM prompts WHERE batch = ? AND status IN {UNFINISHED}"
    return [unescape(str(prompt_id)) for (prompt_id,) in db.execute(query, (escape(batch),))]


def owners_among(db: sqlite3.Connection, fingerprint: str, client_ids: Iterable[str]) -> list[str]:
    """Return the client ids among these that own batches of a server of this fingerprint, at whatever address."""
    query = "SELECT EXISTS (SELECT 1 FROM batches WHERE server = ? AND client_id = ?)"
    return [each for each in client_ids if db.execute(query, (escape(fingerprint), escape(each))).fetchone()[0]]


def read_batches(
    db: sqlite3.Connection, endpoint: Endpoint, client_ids: Collection[str], recent: int, is_free: Callable[[str], bool]
) -> Restored:
    """Read the batches of an endpoint that a start shows.

    Args:
        db: The database.
        endpoint: The server.
        client_ids: The ids whose unfinished batches are read.
        recent: How many ended batches are read, the latest ones of `client_ids` and of ids that are free.
        is_free: Tells whether no process holds an id.
    """
    rows = db.execute(
        f"""SELECT seq, batch, client_id, title, total, created, base,
        EXISTS (SELECT 1 FROM prompts WHERE prompts.batch = batches.batch AND status IN {UNFINISHED})
        FROM batches WHERE {AT_ENDPOINT} ORDER BY seq DESC""",
        endpoint.parameters,
    )
    reader = GraphReader()
    damaged_prompts: list[int] = []
    batches, damaged_batches = _parse_rows(
        lambda row: _batch(db, row, reader, damaged_prompts), _selected(rows, client_ids, recent, is_free)
    )
    return Restored(batches[::-1], damaged_batches, damaged_prompts)


def read_ended(db: sqlite3.Connection, endpoint: Endpoint, ids: Iterable[str]) -> list[SavedPrompt]:
    """Return the ended prompts of the batches of an endpoint with these ids, or with a prompt of such an id."""
    query = f"""SELECT seq, batch, client_id, title, total, created, base FROM batches WHERE {AT_ENDPOINT} AND (
        batch = :id OR EXISTS (SELECT 1 FROM prompts WHERE prompts.batch = batches.batch
        AND (prompt_id = :id OR accepted_id = :id)))"""
    reader = GraphReader()
    rows = (row for each in ids for row in db.execute(query, {**endpoint.parameters, "id": escape(each)}))
    batches, _ = _parse_rows(lambda row: _batch(db, row, reader, []), rows)
    return [prompt for batch in batches for prompt in batch.prompts if prompt.status.ended]


def _parse_rows(parse: Callable[[Row], T], rows: Iterable[Row]) -> tuple[list[T], list[int]]:
    """Parse rows; return the results, and the `seq` of the rows that hold an invalid value."""
    parsed, damaged = [], []
    for seq, *row in rows:
        try:
            parsed.append(parse(tuple(row)))
        except (TypeError, ValueError, AttributeError):
            damaged.append(int(seq))
    return parsed, damaged


def _selected(
    rows: sqlite3.Cursor, client_ids: Collection[str], recent: int, is_free: Callable[[str], bool]
) -> Iterator[tuple[Any, ...]]:
    free: dict[str, bool] = {}
    for *row, unfinished in rows:
        client_id = unescape(str(row[2]))
        if unfinished:
            if client_id in client_ids:
                yield tuple(row)
        elif recent > 0:
            if client_id not in free:
                free[client_id] = client_id in client_ids or is_free(client_id)
            if free[client_id]:
                recent -= 1
                yield tuple(row)


def _batch(db: sqlite3.Connection, row: Row, reader: GraphReader, damaged_prompts: list[int]) -> SavedBatch:
    batch_id, client_id, title, total, created, base = row
    owner, count = codec.text(client_id), codec.integer(total, 0, codec.MAX_BATCH_TOTAL)
    created_at = codec.number(created)
    batch = Batch(codec.text(batch_id), count, codec.text(title), (), 0.0 if created_at is None else created_at)
    base_text = decompress(codec.blob(base)) or b""
    prompts, damaged = _parse_rows(
        lambda prompt: _prompt(prompt, batch, owner, base_text, reader), db.execute(_PROMPTS, (batch_id,))
    )
    if batch.total and not prompts:
        raise ValueError("none of its prompts is left")
    damaged_prompts += damaged
    keys = tuple(prompt.key for prompt in prompts)
    return SavedBatch(replace(batch, prompt_ids=keys), owner, tuple(prompts))


def _prompt(row: Row, batch: Batch, owner: str, base: bytes, reader: GraphReader) -> SavedPrompt:
    prompt_id, position, submission, status, graph, preview, seed, accepted, number, sending, evidence, *end = row
    outputs, failure, seconds, ended = end
    job_status = codec.status(status)
    cancel_requested = job_status is JobStatus.CANCELLED and sending is not None
    job_status = JobStatus.SUBMITTING if cancel_requested else job_status
    text = decompress(codec.blob(graph), base)
    parameters, classes = reader.read(text)
    stored_seed = codec.seed(seed)
    return SavedPrompt(
        prompt_id=codec.text(prompt_id),
        client_id=owner,
        batch_tag=BatchTag(batch.id, codec.integer(position, 1, batch.total), batch.total, codec.text(submission)),
        status=job_status,
        created=batch.created,
        # A prompt whose graph was pruned or is damaged still has its seed.
        parameters=parameters
        if parameters.seed is not None or stored_seed is None
        else replace(parameters, seed=stored_seed),
        classes=classes,
        graph=None if job_status.ended else decode_graph(text),
        preview_method=codec.optional_text(preview),
        accepted_id=codec.optional_text(accepted),
        number=codec.number(number),
        sending_since=codec.number(sending),
        evidence=decode_evidence(codec.raw_text(evidence)),
        cancel_requested=cancel_requested,
        outputs=decode_outputs(codec.raw_text(outputs)),
        failure=decode_failure(codec.raw_text(failure)),
        seconds=codec.number(seconds),
        ended=codec.number(ended),
    )


def graph_of(db: sqlite3.Connection, prompt_id: str) -> Graph | None:
    """Return the graph of a prompt, or None if it is unknown or no longer stored."""
    row = db.execute(
        f"SELECT graph, (SELECT base FROM batches WHERE batches.batch = prompts.batch) FROM prompts WHERE {BY_ID}",
        {"id": escape(prompt_id)},
    ).fetchone()
    return decode_graph(decompress(row[0], decompress(row[1]) or b"")) if row else None


def submission_of(db: sqlite3.Connection, prompt_id: str) -> str | None:
    """Return the id of the submission that a prompt is of, or None if the prompt is unknown."""
    row = db.execute(f"SELECT submission FROM prompts WHERE {BY_ID}", {"id": escape(prompt_id)}).fetchone()
    return unescape(str(row[0])) if row else None
