"""The journal's tables, and the migrations from older versions of its file."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

APPLICATION_ID = 0x63667475
"""SQLite's `application_id` of a comfytui journal ("cftu")."""

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        "CREATE TABLE servers (server TEXT PRIMARY KEY, fingerprint TEXT NOT NULL)",
        # `base` is the compressed first graph, the dictionary that the other graphs of the batch are compressed with.
        """CREATE TABLE batches (
            seq INTEGER PRIMARY KEY,
            batch TEXT NOT NULL UNIQUE,
            server TEXT NOT NULL,
            client_id TEXT NOT NULL,
            title TEXT NOT NULL,
            total INTEGER NOT NULL,
            created REAL NOT NULL,
            base BLOB
        )""",
        "CREATE INDEX batches_of_server ON batches (server)",
        # `seed` is a text, since it reaches 2^64-1. `sending` is the wall-clock time at which a POST began whose
        # outcome is unknown.
        """CREATE TABLE prompts (
            seq INTEGER PRIMARY KEY,
            prompt_id TEXT NOT NULL UNIQUE,
            accepted_id TEXT,
            batch TEXT NOT NULL REFERENCES batches (batch) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            submission TEXT NOT NULL,
            preview_method TEXT,
            graph BLOB,
            seed TEXT,
            status TEXT NOT NULL,
            number REAL,
            sending REAL,
            outputs TEXT,
            failure TEXT,
            seconds REAL,
            ended REAL
        )""",
        "CREATE INDEX prompts_of_batch ON prompts (batch, position)",
        "CREATE INDEX prompts_accepted ON prompts (accepted_id) WHERE accepted_id IS NOT NULL",
        "CREATE INDEX prompts_by_status ON prompts (status)",
        f"PRAGMA application_id = {APPLICATION_ID}",
    ),
    # Evidence of the server process that the POST went to: `Evidence` as a JSON object, or an older version's list of
    # prompt ids and times in its log.
    ("ALTER TABLE prompts ADD COLUMN witnesses TEXT",),
    (
        # The names and addresses at which the server of a batch was reached. `batches.server` is its fingerprint, empty
        # until a server answered.
        """CREATE TABLE addresses (
            batch TEXT NOT NULL REFERENCES batches (batch) ON DELETE CASCADE,
            address TEXT NOT NULL,
            PRIMARY KEY (batch, address)
        ) WITHOUT ROWID""",
    ),
)
"""The statements that migrate a file: those at index n migrate it from version n to version n+1."""

_WITH_ADDRESS = "substr(server, -33, 1) = ' ' AND length(server) > 33"
"""SQL condition for batches whose `server` is an address and a fingerprint, separated by a space."""
UPDATE_OLD_ROWS = (
    f"""INSERT OR IGNORE INTO addresses (batch, address)
    SELECT batch, substr(server, 1, length(server) - 33) FROM batches WHERE {_WITH_ADDRESS}""",
    f"UPDATE batches SET server = substr(server, -32) WHERE {_WITH_ADDRESS}",
)
"""Statements that turn rows of version 2 into rows of version 3; an older comfytui running beside us may write some."""


class DamagedFile(Exception):
    """This version of comfytui cannot read the file; the message completes "The journal of earlier jobs ..."."""


class NewerFile(DamagedFile):
    """A newer version of comfytui wrote the file."""


def migrate(db: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Check a journal's file and migrate it to the newest version, one transaction per version.

    Raises:
        DamagedFile: It is not a journal, or it is damaged.
        NewerFile: A newer version of comfytui wrote it.
    """
    version = _version(db)
    if version > len(migrations):
        raise NewerFile("was written by a newer comfytui")
    _check(db, version, migrations)
    for number, steps in enumerate(migrations[version:], version + 1):
        _execute(db, (*steps, f"PRAGMA user_version = {number}"))
    if db.execute(f"SELECT EXISTS (SELECT 1 FROM batches WHERE {_WITH_ADDRESS})").fetchone()[0]:
        _execute(db, UPDATE_OLD_ROWS)


def _execute(db: sqlite3.Connection, steps: Sequence[str]) -> None:
    """Execute statements in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in steps:
            db.execute(step)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _check(db: sqlite3.Connection, version: int, migrations: Sequence[Sequence[str]]) -> None:
    tables = _tables(db)
    is_journal = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if (tables or version) and not is_journal:
        raise DamagedFile("is not a journal of comfytui")
    if version and not tables >= {"servers", "batches", "prompts", *(["addresses"] if version > 2 else [])}:
        raise DamagedFile("lacks some of its tables")
    if damaged := _damaged_table(db, migrations[:version]):
        raise DamagedFile(f"has a damaged table ({damaged})")
    if (verdict := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise DamagedFile(f"is damaged ({verdict})")


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _damaged_table(db: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> str | None:
    """Return the first table whose columns or foreign keys are not those of the migrations: writes to it would fail."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as reference:
        for steps in migrations:
            _execute(reference, steps)
        return next(
            (table for table in sorted(_tables(reference)) if _shape(db, table) != _shape(reference, table)), None
        )


def _shape(db: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns and foreign keys of a table in lower case, since SQL names are case-insensitive."""
    rows = (row for pragma in ("table_xinfo", "foreign_key_list") for row in db.execute(f"PRAGMA {pragma}({table})"))
    return [repr(row).lower() for row in rows]
