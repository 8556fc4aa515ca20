"""What stands in the prompt form, kept beyond the end of the program: a private file for each workflow."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from comfytui.workflow.graph import Workflow

LIMIT = 2**20
"""Bytes of a draft; what is larger was not written by this program."""

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
        with suppress(OSError, ValueError):
            file = self._file(self._folder, workflow)
            texts = json.loads(file.read_bytes()) if file.stat().st_size <= LIMIT else None
            if isinstance(texts, dict):
                return {name: text for name, text in texts.items() if isinstance(text, str)}
        return {}

    def write(self, workflow: Workflow, texts: Texts) -> None:
        """Keep what stands there now: whole, or what was there before."""
        if self._folder is None:
            return
        with suppress(OSError):
            file = self._file(self._folder, workflow)
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = file.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_bytes(json.dumps(texts).encode())
            new.replace(file)

    @staticmethod
    def _file(folder: Path, workflow: Workflow) -> Path:
        graph = json.dumps(workflow.graph, sort_keys=True).encode()
        return folder / "drafts" / f"{hashlib.sha256(graph).hexdigest()[:32]}.json"


NO_DRAFTS = Drafts(None)
