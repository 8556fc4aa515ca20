"""Drafts of the prompt form on disk: what was typed is there again at the next start."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock, Thread

from comfytui.private_files import read_small, remove_partial, replace_private
from comfytui.workflow.graph import Workflow

MAX_DRAFT_BYTES = 8 * 2**20
"""Larger drafts are not read; one with a prompt of a million characters is smaller."""

FormTexts = Mapping[str, str]
"""The text of each control of the form by the control's id, as it was typed."""


class DraftFolder:
    """The drafts below a folder, one for each workflow.

    A draft that cannot be read or written is not an error: it is a convenience only.

    Args:
        folder: The state folder, or None to keep no drafts.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, workflow: Workflow) -> FormTexts:
        """Return the draft of a workflow's form, empty if there is none or it is damaged."""
        if self._folder is None:
            return {}
        try:
            texts = json.loads(read_small(self._file(self._folder, workflow), MAX_DRAFT_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return {name: text for name, text in texts.items() if isinstance(text, str)} if isinstance(texts, dict) else {}

    def write(self, workflow: Workflow, texts: FormTexts) -> bool:
        """Replace the draft of a workflow's form.

        Returns:
            False if it could not be written: the previous draft stays.
        """
        if self._folder is None:
            return True
        file = self._file(self._folder, workflow)
        try:
            replace_private(file, json.dumps(texts).encode())
            remove_partial(file.parent)
        except (OSError, RecursionError):
            return False
        return True

    @staticmethod
    def _file(folder: Path, workflow: Workflow) -> Path:
        return folder / "drafts" / f"{hashlib.sha256(identity_of(workflow).encode()).hexdigest()[:32]}.json"


def identity_of(workflow: Workflow) -> str:
    """Return what tells a workflow from others on the disk: one for all servers that it is converted for."""
    return json.dumps(workflow.graph if workflow.editor is None else workflow.editor, sort_keys=True)


NO_DRAFTS = DraftFolder(None)


class DraftWriter:
    """Holds the form's newest content and writes it, from any thread.

    Args:
        write: Writes the content and returns whether it could; it may block for as long as the disk does.
    """

    def __init__(self, write: Callable[[FormTexts], bool]) -> None:
        self._write = write
        self._texts: FormTexts = {}
        self._written: FormTexts = {}
        self._lock = Lock()

    @property
    def texts(self) -> FormTexts:
        """The newest content."""
        return self._texts

    def set_initial(self, texts: FormTexts) -> None:
        """Take the content before anything was typed, which needs no writing."""
        self._texts = self._written = texts

    def update(self, texts: FormTexts) -> bool:
        """Take new content and return whether it differs from what was written."""
        self._texts = texts
        return texts != self._written

    def flush(self) -> None:
        """Write what is not written yet. Concurrent calls run one after another, so that the newest content wins."""
        with self._lock:
            texts = self._texts
            if texts != self._written and self._write(texts):
                self._written = texts

    def flush_in_thread(self) -> Thread:
        """Start `flush` in a thread; a daemon, so that a disk that hangs does not keep the process alive."""
        thread = Thread(target=self.flush, name="comfytui draft", daemon=True)
        thread.start()
        return thread
