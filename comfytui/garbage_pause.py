"""Pauses of garbage collection while many objects are made that all stay: collecting stops all threads for nothing."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class _Pauses:
    """How many threads pause it now."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._was_enabled = False

    def begin(self) -> None:
        with self._lock:
            if not self._count:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._count += 1

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if not self._count and self._was_enabled:
                gc.enable()


_PAUSES = _Pauses()


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Pause garbage collection in the whole process; it goes on once no thread pauses it any more."""
    _PAUSES.begin()
    try:
        yield
    finally:
        _PAUSES.end()
