"""What stands in the prompt form, kept beyond the end of the program: a private file for each workflow."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

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


def replace_private(file: Path, content: bytes) -> None:
    """Write a file for the user alone, whole or not at all, and its folder where there is none.

    Raises:
        OSError: It could not be written; what was there before is still there.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A name of this process alone: another one may write the same file at the same time.
    with NamedTemporaryFile(dir=file.parent, suffix=".new", delete=False) as new:
        try:
            new.write(content)
            new.flush()
            Path(new.name).replace(file)
        except OSError:
            Path(new.name).unlink(missing_ok=True)
            raise


NO_DRAFTS = Drafts(None)
