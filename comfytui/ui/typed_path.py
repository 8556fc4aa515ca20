"""Paths as users type them, or as terminals paste them when a file is dropped."""

import shlex
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit


def typed_path(text: str) -> Path:
    """Return the path that a text means: with `~`, in quotes, with escaped spaces, or as a `file:` URL."""
    text = text.strip()
    if text.startswith("file:"):
        with suppress(ValueError):  # What stands for the host is none.
            text = unquote(urlsplit(text).path)
    elif text[:1] in {"'", '"'} or "\\ " in text:
        try:
            text = next(iter(shlex.split(text)), text)
        except ValueError:  # A quote that is not closed.
            text = text.strip("'\"")
    try:
        return Path(text).expanduser()
    except (RuntimeError, ValueError):  # There is no such user, or no user can have such a name.
        return Path(text)
