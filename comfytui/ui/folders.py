"""Folders of this machine as lists to choose from."""

import os
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

MAX_READ: Final = 200_000
"""Entries of a folder that are read."""


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A file, or a folder in another one."""

    path: Path
    is_folder: bool
    changed: float | None = None
    """The wall clock when a file was changed last, None for folders and where it is not known."""

    @property
    def is_hidden(self) -> bool:
        """Whether the name says that it is hidden."""
        return self.path.name.startswith(".")

    @property
    def detail(self) -> str:
        """When it was changed, and whether it is hidden."""
        changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.changed)) if self.changed is not None else ""
        return f"hidden {changed}".strip() if self.is_hidden else changed


def read_folder(folder: Path) -> list[FolderEntry]:
    """Return what is in a folder: folders, then files, and hidden ones last; may block for as long as the disk does.

    Raises:
        OSError: The folder cannot be read.
    """
    with os.scandir(folder) as scan:
        entries = [_entry(folder, each) for each in islice(scan, MAX_READ)]
    return sorted(entries, key=lambda each: (each.is_hidden, not each.is_folder, each.path.name.lower()))


def first_readable(folder: Path) -> tuple[Path, list[FolderEntry]]:
    """Return a folder with what is in it, or else the nearest above it that can be read; may block.

    Raises:
        OSError: None of them can be read.
    """
    *nearest, root = (folder, *folder.parents)
    for each in nearest:
        try:
            return each, read_folder(each)
        except OSError:
            continue
    return root, read_folder(root)


def current_folder() -> Path:
    """Return the folder in which the program was started, or the root if it is gone."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


def is_folder(path: Path) -> bool:
    """Return whether a path names a folder; may block."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # Such as a name that is too long, or has a null byte.
        return False


def _entry(folder: Path, found: "os.DirEntry[str]") -> FolderEntry:
    """Return an entry; one that cannot be examined is taken for a file."""
    try:
        leads_on = found.is_dir()
        changed = None if leads_on else _local(found.stat().st_mtime)
    except OSError:
        return FolderEntry(folder / found.name, is_folder=False)
    return FolderEntry(folder / found.name, leads_on, changed)


def _local(seconds: float) -> float | None:
    """Return a time that can be shown in local time, None if it is out of range."""
    try:
        time.localtime(seconds)
    except (OverflowError, OSError, ValueError):
        return None
    return seconds
