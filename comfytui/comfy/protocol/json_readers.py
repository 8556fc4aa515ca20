"""Tolerant readers of untrusted JSON: each returns a value of the expected type, or its empty value.

All limit the size of what they return.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from math import isfinite
from typing import Any

from comfytui.comfy.limits import NODES_LIMIT, OUTPUTS_LIMIT, VALUES_LIMIT, LimitExceeded
from comfytui.comfy.protocol.events import Output

TEXT_LIMIT = 65_536
"""Characters kept of a string, if no other limit is given."""
ID_LIMIT = 256
"""Bytes of an id, and characters of a file name; longer ones are discarded."""
PATH_LIMIT = 1_000
"""Characters kept of a folder's path."""
CLASS_LIMIT = 200
"""Characters kept of the class name of a node or of an exception."""
MESSAGE_LIMIT = 4_000
"""Characters kept of the message of an exception."""
TRACEBACK_LIMIT = 20_000
"""Characters kept of a traceback."""
OUTPUT_SIZE = 512
"""Bytes of the strings of an ordinary output file; one with longer strings counts as several."""
TEXTS_LIMIT = 1_000
"""Strings kept of a list, if no other limit is given."""
TEXTS_SIZE = 2 * TEXT_LIMIT
"""Characters kept of a list of strings, if no other limit is given."""
NUMBER_LIMIT = 2**53
"""Larger numbers are discarded: a float does not hold them exactly."""
FLAGS_DEPTH = 8
"""Nesting levels of feature flags that are read."""
FLAGS_LIMIT = 1_000
"""Feature flags that are read."""


def loads(raw: str | bytes, max_values: int = VALUES_LIMIT) -> Any:
    """Parse JSON.

    Raises:
        ValueError: If it is not valid JSON, or is nested too deeply.
        LimitExceeded: If it holds more than `max_values` values.
    """
    check_values(raw, max_values)
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def check_values(raw: str | bytes | bytearray, max_values: int = VALUES_LIMIT) -> None:
    """Raise LimitExceeded for JSON that may hold more than `max_values` values.

    Nothing is parsed: separators are counted, those within strings included.
    """
    if len(raw) > max_values and count_values(raw) > max_values:
        raise LimitExceeded(f"more than {max_values:,} values")


def count_values(raw: str | bytes | bytearray) -> int:
    """Return how many values JSON holds at most."""
    if isinstance(raw, str):
        return raw.count(",") + raw.count("[") + raw.count("{")
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[Any]:
    """Return a JSON list, or an empty one for anything else."""
    return value if isinstance(value, list) else ()


def text(value: object, limit: int = TEXT_LIMIT) -> str:
    """Return a string without lone surrogates, which cannot be encoded; empty for anything else."""
    if not isinstance(value, str):
        return ""
    cut = value[:limit]
    return cut if cut.isascii() else cut.encode(errors="replace").decode()


def utf8_size(value: str) -> int:
    """Return the number of bytes of a string in UTF-8."""
    return len(value) if value.isascii() else len(value.encode(errors="replace"))


def texts(value: object, count: int = TEXTS_LIMIT, size: int = TEXTS_SIZE) -> tuple[str, ...]:
    """Return the first strings of a list; a single string counts as a list of one.

    Args:
        value: The list, whose other items are skipped.
        count: How many of its items are read.
        size: How many characters are returned in all.
    """
    found: list[str] = []
    for item in [value] if isinstance(value, str) else items(value)[:count]:
        if isinstance(item, str):
            found.append(text(item, min(TEXT_LIMIT, size)))
            size -= len(found[-1])
        if size <= 0:
            break
    return tuple(found)


def identifier(value: object) -> str | None:
    """Return an id: a non-empty string of at most `ID_LIMIT` bytes, or an int, which some graphs use; else None."""
    match value:
        case str() if 0 < utf8_size(value) <= ID_LIMIT:
            return text(value)
        case bool():
            return None
        case int() if abs(value) < NUMBER_LIMIT:
            return str(value)
        case _:
            return None


def identifiers(value: object) -> tuple[str, ...]:
    """Return the ids among the first `NODES_LIMIT` items of a list."""
    return tuple(found for item in items(value)[:NODES_LIMIT] if (found := identifier(item)) is not None)


def number(value: object) -> float | None:
    """Return a finite number, also from a string like "12"; ints stay ints, and booleans are not numbers."""
    match value:
        case bool():
            return None
        case int() | float():
            found: float = value
        case str() if len(value) <= 32:
            try:
                found = float(value)
            except ValueError:
                return None
        case _:
            return None
    # The range is checked first: `isfinite` raises for an int that is too large for a float.
    return found if -NUMBER_LIMIT < found < NUMBER_LIMIT and isfinite(found) else None


def integer(value: object) -> int | None:
    """Return a number truncated to an int."""
    found = number(value)
    return None if found is None else int(found)


def flags(value: object) -> frozenset[str]:
    """Return the names of the true flags of an object; nested ones are joined, as `extension.manager.supports_v4`."""
    return frozenset(islice(_flags(value, FLAGS_DEPTH), FLAGS_LIMIT))


def _flags(value: object, depth: int) -> Iterator[str]:
    for name, flag in mapping(value).items():
        if flag is True:
            yield text(name, ID_LIMIT)
        elif depth > 1:
            yield from (f"{text(name, ID_LIMIT)}.{inner}" for inner in _flags(flag, depth - 1))


def node_outputs(value: object, node: str) -> Iterator[Output]:
    """Yield the files in the outputs of one node: all lists of objects with a `filename`, under whatever key."""
    node = text(node, CLASS_LIMIT)
    for key, files in mapping(value).items():
        kind = text(key, CLASS_LIMIT)
        for file in map(mapping, items(files)):
            name = file.get("filename")
            if isinstance(name, str) and 0 < len(name) <= ID_LIMIT:
                subfolder, folder = text(file.get("subfolder"), PATH_LIMIT), text(file.get("type"), CLASS_LIMIT)
                yield Output(text(name), subfolder, folder or "output", node, kind)


def output_weight(output: Output) -> int:
    """Return how many ordinary files take as much memory as this one."""
    strings = (output.filename, output.subfolder, output.type, output.node, output.kind)
    return 1 + sum(map(utf8_size, strings)) // OUTPUT_SIZE


def prompt_outputs(nodes: object, max_weight: int = OUTPUTS_LIMIT) -> tuple[Output, ...]:
    """Return the first files of all nodes of a prompt.

    Args:
        nodes: The outputs by node id.
        max_weight: The sum of the files' `output_weight` at which to stop.
    """
    kept = []
    for output in chain.from_iterable(node_outputs(output, node) for node, output in mapping(nodes).items()):
        max_weight -= output_weight(output)
        if max_weight < 0:
            break
        kept.append(output)
    return tuple(kept)
