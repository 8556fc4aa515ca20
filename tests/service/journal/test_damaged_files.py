"""Whatever is at the journal's path, opening it works, says what is wrong, and destroys nothing."""

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from comfytui.service.journal import schema
from comfytui.service.journal.journal import Journal
from comfytui.session.model import Stamp
from tests.service.journal.batches import FILE, ME, SERVER, at, modes, recorded_batch, write_journal
from tests.service.journal.child_processes import children

Damage = Callable[[Path], object]


def write_other_database(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE recipes (cake TEXT)")


def overwrite_pages(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = random.Random(1).randbytes(len(content) - 4096)
    file.write_bytes(content)


def drop_table(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("DROP TABLE servers")


def alter_table(*statements: str) -> Damage:
    """Return a damage that executes these statements, to make tables that differ a little."""

    def alter(file: Path) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.executescript(";".join(("PRAGMA foreign_keys = OFF", *statements)))

    return alter


def alter_schema(table: str, before: str, after: str) -> Damage:
    """Return a damage that changes a few characters of the schema, as a corrupt byte does."""
    return alter_table(
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = replace(sql, '{before}', '{after}') WHERE name = '{table}'",
    )


def make_newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")


DAMAGES: dict[str, Damage] = {
    "garbage": lambda file: file.write_bytes(random.Random(2).randbytes(20_000)),
    "text": lambda file: file.write_text("this is no database\n" * 100),
    "truncated": lambda file: os.truncate(file, file.stat().st_size // 2),
    "pages overwritten": overwrite_pages,
    "a table is missing": drop_table,
    "a column has another name": alter_table("ALTER TABLE prompts RENAME COLUMN witnesses TO witnesse"),
    "a column is missing": alter_table("ALTER TABLE batches DROP COLUMN base"),
    "a column is too much": alter_table("ALTER TABLE servers ADD COLUMN more TEXT NOT NULL DEFAULT ''"),
    "a table that is referred to has another name": alter_schema("prompts", "REFERENCES batches", "REFERENCES batchef"),
    "newer": make_newer,
}


def write_damaged(folder: Path, spoil: Damage) -> bytes:
    write_journal(folder)
    spoil(folder / FILE)
    return folder.joinpath(FILE).read_bytes()


def renamed_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("journal-*.sqlite3"))


@pytest.mark.parametrize("name", DAMAGES)
def test_an_unreadable_file_is_renamed(tmp_path: Path, name: str) -> None:
    content = write_damaged(tmp_path, DAMAGES[name])
    with Journal.open(tmp_path) as journal:
        (renamed,) = renamed_files(tmp_path)
        assert renamed.read_bytes() == content
        assert journal.warning
        assert str(renamed) in journal.warning
        assert ("newer" in journal.warning) == (name == "newer")
        assert journal.restore(SERVER, [ME]) == []
        batch = recorded_batch(journal)
        assert set(modes(tmp_path).values()) == {0o600}
    with Journal.open(tmp_path) as journal:
        assert journal.warning is None
        assert [saved.batch for saved in journal.restore(SERVER, [ME])] == [batch]
    assert renamed_files(tmp_path) == [renamed]


def test_the_database_of_another_program_is_renamed(tmp_path: Path) -> None:
    write_other_database(tmp_path / FILE)
    with Journal.open(tmp_path) as journal:
        assert "not a journal of comfytui" in (journal.warning or "")
    with closing(sqlite3.connect(renamed_files(tmp_path)[0])) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_a_renamed_file_is_never_overwritten(tmp_path: Path) -> None:
    for number in range(5):
        tmp_path.joinpath(FILE).write_text(f"no database {number}")
        Journal.open(tmp_path).close()
    assert sorted(path.read_text() for path in renamed_files(tmp_path)) == [
        f"no database {number}" for number in range(5)
    ]


def test_the_write_ahead_log_of_a_lost_file_is_kept(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        recorded_batch(journal)
        ahead = tmp_path.joinpath(f"{FILE}-wal").read_bytes()
    tmp_path.joinpath(FILE).write_bytes(b"")
    tmp_path.joinpath(f"{FILE}-wal").write_bytes(ahead)
    with Journal.open(tmp_path) as journal:
        assert "has lost its beginning" in (journal.warning or "")
    (renamed,) = renamed_files(tmp_path)
    assert renamed.with_name(f"{renamed.name}-wal").read_bytes() == ahead


def test_flipped_bits_never_break_a_start(tmp_path: Path) -> None:
    write_journal(tmp_path)
    content = tmp_path.joinpath(FILE).read_bytes()
    chance = random.Random(3)
    for _ in range(60):
        turned = bytearray(content)
        for _ in range(chance.randrange(1, 30)):
            turned[chance.randrange(len(turned))] ^= 1 << chance.randrange(8)
        tmp_path.joinpath(FILE).write_bytes(turned)
        # Damage that shows only when a row is read is reported by AsyncJournal.
        with Journal.open(tmp_path) as journal, suppress(sqlite3.DatabaseError, UnicodeDecodeError):
            for saved in journal.restore(SERVER, [ME]):
                for prompt in saved.prompts:
                    prompt.job(Stamp(0.0, 0.0))
                    prompt.submission()
            journal.claim_ids(SERVER)
        for path in (*renamed_files(tmp_path), *tmp_path.glob("journal*-*")):
            path.unlink(missing_ok=True)


def test_an_old_version_is_migrated(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        recorded_batch(journal)
    newer = (*schema.MIGRATIONS, ("ALTER TABLE prompts ADD COLUMN note TEXT", "UPDATE prompts SET note = 'old'"))
    broken = (*schema.MIGRATIONS, (newer[-1][0], "UPDATE nothing SET note = 'old'"))
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        with pytest.raises(sqlite3.OperationalError, match="nothing"):
            schema.migrate(db, broken)
        assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
        schema.migrate(db, newer)
        schema.migrate(db, newer)
        assert db.execute("PRAGMA user_version").fetchone() == (len(newer),)
        assert db.execute("SELECT DISTINCT note FROM prompts").fetchall() == [("old",)]
        with pytest.raises(schema.NewerFile):
            schema.migrate(db)


@pytest.mark.parametrize("still_runs", [False, True])
def test_batches_of_version_2_are_found_by_fingerprint_and_address(tmp_path: Path, still_runs: bool) -> None:
    fingerprint = "0123456789abcdef" * 2
    with Journal.open(tmp_path) as journal:
        batch = recorded_batch(journal)
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("UPDATE batches SET server = ?", (f"my gpu box {fingerprint}",))
        if still_runs:
            # The older version goes on writing its own rows after the migration.
            db.execute("DELETE FROM addresses")
        else:
            db.execute("DROP TABLE addresses")
            db.execute("PRAGMA user_version = 2")
    with Journal.open(tmp_path) as journal:
        assert journal.warning is None
        here = at("my gpu box", fingerprint)
        for elsewhere in (at("my gpu box"), at("my", fingerprint), at("my gpu box", "")):
            assert journal.restore(elsewhere, [ME]) == []
        assert [saved.batch for saved in journal.restore(here, [ME])] == [batch]
        assert [claim.client_id for claim in journal.claim_ids(here)] == [ME]


def test_processes_that_start_on_a_damaged_file_rename_it_once(tmp_path: Path) -> None:
    with children(tmp_path, "start", 4) as crowd:
        assert [child.read_line() for child in crowd] == ["ready"] * 4
        for count in range(1, 11):
            tmp_path.joinpath(FILE).write_text("no database" * count)
            for child in crowd:
                child.write_line("start")
            warnings = sorted(child.read_line() for child in crowd)
            assert warnings[:3] == ["None"] * 3 or warnings.count("None") == 3
            assert len(renamed_files(tmp_path)) == count
