"""The files of the simulated server, kept in memory up to a limit."""

import posixpath
import random
from dataclasses import dataclass, field

MAX_STORED_BYTES = 256 * 1024**2
"""Limit for all files together; the oldest files are dropped first."""
KINDS = ("input", "output", "temp")
SUFFIX_LETTERS = "abcdefghijklmnopqrstupvxyz"

FileKey = tuple[str, str, str]
"""`(kind, subfolder, filename)`."""


@dataclass(slots=True)
class Files:
    """Image files by kind, subfolder and name, oldest first."""

    contents: dict[FileKey, bytes] = field(default_factory=dict)
    counters: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def next_number(self, kind: str, subfolder: str, stem: str) -> int:
        """Return the next number for a file name, counting from 1; numbers of dropped files are not reused."""
        key = (kind, subfolder, stem)
        self.counters[key] = self.counters.get(key, 0) + 1
        return self.counters[key]

    def put(self, key: FileKey, content: bytes) -> None:
        """Store a file, dropping the oldest files above the limit."""
        self.contents.pop(key, None)
        self.contents[key] = content
        while len(self.contents) > 1 and sum(map(len, self.contents.values())) > MAX_STORED_BYTES:
            del self.contents[next(iter(self.contents))]

    def get(self, kind: str, subfolder: str, name: str) -> bytes | None:
        """Return a file's content, or None if there is no such file."""
        return self.contents.get((kind, clean_folder(subfolder), name))

    def after_restart(self) -> "Files":
        """Return the files that a restarted server finds on disk: all but the temporary ones."""
        kept = {key: content for key, content in self.contents.items() if key[0] != "temp"}
        return Files(kept, {key: number for key, number in self.counters.items() if key[0] != "temp"})

    def uploads(self) -> list[str]:
        """Return the file names at the top level of the input folder."""
        return [name for kind, folder, name in self.contents if kind == "input" and not folder]

    def newest(self, kind: str) -> list[str]:
        """Return the file names at the top level of a folder, newest first."""
        return [name for each, folder, name in reversed(self.contents) if each == kind and not folder]

    def find_annotated(self, name: str) -> bytes | None:
        """Return the content of the file that a node input names, as `sub/name.png` or `name.png [output]`."""
        name, kind = annotated(name)
        folder, _, base = name.rpartition("/")
        return self.get(kind or "input", folder, base)


def annotated(name: str) -> tuple[str, str | None]:
    """Split `name.png [temp]` into the name and its folder's kind; None if it names none."""
    for kind in KINDS:
        if name.endswith(f" [{kind}]"):
            return name.removesuffix(f" [{kind}]"), kind
    return name, None


def clean_folder(subfolder: str) -> str:
    """Return a normalised subfolder: '' for the top level, starting with '..' or '/' if it is outside."""
    normal = posixpath.normpath(subfolder) if subfolder else ""
    return "" if normal == "." else normal


def escapes(subfolder: str) -> bool:
    """Return whether a subfolder is outside its parent folder."""
    return clean_folder(subfolder).startswith(("..", "/"))


def temp_suffix(rng: random.Random) -> str:
    """Return the random part of the name of a temporary file."""
    return "_temp_" + "".join(rng.choice(SUFFIX_LETTERS) for _ in range(5))
