"""What a graph will make, in the words of its fields, for showing."""

import json
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import isfinite
from sys import getsizeof
from typing import Any, Final, NamedTuple, TypeAlias

from comfytui.workflow.fields import Field, Key, Value, field_of, first_slots, seed_keys
from comfytui.workflow.graph import classes_of
from comfytui.workflow.graph_templates import Place, Template, template_of
from comfytui.workflow.nodes import Graph, is_whole, nodes_of
from comfytui.workflow.seeds import MAX_SEED

MAX_TEXT: Final = 100_000
"""Characters of a prompt that are kept for showing; a longer one ends with an ellipsis."""

MAX_NAME: Final = 200
"""Characters of a model's or sampler's name."""

TEMPLATES: Final = 8
"""Kinds of graph whose texts are compared with the next one's."""

MAX_TEMPLATE: Final = 2**18
"""Bytes of a graph whose text is compared with the next one's."""

MAX_SEPARATORS: Final = 200_000
"""Commas in the text of a graph that is read: so many values are made of it at least."""

MAX_KEPT: Final = 2**25
"""Bytes, roughly, that are kept of all the graphs of one answer."""

BEYOND: Final = 40
"""Characters of a text that are kept where more would be too much."""

MAX_LATENTS: Final = 4_096
"""Latents a batch that ComfyUI allows."""

_TEXTS = frozenset({Field.PROMPT, Field.NEGATIVE})
_DECIMALS = frozenset({Field.CFG, Field.GUIDANCE})


@dataclass(frozen=True, slots=True)
class GenerationParameters:
    """What a graph will make; None is what the graph does not have. Sizes in pixels, `latent_batch` images a prompt."""

    prompt: str = ""
    negative: str = ""
    model: str | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    cfg: float | None = None
    guidance: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    seed: int | None = None
    more_seeds: tuple[int, ...] = ()
    """The seeds of the graph's other samplers, in their order, as far as it has any of their own."""
    latent_batch: int = 1


class Outline(NamedTuple):
    """What all graphs of one shape share: where the fields are, and the classes of the nodes."""

    places: tuple[Place, ...] = ()
    latents: tuple[str, ...] = ()
    """The nodes that have a `batch_size`."""
    classes: Mapping[str, str] = {}


Shown: TypeAlias = dict[str, Any]
"""Parts of a recipe by name."""


class GraphReader:
    """Reads many graphs, most of which are alike: fields are looked for once a shape, equal texts are kept once.

    It holds on to every shape and text that it met, so it should not outlive the graphs of one answer. Of graphs that
    have nothing in common, only as many are read as take `MAX_KEPT`: of the rest there is nothing to show.
    """

    def __init__(self) -> None:
        self._outlines: dict[Hashable, Outline] = {}
        self._texts: dict[str, str] = {}
        self._templates: deque[tuple[Template, Shown, Mapping[str, str]]] = deque(maxlen=TEMPLATES)
        self._room = MAX_KEPT
        self._full = False

    def read(self, graph: Any) -> tuple[GenerationParameters, Mapping[str, str]]:
        """Read the first pass and the class of each node of any JSON value, or of its text (bytes), and never raise.

        Long texts are cut, absurd numbers dropped.
        """
        if isinstance(graph, bytes):
            return self._read_text(graph)
        outline = self._outline(graph)
        return GenerationParameters(**self._shown(graph, outline)), outline.classes

    def _read_text(self, text: bytes) -> tuple[GenerationParameters, Mapping[str, str]]:
        for template, shown, classes in self._templates:
            if (values := template.values_in(text)) is not None:
                return GenerationParameters(**{**shown, **self._kept(values)}), classes
        if self._full or text.count(b",") > MAX_SEPARATORS:
            return GenerationParameters(), Outline().classes
        try:
            graph = json.loads(text)
        except (ValueError, RecursionError):
            return self.read(None)
        outline = self._outline(graph)
        shown = self._shown(graph, outline)
        if len(text) <= MAX_TEMPLATE and (made := template_of(text, graph, outline.places)):
            self._templates.appendleft((made, shown, outline.classes))
        return GenerationParameters(**shown), outline.classes

    def _shown(self, graph: Any, outline: Outline) -> Shown:
        values = {key: graph[node_id]["inputs"][name] for key, node_id, name in outline.places}
        return {"latent_batch": _latents(graph, outline), **self._kept(values)}

    def _kept(self, values: Mapping[Key, Value]) -> Shown:
        kept: Shown = {}
        for key, value in values.items():
            shown = _cut(field_of(key), value)
            kept[str(key)] = self._shared(shown) if isinstance(shown, str) else shown
        seeds = [kept.pop(key) for key in seed_keys(values) if key != Field.SEED]
        if seeds:
            kept["more_seeds"] = tuple(seed for seed in seeds if seed is not None)
        return kept

    def _shared(self, text: str) -> str:
        """The text, or the equal one that is kept already; its beginning where there is no room for more."""
        if text in self._texts:
            return self._texts[text]
        if not self._takes(getsizeof(text)):
            text = _shortened(text, BEYOND)
        return self._texts.setdefault(text, text)

    def _takes(self, size: int) -> bool:
        """Whether there is room for so many bytes, which are taken then."""
        fits = size <= self._room
        self._room -= size if fits else 0
        return fits

    def _outline(self, graph: Any) -> Outline:
        try:
            shape = _shape(graph)
            outline = self._outlines.get(shape)
        except (AttributeError, KeyError, TypeError):  # not a graph as ComfyUI has them: looked at for itself
            return self._kept_outline(_outline(graph))
        if outline is not None:
            return outline
        if not self._takes(_size(shape)):
            self._full = True  # to find out each time that there is no room would take its time
            return Outline()
        outline = self._outlines[shape] = _outline(graph)
        return outline

    def _kept_outline(self, outline: Outline) -> Outline:
        return outline if self._takes(_size(tuple(outline.classes.items()))) else Outline()


def parameters_of(graph: object) -> GenerationParameters:
    """Read the first pass of any JSON value, as `GraphReader.read` does."""
    return GraphReader().read(graph)[0]


def _shape(graph: Graph) -> Hashable:
    """Everything but the values: graphs of equal shape have their fields in the same places."""
    return tuple(
        [
            (node_id, node["class_type"], tuple([(name, _kind(value)) for name, value in node["inputs"].items()]))
            for node_id, node in graph.items()
        ]
    )


def _kind(value: Any) -> Hashable:
    """What decides whether an input is a link, and where to, or holds a value that fits a field."""
    kind: type = type(value)
    if kind is list and len(value) == 2 and type(value[0]) is str:
        source, output = value
        return source, type(output) if type(output) is not float else isfinite(output)
    return kind if kind is not float else isfinite(value)


def _size(shape: Hashable) -> int:
    """The bytes that a shape takes, roughly; a shape is not nested deeply."""
    inner = sum(map(_size, shape)) if isinstance(shape, tuple) else 0
    return getsizeof(shape) + inner


def _outline(graph: object) -> Outline:
    nodes = nodes_of(graph)
    return Outline(
        tuple(Place(key, slot.node_id, slot.input_name) for key, slot in first_slots(nodes).items()),
        tuple(node.id for node in nodes.values() if "batch_size" in node.inputs),
        classes_of(graph),
    )


def _cut(field: Field, value: Value) -> Value | None:
    if isinstance(value, str):
        return _shortened(value, MAX_TEXT if field in _TEXTS else MAX_NAME)
    if abs(value) > MAX_SEED:
        return None
    return float(value) if field in _DECIMALS else value


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _latents(graph: Graph, outline: Outline) -> int:
    """Return how many latents the graph starts with."""
    counts = (graph[node_id]["inputs"]["batch_size"] for node_id in outline.latents)
    return next((count for count in counts if is_whole(count) and 1 <= count <= MAX_LATENTS), 1)
