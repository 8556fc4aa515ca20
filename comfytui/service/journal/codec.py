"""Values as SQLite can hold them: any text, any number, graphs small."""

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import astuple
from math import isfinite
from typing import Any

from comfytui.comfy.protocol.events import Output
from comfytui.session.model import Failure, JobStatus
from comfytui.workflow.graph import Graph

_ESCAPED = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")
GRAPH_SIZE = 32 * 2**20
"""Bytes of a graph that is read: a damaged file may hold a few that become gigabytes."""
OUTPUTS_SIZE = 2**20
"""Characters of the files that are kept of a prompt: 8,000 frames of a film."""
READ_SIZE = 4 * OUTPUTS_SIZE
"""Characters of such files that are read: a journal may be older than that limit."""
LARGEST = 2.0**53
"""The largest number that is kept: no time, duration or place in a queue is larger."""
_FAILURE = ("message", "node_id", "node_type", "cause")
"""What is kept of a failure: the traceback is long, and the server's to tell."""


def escaped(text: str) -> str:
    """The text without lone surrogates, which are no UTF-8; two texts never become one."""
    return text.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode()


def unescaped(text: str) -> str:
    """What `escaped` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", text)


def real(number: float | None) -> float | None:
    """A number that can be calculated with, or None: a server may say 10^400, or no number at all."""
    try:
        kept = None if number is None else float(number)
    except OverflowError:
        return None
    return kept if kept is not None and isfinite(kept) and abs(kept) <= LARGEST else None


def graph_text(graph: Graph) -> bytes:
    """The graph as compact JSON, in ASCII, so that every text survives."""
    return json.dumps(graph, separators=(",", ":")).encode()


def packed(text: bytes, base: bytes = b"") -> bytes:
    """The text compressed; what it shares with `base` (the first graph of its batch) costs next to nothing."""
    press = zlib.compressobj(zdict=base) if base else zlib.compressobj()
    return press.compress(text) + press.flush()


def unpacked(blob: object, base: bytes = b"") -> bytes | None:
    """What `packed` was given, or None where it is not there, damaged, or more than a graph can be."""
    if not isinstance(blob, bytes):
        return None
    press = zlib.decompressobj(zdict=base) if base else zlib.decompressobj()
    try:
        text = press.decompress(blob, GRAPH_SIZE)
    except zlib.error:
        return None
    return None if press.unconsumed_tail else text


def graph_from(text: bytes | None) -> Graph | None:
    """The graph of `graph_text`, or None where that is not there or damaged."""
    try:
        graph = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return graph if isinstance(graph, dict) else None


def outputs_text(outputs: Sequence[Output]) -> str:
    """The first files of a prompt as JSON."""
    rows, size = [], 0
    for output in outputs:
        row = json.dumps(astuple(output))
        size += len(row) + len(", ")
        if size > OUTPUTS_SIZE:
            break
        rows.append(row)
    return f"[{', '.join(rows)}]"


def outputs_from(text: str | None) -> tuple[Output, ...]:
    """The files of `outputs_text`; what is damaged is left out, or all of what is far too long."""
    rows = _json(text) if text and len(text) <= READ_SIZE else None
    return tuple(Output(*row) for row in rows if _is_output(row)) if isinstance(rows, list) else ()


def _is_output(row: object) -> bool:
    return isinstance(row, list) and len(row) == 5 and all(isinstance(part, str) for part in row)


def names_text(names: Sequence[str]) -> str:
    """Names as JSON."""
    return json.dumps(list(names))


def names_from(text: str | None) -> tuple[str, ...]:
    """The names of `names_text`; what is damaged is left out."""
    names = _json(text)
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def failure_text(failure: Failure | None) -> str | None:
    """The words of a failure as JSON, without its traceback."""
    if failure is None:
        return None
    return json.dumps({name: getattr(failure, name) for name in _FAILURE})


def failure_from(text: str | None) -> Failure | None:
    """The failure of `failure_text`, or None where that is not there or damaged."""
    parts = _json(text)
    if not isinstance(parts, dict):
        return None
    words = {name: parts[name] for name in _FAILURE if isinstance(parts.get(name), str)}
    return Failure(**{"message": "", **words})


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


MOST_IMAGES = 1_000_000
"""Images that a batch may claim to have."""
SEED_DIGITS = 40
"""Digits of a seed: more than any server takes."""


def text(value: object) -> str:
    """A text as it was given to `escaped`. Raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError("no text")
    return unescaped(value)


def text_or_none(value: object) -> str | None:
    """The same, or nothing."""
    return None if value is None else text(value)


def json_text(value: object) -> str | None:
    """A text as it stands there, or nothing. Raises ValueError for anything else."""
    if value is not None and not isinstance(value, str):
        raise ValueError("no text")
    return value


def blob(value: object) -> bytes | None:
    """Bytes or nothing. Raises ValueError for anything else."""
    if value is not None and not isinstance(value, bytes):
        raise ValueError("no bytes")
    return value


def number(value: object) -> float | None:
    """A number that can be calculated with, or nothing. Raises ValueError for anything else."""
    if value is None:
        return None
    if not isinstance(value, int | float) or not isfinite(value) or abs(value) > LARGEST:
        raise ValueError("no number")
    return value


def whole(value: object, least: int, most: int) -> int:
    """A whole number between these two. Raises ValueError for anything else."""
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError("no such number")
    return value


def seed(value: object) -> int | None:
    """A seed, which is kept as text, or nothing. Raises ValueError for anything else."""
    if value is None:
        return None
    digits = text(value)
    if len(digits) > SEED_DIGITS:
        raise ValueError("no seed")
    return int(digits)


def status(value: object) -> JobStatus:
    """The status of a prompt. Raises ValueError for what is none."""
    return JobStatus(text(value))
