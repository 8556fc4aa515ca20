"""The files of the simulated server: in memory only, and bounded."""

import posixpath
import random
from dataclasses import dataclass, field

MAX_BYTES = 256 * 1024**2
"""Everything together; the oldest files go first."""
KINDS = ("input", "output", "temp")
SUFFIX_LETTERS = "abcdefghijklmnopqrstupvxyz"

FileKey = tuple[str, str, str]
"""`(kind, subfolder, filename)`."""


@dataclass(slots=True)
class Files:
    """Pictures by kind, subfolder and name, oldest first."""

    contents: dict[FileKey, bytes] = field(default_factory=dict)
    counters: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def next_number(self, kind: str, subfolder: str, stem: str) -> int:
        """Return the next free number of a file name, counting up from 1, also past files that are gone."""
        key = (kind, subfolder, stem)
        self.counters[key] = self.counters.get(key, 0) + 1
        return self.counters[key]

    def put(self, key: FileKey, content: bytes) -> None:
        """Store a file, dropping the oldest ones when there is no room."""
        self.contents.pop(key, None)
        self.contents[key] = content
        while len(self.contents) > 1 and sum(map(len, self.contents.values())) > MAX_BYTES:
            del self.contents[next(iter(self.contents))]

    def get(self, kind: str, subfolder: str, name: str) -> bytes | None:
        """Return a file's content, None when there is no such file."""
        return self.contents.get((kind, clean_folder(subfolder), name))

    def after_restart(self) -> "Files":
        """Return what a new process finds on the disk: all but the temporary files."""
        kept = {key: content for key, content in self.contents.items() if key[0] != "temp"}
        return Files(kept, {key: number for key, number in self.counters.items() if key[0] != "temp"})

    def uploads(self) -> list[str]:
        """Return the names in the top of the input folder."""
        return [name for kind, folder, name in self.contents if kind == "input" and not folder]

    def newest(self, kind: str) -> list[str]:
        """Return the names in the top of a folder, the newest first."""
        return [name for each, folder, name in reversed(self.contents) if each == kind and not folder]

    def find_annotated(self, name: str) -> bytes | None:
        """Return the file that a node's input names, as `sub/name.png` or `name.png [output]`."""
        kind = "input"
        for candidate in KINDS:
            if name.endswith(f" [{candidate}]"):
                kind, name = candidate, name.removesuffix(f" [{candidate}]")
        folder, _, base = name.rpartition("/")
        return self.get(kind, folder, base)


def clean_folder(subfolder: str) -> str:
    """Return a subfolder in its normal form, '' for the top; one that leaves the top starts with '..' or '/'."""
    normal = posixpath.normpath(subfolder) if subfolder else ""
    return "" if normal == "." else normal


def escapes(subfolder: str) -> bool:
    """Return whether a subfolder leaves the folder that it should lie in."""
    return clean_folder(subfolder).startswith(("..", "/"))


def temp_suffix(rng: random.Random) -> str:
    """Return the random part of a temporary file's name."""
    return "_temp_" + "".join(rng.choice(SUFFIX_LETTERS) for _ in range(5))
