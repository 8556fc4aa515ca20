"""The frames and HTTP exchanges of the recordings, as a client received them."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.jsonl"))


def frames(recording: Path) -> Iterator[str | bytes]:
    """Yield every frame that the server sent, on any connection."""
    for entry in _entries(recording):
        if "text" in entry:
            yield entry["text"]
        elif "binary" in entry:
            yield b64decode(entry["binary"])


def exchanges(recording: Path) -> Iterator[dict[str, Any]]:
    """Yield every HTTP exchange: method, path, request, status, response."""
    return (entry["http"] for entry in _entries(recording) if "http" in entry)


def exchange(name: str, method: str, path: str) -> dict[str, Any]:
    """Return the first exchange of a recording with this method and beginning of the path."""
    (recording,) = (recording for recording in RECORDINGS if recording.stem == name)
    return next(each for each in exchanges(recording) if each["method"] == method and each["path"].startswith(path))


def _entries(recording: Path) -> Iterator[dict[str, Any]]:
    with recording.open() as lines:
        yield from map(json.loads, lines)
