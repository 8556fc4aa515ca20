"""Locks between the comfytuis of one machine: a client id belongs to one of them, and the folder is changed by one.

Whoever holds the lock of the file that stands at an id's path holds the id; only its holder removes that file.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from comfytui.service.journal.paths import open_private

GUARD_PATIENCE = 5.0
"""Seconds that a start waits for another one, which may have been stopped in the middle (ctrl+z)."""
GUARD_PAUSE = 0.02
"""Seconds between tries for the guard."""
PREFIX, SUFFIX = "client-", ".lock"


class Claim:
    """A client id that no other comfytui of this machine uses until it is released or the process ends."""

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
        """Let others have the id; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()
        os.close(descriptor)


def lock_file(folder: Path, client_id: str) -> Path:
    """Where the lock of a client id stands."""
    return folder / f"{PREFIX}{client_id}{SUFFIX}"


def locked_ids(folder: Path) -> list[str]:
    """The ids that have a lock file, held or left behind."""
    return [file.name.removeprefix(PREFIX).removesuffix(SUFFIX) for file in folder.glob(f"{PREFIX}*{SUFFIX}")]


def take(folder: Path, client_id: str) -> Claim | None:
    """Claim an id unless it is held; raises OSError where files cannot be locked."""
    file = lock_file(folder, client_id)
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
        if _stands_at(file, descriptor):
            return Claim(client_id, file, descriptor)
        # Its holder removed the file between our opening and our locking it.
        os.close(descriptor)


def is_held(folder: Path, client_id: str) -> bool:
    """Whether anybody holds an id; called under the guard, so that the look is not taken for a claim."""
    try:
        descriptor = os.open(lock_file(folder, client_id), os.O_RDWR | os.O_CLOEXEC)
    except (OSError, ValueError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _stands_at(file: Path, descriptor: int) -> bool:
    mine = os.fstat(descriptor)
    try:
        there = file.stat()
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


@contextmanager
def guard(file: Path) -> Iterator[None]:
    """Be the only one that starts in this folder; where files cannot be locked, or another hangs, go on without."""
    try:
        descriptor = open_private(file)
    except OSError:
        yield
        return
    try:
        over = time.monotonic() + GUARD_PATIENCE
        while not _locks(descriptor) and time.monotonic() < over:
            time.sleep(GUARD_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    """Whether there is nothing more to wait for."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
