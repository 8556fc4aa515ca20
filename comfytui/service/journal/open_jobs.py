"""The jobs of the journal that have not ended, for a process that only has a look and leaves them to others."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from comfytui.service.journal.database import FILE
from comfytui.service.journal.reading import fingerprint_of, read_batches, unfinished_owners
from comfytui.service.journal.records import Endpoint, SavedBatch
from comfytui.session.model import JobStatus

T = TypeVar("T")

MAX_IDS = 50
"""The most ids that are returned."""
BUSY_SECONDS = 0.2
"""How long to wait for a process that locks the whole file."""

_OPEN = tuple(status.value for status in JobStatus if not status.ended)
_QUERY = f"""SELECT prompt_id FROM prompts WHERE status IN ({", ".join("?" * len(_OPEN))})
    ORDER BY seq DESC LIMIT {MAX_IDS}"""


def open_job_ids(folder: Path) -> list[str]:
    """Return the ids of the prompts that have not ended, newest first; none if the journal cannot be read.

    Nothing is created or changed, and no other process waits for it.

    Args:
        folder: The journal's folder.
    """

    def ids(db: sqlite3.Connection) -> list[str]:
        return [prompt_id for (prompt_id,) in db.execute(_QUERY, _OPEN) if isinstance(prompt_id, str)]

    return _read(folder, ids)


def unsent_batches(folder: Path, name: str, address: str) -> list[SavedBatch]:
    """Return the batches, oldest first, that a server does not have completely; none if the journal cannot be read.

    Nothing is created, changed or claimed.

    Args:
        folder: The journal's folder.
        name: The server's name; the server is the one that answered there last.
        address: The server's address, without secrets.
    """

    def batches(db: sqlite3.Connection) -> list[SavedBatch]:
        endpoint = Endpoint(fingerprint_of(db, name) or "", name, address)
        read = read_batches(db, endpoint, unfinished_owners(db, endpoint), 0, lambda _: False).batches
        return [each for each in read if any(prompt.status is JobStatus.SUBMITTING for prompt in each.prompts)]

    return _read(folder, batches)


def _read(folder: Path, query: Callable[[sqlite3.Connection], list[T]]) -> list[T]:
    """Return what a query finds in the journal; nothing if that cannot be read."""
    file = folder / FILE
    try:
        if not file.is_file():
            return []
        with closing(sqlite3.connect(_uri(file), uri=True, timeout=BUSY_SECONDS)) as db:
            return query(db)
    except (OSError, ValueError, sqlite3.Error):
        return []


def _uri(file: Path) -> str:
    """Return the URI that opens a database for reading alone.

    Without a log or a rollback journal beside it, the file is complete, and it is read as one that nobody changes:
    otherwise SQLite would create a log and its shared memory. With a log, that memory is only read.
    """
    in_use = any(file.with_name(file.name + suffix).exists() for suffix in ("-wal", "-journal"))
    return f"{file.absolute().as_uri()}?mode=ro&{'readonly_shm=1' if in_use else 'immutable=1'}"
