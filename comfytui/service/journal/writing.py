"""Statements that write more than one row of the journal, and prune it so that the file stays bounded."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from comfytui.service.journal.codec import (
    compress,
    decode_evidence,
    decompress,
    encode_evidence,
    encode_graph,
    escape,
    unescape,
)
from comfytui.service.journal.reading import DAMAGED, UNFINISHED, Restored
from comfytui.service.journal.records import AT_ENDPOINT, Endpoint
from comfytui.service.submission.batch import Submission
from comfytui.session.model import Batch, JobStatus
from comfytui.workflow.parameters import GraphReader

GRAPHS_KEPT = 2_000
"""How many ended prompts keep their graphs, the latest ones; unfinished prompts keep theirs in any case."""
PROMPTS_KEPT = 20_000
"""How many ended prompts are kept at all, by whole batches."""

_PROMPT = """INSERT INTO prompts (prompt_id, batch, position, submission, preview_method, graph, seed, status)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (prompt_id) DO NOTHING"""


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Run statements in one transaction, which is on the disk when the outermost block is left."""
    nested = db.in_transaction
    if nested:
        yield
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def write_batch(
    db: sqlite3.Connection, endpoint: Endpoint, client_id: str, batch: Batch, submissions: Sequence[Submission]
) -> None:
    """Add a batch and its prompts; to a known batch, add the prompts that are new."""
    base = encode_graph(submissions[0].graph) if submissions else b""
    db.execute(
        """INSERT INTO batches (batch, server, client_id, title, total, created, base) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (batch) DO UPDATE SET title = excluded.title, total = excluded.total,
        client_id = excluded.client_id, base = coalesce(base, excluded.base)""",
        (
            escape(batch.id),
            escape(endpoint.fingerprint),
            escape(client_id),
            escape(batch.title),
            batch.total,
            batch.created,
            compress(base),
        ),
    )
    db.execute(
        "INSERT OR IGNORE INTO addresses (batch, address) VALUES (:batch, :name), (:batch, :address)",
        {"batch": escape(batch.id), **endpoint.parameters},
    )
    base = _base(db, batch.id)
    reader = GraphReader()
    db.executemany(_PROMPT, (_prompt_row(batch, submission, base, reader) for submission in submissions))


def assign_server(db: sqlite3.Connection, endpoint: Endpoint, client_ids: Iterable[str]) -> None:
    """Assign the batches that these ids submitted here before any server answered to the server that answers now."""
    db.executemany(
        f"UPDATE batches SET server = :fingerprint WHERE server = '' AND client_id = :owner AND {AT_ENDPOINT}",
        [{"owner": escape(client_id), **endpoint.parameters} for client_id in client_ids],
    )


def add_addresses(db: sqlite3.Connection, endpoint: Endpoint, client_ids: Iterable[str]) -> None:
    """Record that the batches of these ids on a server of this fingerprint are reached at this endpoint as well."""
    db.executemany(
        """INSERT OR IGNORE INTO addresses (batch, address)
        SELECT batch, ? FROM batches WHERE server = ? AND client_id = ?""",
        [
            (escape(address), escape(endpoint.fingerprint), escape(client_id))
            for client_id in client_ids
            for address in (endpoint.name, endpoint.address)
        ],
    )


def cancel_unsent(db: sqlite3.Connection, batch: str, wall: float | None) -> list[str]:
    """Cancel the prompts of a batch whose POST has not begun; return their ids."""
    unsent = f"batch = ? AND status = '{JobStatus.SUBMITTING}' AND sending IS NULL"
    rows = db.execute(f"SELECT prompt_id FROM prompts WHERE {unsent}", (escape(batch),)).fetchall()
    db.execute(f"UPDATE prompts SET status = '{JobStatus.CANCELLED}', ended = ? WHERE {unsent}", (wall, escape(batch)))
    return [unescape(str(prompt_id)) for (prompt_id,) in rows]


def remove_evidence(db: sqlite3.Connection, prompt_ids: Collection[str]) -> None:
    """Remove these ids from the evidence of every POST whose answer is missing."""
    rows = db.execute(
        f"SELECT seq, witnesses FROM prompts WHERE status = '{JobStatus.SUBMITTING}' AND sending IS NOT NULL"
    ).fetchall()
    for seq, text in rows:
        evidence = decode_evidence(text if isinstance(text, str) else None)
        if (kept := evidence.without(prompt_ids)) != evidence:
            db.execute("UPDATE prompts SET witnesses = ? WHERE seq = ?", (encode_evidence(kept), seq))


def mark_damaged(db: sqlite3.Connection, restored: Restored) -> None:
    """Mark damaged rows, so that they are not read again."""
    db.executemany(
        f"UPDATE prompts SET status = '{DAMAGED}' WHERE seq = ?", [(seq,) for seq in restored.damaged_prompts]
    )
    for seq in restored.damaged_batches:
        db.execute(
            f"UPDATE prompts SET status = '{DAMAGED}' WHERE batch = (SELECT batch FROM batches WHERE seq = ?)", (seq,)
        )
        db.execute(f"UPDATE batches SET server = '{DAMAGED}' WHERE seq = ?", (seq,))


def _base(db: sqlite3.Connection, batch: str) -> bytes:
    row = db.execute("SELECT base FROM batches WHERE batch = ?", (escape(batch),)).fetchone()
    return decompress(row[0]) or b""


def _prompt_row(batch: Batch, submission: Submission, base: bytes, reader: GraphReader) -> tuple[Any, ...]:
    seed = reader.read(submission.graph)[0].seed
    preview = submission.preview_method
    return (
        escape(submission.prompt_id),
        escape(batch.id),
        int(submission.tag["index"]),
        escape(submission.tag["submission"]),
        None if preview is None else escape(preview),
        compress(encode_graph(submission.graph), base),
        None if seed is None else str(seed),
        JobStatus.SUBMITTING.value,
    )


def prune(db: sqlite3.Connection, graphs_kept: int = GRAPHS_KEPT, prompts_kept: int = PROMPTS_KEPT) -> None:
    """Delete the graphs, and later the batches, of prompts that ended many prompts ago.

    Args:
        db: The journal's database.
        graphs_kept: How many ended prompts keep their graphs, the latest ones.
        prompts_kept: How many ended prompts are kept at all, by whole batches.
    """
    db.execute(
        f"UPDATE prompts SET graph = NULL WHERE graph IS NOT NULL AND status NOT IN {UNFINISHED} AND seq <= ?",
        (_ended_before(db, graphs_kept),),
    )
    db.execute(
        """UPDATE batches SET base = NULL WHERE base IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM prompts WHERE prompts.batch = batches.batch AND graph IS NOT NULL)"""
    )
    db.execute(
        f"""DELETE FROM batches WHERE seq IN (SELECT batches.seq FROM batches JOIN prompts USING (batch)
        GROUP BY batches.seq HAVING max(prompts.seq) <= ? AND NOT max(status IN {UNFINISHED}))""",
        (_ended_before(db, prompts_kept),),
    )


def _ended_before(db: sqlite3.Connection, count: int) -> int:
    """Return the `seq` of the latest ended prompt that is older than the `count` latest ended ones, or 0."""
    row = db.execute(
        f"SELECT seq FROM prompts WHERE status NOT IN {UNFINISHED} ORDER BY seq DESC LIMIT 1 OFFSET ?", (count,)
    ).fetchone()
    return int(row[0]) if row else 0
