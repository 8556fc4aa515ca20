"""The user's wildcards: files of lines in one folder, of which `__name__` in a prompt chooses one.

`animals/cats.txt` is `__animals/cats__`, with a line for each choice; a YAML file names several lists. Names come from
the folder only, so that nothing in a prompt can reach another file.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

MAX_FILES: Final = 10_000
"""Files of the folder that are listed."""
MAX_FILE_BYTES: Final = 8 * 2**20
"""Bytes of a text file that are read; the lines after them are left out."""
MAX_YAML_BYTES: Final = 2**20
"""Bytes of the largest YAML file that is read."""
MAX_LINES: Final = 200_000
"""Lines of a wildcard that are kept."""
MAX_LINE: Final = 4_000
"""Characters of the longest line that is kept."""
MAX_KEPT: Final = 100
"""Names and patterns of which the choices are kept."""
MAX_NAME: Final = 200
"""Characters of the longest name."""
MAX_YAML_LINES: Final = MAX_YAML_BYTES
"""Lines of all lists of one YAML file that are read; each has a byte of its own, unless it is named repeatedly."""
MAX_NUMBER: Final = 30
"""Characters of the longest weight."""
MAX_LISTS: Final = 20_000
"""Lists of one YAML file that are read, and levels of names in it times their number."""


class Line(NamedTuple):
    """A choice of a wildcard."""

    text: str
    weight: float = 1.0


class Choices(NamedTuple):
    """The lines that one of is chosen from."""

    lines: tuple[Line, ...] = ()
    sums: tuple[float, ...] | None = None
    """The weight of each line and all before it; None if all have the same weight."""


class Wildcards:
    """The wildcards of one folder; text files are read when they are used first.

    Args:
        files: The text file of each name.
        lists: The lines of the other names.
    """

    def __init__(self, files: Mapping[str, Path] | None = None, lists: Mapping[str, tuple[Line, ...]] | None = None):
        self._files = dict(files or {})
        self._lists = dict(lists or {})
        self._kept: dict[str, Choices] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All names in alphabetical order."""
        return tuple(sorted({*self._files, *self._lists}, key=str.casefold))

    def __contains__(self, pattern: str) -> bool:
        return bool(self._matching(pattern))

    def lines(self, pattern: str) -> tuple[Line, ...]:
        """Return the choices of a name, or of all names that a pattern with `*` matches; empty if there are none."""
        return self.choices(pattern).lines

    def choices(self, pattern: str) -> Choices:
        """Return the choices with their weights, see `lines`."""
        if (kept := self._kept.get(pattern)) is not None:
            return kept
        lines = self._read(pattern)
        weights = [line.weight for line in lines]
        sums = tuple(accumulate(weights)) if any(weight != 1 for weight in weights) else None
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[pattern] = choices = Choices(lines, sums)
        return choices

    def _read(self, pattern: str) -> tuple[Line, ...]:
        lines: list[Line] = []
        for name in self._matching(pattern):
            if name not in self._lists:
                self._lists[name] = _read_text(self._files[name])
            lines += self._lists[name]
            if len(lines) > MAX_LINES:
                break
        return tuple(lines[:MAX_LINES])

    def _matching(self, pattern: str) -> list[str]:
        """Return the names that a pattern matches: from the folder, or else from any folder below it."""
        pattern = pattern.replace("\\", "/").strip("/ ")
        if not pattern or len(pattern) > MAX_NAME:
            return []
        if pattern in self._files or pattern in self._lists:
            return [pattern]
        names = self.names
        if "*" in pattern and (found := [name for name in names if fnmatchcase(name, pattern)]):
            return found
        return [name for name in names if fnmatchcase(name, f"*/{pattern}")]


def user_folder(name: str) -> Path:
    """Return the path of a folder or file beside the user's config file, whether it exists or not."""
    from platformdirs import user_config_path

    return user_config_path("comfytui") / name


NO_WILDCARDS: Final = Wildcards()
"""What a user without a folder of wildcards has."""


def load_wildcards(folder: Path | None) -> Wildcards:
    """List the wildcards of a folder, which may be missing; may block for as long as the disk does.

    Files that cannot be read are left out, as are links to other folders.
    """
    files: dict[str, Path] = {}
    lists: dict[str, tuple[Line, ...]] = {}
    for path in _files_below(folder) if folder else ():
        parent = path.parent.relative_to(folder).as_posix() if folder else ""
        prefix = "" if parent == "." else f"{parent}/"
        if path.suffix == ".txt" and len(prefix + path.stem) <= MAX_NAME:
            files[prefix + path.stem] = path
        elif path.suffix in {".yaml", ".yml"}:
            lists.update((prefix + name, lines) for name, lines in _read_yaml(path))
    return Wildcards(files, lists)


FolderStamp: TypeAlias = frozenset[tuple[str, int, int]]
"""The path, time of change and size of each file of a folder."""


def stamp_of(path: Path | None) -> FolderStamp:
    """Return what differs once a file, or one below a folder, has changed; may block for as long as the disk does."""
    if path is None:
        return frozenset()
    found = set()
    for file in _files_below(path) if path.is_dir() else (path,):
        with suppress(OSError):
            status = file.stat()
            found.add((str(file), status.st_mtime_ns, status.st_size))
    return frozenset(found)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder, in an order that does not depend on the disk."""
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            with suppress(OSError):
                if not stat.S_ISREG(path.stat().st_mode):
                    continue
                count += 1
                if count > MAX_FILES:
                    return
                yield path


def _read_text(path: Path) -> tuple[Line, ...]:
    """Return the lines of a text file, without empty ones and comments."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES)
    except OSError:
        return ()
    texts = (line.strip() for line in data.decode("utf-8-sig", "replace").splitlines())
    kept = [Line(text) for text in texts if text and not text.startswith("#") and len(text) <= MAX_LINE]
    return tuple(kept[:MAX_LINES])


def _read_yaml(path: Path) -> Iterator[tuple[str, tuple[Line, ...]]]:
    """Yield the lists of a YAML file by their names, `outer/inner`; a list without names has the file's."""
    from comfytui.workflow.prompt_text.yaml_files import load_yaml

    data = load_yaml(path, MAX_YAML_BYTES)
    pending: list[tuple[str, Any]] = [("", data) if isinstance(data, dict) else (path.stem, data)]
    # References in YAML can name one list very often.
    known: dict[int, tuple[Line, ...]] = {}
    left = MAX_YAML_LINES
    for _ in range(MAX_LISTS):
        if not pending or left < 0:
            return
        name, value = pending.pop()
        if isinstance(value, dict) and len(pending) < MAX_LISTS:
            inner = [(f"{name}/{key}" if name else key, each) for key, each in value.items() if isinstance(key, str)]
            pending += [(key, each) for key, each in reversed(inner) if len(key) <= MAX_NAME]
        else:
            if id(value) not in known:
                items = value if isinstance(value, list) else [value]
                left -= len(items)
                known[id(value)] = _lines(items)
            if lines := known[id(value)]:
                yield name, lines


def _lines(items: list[Any]) -> tuple[Line, ...]:
    return tuple(line for item in items[:MAX_LINES] if (line := _line(item)) and 0 < len(line.text) <= MAX_LINE)


def _line(item: Any) -> Line | None:
    """Return a choice in a YAML list: a text, `2::text`, or a mapping of `text` and `weight`."""
    match item:
        case str():
            weight, separator, text = item.partition("::")
            number = _number(weight) if separator else None
            return Line(item.strip()) if number is None else Line(text.strip(), _valid_weight(number))
        case {"text": str(text)} | {"content": str(text)}:
            return Line(text.strip(), _valid_weight(_number(item.get("weight"))))
        case _:
            return None


def _number(text: object) -> float | None:
    if isinstance(text, str) and len(text) <= MAX_NUMBER:
        with suppress(ValueError):
            return float(text)
    return None


def _valid_weight(weight: float | None) -> float:
    return weight if weight is not None and 0 < weight < 1e6 else 1.0
