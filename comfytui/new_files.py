"""Create new files in a folder: with a safe name, never over another file, whole or not at all."""

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from comfytui.sanitize import sanitize

NAME_BYTES = 200
"""Longest name, in UTF-8; most file systems allow 255, which leaves room for a number."""
PART_PREFIX, PART_SUFFIX = ".comfytui-", ".part"
"""Beginning and end of the name of a file that is still being written."""
STALE_SECONDS = 60.0
"""Age from which an unlocked part file counts as left behind; a younger one may not be locked yet."""
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})
"""Errors of file systems without hard links, such as those of memory cards."""
_UNSAFE = re.compile(r'[<>:"|?*\\/]')


class SaveError(Exception):
    """A file was not saved; the message says why and what to do."""


class DiskFullError(SaveError):
    """There was no room for a file; with more of it, it can be saved."""


def safe_name(name: str) -> str:
    """Return the last part of a server's file name, without separators, control characters or a leading dot.

    The result is never empty.
    """
    last = PureWindowsPath(PurePosixPath(name).name).name
    safe = _UNSAFE.sub("_", sanitize(last, 1_000)).strip(". ")
    while len(safe.encode()) > NAME_BYTES:
        stem, dot, suffix = safe.rpartition(".")
        safe = f"{stem[:-1]}{dot}{suffix}" if stem and len(suffix) < 10 else safe[:-1]
    return safe or "image.png"


class NewFile:
    """A file that is written under a temporary name and gets its own only once it is whole."""

    def __init__(self, folder: Path, file: BinaryIO, part: Path) -> None:
        self._folder = folder
        self._file = file
        self._part = part

    def write(self, data: bytes) -> None:
        """Append data.

        Raises:
            SaveError: It could not be written.
        """
        with _reporting_os_errors(self._folder):
            self._file.write(data)

    def commit(self, name: str) -> Path:
        """Give the file its final name, made safe and with a number if another file has it.

        Returns:
            The path of the file.

        Raises:
            SaveError: It could not be written, or no name is free.
        """
        with _reporting_os_errors(self._folder):
            self._file.flush()
            os.fsync(self._file.fileno())
            for path in _candidate_paths(self._folder, safe_name(name)):
                with suppress(FileExistsError):
                    _move(self._part, path)
                    return path
        raise SaveError(f"No free file name in {self._folder}: choose another folder with --output.")


@contextmanager
def new_file(folder: Path) -> Iterator[NewFile]:
    """Open a new file in a folder, which is created if missing; the file is removed again unless it is committed.

    Raises:
        SaveError: It could not be created.
    """
    with _reporting_os_errors(folder):
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
        with suppress(OSError):  # Closing flushes once more what a full disk refused.
            file.close()


def check_folder(folder: Path) -> None:
    """Check that files can be saved in a folder, by creating one there; of a missing folder, in the nearest above it.

    Raises:
        SaveError: None can be saved there.
    """
    nearest = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    missing = takewhile(lambda each: each != nearest, (folder, *folder.parents))
    with _reporting_os_errors(folder):
        # A name that is too long is found only where its folder exists.
        for each in (folder, *(nearest / each.name for each in missing)):
            with suppress(FileNotFoundError, NotADirectoryError):
                each.lstat()
    with new_file(nearest):
        pass


def remove_stale_parts(folder: Path) -> None:
    """Remove the part files of writers that were killed."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PART_PREFIX) and entry.name.endswith(PART_SUFFIX):
                with suppress(OSError):
                    _remove_if_stale(Path(entry.path))


def _remove_if_stale(part: Path) -> None:
    info = part.lstat()
    if not stat.S_ISREG(info.st_mode) or info.st_uid != os.getuid() or time.time() - info.st_mtime < STALE_SECONDS:
        return
    with part.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()


def _candidate_paths(folder: Path, name: str) -> Iterator[Path]:
    path = folder / name
    yield path
    for number in range(2, 10_000):
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")


def _move(part: Path, path: Path) -> None:
    """Rename a file.

    Raises:
        FileExistsError: Something is at `path`, even if it is a dangling link.
    """
    try:
        path.hardlink_to(part)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # Reserve the name with an empty file of our own, then replace it.
        path.touch(exist_ok=False)
        try:
            part.replace(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise


@contextmanager
def _reporting_os_errors(folder: Path) -> Iterator[None]:
    """Raise errors of the file system as SaveError."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise (DiskFullError if full else SaveError)(_explain(error, folder)) from None


def _explain(error: OSError, folder: Path) -> str:
    where = sanitize(str(folder), 200)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"The disk is full: nothing was saved in {where}. Free some room."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"Permission denied in {where}: choose another folder with --output."
        case errno.ENOTDIR | errno.EEXIST:
            return f"{where} is not a folder: choose another one with --output."
        case _:
            return f"Nothing was saved in {where}: {sanitize(error.strerror or 'input/output error', 100)}."
