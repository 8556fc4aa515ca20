"""Paths of files on this machine, as they are typed, pasted, or dropped on a terminal."""

import re
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
    text = text.strip()
    if not text or len(text) > MAX_PATH or "\0" in text or "\n" in text:
        return None
    return next((path for each in _readings(text) if (path := _existing(each))), None)


def is_local(text: str) -> bool:
    """Return whether a text can only be meant as the path of a file of this machine, whether that exists or not."""
    return text.strip().strip("'\"").startswith(("/", "~", "file:"))


def _readings(text: str) -> list[str]:
    if text.startswith("file://"):
        try:
            url = urlsplit(text)
        except ValueError:
            return []
        return [unquote(url.path)] if url.netloc in {"", "localhost"} else []
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return [text[1:-1]]
    return [text, _ESCAPED.sub(r"\1", text)]


def _existing(text: str) -> Path | None:
    if not text.startswith(("/", "~", "./", "../")):
        return None
    try:
        path = Path(text).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None
