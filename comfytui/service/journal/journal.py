"""The journal: the user's prompts, recorded before they are sent, so that no restart loses or repeats one."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal import reading
from comfytui.service.journal.client_id_claims import ClientIdClaims, Recognised
from comfytui.service.journal.codec import (
    encode_evidence,
    encode_failure,
    encode_outputs,
    escape,
    finite,
)
from comfytui.service.journal.database import OpenedDatabase, open_database, open_in_memory
from comfytui.service.journal.locks import Claim
from comfytui.service.journal.prompt_history import UsedPrompt, batches_with_graphs, used_prompts
from comfytui.service.journal.reading import BY_ID, UNFINISHED, owners_among, read_batches, unfinished_owners
from comfytui.service.journal.records import Endpoint, SavedBatch, SavedPrompt
from comfytui.service.journal.writing import (
    GRAPHS_KEPT,
    PROMPTS_KEPT,
    add_addresses,
    assign_server,
    cancel_unsent,
    mark_damaged,
    prune,
    remove_evidence,
    transaction,
    write_batch,
)
from comfytui.service.submission.batch import Submission
from comfytui.session.delivery import NO_EVIDENCE, Evidence
from comfytui.session.model import Batch, Failure, JobStatus
from comfytui.timings import DEFAULT, JournalTimings
from comfytui.workflow.graph import Graph

RECENT = 20
"""Ended batches that a start shows again."""


class Journal:
    """Servers, client ids and prompts of one user; to be used by one thread.

    A prompt is found by its own id and by the id that the server gave it. `warning` is a message for the user if the
    record of earlier jobs cannot be used, or none can be kept; `damaged` counts the entries that `restore` left out.

    Raises:
        sqlite3.Error: By every method that cannot read or write.
    """

    graphs_kept, prompts_kept = GRAPHS_KEPT, PROMPTS_KEPT

    def __init__(
        self,
        db: sqlite3.Connection,
        folder: Path | None = None,
        warning: str | None = None,
        *,
        timings: JournalTimings = DEFAULT.journal,
    ) -> None:
        self._db = db
        self.folder = folder
        """The journal's folder; None in memory."""
        self._claims = ClientIdClaims(db, folder, timings.lock)
        self.warning = warning
        self.damaged = 0

    @classmethod
    def open(cls, folder: Path | None = None, *, timings: JournalTimings = DEFAULT.journal) -> "Journal":
        """Open the journal in a folder; without a folder, or where there can be no file, one in memory.

        `timings` is how long it waits for other processes.
        """
        opened = open_database(folder, timings) if folder else OpenedDatabase(open_in_memory(), None, None)
        return cls(*opened, timings=timings)

    def close(self) -> None:
        """Close the file and release every claim; close the sockets of the client ids first."""
        self._claims.release()
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def fingerprint(self, server: str) -> str | None:
        """Return the fingerprint of the server that last answered at an address, or None."""
        return reading.fingerprint_of(self._db, server)

    def record_fingerprint(self, server: str, fingerprint: str) -> None:
        """Record the fingerprint of the server that answers at an address."""
        self._write(
            """INSERT INTO servers (server, fingerprint) VALUES (:server, :fingerprint)
            ON CONFLICT (server) DO UPDATE SET fingerprint = excluded.fingerprint""",
            server=escape(server),
            fingerprint=escape(fingerprint),
        )

    def claim_ids(self, endpoint: Endpoint, *, fresh: bool = False) -> list[Claim]:
        """Claim the client ids to use: each free one that owns unfinished prompts of the endpoint, else a new one.

        With `fresh`, claim a new id in any case, and none of an earlier start.
        """
        return self._claims.claim(endpoint, fresh=fresh)

    def owners_among(self, endpoint: Endpoint, seen: Collection[str]) -> list[str]:
        """Return my client ids: of `seen`, those of a server's jobs, and of the unfinished prompts of the endpoint."""
        mine = owners_among(self._db, endpoint.fingerprint, seen)
        return list(dict.fromkeys([*mine, *unfinished_owners(self._db, endpoint)]))

    def finished_among(self, client_ids: Collection[str]) -> list[str]:
        """Return the client ids among these that own no unfinished prompts, on whatever server."""
        unfinished = set(unfinished_owners(self._db))
        return [each for each in client_ids if each not in unfinished]

    def recognise(self, endpoint: Endpoint, seen: Collection[str]) -> Recognised:
        """Find my client ids as `owners_among` does, and claim the free ones with unfinished prompts.

        A job whose client id owns batches on a server of this fingerprint proves that this is that server, so its
        batches are known to be reached at this endpoint from now on.
        """
        if mine := owners_among(self._db, endpoint.fingerprint, seen):
            with transaction(self._db):
                add_addresses(self._db, endpoint, mine)
        return self._claims.claim_free(endpoint, self.owners_among(endpoint, seen))

    def assign_server(self, endpoint: Endpoint, client_ids: Collection[str]) -> None:
        """Assign the batches that these ids submitted before any server answered to the server that answers now."""
        with transaction(self._db):
            assign_server(self._db, endpoint, client_ids)

    def record_batch(self, endpoint: Endpoint, client_id: str, batch: Batch, submissions: Sequence[Submission]) -> None:
        """Record a batch that is about to be sent; of a known batch, record the prompts that are new."""
        with transaction(self._db):
            write_batch(self._db, endpoint, client_id, batch, submissions)
            prune(self._db, self.graphs_kept, self.prompts_kept)

    def record_sending(
        self, prompt_id: str, wall: float, client_id: str | None = None, evidence: Evidence = NO_EVIDENCE
    ) -> None:
        """Record that a POST is about to begin: from here on the server may have accepted the prompt.

        Args:
            prompt_id: The prompt.
            wall: The wall-clock time, in seconds.
            client_id: Who sends it. It owns the batch from now on, since the server sends the frames there.
            evidence: What the server's process has, and keeps until it ends.
        """
        with transaction(self._db):
            self._update(
                "sending = :wall, witnesses = :evidence",
                prompt_id,
                f"status = '{JobStatus.SUBMITTING}'",
                wall=finite(wall),
                evidence=encode_evidence(evidence),
            )
            if client_id is not None:
                self._write(
                    f"UPDATE batches SET client_id = :owner WHERE batch = (SELECT batch FROM prompts WHERE {BY_ID})",
                    id=escape(prompt_id),
                    owner=escape(client_id),
                )

    def record_accepted(self, prompt_id: str, accepted_id: str, number: float) -> None:
        """Record that the server accepted a prompt, and under which id and queue number; a recorded end stands.

        A request to cancel it is no end: the server is asked to do that now.
        """
        is_open = f"status = '{JobStatus.SUBMITTING}' OR (status = '{JobStatus.CANCELLED}' AND sending IS NOT NULL)"
        self._update(
            f"""accepted_id = :accepted, number = :number, sending = NULL,
            status = iif({is_open}, '{JobStatus.QUEUED}', status)""",
            prompt_id,
            accepted=escape(accepted_id),
            number=finite(number),
        )

    def record_not_accepted(self, prompt_id: str) -> None:
        """Record that the server certainly did not accept a prompt."""
        self._update("sending = NULL", prompt_id)

    def record_cancel_request(self, prompt_id: str) -> None:
        """Record that an unconfirmed prompt is to be cancelled if the server has it, and else not to be sent again."""
        self._update(f"status = '{JobStatus.CANCELLED}'", prompt_id, "sending IS NOT NULL")

    def record_end(
        self,
        prompt_id: str,
        status: JobStatus,
        *,
        outputs: Sequence[Output] = (),
        failure: Failure | None = None,
        seconds: float | None = None,
        wall: float | None = None,
    ) -> None:
        """Record how and when a prompt ended, replacing an end that was recorded before.

        LOST, which is inferred, replaces no end. `seconds` is how long the prompt ran on the server, `wall` the
        wall-clock time of its end.
        """
        self._update(
            """status = :status, outputs = :outputs, failure = :failure, seconds = :seconds, ended = :wall,
            sending = NULL""",
            prompt_id,
            "true" if status.final else f"(status IN {UNFINISHED} OR sending IS NOT NULL)",
            status=status.value,
            outputs=encode_outputs(outputs),
            failure=encode_failure(failure),
            seconds=finite(seconds),
            wall=finite(wall),
        )

    def record_cancelled_for_owner(self, prompt_id: str, wall: float | None, *, lost: bool) -> None:
        """Record that this process cancelled a prompt that another process owns.

        An end that the owner recorded stands, unless it is LOST.

        Args:
            prompt_id: The prompt.
            wall: The wall-clock time, in seconds.
            lost: The prompt was LOST here: it is dismissed only while it is LOST for its owner as well, which may have
                sent it again.
        """
        accepted = f"status != '{JobStatus.SUBMITTING}' OR sending IS NOT NULL"
        self._update(
            f"status = '{JobStatus.CANCELLED}', ended = :wall, sending = NULL",
            prompt_id,
            f"(status = '{JobStatus.LOST}'{'' if lost else f' OR (status IN {UNFINISHED} AND ({accepted}))'})",
            wall=finite(wall),
        )

    def cancelled_among(self, prompt_ids: Collection[str]) -> list[str]:
        """Return the prompts among these that are recorded as cancelled, by this process or another."""
        return reading.cancelled_among(self._db, prompt_ids)

    def cancel_unsent(self, batch: str, wall: float | None) -> list[str]:
        """Record that the prompts of a batch whose POST has not begun are cancelled, whoever owns it; return their ids.

        `wall` is the wall-clock time, in seconds.
        """
        with transaction(self._db):
            return cancel_unsent(self._db, batch, finite(wall))

    def unfinished_of(self, batch: str) -> list[str]:
        """Return the prompts of a batch that have not ended, by the ids that the server knows."""
        return reading.unfinished_of(self._db, batch)

    def ended_of(self, endpoint: Endpoint, ids: Collection[str]) -> list[SavedPrompt]:
        """Return the ended prompts of the batches of an endpoint with these ids, or with a prompt of such an id."""
        return reading.read_ended(self._db, endpoint, ids)

    def record_reopened(self, prompt_id: str, status: JobStatus = JobStatus.QUEUED) -> None:
        """Record that a LOST prompt has not ended: the server has it after all, or it is sent again."""
        self._update(
            "status = :status, outputs = NULL, failure = NULL, seconds = NULL, ended = NULL, sending = NULL",
            prompt_id,
            status=status.value,
        )

    def record_resent(self, prompt_ids: Collection[str]) -> None:
        """Record that prompts are sent again under their ids, so that these are no evidence of the earlier process."""
        with transaction(self._db):
            remove_evidence(self._db, prompt_ids)

    def restore(self, endpoint: Endpoint, client_ids: Collection[str], recent: int = RECENT) -> list[SavedBatch]:
        """Return the batches of an endpoint that a start shows, oldest first.

        Damaged entries are left out, counted in `damaged`, and marked so that they are not read again.

        Args:
            endpoint: The server.
            client_ids: The ids whose unfinished batches are returned.
            recent: How many ended batches are returned, the latest ones of ids that no other process holds.
        """
        with self._claims.lock():
            restored = read_batches(self._db, endpoint, client_ids, recent, self._claims.is_free)
        if damaged := len(restored.damaged_batches) + len(restored.damaged_prompts):
            self.damaged += damaged
            with suppress(sqlite3.Error), transaction(self._db):
                mark_damaged(self._db, restored)
        return restored.batches

    def write_together(self, writes: Iterable[Callable[["Journal"], None]]) -> None:
        """Carry out writes in one transaction: all of them, or none if one fails."""
        with transaction(self._db):
            for write in writes:
                write(self)

    def graph_of(self, prompt_id: str) -> Graph | None:
        """Return the graph of a prompt, or None if it is unknown or no longer stored."""
        return reading.graph_of(self._db, prompt_id)

    def submission_of(self, prompt_id: str) -> str | None:
        """Return the id of the submission that a prompt is of, or None if the prompt is unknown."""
        return reading.submission_of(self._db, prompt_id)

    def used_prompts(self) -> list[UsedPrompt]:
        """Return the prompts of all my batches on any server, the one used last first."""
        return used_prompts(self._db)

    def batches_with_graphs(self) -> list[tuple[Any, ...]]:
        """Return my last batches, with what `used_negatives` reads of them."""
        return batches_with_graphs(self._db)

    def _update(self, change: str, prompt_id: str, condition: str = "true", **values: Any) -> None:
        self._write(f"UPDATE prompts SET {change} WHERE {BY_ID} AND {condition}", id=escape(prompt_id), **values)

    def _write(self, statement: str, **values: Any) -> None:
        with transaction(self._db):
            self._db.execute(statement, values)
