"""What the tests of faults share."""

from collections.abc import Iterator

import pytest

from tests.faults.fast_timings import scale
from tests.faults.leak_check import check_no_more_than, held


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After every test of a fault no thread, socket or file more is held than before."""
    before = held()
    yield
    check_no_more_than(before)


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's time runs faster."""
    scale(monkeypatch)
