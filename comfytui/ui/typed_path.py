"""Paths as users type them, or as terminals paste them when a file is dropped."""

import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_ESCAPED: Final = re.compile(r"\\(\W)")
"""A character as shells escape it; a backslash before a letter is part of a name."""


def typed_path(text: str) -> Path:
    """Return the path that a text means: with `~`, in quotes, with escaped characters, or as a `file:` URL of here."""
    text = text.strip()
    if text.startswith("file:"):
        with suppress(ValueError):  # What stands for the host is none.
            url = urlsplit(text)
            text = unquote(url.path) if url.netloc in {"", "localhost"} else text
    elif text[:1] in {"'", '"'}:
        try:
            text = next(iter(shlex.split(text)), text)
        except ValueError:  # A quote that is not closed.
            text = text.strip("'\"")
    else:
        text = _ESCAPED.sub(r"\1", text)
    try:
        return Path(text).expanduser()
    except (RuntimeError, ValueError):  # There is no such user, or no user can have such a name.
        return Path(text)
