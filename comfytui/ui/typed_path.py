"""Paths as users type them, or as terminals paste them when a file is dropped."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

MAX_PATH: Final = 4_096
"""Characters of the longest path that is looked for."""

_ESCAPED: Final = re.compile(r"\\(\W)")
"""A character as shells escape it; a backslash before a letter is part of a name."""


def typed_path(text: str) -> Path:
    """Return the path that a text means: with `~`, in quotes, with escaped characters, or as a `file:` URL of here."""
    text = text.strip()
    meant = next(reversed(_readings(text)), text)
    try:
        return Path(meant).expanduser()
    except (RuntimeError, ValueError):  # There is no such user, or no user can have such a name.
        return Path(meant)


def local_file(text: str) -> Path | None:
    """Return the file that a text names, or None if it names none that exists.

    Args:
        text: A path, written as for `typed_path`. A relative path needs a separator, so that the name of a file on the
            server is not taken for one here.
    """
    return _existing(text, Path.is_file)


def local_folder(text: str) -> Path | None:
    """Return the folder that a text names, written as a file is, or None if it names none that exists."""
    return _existing(text, Path.is_dir)


def is_local(text: str) -> bool:
    """Return whether a text can only be meant as the path of a file of this machine, whether that exists or not."""
    return text.strip().strip("'\"").startswith(("/", "~", "file:"))


def _readings(text: str) -> list[str]:
    """Return the paths that a text may mean, the likeliest last; none if it is a URL of elsewhere."""
    if text.startswith("file:"):
        try:
            url = urlsplit(text)
        except ValueError:  # What stands for the host is none.
            return []
        return [unquote(url.path)] if url.netloc in {"", "localhost"} else []
    if text[:1] in {"'", '"'}:
        return [text.strip("'\""), *_shell_words(text)[:1]]
    return [text, _ESCAPED.sub(r"\1", text)]


def _shell_words(text: str) -> list[str]:
    """Return the words of a text as a shell reads it; none if a quote is not closed."""
    try:
        return shlex.split(text)
    except ValueError:
        return []


def _existing(text: str, is_kind: Callable[[Path], bool]) -> Path | None:
    text = text.strip()
    if not text or len(text) > MAX_PATH or "\0" in text or "\n" in text:
        return None
    for reading in _readings(text):
        if reading.startswith("~") or "/" in reading:
            try:
                path = Path(reading).expanduser()
                if is_kind(path):
                    return path
            except (OSError, RuntimeError, ValueError):
                continue
    return None
