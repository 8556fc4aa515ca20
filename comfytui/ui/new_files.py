"""Saving a picture: under a name that can lead nowhere else, never over another file, whole or not at all."""

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from comfytui.sanitize import sanitize

NAME_BYTES = 200
"""Most file systems take 255; the rest is for a number."""
PART_PREFIX, PART_SUFFIX = ".comfytui-", ".part"
"""How the name of a file begins and ends that is still being written."""
STALE_SECONDS = 60.0
"""Age at which such a file that nobody holds was left behind: at first, its writer has not locked it yet."""
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})
"""What file systems say that have no hard links, such as those of memory cards."""
_UNFIT = re.compile(r'[<>:"|?*\\/]')


class SaveError(Exception):
    """Nothing was saved; the message is one sentence that says why and what to do."""


def safe_name(name: str) -> str:
    """The last part of a server's file name, without separators, controls or a leading dot; never empty."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    kept = _UNFIT.sub("_", sanitize(last, 1_000)).strip(". ")
    while len(kept.encode()) > NAME_BYTES:
        stem, dot, suffix = kept.rpartition(".")
        kept = f"{stem[:-1]}{dot}{suffix}" if stem and len(suffix) < 10 else kept[:-1]
    return kept or "image.png"


class NewFile:
    """A file that is written beside its place, and takes a name only once it is whole."""

    def __init__(self, folder: Path, file: BinaryIO, part: Path) -> None:
        self._folder = folder
        self._file = file
        self._part = part

    def write(self, data: bytes) -> None:
        """Write more of it. Raises SaveError."""
        with _telling(self._folder):
            self._file.write(data)

    def take_name(self, name: str) -> Path:
        """Give the whole file a name of its own, as near to a server's `name` as it can be. Raises SaveError."""
        with _telling(self._folder):
            self._file.flush()
            os.fsync(self._file.fileno())
            for path in _candidates(self._folder, safe_name(name)):
                with suppress(FileExistsError):
                    _move(self._part, path)
                    return path
        raise SaveError(f"No free file name in {self._folder}: choose another folder with --output.")


@contextmanager
def new_file(folder: Path) -> Iterator[NewFile]:
    """A new file in `folder`, made if missing, that is gone again if it takes no name. Raises SaveError."""
    with _telling(folder):
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{PART_PREFIX}{secrets.token_hex(8)}{PART_SUFFIX}"
        file = part.open("xb")
    try:
        with suppress(OSError):  # Not every file system has locks.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield NewFile(folder, file, part)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        with suppress(OSError):  # What a full disk did not take is tried once more.
            file.close()


def save(folder: Path, name: str, data: bytes) -> Path:
    """Write `data` to a new file in `folder`, made if missing; where it went. Raises SaveError."""
    with new_file(folder) as file:
        file.write(data)
        return file.take_name(name)


def clear_parts(folder: Path) -> None:
    """Remove what was left behind by writers that were killed."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PART_PREFIX) and entry.name.endswith(PART_SUFFIX):
                with suppress(OSError):
                    _clear_if_stale(Path(entry.path))


def _clear_if_stale(part: Path) -> None:
    found = part.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid() or time.time() - found.st_mtime < STALE_SECONDS:
        return
    with part.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    path = folder / name
    yield path
    for number in range(2, 10_000):
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")


def _move(part: Path, path: Path) -> None:
    """Give a file the name `path`; raises FileExistsError where anything has it, also a link that leads nowhere."""
    try:
        path.hardlink_to(part)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # The name is taken by an empty file of our own, which the whole one replaces.
        path.touch(exist_ok=False)
        try:
            part.replace(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    """Faults of the file system as SaveError."""
    try:
        yield
    except OSError as error:
        raise SaveError(_why(error, folder)) from None


def _why(error: OSError, folder: Path) -> str:
    where = sanitize(str(folder), 200)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"The disk is full: nothing was saved in {where}. Free some room and press s again."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"Permission denied in {where}: choose another folder with --output."
        case errno.ENOTDIR | errno.EEXIST:
            return f"{where} is not a folder: choose another one with --output."
        case _:
            return f"Nothing was saved in {where}: {sanitize(error.strerror or 'input/output error', 100)}."
