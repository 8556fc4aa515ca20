"""The tables of the journal, and how a file of an older version becomes one of this version."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

APPLICATION_ID = 0x63667475
"""Marks a database as a journal of comfytui ("cftu")."""

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        "CREATE TABLE servers (server TEXT PRIMARY KEY, fingerprint TEXT NOT NULL)",
        # `base` is the packed text of the first graph, which the others of the batch are packed against.
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
        # `seed` is a text, since it reaches 2^64-1; `sending` is when a POST began whose fate is not known, in seconds.
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
    # What the server's process held when the POST began, as a JSON list: its prompts, or a time of its log.
    ("ALTER TABLE prompts ADD COLUMN witnesses TEXT",),
    (
        # Where the server of a batch was reached; `batches.server` is its fingerprint, empty until one answered.
        """CREATE TABLE addresses (
            batch TEXT NOT NULL REFERENCES batches (batch) ON DELETE CASCADE,
            address TEXT NOT NULL,
            PRIMARY KEY (batch, address)
        ) WITHOUT ROWID""",
    ),
)
"""The steps from each version to the next: what is at index n makes version n+1 of version n."""

_WITH_ADDRESS = "substr(server, -33, 1) = ' ' AND length(server) > 33"
"""SQL condition for batches whose `server` is an address and a fingerprint, with a space between."""
SPLIT_SERVERS = (
    f"""INSERT OR IGNORE INTO addresses (batch, address)
    SELECT batch, substr(server, 1, length(server) - 33) FROM batches WHERE {_WITH_ADDRESS}""",
    f"UPDATE batches SET server = substr(server, -32) WHERE {_WITH_ADDRESS}",
)
"""Rows of version 2 as those of version 3: an older comfytui that runs beside this one may still write them."""


class Damaged(Exception):
    """The file is none that this comfytui can read; the message says why, in a few words."""


class Newer(Damaged):
    """A newer comfytui wrote the file."""


def bring_up(db: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Check the file and bring it to the newest version, each step whole or not at all; raises Damaged or Newer."""
    version = _version(db)
    if version > len(migrations):
        raise Newer("was written by a newer comfytui")
    _check(db, version, migrations)
    for number, steps in enumerate(migrations[version:], version + 1):
        _run(db, (*steps, f"PRAGMA user_version = {number}"))
    if db.execute(f"SELECT EXISTS (SELECT 1 FROM batches WHERE {_WITH_ADDRESS})").fetchone()[0]:
        _run(db, SPLIT_SERVERS)


def _run(db: sqlite3.Connection, steps: Sequence[str]) -> None:
    """All of these steps, or none."""
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
    ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if (tables or version) and not ours:
        raise Damaged("is not a journal of comfytui")
    if version and not tables >= {"servers", "batches", "prompts", *(["addresses"] if version > 2 else [])}:
        raise Damaged("lacks some of its tables")
    if damaged := _damaged_table(db, migrations[:version]):
        raise Damaged(f"has a damaged table ({damaged})")
    if (verdict := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise Damaged(f"is damaged ({verdict})")


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _damaged_table(db: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> str | None:
    """The first table with other columns or foreign keys than these migrations make: no write to it would succeed."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as sound:
        for steps in migrations:
            _run(sound, steps)
        return next((table for table in sorted(_tables(sound)) if _shape(db, table) != _shape(sound, table)), None)


def _shape(db: sqlite3.Connection, table: str) -> list[str]:
    """The columns and the foreign keys of a table; case means nothing to SQL."""
    rows = (row for pragma in ("table_xinfo", "foreign_key_list") for row in db.execute(f"PRAGMA {pragma}({table})"))
    return [repr(row).lower() for row in rows]
