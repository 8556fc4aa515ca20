"""Graphs read without reading them: most texts in a queue are one graph with another seed or prompt in it."""

import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from comfytui.workflow.fields import Field, Key, Value, field_of
from comfytui.workflow.nodes import Graph

VARIED: Final = frozenset({Field.PROMPT, Field.SEED})
"""What differs between the graphs of one template: what people change between two images."""

_MARK: Final = "comfytui's place of a value"
_CUT: Final = json.dumps(_MARK).encode()
_scalar_at = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9]{1,19}(?=[,}])', re.DOTALL).match
_scalar = json.JSONDecoder().raw_decode


class Place(NamedTuple):
    """Where a field is: a node and one of its inputs."""

    key: Key
    node_id: str
    name: str


class Template(NamedTuple):
    """The text of a graph between values of its fields, and which fields these are, each with the type it has."""

    texts: tuple[bytes, ...]
    fields: tuple[tuple[Key, type], ...]

    def values_in(self, text: bytes) -> dict[Key, Value] | None:
        """The fields' values in a text that differs in nothing else."""
        found: dict[Key, Value] = {}
        at = 0
        for before, (key, kind) in zip(self.texts, self.fields, strict=False):
            scalar = _scalar_at(text, at + len(before)) if text.startswith(before, at) else None
            if scalar is None:
                return None
            try:
                found[key], _ = _scalar(scalar[0].decode())
            except ValueError:
                return None
            if type(found[key]) is not kind:
                return None
            at = scalar.end()
        return found if text[at:] == self.texts[-1] else None


def template_of(text: bytes, graph: Graph, places: Sequence[Place]) -> Template | None:
    """What all texts share that differ from this one in seed and prompt alone; None where it is written otherwise."""
    by_input = {(node_id, name): key for key, node_id, name in places if field_of(key) in VARIED}
    found: dict[Key, Value] = {}
    marked = dict(graph) if by_input else {}
    for node_id in [node_id for node_id in marked if any(node_id == varied for varied, _ in by_input)]:
        inputs = marked[node_id]["inputs"]
        here = {name: key for name in inputs if (key := by_input.get((node_id, name)))}
        found.update((key, inputs[name]) for name, key in here.items())
        marked[node_id] = {**marked[node_id], "inputs": {**inputs, **dict.fromkeys(here, _MARK)}}
    texts = json.dumps(marked).encode().split(_CUT)
    template = Template(tuple(texts), tuple((key, type(value)) for key, value in found.items()))
    return template if found and len(texts) == len(found) + 1 and template.values_in(text) == found else None
