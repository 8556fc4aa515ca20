"""Fixtures of the fault tests."""

from collections.abc import Iterator

import pytest

from tests.faults.leak_check import assert_none_leaked, open_resources


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Fail if a test leaks threads, sockets or files."""
    before = open_resources()
    yield
    assert_none_leaked(before)
