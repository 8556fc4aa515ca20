"""Assert how much memory and processor time something takes at the most."""

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

MB = 10**6


@contextmanager
def memory_limit(size: int) -> Iterator[None]:
    """Assert that Python allocates less than `size` bytes in the context."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Assert that this process computes for less time in the context; what others on the machine do does not count."""
    started = time.process_time()
    yield
    assert time.process_time() - started < seconds
