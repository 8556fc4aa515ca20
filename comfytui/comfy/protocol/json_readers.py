"""Tolerant readers of foreign JSON: each gives a value of the wanted type, or says that there is none."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from math import isfinite
from typing import Any

from comfytui.comfy.limits import NODES_LIMIT, OUTPUTS_LIMIT, VALUES_LIMIT, TooMuch
from comfytui.comfy.protocol.events import Output

TEXT_LIMIT = 65_536
"""Characters kept of one text."""
ID_LIMIT = 256
"""Bytes of an id, and characters of a file name; a longer one is none."""
PATH_LIMIT = 1_000
"""Characters kept of a folder."""
CLASS_LIMIT = 200
"""Characters kept of the name of a class of nodes, or of an exception."""
MESSAGE_LIMIT = 4_000
"""Characters kept of what an exception says."""
TRACEBACK_LIMIT = 20_000
"""Characters kept of a traceback."""
WEIGHT_SIZE = 512
"""Bytes of the texts of an ordinary file; one with longer texts counts as several."""
LINES_LIMIT = 1_000
"""Texts kept of one list, where nothing else is said."""
LINES_SIZE = 2 * TEXT_LIMIT
"""Characters kept of one list of texts, where nothing else is said."""
NUMBER_LIMIT = 2**53
"""Numbers from here on are no counts: they would not survive as a float."""
FLAGS_DEPTH = 8
"""Levels of nested flags that are read."""
FLAGS_LIMIT = 1_000
"""Flags that are read."""


def loads(raw: str | bytes, most: int = VALUES_LIMIT) -> Any:
    """JSON as Python values, of which `most` are made.

    Raises ValueError for every defect, hostile nesting included, and TooMuch where there are more values.
    """
    check_values(raw, most)
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def check_values(raw: str | bytes | bytearray, most: int = VALUES_LIMIT) -> None:
    """Raise TooMuch for JSON that may hold more than `most` values; none is made, and separators in texts count."""
    if len(raw) <= most:
        return
    if isinstance(raw, str):
        found = raw.count(",") + raw.count("[") + raw.count("{")
    else:
        found = raw.count(b",") + raw.count(b"[") + raw.count(b"{")
    if found > most:
        raise TooMuch(f"more than {most:,} values")


def mapping(value: object) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else ()


def text(value: object, limit: int = TEXT_LIMIT) -> str:
    """A text without lone surrogates, which no file and no terminal takes; empty for anything else."""
    if not isinstance(value, str):
        return ""
    cut = value[:limit]
    return cut if cut.isascii() else cut.encode(errors="replace").decode()


def size(value: str) -> int:
    """The bytes of a text in UTF-8."""
    return len(value) if value.isascii() else len(value.encode(errors="replace"))


def texts(value: object, count: int = LINES_LIMIT, size: int = LINES_SIZE) -> tuple[str, ...]:
    """The first texts of a list, of `size` characters in all; a lone text is a list of one."""
    found: list[str] = []
    for item in [value] if isinstance(value, str) else items(value)[:count]:
        if isinstance(item, str):
            found.append(text(item, min(TEXT_LIMIT, size)))
            size -= len(found[-1])
        if size <= 0:
            break
    return tuple(found)


def ident(value: object) -> str | None:
    """An id: a text that is neither empty nor endless, or an int as some graphs have it."""
    match value:
        case str() if 0 < size(value) <= ID_LIMIT:
            return text(value)
        case bool():
            return None
        case int() if abs(value) < NUMBER_LIMIT:
            return str(value)
        case _:
            return None


def idents(value: object) -> tuple[str, ...]:
    """The ids of a list, not without end."""
    return tuple(name for item in items(value)[:NODES_LIMIT] if (name := ident(item)) is not None)


def number(value: object) -> float | None:
    """A finite number, also from a text like "12"; ints stay ints, booleans are no numbers."""
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
    # The bound comes first: an int too big for a float must not reach `isfinite`.
    return found if -NUMBER_LIMIT < found < NUMBER_LIMIT and isfinite(found) else None


def integer(value: object) -> int | None:
    """A number without its fraction."""
    found = number(value)
    return None if found is None else int(found)


def flags(value: object) -> frozenset[str]:
    """The names of what is true in an object; nested ones read like `extension.manager.supports_v4`."""
    return frozenset(islice(_flags(value, FLAGS_DEPTH), FLAGS_LIMIT))


def _flags(value: object, depth: int) -> Iterator[str]:
    for name, flag in mapping(value).items():
        if flag is True:
            yield text(name, ID_LIMIT)
        elif depth > 1:
            yield from (f"{text(name, ID_LIMIT)}.{inner}" for inner in _flags(flag, depth - 1))


def outputs(value: object, node: str) -> Iterator[Output]:
    """The files in what one node gave: any list of objects with a `filename`, whatever its key."""
    node = text(node, CLASS_LIMIT)
    for key, files in mapping(value).items():
        kind = text(key, CLASS_LIMIT)
        for file in map(mapping, items(files)):
            name = file.get("filename")
            if isinstance(name, str) and 0 < len(name) <= ID_LIMIT:
                folder, place = text(file.get("subfolder"), PATH_LIMIT), text(file.get("type"), CLASS_LIMIT)
                yield Output(text(name), folder, place or "output", node, kind)


def weight(output: Output) -> int:
    """How many ordinary files take as much memory as this one."""
    texts = (output.filename, output.subfolder, output.type, output.node, output.kind)
    return 1 + sum(map(size, texts)) // WEIGHT_SIZE


def outputs_of_all(nodes: object, most: int = OUTPUTS_LIMIT) -> tuple[Output, ...]:
    """The first files in what all nodes of a prompt gave, `{node id: output}`, together as heavy as `most`."""
    given = mapping(nodes).items()
    kept = []
    for output in chain.from_iterable(outputs(output, node) for node, output in given):
        most -= weight(output)
        if most < 0:
            break
        kept.append(output)
    return tuple(kept)
