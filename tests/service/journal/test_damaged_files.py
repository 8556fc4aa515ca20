"""Whatever lies where the journal should, comfytui starts, says what is amiss, and destroys nothing."""

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from comfytui.service.journal import schema
from comfytui.service.journal.journal import Journal
from tests.service.journal.batches import FILE, ME, SERVER, at, modes, planned, write_journal
from tests.service.journal.child_processes import children

Spoil = Callable[[Path], object]


def write_foreign(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE recipes (cake TEXT)")


def overwrite_pages(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = random.Random(1).randbytes(len(content) - 4096)
    file.write_bytes(content)


def drop_table(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("DROP TABLE servers")


def altered(*statements: str) -> Spoil:
    """Another table of the same name and almost the same columns, as after a bad byte in the schema."""

    def alter(file: Path) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.executescript(";".join(("PRAGMA foreign_keys = OFF", *statements)))

    return alter


def respelled(table: str, before: str, after: str) -> Spoil:
    """The text of the schema with a few characters turned."""
    return altered(
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = replace(sql, '{before}', '{after}') WHERE name = '{table}'",
    )


def make_newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")


SPOILS: dict[str, Spoil] = {
    "garbage": lambda file: file.write_bytes(random.Random(2).randbytes(20_000)),
    "text": lambda file: file.write_text("this is no database\n" * 100),
    "truncated": lambda file: os.truncate(file, file.stat().st_size // 2),
    "pages overwritten": overwrite_pages,
    "a table is missing": drop_table,
    "a column has another name": altered("ALTER TABLE prompts RENAME COLUMN witnesses TO witnesse"),
    "a column is missing": altered("ALTER TABLE batches DROP COLUMN base"),
    "a column is too much": altered("ALTER TABLE servers ADD COLUMN more TEXT NOT NULL DEFAULT ''"),
    "a table that is referred to has another name": respelled("prompts", "REFERENCES batches", "REFERENCES batchef"),
    "newer": make_newer,
}


def spoilt(folder: Path, spoil: Spoil) -> bytes:
    write_journal(folder)
    spoil(folder / FILE)
    return folder.joinpath(FILE).read_bytes()


def set_aside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("journal-*.sqlite3"))


@pytest.mark.parametrize("name", SPOILS)
def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path, name: str) -> None:
    content = spoilt(tmp_path, SPOILS[name])
    with Journal.open(tmp_path) as journal:
        (aside,) = set_aside(tmp_path)
        assert aside.read_bytes() == content
        assert journal.notice
        assert str(aside) in journal.notice
        assert ("newer" in journal.notice) == (name == "newer")
        assert journal.restore(SERVER, [ME]) == []
        batch = planned(journal)
        assert set(modes(tmp_path).values()) == {0o600}
    with Journal.open(tmp_path) as journal:
        assert journal.notice is None
        assert [saved.batch for saved in journal.restore(SERVER, [ME])] == [batch]
    assert set_aside(tmp_path) == [aside]


def test_what_is_no_journal_of_ours_is_set_aside(tmp_path: Path) -> None:
    write_foreign(tmp_path / FILE)
    with Journal.open(tmp_path) as journal:
        assert "not a journal of comfytui" in (journal.notice or "")
    with closing(sqlite3.connect(set_aside(tmp_path)[0])) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_nothing_that_was_set_aside_is_overwritten(tmp_path: Path) -> None:
    for number in range(5):
        tmp_path.joinpath(FILE).write_text(f"no database {number}")
        Journal.open(tmp_path).close()
    assert sorted(path.read_text() for path in set_aside(tmp_path)) == [f"no database {number}" for number in range(5)]


def test_what_is_written_ahead_of_a_lost_file_is_kept(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        planned(journal)
        ahead = tmp_path.joinpath(f"{FILE}-wal").read_bytes()
    tmp_path.joinpath(FILE).write_bytes(b"")
    tmp_path.joinpath(f"{FILE}-wal").write_bytes(ahead)
    with Journal.open(tmp_path) as journal:
        assert "has lost its beginning" in (journal.notice or "")
    (aside,) = set_aside(tmp_path)
    assert aside.with_name(f"{aside.name}-wal").read_bytes() == ahead


def test_a_disk_that_turns_bits_never_ends_a_start(tmp_path: Path) -> None:
    write_journal(tmp_path)
    content = tmp_path.joinpath(FILE).read_bytes()
    chance = random.Random(3)
    for _ in range(60):
        turned = bytearray(content)
        for _ in range(chance.randrange(1, 30)):
            turned[chance.randrange(len(turned))] ^= 1 << chance.randrange(8)
        tmp_path.joinpath(FILE).write_bytes(turned)
        # Damage that shows only in the reading is the scribe's to tell.
        with Journal.open(tmp_path) as journal, suppress(sqlite3.DatabaseError, UnicodeDecodeError):
            for saved in journal.restore(SERVER, [ME]):
                for prompt in saved.prompts:
                    prompt.job()
                    prompt.submission()
            journal.claim_ids(SERVER)
        for path in (*set_aside(tmp_path), *tmp_path.glob("journal*-*")):
            path.unlink(missing_ok=True)


def test_an_old_version_is_brought_up(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        planned(journal)
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
        batch = planned(journal)
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("UPDATE batches SET server = ?", (f"my gpu box {fingerprint}",))
        if still_runs:
            # It goes on writing what it always wrote, after the migration.
            db.execute("DELETE FROM addresses")
        else:
            db.execute("DROP TABLE addresses")
            db.execute("PRAGMA user_version = 2")
    with Journal.open(tmp_path) as journal:
        assert journal.notice is None
        here = at("my gpu box", fingerprint)
        for elsewhere in (at("my gpu box"), at("my", fingerprint), at("my gpu box", "")):
            assert journal.restore(elsewhere, [ME]) == []
        assert [saved.batch for saved in journal.restore(here, [ME])] == [batch]
        assert [claim.client_id for claim in journal.claim_ids(here)] == [ME]


def test_processes_that_start_on_a_damaged_file_set_it_aside_once(tmp_path: Path) -> None:
    with children(tmp_path, "start", 4) as crowd:
        assert [child.hear() for child in crowd] == ["ready"] * 4
        for count in range(1, 11):
            tmp_path.joinpath(FILE).write_text("no database" * count)
            for child in crowd:
                child.tell("start")
            notices = sorted(child.hear() for child in crowd)
            assert notices[:3] == ["None"] * 3 or notices.count("None") == 3
            assert len(set_aside(tmp_path)) == count
