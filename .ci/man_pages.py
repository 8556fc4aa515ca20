"""Build hook of the wheel: a man page of the program and of each command, made by click-man from the help texts.

Only click and the standard library are needed to import the commands.
"""

import copy
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_LITERAL = re.compile(r"^\x08\n(.*?)(?=\n\.(?:PP|SH)|\Z)", re.MULTILINE | re.DOTALL)
"""A paragraph that click does not wrap."""


class ManPages(BuildHookInterface):
    """Adds the pages to a wheel; an editable install has none, and does not need click-man."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the pages into a temporary folder, and name them as shared data."""
        if version == "editable":
            return
        try:
            import click_man  # noqa: F401
        except ImportError:
            self.app.display_warning("The wheel has no man pages: click-man is not installed.")
            return
        self._folder = tempfile.TemporaryDirectory()
        for page in _write_pages(Path(self.root), Path(self._folder.name)):
            build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if folder := getattr(self, "_folder", None):
            folder.cleanup()


def _write_pages(root: Path, folder: Path) -> list[Path]:
    """Write the pages of the checkout at `root`; return their paths."""
    from click import Context
    from click_man.core import write_man_pages

    sys.dont_write_bytecode = True
    sys.path.insert(0, str(root))
    from comfytui import __version__
    from comfytui.cli.open import open_
    from comfytui.command_names import COMMANDS

    # click-man finds commands in this attribute, which is empty where they are imported when chosen.
    program = copy.copy(open_)
    program.short_help, program.commands = "a terminal dashboard for ComfyUI", {}
    for name, line in COMMANDS.items():
        command = copy.copy(open_.get_command(Context(open_), name))
        assert command, "it is in the list of commands"
        command.short_help = line
        program.commands[name] = command
    write_man_pages("comfytui", program, version=__version__, target_dir=str(folder))
    pages = sorted(folder.iterdir())
    for page in pages:
        page.write_text(_LITERAL.sub(r".nf\n\1\n.fi", page.read_text("utf-8")), "utf-8")
    return pages
