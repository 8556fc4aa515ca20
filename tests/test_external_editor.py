"""ctrl+e gives the terminal to the user's own editor, and the prompt comes back from it."""

import sys
from pathlib import Path

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
