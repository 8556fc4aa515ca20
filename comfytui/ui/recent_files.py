"""The workflow files that were opened last, on disk; a list that cannot be read or written is not an error."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Final

from comfytui.private_files import read_small, replace_private

MAX_FILES: Final = 50
MAX_BYTES: Final = 2**20
"""A larger list is not read."""


class RecentFiles:
    """The paths of files, the one that was opened last first.

    Args:
        folder: The state folder, or None to keep none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / "recent.json" if folder else None

    def read(self) -> tuple[str, ...]:
        """Return the paths; may block for as long as the disk does."""
        if self._file is None:
            return ()
        try:
            paths = json.loads(read_small(self._file, MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return ()
        texts = [path for path in paths if isinstance(path, str) and path] if isinstance(paths, list) else []
        return tuple(dict.fromkeys(texts))[:MAX_FILES]

    def add(self, path: str) -> None:
        """Put a path first; may block for as long as the disk does."""
        if self._file is not None:
            paths = tuple(dict.fromkeys([path, *self.read()]))[:MAX_FILES]
            with suppress(OSError, ValueError):
                replace_private(self._file, json.dumps(paths).encode())


NO_RECENT_FILES = RecentFiles(None)
