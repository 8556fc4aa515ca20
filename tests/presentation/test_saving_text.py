"""Messages about saved files."""

from pathlib import Path

import pytest

from comfytui.new_files import SaveError
from comfytui.presentation.saving_text import saving_message
from comfytui.service.saving import SavedOutputs

A, B = Path("/images/a.png"), Path("/images/b.png")
FULL = SaveError("The disk is full.")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (SavedOutputs(0), ("This job has no files to save.", "information")),
        (SavedOutputs(1, (A,)), ("Saved /images/a.png", "information")),
        (SavedOutputs(2, (A, B)), ("Saved 2 files, the first as /images/a.png", "information")),
        (SavedOutputs(2, error=FULL), ("The disk is full.", "error")),
        (SavedOutputs(2, (A,), "a.png", FULL), ("1 of 2 saved. The disk is full.", "error")),
    ],
)
def test_message_says_what_was_saved_or_failed(result: SavedOutputs, message: tuple[str, str]) -> None:
    assert saving_message(result) == message


def test_file_with_a_different_seed_is_a_warning() -> None:
    text, severity = saving_message(SavedOutputs(1, (A,), "a\x1b[31m.png"))
    assert severity == "warning"
    assert text.startswith("Saved /images/a.png. a")
    assert "has a different seed than this job" in text
    assert "\x1b" not in text
