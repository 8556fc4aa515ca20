"""Edit a text in the user's own editor, $VISUAL or $EDITOR."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from comfytui.private_files import read_small
from comfytui.sanitize import sanitize

DEFAULT_EDITORS = ("nano", "vi")
"""What is looked for without $VISUAL and $EDITOR."""
MAX_BYTES = 4 * 2**20
"""Bytes of the largest text that is taken back."""


class EditorError(Exception):
    """The text was not edited; the message is one sentence."""


def editor_command(environment: Mapping[str, str]) -> list[str]:
    """Return the command that edits a file whose path follows.

    Raises:
        EditorError: There is none, or it cannot be read.
    """
    named = environment.get("VISUAL") or environment.get("EDITOR")
    try:
        command = shlex.split(named or "")
    except ValueError:
        raise EditorError("$VISUAL or $EDITOR has a quote that is not closed.") from None
    if command:
        return command
    found = next(filter(None, map(shutil.which, DEFAULT_EDITORS)), None)
    if found is None:
        raise EditorError("No editor was found: set $EDITOR.")
    return [found]


def edit_text(text: str, command: list[str]) -> str:
    """Return a text as it was edited; returns when the editor ends. The file is private, and removed after that.

    Raises:
        EditorError: The editor failed, or the text cannot be taken back.
    """
    name = sanitize(command[0], 100)
    try:
        with tempfile.TemporaryDirectory(prefix="comfytui-") as folder:
            file = Path(folder, "prompt.txt")
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(text.encode("utf-8", "replace"))
            if code := _run([*command, str(file)], name):
                raise EditorError(f"{name} ended with code {code}: the prompt is as it was.")
            return _read(file, text)
    except OSError as error:  # Such as no room for the file.
        reason = (error.strerror or str(error)).lower()
        raise EditorError(f"{name} could not edit the prompt: {reason}. The prompt is as it was.") from None


def _run(command: list[str], name: str) -> int:
    try:
        return subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        raise EditorError(f"{name} was not found: the prompt is as it was.") from None


def _read(file: Path, before: str) -> str:
    try:
        text = read_small(file, MAX_BYTES).decode().replace("\r\n", "\n")
    except FileNotFoundError:
        raise EditorError("The edited text was not found: the prompt is as it was.") from None
    except UnicodeDecodeError:
        raise EditorError("The edited text is not UTF-8: the prompt is as it was.") from None
    # Editors end the last line; a prompt seldom does.
    return text if before.endswith("\n") else text.removesuffix("\n")
