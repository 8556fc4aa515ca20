"""The journal as the soak sees it from outside, with every change of a state kept by the database itself."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from comfytui.session.model import JobStatus

FILE = "journal.sqlite3"
WATCH = (
    "CREATE TABLE IF NOT EXISTS seen (prompt_id TEXT, old TEXT, new TEXT)",
    """CREATE TRIGGER IF NOT EXISTS watch AFTER UPDATE OF status ON prompts WHEN old.status IS NOT new.status
    BEGIN INSERT INTO seen VALUES (new.prompt_id, old.status, new.status); END""",
)


class Record:
    """What all children together have written down."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ready(self) -> bool:
        """Whether there is a journal; from then on it is watched."""
        try:
            # A table of ours in a file that is not yet a journal would have it set aside as a stranger's.
            if not self._ask("SELECT 1 FROM sqlite_master WHERE name = 'prompts'"):
                return False
            for statement in WATCH:
                self._ask(statement)
        except sqlite3.OperationalError:
            return False
        return True

    def _ask(self, statement: str) -> Sequence[Any]:
        file = self._folder / FILE
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=20, isolation_level=None)) as db:
            return db.execute(statement).fetchall()

    def prompts(self) -> dict[str, tuple[JobStatus, str, str | None]]:
        """State, seed and outputs by id."""
        rows = self._ask("SELECT prompt_id, status, seed, outputs FROM prompts")
        return {prompt_id: (JobStatus(status), seed, outputs) for prompt_id, status, seed, outputs in rows}

    def open(self) -> list[str]:
        """The prompts that are still to end."""
        return [prompt_id for prompt_id, (status, _, _) in self.prompts().items() if not status.ended]

    def titles(self) -> set[str]:
        """Names of the batches."""
        return {title for (title,) in self._ask("SELECT title FROM batches")}

    def unlawful(self) -> list[Any]:
        """Changes of states that a server had stated as ends."""
        changes = [(prompt_id, JobStatus(old), new) for prompt_id, old, new in self._ask("SELECT * FROM seen")]
        return [change for change in changes if change[1].final]

    def files(self) -> list[str]:
        """Journals in the folder: more than one were set aside."""
        return [file.name for file in self._folder.glob("*.sqlite3")]
