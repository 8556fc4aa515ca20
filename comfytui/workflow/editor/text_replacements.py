"""Text that changes when it is sent: values, names and dates between `%`."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from math import isfinite
from typing import Final

from comfytui.workflow.editor.nodes import Node
from comfytui.workflow.graph import Graph
from comfytui.workflow.nodes import Slot

PREFIX_INPUT: Final = "filename_prefix"

_SAVING_CLASSES: Final = frozenset(
    {
        *("SaveImage", "SaveImageAdvanced", "SaveAnimatedPNG", "SaveAnimatedWEBP", "SaveWEBM", "SaveVideo"),
        *("SaveSVGNode", "SaveAudio", "SaveAudioMP3", "SaveAudioOpus", "SaveAudioAdvanced", "SaveGLB"),
        *("Save3DAdvanced", "SaveGaussianSplat", "SavePointCloud", "SaveLatent", "CLIPSave", "VAESave"),
        *("ModelSave", "LoraSave"),
    }
)
"""Classes in whose `filename_prefix` the editor replaces what is between `%`."""

_PATTERN: Final = re.compile(r"%([^%]+)%")
_DATE_PART: Final = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyy?y?")
_UNSAFE_IN_NAMES: Final = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def saves_files(class_type: str) -> bool:
    """Whether the editor replaces what is between `%` in the file name prefix of a class."""
    return class_type in _SAVING_CLASSES


class TextReplacer:
    """Replaces `%Node.widget%` and `%date:…%`.

    Args:
        nodes: Returns the nodes that may be named.
        now: The local time; None to leave dates as they are.
    """

    def __init__(self, nodes: Callable[[], Iterable[Node]], now: datetime | None) -> None:
        self._nodes = nodes
        self._now = now
        self._by_name: dict[str, Node] | None = None
        self._by_title = dict[str, Node]()

    def replace(self, text: str) -> str:
        """Return a text with all that is known between `%` replaced; the rest is left to the server."""
        return _PATTERN.sub(lambda match: self._replacement(match[1], match[0]), text)

    def _replacement(self, pattern: str, unchanged: str) -> str:
        name, *rest = pattern.split(".")
        if name.startswith("date:") and len(rest) != 1:
            # The editor takes a point for the end of a node's name, so that a date ends at its first one of several.
            return unchanged if self._now is None else format_date(name.removeprefix("date:"), self._now)
        node = self._find(name) if len(rest) == 1 else None
        if node is None:
            return unchanged
        try:
            value = node.value_of(rest[0])
        except KeyError:
            return unchanged
        return _UNSAFE_IN_NAMES.sub("_", _as_script_text(value))

    def _find(self, name: str) -> Node | None:
        """Return the first node of a name, which is a property of the node, or else of that title."""
        if self._by_name is None:
            nodes = [*self._nodes()]
            self._by_name = {name: node for node in reversed(nodes) for name in _search_name(node)}
            self._by_title = {node.title: node for node in reversed(nodes)}
        return self._by_name.get(name) or self._by_title.get(name)


def fill_in_dates(graph: Graph, file_names: Iterable[Slot], now: datetime) -> Graph:
    """Return a graph with the dates in its file names, as the editor sends it.

    Args:
        graph: The graph. It is not modified; the copy shares its unchanged nodes.
        file_names: The file names in which the editor fills in dates.
        now: The local time.
    """
    replacer, filled = TextReplacer(list, now), dict(graph)
    for slot in file_names:
        node = filled[slot.node_id]
        value = node["inputs"].get(slot.input_name)
        if isinstance(value, str) and (text := replacer.replace(value)) != value:
            filled[slot.node_id] = {**node, "inputs": {**node["inputs"], slot.input_name: text}}
    return filled


def format_date(pattern: str, now: datetime) -> str:
    """Return a date in a pattern such as `yyyy-MM-dd hh:mm:ss`."""
    parts = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def part(match: re.Match[str]) -> str:
        letters = match[0]
        if letters[0] in parts:
            return str(parts[letters[0]]).rjust(len(letters), "0")
        return {"yy": str(now.year)[2:], "yyyy": str(now.year)}.get(letters, letters)

    return _DATE_PART.sub(part, pattern)


def _search_name(node: Node) -> Iterator[str]:
    name = node.saved.properties.get("Node name for S&R")
    if isinstance(name, str):
        yield name


def _as_script_text(value: object) -> str:
    """Return a value as JavaScript writes it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if isfinite(value) and value == int(value) and abs(value) < 1e21:
            return str(int(value))
        case str() | int() | float():
            return str(value)
        case list():
            return ",".join(_as_script_text(each) for each in value if not isinstance(each, list))
        case _:
            return "[object Object]"
