"""Read the generation parameters of graphs, to display them."""

import json
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import isfinite
from sys import getsizeof
from typing import Any, Final, NamedTuple, TypeAlias

from comfytui.workflow.annotations import Cell, cell_of
from comfytui.workflow.fields import Field, FieldKey, FieldValue, field_of, first_slots, seed_keys
from comfytui.workflow.graph import Graph, classes_of
from comfytui.workflow.graph_templates import FieldSlot, Template, template_of
from comfytui.workflow.nodes import is_integer, nodes_of
from comfytui.workflow.seeds import MAX_SEED

MAX_PROMPT: Final = 100_000
"""Characters of a prompt that are kept; a longer one ends with an ellipsis."""

MAX_CHOICE: Final = 200
"""Characters of a model's or sampler's name that are kept."""

MAX_TEMPLATES: Final = 8
"""Templates that the text of a graph is compared with."""

MAX_TEMPLATE_TEXT: Final = 2**18
"""Bytes of the largest text that becomes a template."""

MAX_SEPARATORS: Final = 200_000
"""Commas in the largest text that is parsed; the number of parsed values is at least as high."""

MAX_READER_MEMORY: Final = 2**25
"""Approximate bytes that one reader keeps of all its graphs."""

MAX_OVERFLOW_TEXT: Final = 40
"""Characters of a text that are kept once `MAX_READER_MEMORY` is used up."""

MAX_LATENTS: Final = 4_096
"""The largest `batch_size` that ComfyUI allows."""

_TEXT_FIELDS = frozenset({Field.PROMPT, Field.NEGATIVE})
_FLOAT_FIELDS = frozenset({Field.CFG, Field.GUIDANCE})


@dataclass(frozen=True, slots=True)
class GenerationParameters:
    """The parameters of the first pass of a graph; None for those that the graph does not have."""

    prompt: str = ""
    negative: str = ""
    model: str | None = None
    width: int | None = None
    """In pixels, like `height`."""
    height: int | None = None
    steps: int | None = None
    cfg: float | None = None
    guidance: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    seed: int | None = None
    more_seeds: tuple[int, ...] = ()
    """The other seeds of the graph, in the order of its samplers."""
    latent_batch: int = 1
    """Images per prompt."""
    cell: Cell = ()
    """Those values that distinguish the image in its batch, see `comfytui.workflow.annotations`."""


class Layout(NamedTuple):
    """What all graphs of one shape have in common."""

    slots: tuple[FieldSlot, ...] = ()
    """Where the fields are."""
    batch_nodes: tuple[str, ...] = ()
    """The ids of the nodes with a `batch_size`."""
    classes: Mapping[str, str] = {}
    """The class of each node by its id."""


Arguments: TypeAlias = dict[str, Any]
"""Arguments of `GenerationParameters` by name."""


class GraphReader:
    """Reads many similar graphs: the layout is found once per shape, and equal texts are stored once.

    It keeps every shape and text that it has read, so it should not outlive the graphs of one response. When they
    take `max_memory` bytes, graphs of further shapes are no longer read, and their parameters are empty.
    """

    def __init__(self, max_memory: int = MAX_READER_MEMORY) -> None:
        self._layouts: dict[Hashable, Layout] = {}
        self._texts: dict[str, str] = {}
        self._cells: dict[Cell, Cell] = {}
        self._templates: deque[tuple[Template, Arguments, Mapping[str, str]]] = deque(maxlen=MAX_TEMPLATES)
        self._budget = max_memory
        self._exhausted = False

    def read(self, graph: Any) -> tuple[GenerationParameters, Mapping[str, str]]:
        """Read a graph; never raises.

        Args:
            graph: Any JSON value, or its text as bytes.

        Returns:
            The parameters, with long texts cut and numbers that are too large left out; and the class of each node by
            its id.
        """
        if isinstance(graph, bytes):
            return self._read_text(graph)
        layout = self._layout_of(graph)
        return GenerationParameters(**self._arguments(graph, layout)), layout.classes

    def _read_text(self, text: bytes) -> tuple[GenerationParameters, Mapping[str, str]]:
        for template, arguments, classes in self._templates:
            if (values := template.extract(text)) is not None:
                return GenerationParameters(**{**arguments, **self._limited(values)}), classes
        if self._exhausted or text.count(b",") > MAX_SEPARATORS:
            return GenerationParameters(), Layout().classes
        try:
            graph = json.loads(text)
        except (ValueError, RecursionError):
            return self.read(None)
        layout = self._layout_of(graph)
        arguments = self._arguments(graph, layout)
        if len(text) <= MAX_TEMPLATE_TEXT and (new := template_of(text, graph, layout.slots)):
            self._templates.appendleft((new, arguments, layout.classes))
        return GenerationParameters(**arguments), layout.classes

    def _arguments(self, graph: Any, layout: Layout) -> Arguments:
        values = {key: graph[node_id]["inputs"][name] for key, node_id, name in layout.slots}
        cell = self._shared_cell(cell_of(graph))
        return {"latent_batch": _latent_batch(graph, layout), "cell": cell, **self._limited(values)}

    def _shared_cell(self, cell: Cell) -> Cell:
        """Return the stored cell that is equal, else store this one; an empty one if memory is used up."""
        if not cell or cell in self._cells:
            return self._cells.get(cell, cell)
        return self._cells.setdefault(cell, cell) if self._reserve(_size(cell)) else ()

    def _limited(self, values: Mapping[FieldKey, FieldValue]) -> Arguments:
        """Return the values as arguments, within the limits on texts, numbers and memory."""
        arguments: Arguments = {}
        for key, value in values.items():
            limited = _limit(field_of(key), value)
            arguments[str(key)] = self._shared(limited) if isinstance(limited, str) else limited
        seeds = [arguments.pop(key) for key in seed_keys(values) if key != Field.SEED]
        if seeds:
            arguments["more_seeds"] = tuple(seed for seed in seeds if seed is not None)
        return arguments

    def share(self, text: str) -> str:
        """Return the stored text that is equal, else this one; it is stored while there is memory left for it."""
        is_stored = text in self._texts or self._reserve(getsizeof(text))
        return self._texts.setdefault(text, text) if is_stored else text

    def _shared(self, text: str) -> str:
        """Return the stored text that is equal, else store this one; only its beginning if memory is used up."""
        if text in self._texts:
            return self._texts[text]
        if not self._reserve(getsizeof(text)):
            text = _truncate(text, MAX_OVERFLOW_TEXT)
        return self._texts.setdefault(text, text)

    def _reserve(self, size: int) -> bool:
        """Reserve bytes of the memory budget, and return whether there are enough left."""
        fits = size <= self._budget
        self._budget -= size if fits else 0
        return fits

    def _layout_of(self, graph: Any) -> Layout:
        try:
            shape = _shape(graph)
            layout = self._layouts.get(shape)
        except (AttributeError, KeyError, TypeError):  # Not a well-formed graph, so it has no shape to store.
            return self._within_budget(_find_layout(graph))
        if layout is not None:
            return layout
        if not self._reserve(_size(shape)):
            self._exhausted = True  # Parsing more graphs only to find that none fits would waste time.
            return Layout()
        layout = self._layouts[shape] = _find_layout(graph)
        return layout

    def _within_budget(self, layout: Layout) -> Layout:
        """Return the layout, or an empty one if there is no memory left to keep it."""
        return layout if self._reserve(_size(tuple(layout.classes.items()))) else Layout()


def parameters_of(graph: object) -> GenerationParameters:
    """Return the parameters of a single graph, as `GraphReader.read` does."""
    return GraphReader().read(graph)[0]


def _shape(graph: Graph) -> Hashable:
    """Return all of a graph but its values; graphs of equal shape have the same layout."""
    return tuple(
        [
            (
                node_id,
                node["class_type"],
                tuple([(name, _value_shape(value)) for name, value in node["inputs"].items()]),
            )
            for node_id, node in graph.items()
        ]
    )


def _value_shape(value: Any) -> Hashable:
    """Return whether an input is a link, and from which node, or a switch, or else the type of its value."""
    kind: type = type(value)
    if kind is list and len(value) == 2 and type(value[0]) is str:
        source, output = value
        return source, type(output) if type(output) is not float else isfinite(output)
    if kind is bool:
        return kind, value  # A switch decides which links count.
    return kind if kind is not float else isfinite(value)


def _size(shape: Hashable) -> int:
    """Return approximately how many bytes a shape or a cell takes."""
    size, level = 0, [shape]
    while level:
        size += sum(map(getsizeof, level))
        level = [part for each in level if type(each) is tuple for part in each]
    return size


def _find_layout(graph: object) -> Layout:
    nodes = nodes_of(graph)
    return Layout(
        tuple(FieldSlot(key, slot.node_id, slot.input_name) for key, slot in first_slots(nodes).items()),
        tuple(node.id for node in nodes.values() if "batch_size" in node.inputs),
        classes_of(graph),
    )


def _limit(field: Field, value: FieldValue) -> FieldValue | None:
    if isinstance(value, str):
        return _truncate(value, MAX_PROMPT if field in _TEXT_FIELDS else MAX_CHOICE)
    if abs(value) > MAX_SEED:
        return None
    return float(value) if field in _FLOAT_FIELDS else value


def _truncate(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _latent_batch(graph: Graph, layout: Layout) -> int:
    """Return the number of images that one prompt makes: the first valid `batch_size`, or 1."""
    counts = (graph[node_id]["inputs"]["batch_size"] for node_id in layout.batch_nodes)
    return next((count for count in counts if is_integer(count) and 1 <= count <= MAX_LATENTS), 1)
