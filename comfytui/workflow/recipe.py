"""What a graph will make, in the words of its fields, for showing."""

from dataclasses import dataclass
from typing import Any, Final

from comfytui.workflow.fields import Field, Value, find_in
from comfytui.workflow.nodes import Nodes, is_whole, nodes_of
from comfytui.workflow.seeds import MAX_SEED

MAX_TEXT: Final = 2_000
"""Characters of a prompt worth keeping for showing."""

MAX_NAME: Final = 200
"""Characters of a model's or sampler's name."""

MAX_LATENTS: Final = 4_096
"""Latents a batch that ComfyUI allows."""

_TEXTS = frozenset({Field.PROMPT, Field.NEGATIVE})
_DECIMALS = frozenset({Field.CFG, Field.GUIDANCE})


@dataclass(frozen=True, slots=True)
class Recipe:
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
    latent_batch: int = 1


def recipe_of(graph: object) -> Recipe:
    """Read the first pass of any JSON value and never raise: long texts are cut, absurd numbers dropped."""
    nodes = nodes_of(graph)
    values: dict[str, Any] = {"latent_batch": _latents(nodes)}
    for field, slots in find_in(nodes, passes=1).items():
        value = _shown(field, nodes[slots[0].node_id].inputs[slots[0].input_name])
        if value is not None:
            values[field.value] = value
    return Recipe(**values)


def _shown(field: Field, value: Value) -> Value | None:
    if isinstance(value, str):
        return value[: MAX_TEXT if field in _TEXTS else MAX_NAME]
    if abs(value) > MAX_SEED:
        return None
    return float(value) if field in _DECIMALS else value


def _latents(nodes: Nodes) -> int:
    """Return how many latents the graph starts with."""
    counts = (node.inputs["batch_size"] for node in nodes.values() if "batch_size" in node.inputs)
    return next((count for count in counts if is_whole(count) and 1 <= count <= MAX_LATENTS), 1)
