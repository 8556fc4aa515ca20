"""Reads the recorded traffic of a real ComfyUI."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "recordings"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request and its response."""

    method: str
    path: str
    request: Any
    status: int
    response: Any
    note: str = ""
    """What the recorder wrote about it."""
    type: str | None = None
    """The content type of the response, where it was recorded."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One scenario: the frames that each socket received and the HTTP exchanges, both in order."""

    name: str
    frames: dict[str, list[str | bytes]]
    exchanges: list[Exchange]

    def client_id(self, socket: str) -> str:
        """Return the client id of a socket, from its first frame."""
        sid = json.loads(self.frames[socket][0])["data"]["sid"]
        assert isinstance(sid, str)
        return sid


def load(name: str) -> Recording:
    """Read the recording of a scenario."""
    rows = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
    frames: dict[str, list[str | bytes]] = {}
    for row in rows:
        if "text" in row:
            frames.setdefault(row["ws"], []).append(row["text"])
        elif "binary" in row:
            frames.setdefault(row["ws"], []).append(base64.b64decode(row["binary"]))
    return Recording(name, frames, [Exchange(**row["http"]) for row in rows if "http" in row])
