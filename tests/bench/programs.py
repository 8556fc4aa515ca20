"""The measured programs, each in a terminal."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import apply_values
from tests.bench.bare import READY
from tests.bench.terminal import Terminal

FORM = "Scheduler"
"""A label of the form; the form is on the screen once this is."""
F5 = "\x1b[15~"
ESCAPE = "\x1b"
DOWN, UP = "\x1b[B", "\x1b[A"


def dashboard(
    url: str,
    home: Path,
    *,
    previews: bool = False,
    steps: int = 20,
    graph: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Terminal:
    """Return the dashboard of a server, its form set to a number of steps, or with the fields of another graph."""
    file = home / ("graph.json" if graph else f"{steps}-steps.json")
    file.write_text(json.dumps(graph or apply_values(txt2img(), {Field.STEPS: steps})))
    command = [sys.executable, "-m", "comfytui", url, "--workflow", str(file), "--output", str(home)]
    return Terminal(command if previews else [*command, "--no-previews"], home, environment)


def bare(home: Path, *what: str) -> Terminal:
    """Return a floor of `tests.bench.bare`, with its arguments."""
    return Terminal([sys.executable, "-m", "tests.bench.bare", *what], home)


def shown(terminal: Terminal) -> float:
    """Wait until a dashboard shows its form and is connected; return when the form appeared."""
    form = terminal.shows(FORM)
    terminal.shows("live")
    terminal.wait_until_quiet()
    return form


def shown_bare(terminal: Terminal) -> float:
    """Wait until a floor shows its text; return when it appeared."""
    return terminal.shows(READY)


def submit(terminal: Terminal, prompt: str = "a red fox in snow") -> None:
    """Type a prompt and submit it; wait until the first image runs."""
    terminal.press(prompt)
    terminal.wait_until_quiet(0.2)
    before = len(terminal.written)
    terminal.press(F5)
    terminal.shows("Image 1 of 4 - ", before)
