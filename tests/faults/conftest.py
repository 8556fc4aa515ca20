"""What the tests of faults share."""

from collections.abc import Iterator

import pytest

from tests.faults.fast_timings import use_fast_timings
from tests.faults.leak_check import assert_none_leaked, open_resources


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """After every test of a fault no thread, socket or file more is held than before."""
    before = open_resources()
    yield
    assert_none_leaked(before)


@pytest.fixture
def fast_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's time runs faster."""
    use_fast_timings(monkeypatch)
