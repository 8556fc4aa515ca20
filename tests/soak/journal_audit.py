"""Reads the journal from outside; triggers in the database record every change of a status."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from comfytui.session.model import JobStatus

FILE = "journal.sqlite3"
WATCH_STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS seen (prompt_id TEXT, old TEXT, new TEXT)",
    """CREATE TRIGGER IF NOT EXISTS watch AFTER UPDATE OF status ON prompts WHEN old.status IS NOT new.status
    BEGIN INSERT INTO seen VALUES (new.prompt_id, old.status, new.status); END""",
)


class JournalAudit:
    """The journal that all clients share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ready(self) -> bool:
        """Return whether the journal exists; if so, start recording its changes."""
        try:
            # With our table, a file that is not yet a journal would be taken for a foreign database and set aside.
            if not self._query("SELECT 1 FROM sqlite_master WHERE name = 'prompts'"):
                return False
            for statement in WATCH_STATEMENTS:
                self._query(statement)
        except sqlite3.OperationalError:
            return False
        return True

    def _query(self, statement: str) -> Sequence[Any]:
        file = self._folder / FILE
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=20, isolation_level=None)) as db:
            return db.execute(statement).fetchall()

    def prompts(self) -> dict[str, tuple[JobStatus, str, str | None]]:
        """Return status, seed and outputs of each prompt."""
        rows = self._query("SELECT prompt_id, status, seed, outputs FROM prompts")
        return {prompt_id: (JobStatus(status), seed, outputs) for prompt_id, status, seed, outputs in rows}

    def open(self) -> list[str]:
        """Return the prompts that have not ended."""
        return [prompt_id for prompt_id, (status, _, _) in self.prompts().items() if not status.ended]

    def undone_ends(self) -> list[Any]:
        """Return the changes of statuses that were final."""
        changes = [(prompt_id, JobStatus(old), new) for prompt_id, old, new in self._query("SELECT * FROM seen")]
        return [change for change in changes if change[1].final]

    def files(self) -> list[str]:
        """Return the journal files in the folder; more than one means that some were set aside."""
        return [file.name for file in self._folder.glob("*.sqlite3")]
