"""What the tests of faults share."""

import pytest

from tests.faults.scaled import scale


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's time runs faster."""
    scale(monkeypatch)
