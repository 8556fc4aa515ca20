"""What the tests of the screen share."""

import pytest


@pytest.fixture(autouse=True)
def _patient_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take long to read a server's choices; tests that give them up say after how long."""
    monkeypatch.setattr("comfytui.ui.dashboard.form_actions.CHOICES_TIMEOUT", 60.0)
