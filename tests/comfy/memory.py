"""Assert how much memory something takes."""

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
