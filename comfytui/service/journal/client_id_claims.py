"""Claims the client ids of earlier starts that own unfinished prompts, and new ones."""

import re
import sqlite3
from collections.abc import Collection, Container
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from comfytui.service.journal.database import LOCK_FILE
from comfytui.service.journal.locks import Claim, folder_lock, is_held, locked_ids, try_claim
from comfytui.service.journal.reading import unfinished_owners
from comfytui.service.journal.records import Endpoint

_FILE_NAME = re.compile(r"[0-9A-Za-z-]{1,64}")
"""Client ids that can be part of a file name; a damaged journal may hold any text."""


class Recognised(NamedTuple):
    """Client ids of a server's jobs that are mine.

    `mine` are those of this user, `held_elsewhere` the ones among them that another process holds, `claims` the ids
    that were claimed.
    """

    mine: list[str]
    held_elsewhere: list[str]
    claims: list[Claim]


class ClientIdClaims:
    """The client ids that this process claimed through one journal.

    Args:
        db: The journal's database.
        folder: The folder with the lock files; None in memory, where every id is free.
        lock_seconds: Seconds to wait for the folder's lock.
    """

    def __init__(self, db: sqlite3.Connection, folder: Path | None, lock_seconds: float) -> None:
        self._lock_seconds = lock_seconds
        self._db = db
        self._folder = folder
        self._claims: list[Claim] = []

    def claim(self, endpoint: Endpoint, *, fresh: bool) -> list[Claim]:
        """Claim the free ids that own unfinished prompts of an endpoint, else (or with `fresh`) a new id."""
        claims: list[Claim] = []
        with self.lock():
            if self._folder is not None:
                claims = [] if fresh else _claim_owners(self._db, self._folder, endpoint)
                _remove_stale_locks(self._db, self._folder)
            claims = claims or [_new_claim(self._folder)]
        self._claims += claims
        return claims

    def claim_free(self, endpoint: Endpoint, mine: Collection[str]) -> Recognised:
        """Claim the free ids that own unfinished prompts of an endpoint; find which of `mine` other processes hold."""
        with self.lock():
            self._claims = [claim for claim in self._claims if claim.held]
            own = {claim.client_id for claim in self._claims}
            held_elsewhere = [client_id for client_id in mine if client_id not in own and not self.is_free(client_id)]
            claims = [] if self._folder is None else _claim_owners(self._db, self._folder, endpoint)
        self._claims += claims
        return Recognised(list(mine), held_elsewhere, claims)

    def release(self) -> None:
        """Release every id."""
        for claim in self._claims:
            claim.release()
        self._claims.clear()

    def is_free(self, client_id: str) -> bool:
        """Return whether no process holds an id; call it with the lock held."""
        return self._folder is None or not is_held(self._folder, client_id)

    def lock(self) -> AbstractContextManager[None]:
        """Return a context manager that holds the folder lock."""
        return nullcontext() if self._folder is None else folder_lock(self._folder / LOCK_FILE, self._lock_seconds)


def _claim_owners(db: sqlite3.Connection, folder: Path, endpoint: Endpoint) -> list[Claim]:
    """Claim each free id that owns unfinished prompts of an endpoint."""
    claims: list[Claim] = []
    with suppress(OSError):
        # `extend` keeps what was claimed before an error.
        claims.extend(
            filter(
                None,
                (try_claim(folder, each) for each in unfinished_owners(db, endpoint) if _FILE_NAME.fullmatch(each)),
            )
        )
    if not claims:
        return claims
    # Between the query and the lock, the last holder may have ended its prompts and released the id.
    still = set(unfinished_owners(db, endpoint))
    for claim in claims:
        if claim.client_id not in still:
            claim.release()
    return [claim for claim in claims if claim.client_id in still]


def _new_claim(folder: Path | None) -> Claim:
    """Claim a new random id; where files cannot be locked, being random is all that keeps it unique."""
    while folder is not None:
        try:
            # Another process may hold the new file for a moment, to find out whether it is stale.
            if claim := try_claim(folder, uuid4().hex):
                return claim
        except OSError:
            break
    return Claim(uuid4().hex)


def _remove_stale_locks(db: sqlite3.Connection, folder: Path) -> None:
    """Remove the lock files of ids that own nothing unfinished and that no process holds."""
    owners: Container[str] = set(unfinished_owners(db))
    with suppress(OSError):
        for client_id in locked_ids(folder):
            if client_id not in owners and (stale := try_claim(folder, client_id)):
                stale.release()
