"""The form's content on its way to the disk."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock, Thread

from comfytui.private_files import replace_private
from comfytui.workflow.graph import Workflow

LIMIT = 8 * 2**20
"""Bytes of a draft that are read; a prompt of a million characters has fewer."""

Texts = Mapping[str, str]
"""What each control of the form holds, as it was typed."""


class Drafts:
    """The drafts in a folder, or of no folder none; one that cannot be read or written costs this comfort only."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, workflow: Workflow) -> Texts:
        """What stood in the form of this workflow the last time."""
        if self._folder is None:
            return {}
        try:
            file = self._file(self._folder, workflow)
            texts = json.loads(file.read_bytes()) if file.stat().st_size <= LIMIT else None
        except (OSError, ValueError, RecursionError):
            return {}
        return {name: text for name, text in texts.items() if isinstance(text, str)} if isinstance(texts, dict) else {}

    def write(self, workflow: Workflow, texts: Texts) -> bool:
        """Keep what stands there now, whole; what was there before stays where that cannot be done."""
        if self._folder is None:
            return True
        try:
            replace_private(self._file(self._folder, workflow), json.dumps(texts).encode())
        except (OSError, RecursionError):
            return False
        return True

    @staticmethod
    def _file(folder: Path, workflow: Workflow) -> Path:
        graph = json.dumps(workflow.graph, sort_keys=True).encode()
        return folder / "drafts" / f"{hashlib.sha256(graph).hexdigest()[:32]}.json"


NO_DRAFTS = Drafts(None)


class Draft:
    """The newest content, until `keep` has it; `keep` may be slow, and says whether it could."""

    def __init__(self, keep: Callable[[Texts], bool]) -> None:
        self._keep = keep
        self._texts: Texts = {}
        self._kept: Texts = {}
        self._lock = Lock()

    def begin(self, texts: Texts) -> None:
        """Take what stands there before anybody typed: nothing to write."""
        self._texts = self._kept = texts

    def change(self, texts: Texts) -> bool:
        """Take what stands there now; whether there is something to write."""
        self._texts = texts
        return texts != self._kept

    def write(self) -> None:
        """Write what is not kept yet; two threads that come at once do not overtake each other."""
        with self._lock:
            texts = self._texts
            if texts != self._kept and self._keep(texts):
                self._kept = texts

    def start_writing(self) -> Thread:
        """Write in a thread of its own; a daemon, since a disk that hangs must not keep a process that wants to end."""
        thread = Thread(target=self.write, name="comfytui draft", daemon=True)
        thread.start()
        return thread
