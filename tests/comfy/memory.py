"""How much memory something takes."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

MB = 10**6


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Python's own memory grows by no more than `size` bytes meanwhile."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()
