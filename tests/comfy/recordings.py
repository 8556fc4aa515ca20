"""The frames and HTTP exchanges of the recordings, as a client got them."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.jsonl"))


def frames(recording: Path) -> Iterator[str | bytes]:
    """Every frame that the server sent, to whatever socket."""
    for entry in _entries(recording):
        if "text" in entry:
            yield entry["text"]
        elif "binary" in entry:
            yield b64decode(entry["binary"])


def exchanges(recording: Path) -> Iterator[dict[str, Any]]:
    """Every HTTP exchange: method, path, request, status, response."""
    return (entry["http"] for entry in _entries(recording) if "http" in entry)


def exchange(name: str, method: str, path: str) -> dict[str, Any]:
    """The first exchange of a recording with this method and beginning of the path."""
    (recording,) = (one for one in RECORDINGS if one.stem == name)
    return next(one for one in exchanges(recording) if one["method"] == method and one["path"].startswith(path))


def _entries(recording: Path) -> Iterator[dict[str, Any]]:
    with recording.open() as lines:
        yield from map(json.loads, lines)
