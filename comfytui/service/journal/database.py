"""Opening the journal's database: whatever lies there, a journal comes of it, with a word on what is amiss."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from comfytui.sanitize import sanitize
from comfytui.service.journal.locks import guard
from comfytui.service.journal.paths import on_network, prepare, set_aside
from comfytui.service.journal.schema import Damaged, Newer, bring_up

FILE = "journal.sqlite3"
GUARD = "journal.lock"
BUSY_PATIENCE = 5.0
"""Seconds that a write waits for the one of another comfytui."""
DAMAGES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT})
"""Errors that the file is to blame for, and no later try would heal."""


class Opened(NamedTuple):
    """A database that can be used, the folder it lies in (None: in memory), and what the user should know."""

    db: sqlite3.Connection
    folder: Path | None
    notice: str | None


def open_database(folder: Path) -> Opened:
    """The journal in the folder; a file that cannot be read is set aside, and with no file one in memory serves."""
    file = folder / FILE
    try:
        prepare(file)
        # Two starts at once must not set aside what the other has just begun.
        with guard(folder / GUARD):
            return _open_or_begin(file)
    except (OSError, sqlite3.Error, Damaged) as error:
        return Opened(in_memory(), None, _unwritable(folder, error))


def _open_or_begin(file: Path) -> Opened:
    try:
        return Opened(_open(file), file.parent, None)
    except Damaged as damage:
        aside = set_aside(file)
        prepare(file)
        return Opened(_open(file), file.parent, _set_aside(damage, aside))


def _open(file: Path) -> sqlite3.Connection:
    if not file.stat().st_size and _size(file.with_name(f"{file.name}-wal")):
        # SQLite would throw away what is written ahead of a database that is empty.
        raise Damaged("has lost its beginning")
    db = _connect(str(file))
    try:
        settle_mode(db, on_network(file.parent))
        bring_up(db)
        db.execute("PRAGMA foreign_keys = ON")
    except UnicodeDecodeError as error:  # the message of an error, which quotes the file
        db.close()
        raise Damaged("is damaged") from error
    except sqlite3.DatabaseError as error:
        db.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGES:
            raise Damaged(f"is damaged ({error})") from error
        raise
    except BaseException:
        db.close()
        raise
    return db


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def settle_mode(db: sqlite3.Connection, on_network: bool) -> None:
    """Write ahead where the file system can, which lets one comfytui read while another writes; else roll back."""
    with suppress(sqlite3.OperationalError):
        if not on_network and _set_mode(db, "WAL") == "wal":
            return
    try:
        _set_mode(db, "DELETE")
    except sqlite3.OperationalError as error:
        # One that another comfytui has open stays as it is; one whose shared memory cannot be had is first held alone.
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        _set_mode(db, "DELETE")
        db.execute("PRAGMA locking_mode = NORMAL")
        db.execute("SELECT 1 FROM sqlite_master").fetchone()


def _set_mode(db: sqlite3.Connection, mode: str) -> str:
    return str(db.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0]).lower()


def _connect(name: str) -> sqlite3.Connection:
    # Transactions are begun by hand, so that each write is one.
    db = sqlite3.connect(name, timeout=BUSY_PATIENCE, isolation_level=None)
    # Bytes that a bad disk turned are to be seen as such, not to end a start.
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return db


def in_memory() -> sqlite3.Connection:
    """A journal that ends with the process."""
    db = _connect(":memory:")
    bring_up(db)
    db.execute("PRAGMA foreign_keys = ON")
    return db


def _set_aside(damage: Damaged, aside: Path) -> str:
    what = "The journal of earlier jobs"
    why = sanitize(str(damage), 120)
    advice = " Update comfytui to use it again." if isinstance(damage, Newer) else ""
    kept = f"{what} {why}; it is kept as {sanitize(str(aside), 300)}, and a new one was started"
    return f"{kept}: earlier jobs are shown only if the server still knows them.{advice}"


def _unwritable(folder: Path, error: Exception) -> str:
    why = sanitize(getattr(error, "strerror", None) or str(error), 120)
    where = sanitize(str(folder), 300)
    return f"The journal cannot be kept in {where} ({why}): when comfytui ends, only the server remembers your jobs."
