"""Opens the journal's database; a damaged file is renamed, and without a usable file the database is in memory."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from comfytui.sanitize import sanitize
from comfytui.service.journal.locks import folder_lock
from comfytui.service.journal.paths import create_private, on_network, quarantine
from comfytui.service.journal.schema import DamagedFile, NewerFile, migrate
from comfytui.timings import JournalTimings

FILE = "journal.sqlite3"
LOCK_FILE = "journal.lock"
DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT})
"""SQLite's codes of errors that the file itself causes, so that no retry would succeed."""


class OpenedDatabase(NamedTuple):
    """An open database.

    `folder` is where its file is, None in memory; `warning` is a message for the user if not all is well.
    """

    db: sqlite3.Connection
    folder: Path | None
    warning: str | None


def open_database(folder: Path, timings: JournalTimings) -> OpenedDatabase:
    """Open the journal in a folder.

    A file that cannot be read is renamed, and a new one is created. Where there can be no file, the journal is in
    memory. Either way `warning` says so.
    """
    file = folder / FILE
    try:
        create_private(file)
        # Of two processes that start at once, one must not rename the file that the other has just created.
        with folder_lock(folder / LOCK_FILE, timings.lock):
            return _open_or_replace(file, timings.busy)
    except (OSError, sqlite3.Error, DamagedFile) as error:
        return OpenedDatabase(open_in_memory(), None, _in_memory_warning(folder, error))


def _open_or_replace(file: Path, busy_seconds: float) -> OpenedDatabase:
    try:
        return OpenedDatabase(_open(file, busy_seconds), file.parent, None)
    except DamagedFile as damage:
        renamed = quarantine(file)
        create_private(file)
        return OpenedDatabase(_open(file, busy_seconds), file.parent, _renamed_warning(damage, renamed))


def _open(file: Path, busy_seconds: float) -> sqlite3.Connection:
    if not file.stat().st_size and _size(file.with_name(f"{file.name}-wal")):
        # SQLite would discard the write-ahead log of an empty database.
        raise DamagedFile("has lost its beginning")
    db = _connect(str(file), busy_seconds)
    try:
        set_journal_mode(db, on_network(file.parent))
        migrate(db)
        db.execute("PRAGMA foreign_keys = ON")
    except UnicodeDecodeError as error:  # sqlite3 cannot decode an error message that quotes the file
        db.close()
        raise DamagedFile("is damaged") from error
    except sqlite3.DatabaseError as error:
        db.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE_CODES:
            raise DamagedFile(f"is damaged ({error})") from error
        raise
    except BaseException:
        db.close()
        raise
    return db


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def set_journal_mode(db: sqlite3.Connection, on_network: bool) -> None:
    """Use a write-ahead log where the file system supports it, else a rollback journal.

    With a write-ahead log one process can read while another writes.

    Args:
        db: The database.
        on_network: Whether it is on a network file system, where a write-ahead log does not work.
    """
    with suppress(sqlite3.OperationalError):
        if not on_network and _set_mode(db, "WAL") == "wal":
            return
    try:
        _set_mode(db, "DELETE")
    except sqlite3.OperationalError as error:
        # A database that another process has open keeps its mode. One whose shared memory cannot be mapped has to be
        # locked exclusively before its mode can be changed.
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        _set_mode(db, "DELETE")
        db.execute("PRAGMA locking_mode = NORMAL")
        db.execute("SELECT 1 FROM sqlite_master").fetchone()


def _set_mode(db: sqlite3.Connection, mode: str) -> str:
    return str(db.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0]).lower()


def _connect(name: str, busy_seconds: float) -> sqlite3.Connection:
    # With isolation_level=None transactions are explicit, so that each write is exactly one.
    db = sqlite3.connect(name, timeout=busy_seconds, isolation_level=None)
    # Replace bytes that are not UTF-8: text that a disk corrupted must not raise when it is read.
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return db


def open_in_memory() -> sqlite3.Connection:
    """Open a database in memory, which ends with the process."""
    db = _connect(":memory:", 0.0)
    migrate(db)
    db.execute("PRAGMA foreign_keys = ON")
    return db


def _renamed_warning(damage: DamagedFile, renamed: Path) -> str:
    what = "The journal of earlier jobs"
    why = sanitize(str(damage), 120)
    advice = " Update comfytui to use it again." if isinstance(damage, NewerFile) else ""
    kept = f"{what} {why}; it is kept as {sanitize(str(renamed), 300)}, and a new one was started"
    return f"{kept}: earlier jobs are shown only if the server still knows them.{advice}"


def _in_memory_warning(folder: Path, error: Exception) -> str:
    why = sanitize(getattr(error, "strerror", None) or str(error), 120)
    where = sanitize(str(folder), 300)
    return f"The journal cannot be kept in {where} ({why}): when comfytui ends, only the server remembers your jobs."
