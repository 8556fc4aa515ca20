"""Saving a picture: under a name that can lead nowhere else, never over another file, whole or not at all."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from comfytui.plain import plain

NAME_BYTES = 200
"""Most file systems take 255; the rest is for a number."""
_UNFIT = re.compile(r'[<>:"|?*\\/]')


class SaveError(Exception):
    """Nothing was saved; the message is one sentence that says why and what to do."""


def safe_name(name: str) -> str:
    """The last part of a server's file name, without separators, controls or a leading dot; never empty."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    kept = _UNFIT.sub("_", plain(last, 1_000)).strip(". ")
    while len(kept.encode()) > NAME_BYTES:
        stem, dot, suffix = kept.rpartition(".")
        kept = f"{stem[:-1]}{dot}{suffix}" if stem and len(suffix) < 10 else kept[:-1]
    return kept or "image.png"


def save(folder: Path, name: str, data: bytes) -> Path:
    """Write `data` to a new file in `folder`, made if missing; where it went. Raises SaveError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in _candidates(folder, safe_name(name)):
            with suppress(FileExistsError):
                return _write_new(path, data)
    except OSError as error:
        raise SaveError(_why(error, folder)) from None
    raise SaveError(f"No free file name in {folder}: choose another folder with --output.")


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    path = folder / name
    yield path
    for number in range(2, 10_000):
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")


def _write_new(path: Path, data: bytes) -> Path:
    # Mode x refuses links as well as files, so nothing that lies there already is followed or replaced.
    with path.open("xb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
    return path


def _why(error: OSError, folder: Path) -> str:
    where = plain(str(folder), 200)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"The disk is full: nothing was saved in {where}. Free some room and press s again."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"Permission denied in {where}: choose another folder with --output."
        case errno.ENOTDIR | errno.EEXIST:
            return f"{where} is not a folder: choose another one with --output."
        case _:
            return f"Nothing was saved in {where}: {plain(error.strerror or 'input/output error', 100)}."
