"""The programs that are measured, each in a terminal."""

import json
import sys
from pathlib import Path

from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import apply_values
from tests.bench.bare import READY
from tests.bench.terminal import Terminal

FORM = "Scheduler"
"""A label of the form: with it the form is on the screen."""
F5 = "\x1b[15~"
ESCAPE = "\x1b"
DOWN, UP = "\x1b[B", "\x1b[A"


def dashboard(url: str, home: Path, *, previews: bool = False, steps: int = 20) -> Terminal:
    """The whole dashboard of a server, its form asking for so many steps."""
    file = home / f"{steps}-steps.json"
    file.write_text(json.dumps(apply_values(txt2img(), {Field.STEPS: steps})))
    command = [sys.executable, "-m", "comfytui", url, "--workflow", str(file), "--output", str(home)]
    return Terminal(command if previews else [*command, "--no-previews"], home)


def bare(home: Path, *what: str) -> Terminal:
    """A floor, as `tests.bench.bare` has them."""
    return Terminal([sys.executable, "-m", "tests.bench.bare", *what], home)


def shown(terminal: Terminal) -> float:
    """Wait until a dashboard shows its form and the link is live; return when the form came."""
    form = terminal.shows(FORM)
    terminal.shows("live")
    terminal.settle()
    return form


def shown_bare(terminal: Terminal) -> float:
    """Wait until a floor shows its words; return when they came."""
    return terminal.shows(READY)


def submit(terminal: Terminal, prompt: str = "a red fox in snow") -> None:
    """Type a prompt and send it off, as a user does; wait until the first image runs."""
    terminal.press(prompt)
    terminal.settle(0.2)
    before = len(terminal.written)
    terminal.press(F5)
    terminal.shows("Image 1 of 4 - ", before)
