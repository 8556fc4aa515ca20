"""ctrl+e gives the terminal to the user's own editor, and the prompt comes back from it."""

import sys
import tempfile
from pathlib import Path

import pytest

from comfytui.ui.external_editor import EditorError, edit_text
from tests.terminal import F5, terminal

CTRL_E = "\x05"
EDITOR = """
import sys
sys.stdout.write("AN EDITOR\\r\\n")
sys.stdout.flush()
sys.stdin.readline()
with open(sys.argv[1], "a") as file:
    file.write(" in deep snow")
"""


def test_the_prompt_is_edited_in_the_users_editor(tmp_path: Path) -> None:
    (tmp_path / "editor.py").write_text(EDITOR)
    editor = f"{sys.executable} {tmp_path / 'editor.py'}"
    demo = ("demo", "--steps-per-second", "40", "--other-clients", "0", "--output", str(tmp_path))
    with terminal(*demo, columns=120, rows=40, VISUAL=editor, EDITOR="false") as it:
        it.shows("F5 Generate")
        it.send("a red fox")
        it.shows("a red fox")
        it.send(CTRL_E)
        it.shows("AN EDITOR")
        it.send("\r")
        it.shows("a red fox in deep snow")
        it.send(F5)
        it.shows("4 of 4 done")


def test_the_screen_comes_back_from_an_editor_that_fails(tmp_path: Path) -> None:
    demo = ("demo", "--steps-per-second", "40", "--other-clients", "0", "--output", str(tmp_path))
    with terminal(*demo, columns=120, rows=40, VISUAL="false") as it:
        it.shows("F5 Generate")
        it.send("a red fox")
        it.shows("a red fox")
        it.send(CTRL_E)
        it.shows("ended with code 1")
        it.send(" in snow")
        it.shows("a red fox in snow")


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("os.remove(name)", "The edited text was not found"),
        ("os.remove(name); os.mkfifo(name)", "could not edit the prompt: it is not a file"),
    ],
)
def test_what_an_editor_leaves_is_taken_back_only_if_it_is_a_text(does: str, reason: str) -> None:
    command = [sys.executable, "-c", f"import os, sys; name = sys.argv[1]; {does}"]
    with pytest.raises(EditorError, match=f"{reason}.* [Tt]he prompt is as it was"):
        edit_text("a fox", command)


def test_an_editor_that_is_missing_is_not_taken_for_a_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EditorError, match="missing-editor was not found"):
        edit_text("a fox", ["missing-editor"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(EditorError, match="could not edit the prompt: no such file"):
        edit_text("a fox", [sys.executable])
