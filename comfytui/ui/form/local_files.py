"""Paths of files on this machine, as they are typed, pasted, or dropped on a terminal."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

MAX_PATH: Final = 4_096
"""Characters of the longest path that is looked for."""

_ESCAPED = re.compile(r"\\(.)")


def local_file(text: str) -> Path | None:
    """Return the file that a text names, or None if it names none that exists.

    Args:
        text: A path, in quotes or with escaped spaces, or a `file://` URL. A relative path needs a separator, so that
            the name of a file on the server is not taken for one here.
    """
    return _named(text, Path.is_file)


def local_folder(text: str) -> Path | None:
    """Return the folder that a text names, written as a file is, or None if it names none that exists."""
    return _named(text, Path.is_dir)


def is_local(text: str) -> bool:
    """Return whether a text can only be meant as the path of a file of this machine, whether that exists or not."""
    return text.strip().strip("'\"").startswith(("/", "~", "file:"))


def _named(text: str, is_kind: Callable[[Path], bool]) -> Path | None:
    text = text.strip()
    if not text or len(text) > MAX_PATH or "\0" in text or "\n" in text:
        return None
    return next((path for each in _readings(text) if (path := _existing(each, is_kind))), None)


def _readings(text: str) -> list[str]:
    if text.startswith("file://"):
        try:
            url = urlsplit(text)
        except ValueError:
            return []
        return [unquote(url.path)] if url.netloc in {"", "localhost"} else []
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return [text[1:-1], *_shell_words(text)]
    return [text, _ESCAPED.sub(r"\1", text)]


def _shell_words(text: str) -> list[str]:
    """Return a text as a shell reads it, where a quote within quotes ends them; nothing if it is not one word."""
    try:
        words = shlex.split(text)
    except ValueError:  # A quote that is not closed.
        return []
    return words if len(words) == 1 else []


def _existing(text: str, is_kind: Callable[[Path], bool]) -> Path | None:
    if not text.startswith("~") and "/" not in text:
        return None
    try:
        path = Path(text).expanduser()
        return path if is_kind(path) else None
    except (OSError, RuntimeError, ValueError):
        return None
