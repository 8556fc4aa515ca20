"""The files that the editor saves for its user, such as workflows, kept in memory."""

import posixpath
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class UserFile:
    """One saved file; times in seconds."""

    content: bytes
    created: float
    modified: float


@dataclass(slots=True)
class UserData:
    """Files by their path below the user's folder, in the order in which they were created."""

    files: dict[str, UserFile] = field(default_factory=dict)

    def save(self, path: str, content: bytes) -> None:
        """Create or replace a file."""
        now = time.time()
        before = self.files.get(path)
        self.files[path] = UserFile(content, before.created if before else now, now)

    def is_folder(self, path: str) -> bool:
        """Return whether there is a folder: one with a file somewhere below it."""
        return not path or any(each.startswith(f"{path}/") for each in self.files)

    def below(self, folder: str, *, recurse: bool) -> list[str]:
        """Return the paths of the files in a folder, below that folder, without hidden ones; deeper ones later."""
        prefix = f"{folder}/" if folder else ""
        paths = [path.removeprefix(prefix) for path in self.files if path.startswith(prefix)]
        shown = [path for path in paths if not any(part.startswith(".") for part in path.split("/"))]
        return sorted((path for path in shown if recurse or "/" not in path), key=lambda path: path.count("/"))

    def info(self, path: str, folder: str = "") -> dict[str, Any]:
        """Return what a list says about a file, its path below a folder; times in milliseconds."""
        file = self.files[path]
        return {
            "path": posixpath.relpath(path, folder or "."),
            "size": len(file.content),
            "modified": int(file.modified * 1000),
            "created": int(file.created * 1000),
        }

    def tree(self, folder: str) -> list[dict[str, Any]]:
        """Return the newer list of a folder: all below it, folders first, by name; times in seconds."""
        return sorted(self._entries(folder), key=lambda entry: (entry["type"] != "directory", entry["name"].lower()))

    def _entries(self, folder: str) -> Iterator[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        folders: set[str] = set()
        for path, file in self.files.items():
            if not path.startswith(prefix):
                continue
            yield {
                "name": posixpath.basename(path),
                "path": path,
                "type": "file",
                "size": len(file.content),
                "modified": file.modified,
            }
            parent = posixpath.dirname(path)
            while len(parent) >= len(prefix) and parent and parent not in folders and parent != folder:
                folders.add(parent)
                yield {"name": posixpath.basename(parent), "path": parent, "type": "directory"}
                parent = posixpath.dirname(parent)
