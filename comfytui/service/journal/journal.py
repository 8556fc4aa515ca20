"""The journal: what a killed, detached or unlucky comfytui must find again, on the disk before it counts."""

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from comfytui.comfy.protocol.events import Output
from comfytui.service.journal import reading
from comfytui.service.journal.client_id_claims import claim_owners, clean, new_claim
from comfytui.service.journal.codec import encode_failure, encode_outputs, encode_strings, escape, finite, unescape
from comfytui.service.journal.database import LOCK_FILE, Opened, open_database, open_in_memory
from comfytui.service.journal.locks import Claim, folder_lock, is_held
from comfytui.service.journal.reading import BY_ID, UNFINISHED, owners_among, read_batches
from comfytui.service.journal.records import Endpoint, SavedBatch
from comfytui.service.journal.writing import (
    add_addresses,
    mark_damaged,
    prune,
    remove_evidence,
    settle,
    transaction,
    write_batch,
)
from comfytui.service.submission.batch import Submission
from comfytui.session.model import Batch, Failure, JobStatus
from comfytui.workflow.graph import Graph

RECENT = 20
"""Ended batches that a start shows again."""


class Joined(NamedTuple):
    """What was found out about client ids that a server's jobs have.

    `mine` are those of this user, `elsewhere` the ones among them that another running comfytui holds, `claims` those
    that were taken over.
    """

    mine: list[str]
    elsewhere: list[str]
    claims: list[Claim]


class Journal:
    """Servers, client ids and prompts of one user, for one thread; a call that cannot write raises sqlite3.Error.

    A prompt is found by its own id and by the one that the server gave it. `notice` is one sentence if the record of
    earlier jobs cannot be used, or none can be kept; `damaged` counts the entries that `restore` had to leave out.
    """

    def __init__(self, db: sqlite3.Connection, folder: Path | None = None, notice: str | None = None) -> None:
        self._db = db
        self._folder = folder
        self._claims: list[Claim] = []
        self.notice = notice
        self.damaged = 0

    @classmethod
    def open(cls, folder: Path | None = None) -> "Journal":
        """The journal in a folder; in memory without one, and where there can be no file."""
        return cls(*(open_database(folder) if folder else Opened(open_in_memory(), None, None)))

    def close(self) -> None:
        """Let go of the file and of every claim, so close the sockets of their ids before."""
        for claim in self._claims:
            claim.release()
        self._claims.clear()
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def folder(self) -> Path | None:
        """Where the journal lies, None in memory."""
        return self._folder

    def fingerprint(self, server: str) -> str | None:
        """What told the box of a server from others when it was last seen."""
        row = self._db.execute("SELECT fingerprint FROM servers WHERE server = ?", (escape(server),)).fetchone()
        return unescape(row[0]) if row and isinstance(row[0], str) else None

    def remember_fingerprint(self, server: str, fingerprint: str) -> None:
        """Keep what tells the box of a server from others."""
        self._write(
            """INSERT INTO servers (server, fingerprint) VALUES (:server, :fingerprint)
            ON CONFLICT (server) DO UPDATE SET fingerprint = excluded.fingerprint""",
            server=escape(server),
            fingerprint=escape(fingerprint),
        )

    def claims(self, endpoint: Endpoint, *, fresh: bool = False) -> list[Claim]:
        """The ids to serve: each one that no comfytui holds and that owns unfinished prompts, else a new one.

        With `fresh` a new one in any case, and nothing is taken over.
        """
        claims: list[Claim] = []
        with self._guard():
            if self._folder is not None:
                claims = [] if fresh else claim_owners(self._db, self._folder, endpoint)
                clean(self._db, self._folder)
            claims = claims or [new_claim(self._folder)]
        self._claims += claims
        return claims

    def join(self, endpoint: Endpoint, seen: Collection[str]) -> Joined:
        """Take over what nobody holds at an endpoint, where jobs of the client ids `seen` were found.

        Jobs of an id that owns batches on a server of this fingerprint prove that this is that server.
        """
        mine = owners_among(self._db, endpoint.fingerprint, seen)
        if mine:
            with transaction(self._db):
                for client_id in mine:
                    add_addresses(self._db, endpoint, client_id)
        with self._guard():
            own = {claim.client_id for claim in self._claims if claim.held}
            elsewhere = [client_id for client_id in mine if client_id not in own and not self._is_free(client_id)]
            claims = [] if self._folder is None else claim_owners(self._db, self._folder, endpoint)
        self._claims += claims
        return Joined(mine, elsewhere, claims)

    def settle(self, endpoint: Endpoint, client_ids: Collection[str]) -> None:
        """Give what these ids ordered here before any server answered to the server that answers now."""
        with transaction(self._db):
            for client_id in client_ids:
                settle(self._db, endpoint, client_id)

    def plan(self, endpoint: Endpoint, client_id: str, batch: Batch, submissions: Sequence[Submission]) -> None:
        """Keep a batch whose prompts are about to be sent; of one that is known, the prompts that are not."""
        with transaction(self._db):
            write_batch(self._db, endpoint, escape(client_id), batch, submissions)
            prune(self._db)

    def sending(self, prompt_id: str, wall: float, client_id: str | None = None, witnesses: Sequence[str] = ()) -> None:
        """Keep that a POST is about to begin, at this wall second: from here on the prompt may have landed.

        `witnesses` are what the server's process holds until it ends. Whoever sends it owns its batch from now on,
        since the server sends its frames there.
        """
        self._update(
            "sending = :wall, witnesses = :witnesses",
            prompt_id,
            f"status = '{JobStatus.SUBMITTING}'",
            wall=finite(wall),
            witnesses=encode_strings(witnesses),
        )
        if client_id is not None:
            self._write(
                f"UPDATE batches SET client_id = :owner WHERE batch = (SELECT batch FROM prompts WHERE {BY_ID})",
                id=escape(prompt_id),
                owner=escape(client_id),
            )

    def sent(self, prompt_id: str, accepted_id: str, number: float) -> None:
        """Keep that the server took a prompt, as what and at which place; an end that was seen before stands."""
        self._update(
            f"""accepted_id = :accepted, number = :number, sending = NULL,
            status = iif(status = '{JobStatus.SUBMITTING}', '{JobStatus.QUEUED}', status)""",
            prompt_id,
            accepted=escape(accepted_id),
            number=finite(number),
        )

    def unsent(self, prompt_id: str) -> None:
        """Keep that a POST certainly did not land."""
        self._update("sending = NULL", prompt_id)

    def unwanted(self, prompt_id: str) -> None:
        """Keep that a prompt whose POST may have landed is to be cancelled, if it did, and else not sent again."""
        self._update(f"status = '{JobStatus.CANCELLED}'", prompt_id, "sending IS NOT NULL")

    def ended(
        self,
        prompt_id: str,
        status: JobStatus,
        *,
        outputs: Sequence[Output] = (),
        failure: Failure | None = None,
        seconds: float | None = None,
        wall: float | None = None,
    ) -> None:
        """Keep how and when (wall seconds) a prompt ended; a later word replaces this one, as evidence does LOST.

        LOST, which is inferred, replaces no end that was written meanwhile.
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

    def cancelled_for(self, prompt_id: str, wall: float | None, *, lost: bool) -> None:
        """Keep that this comfytui cancelled a prompt that another one sends, at this wall second.

        What its owner wrote stands, unless the prompt is to end still or LOST. One that was `lost` here is dismissed
        only while it is LOST there too: its owner may have sent it again.
        """
        there = f"status != '{JobStatus.SUBMITTING}' OR sending IS NOT NULL"
        self._update(
            f"status = '{JobStatus.CANCELLED}', ended = :wall, sending = NULL",
            prompt_id,
            f"(status = '{JobStatus.LOST}'{'' if lost else f' OR (status IN {UNFINISHED} AND ({there}))'})",
            wall=finite(wall),
        )

    def cancelled_among(self, prompt_ids: Collection[str]) -> list[str]:
        """Those of these prompts that are known to be cancelled, be it by another comfytui."""
        query = f"SELECT 1 FROM prompts WHERE {BY_ID} AND status = '{JobStatus.CANCELLED}' AND sending IS NULL"
        return [each for each in prompt_ids if self._db.execute(query, {"id": escape(each)}).fetchone()]

    def reopened(self, prompt_id: str, status: JobStatus = JobStatus.QUEUED) -> None:
        """Keep that a prompt that was taken for ended (LOST) is not: it is there after all, or is sent once more."""
        self._update(
            "status = :status, outputs = NULL, failure = NULL, seconds = NULL, ended = NULL, sending = NULL",
            prompt_id,
            status=status.value,
        )

    def resent(self, prompt_ids: Collection[str]) -> None:
        """Keep that these are sent once more under their ids, so that they tell nothing of the process of before."""
        with transaction(self._db):
            remove_evidence(self._db, prompt_ids)

    def restore(self, endpoint: Endpoint, client_ids: Collection[str], recent: int = RECENT) -> list[SavedBatch]:
        """The unfinished batches of these ids and the `recent` last ended ones that no other comfytui holds.

        What is damaged is left out, counted in `damaged`, and not looked at again.
        """
        with self._guard():
            restored = read_batches(self._db, endpoint, client_ids, recent, self._is_free)
        if bad := len(restored.bad_batches) + len(restored.bad_prompts):
            self.damaged += bad
            with suppress(sqlite3.Error), transaction(self._db):
                mark_damaged(self._db, restored)
        return restored.batches

    def graph_of(self, prompt_id: str) -> Graph | None:
        """The graph of a prompt, to send it again; None where it is not known or no longer kept."""
        return reading.graph_of(self._db, escape(prompt_id))

    def _is_free(self, client_id: str) -> bool:
        return self._folder is None or not is_held(self._folder, client_id)

    def _guard(self) -> AbstractContextManager[None]:
        return nullcontext() if self._folder is None else folder_lock(self._folder / LOCK_FILE)

    def _update(self, change: str, prompt_id: str, condition: str = "true", **values: Any) -> None:
        self._write(f"UPDATE prompts SET {change} WHERE {BY_ID} AND {condition}", id=escape(prompt_id), **values)

    def _write(self, statement: str, **values: Any) -> None:
        with transaction(self._db):
            self._db.execute(statement, values)
