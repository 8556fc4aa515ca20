"""Encodes values for the journal's columns, and validates what is read from them."""

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, astuple
from math import isfinite
from typing import Any

from comfytui.comfy.protocol.events import Output
from comfytui.session.delivery import Evidence
from comfytui.session.model import Failure, JobStatus
from comfytui.workflow.graph import Graph

_ESCAPED = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")
GRAPH_SIZE = 32 * 2**20
"""Largest graph that is read, in bytes: a few damaged bytes could decompress to gigabytes."""
OUTPUTS_SIZE = 2**20
"""Largest list of outputs that is stored for a prompt, in characters: about 8,000 frames of a video."""
READ_SIZE = 4 * OUTPUTS_SIZE
"""Largest list of outputs that is read, in characters: the file may have been written without `OUTPUTS_SIZE`."""
MAX_NUMBER = 2.0**53
"""Largest number that is stored: no time, duration or queue number is larger."""
LOG_TIME_PREFIX = "log line of "
"""What tells the times of log lines from prompt ids where the evidence is a list, as older versions write it."""
_FAILURE = ("message", "node_id", "node_type", "cause")
"""Fields of a failure that are stored; the traceback is long, and still on the server."""


def escape(text: str) -> str:
    """Escape lone surrogates, which UTF-8 cannot encode, and backslashes, so that no two texts become equal."""
    return text.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode()


def unescape(text: str) -> str:
    """Return the text that `escape` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", text)


def finite(number: float | None) -> float | None:
    """Return a number as a float, or None if it is NaN, infinite or too large: a server may send 10^400."""
    try:
        kept = None if number is None else float(number)
    except OverflowError:
        return None
    return kept if kept is not None and isfinite(kept) and abs(kept) <= MAX_NUMBER else None


def encode_graph(graph: Graph) -> bytes:
    """Encode a graph as compact ASCII JSON, which keeps lone surrogates too."""
    return json.dumps(graph, separators=(",", ":")).encode()


def compress(text: bytes, base: bytes = b"") -> bytes:
    """Compress a graph.

    Args:
        text: The encoded graph.
        base: A dictionary for the compression: the first graph of the batch, which the others mostly repeat.
    """
    compressor = zlib.compressobj(zdict=base) if base else zlib.compressobj()
    return compressor.compress(text) + compressor.flush()


def decompress(blob: object, base: bytes = b"", max_size: int = GRAPH_SIZE) -> bytes | None:
    """Return what `compress` was given, or None if it is missing, damaged or larger than `max_size`."""
    if not isinstance(blob, bytes):
        return None
    decompressor = zlib.decompressobj(zdict=base) if base else zlib.decompressobj()
    try:
        text = decompressor.decompress(blob, max_size)
    except zlib.error:
        return None
    return None if decompressor.unconsumed_tail else text


def decode_graph(text: bytes | None) -> Graph | None:
    """Return the graph that `encode_graph` was given, or None if it is missing or damaged."""
    try:
        graph = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return graph if isinstance(graph, dict) else None


def encode_outputs(outputs: Sequence[Output]) -> str:
    """Encode the outputs of a prompt as JSON, as many as fit in `OUTPUTS_SIZE`."""
    rows, size = [], 0
    for output in outputs:
        row = json.dumps(astuple(output))
        size += len(row) + len(", ")
        if size > OUTPUTS_SIZE:
            break
        rows.append(row)
    return f"[{', '.join(rows)}]"


def decode_outputs(text: str | None) -> tuple[Output, ...]:
    """Return the outputs that `encode_outputs` was given, without damaged ones; none if the text is too long."""
    rows = _json(text) if text and len(text) <= READ_SIZE else None
    return tuple(Output(*row) for row in rows if _is_output(row)) if isinstance(rows, list) else ()


def _is_output(row: object) -> bool:
    return isinstance(row, list) and len(row) == 5 and all(isinstance(part, str) for part in row)


def encode_evidence(evidence: Evidence) -> str:
    """Encode evidence of a server's process as a JSON object."""
    return json.dumps(asdict(evidence))


def decode_evidence(text: str | None) -> Evidence:
    """Return the evidence that `encode_evidence` was given, or an older version's list, without damaged parts."""
    stored = _json(text)
    if isinstance(stored, dict):
        return Evidence(_strings(stored.get("prompt_ids")), _strings(stored.get("log_times")))
    older = _strings(stored)
    return Evidence(
        tuple(each for each in older if not each.startswith(LOG_TIME_PREFIX)),
        tuple(each.removeprefix(LOG_TIME_PREFIX) for each in older if each.startswith(LOG_TIME_PREFIX)),
    )


def _strings(values: object) -> tuple[str, ...]:
    return tuple(each for each in values if isinstance(each, str)) if isinstance(values, list) else ()


def encode_failure(failure: Failure | None) -> str | None:
    """Encode a failure as JSON, without its traceback."""
    if failure is None:
        return None
    return json.dumps({name: getattr(failure, name) for name in _FAILURE})


def decode_failure(text: str | None) -> Failure | None:
    """Return the failure that `encode_failure` was given, or None if it is missing or damaged."""
    parts = _json(text)
    if not isinstance(parts, dict):
        return None
    texts = {name: parts[name] for name in _FAILURE if isinstance(parts.get(name), str)}
    return Failure(**{"message": "", **texts})


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


MAX_BATCH_TOTAL = 1_000_000
"""Largest number of images that a batch may have."""
SEED_DIGITS = 40
"""Largest number of digits of a seed: more than any server accepts."""


def text(value: object) -> str:
    """Return a text as it was given to `escape`; raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError("no text")
    return unescape(value)


def optional_text(value: object) -> str | None:
    """Return a text or None; raises ValueError for anything else."""
    return None if value is None else text(value)


def raw_text(value: object) -> str | None:
    """Return a text without unescaping it, or None; raises ValueError for anything else."""
    if value is not None and not isinstance(value, str):
        raise ValueError("no text")
    return value


def blob(value: object) -> bytes | None:
    """Return bytes or None; raises ValueError for anything else."""
    if value is not None and not isinstance(value, bytes):
        raise ValueError("no bytes")
    return value


def number(value: object) -> float | None:
    """Return a finite number or None; raises ValueError for anything else."""
    if value is None:
        return None
    if not isinstance(value, int | float) or not isfinite(value) or abs(value) > MAX_NUMBER:
        raise ValueError("no number")
    return value


def integer(value: object, least: int, most: int) -> int:
    """Return an integer in the range from `least` to `most`; raises ValueError for anything else."""
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError("no such number")
    return value


def seed(value: object) -> int | None:
    """Return a seed, which is stored as text, or None; raises ValueError for anything else."""
    if value is None:
        return None
    digits = text(value)
    if len(digits) > SEED_DIGITS:
        raise ValueError("no seed")
    return int(digits)


def status(value: object) -> JobStatus:
    """Return the status of a prompt; raises ValueError for anything else."""
    return JobStatus(text(value))
