"""Read graphs without parsing them: most of a queue are the same JSON text with another seed or prompt."""

import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from comfytui.workflow.fields import Field, FieldKey, FieldValue, field_of
from comfytui.workflow.graph import Graph

VARYING_FIELDS: Final = frozenset({Field.PROMPT, Field.SEED})
"""The fields that may differ between graphs of one template: those that users change between two images."""

_PLACEHOLDER: Final = "comfytui's place of a value"
_PLACEHOLDER_JSON: Final = json.dumps(_PLACEHOLDER).encode()
_match_scalar = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9]{1,19}(?=[,}])', re.DOTALL).match
_decode_scalar = json.JSONDecoder().raw_decode


class FieldSlot(NamedTuple):
    """Where the value of a field stands: a node, and one of its inputs."""

    key: FieldKey
    node_id: str
    input_name: str


class Template(NamedTuple):
    """The JSON text of a graph, with gaps in the place of its varying values."""

    texts: tuple[bytes, ...]
    """The text before, between and after the gaps: one more than there are fields."""
    fields: tuple[tuple[FieldKey, type], ...]
    """The field of each gap, and the type of its value."""

    def extract(self, text: bytes) -> dict[FieldKey, FieldValue] | None:
        """Return the values in the gaps of a text, or None if it differs from the template elsewhere."""
        found: dict[FieldKey, FieldValue] = {}
        position = 0
        for before, (key, kind) in zip(self.texts, self.fields, strict=False):
            scalar = _match_scalar(text, position + len(before)) if text.startswith(before, position) else None
            if scalar is None:
                return None
            try:
                found[key], _ = _decode_scalar(scalar[0].decode())
            except ValueError:
                return None
            if type(found[key]) is not kind:
                return None
            position = scalar.end()
        return found if text[position:] == self.texts[-1] else None


def template_of(text: bytes, graph: Graph, slots: Sequence[FieldSlot]) -> Template | None:
    """Return the template of all texts that differ from this one in seeds and prompt only.

    Args:
        text: The JSON text of the graph.
        graph: The graph in it.
        slots: Where the graph has its fields.

    Returns:
        The template, or None if the graph has no such field, or its text is not formatted as Python's `json` does.
    """
    by_input = {(node_id, name): key for key, node_id, name in slots if field_of(key) in VARYING_FIELDS}
    found: dict[FieldKey, FieldValue] = {}
    with_gaps = dict(graph) if by_input else {}
    for node_id in [node_id for node_id in with_gaps if any(node_id == varying for varying, _ in by_input)]:
        inputs = with_gaps[node_id]["inputs"]
        here = {name: key for name in inputs if (key := by_input.get((node_id, name)))}
        found.update((key, inputs[name]) for name, key in here.items())
        with_gaps[node_id] = {**with_gaps[node_id], "inputs": {**inputs, **dict.fromkeys(here, _PLACEHOLDER)}}
    texts = json.dumps(with_gaps).encode().split(_PLACEHOLDER_JSON)
    template = Template(tuple(texts), tuple((key, type(value)) for key, value in found.items()))
    return template if found and len(texts) == len(found) + 1 and template.extract(text) == found else None
