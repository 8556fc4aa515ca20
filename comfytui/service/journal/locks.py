"""File locks between the comfytui processes of one machine: one per client id, and one for the folder.

Whoever holds the lock on the file at a client id's path holds the id, and only the holder removes that file.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from comfytui.service.journal.paths import open_private
from comfytui.timings import DEFAULT

LOCK_PAUSE = 0.02
"""Seconds between attempts to get the folder lock."""
PREFIX, SUFFIX = "client-", ".lock"


class Claim:
    """A client id that no other process on this machine uses until it is released or the process ends.

    Args:
        client_id: The client id.
        file: The lock file, to be removed with the lock.
        descriptor: An open descriptor that holds the lock; None where files cannot be locked.
    """

    def __init__(self, client_id: str, file: Path | None = None, descriptor: int | None = None) -> None:
        self.client_id = client_id
        self._file = file
        self._descriptor = descriptor

    def __repr__(self) -> str:
        return f"Claim({self.client_id!r})"

    @property
    def held(self) -> bool:
        """Whether the lock is still held."""
        return self._descriptor is not None

    def release(self) -> None:
        """Remove the lock file and release the lock; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()
        os.close(descriptor)


def lock_path(folder: Path, client_id: str) -> Path:
    """Return the path of a client id's lock file."""
    return folder / f"{PREFIX}{client_id}{SUFFIX}"


def locked_ids(folder: Path) -> list[str]:
    """Return the client ids that have a lock file, whether held or left behind."""
    return [file.name.removeprefix(PREFIX).removesuffix(SUFFIX) for file in folder.glob(f"{PREFIX}*{SUFFIX}")]


def try_claim(folder: Path, client_id: str) -> Claim | None:
    """Claim a client id unless another process holds it.

    Returns:
        The claim, or None if the id is held.

    Raises:
        OSError: Files cannot be locked in this folder.
    """
    file = lock_path(folder, client_id)
    while True:
        descriptor = open_private(file)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if _is_same_file(file, descriptor):
            return Claim(client_id, file, descriptor)
        # The holder removed the file after we opened it and before we locked it.
        os.close(descriptor)


def is_held(folder: Path, client_id: str) -> bool:
    """Return whether any process holds a client id.

    Call it with the folder lock held: the check itself locks the file for a moment, which another process would take
    for a claim.
    """
    try:
        descriptor = os.open(lock_path(folder, client_id), os.O_RDWR | os.O_CLOEXEC)
    except (OSError, ValueError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_same_file(file: Path, descriptor: int) -> bool:
    """Return whether the path still leads to the file that is open as `descriptor`."""
    opened = os.fstat(descriptor)
    try:
        current = file.stat()
    except FileNotFoundError:
        return False
    return (opened.st_dev, opened.st_ino) == (current.st_dev, current.st_ino)


@contextmanager
def folder_lock(file: Path, seconds: float = DEFAULT.journal.lock) -> Iterator[None]:
    """Hold the lock of a folder, so that one process at a time opens the journal or claims ids.

    Where files cannot be locked, or after so many seconds, go on without the lock.
    """
    try:
        descriptor = open_private(file)
    except OSError:
        yield
        return
    try:
        deadline = time.monotonic() + seconds
        while not _try_lock(descriptor) and time.monotonic() < deadline:
            time.sleep(LOCK_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Try to lock a file; return False only if another attempt may succeed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
