"""Which inputs of a graph are prompts, with variations and LoRA tags, rather than instructions or names."""

from collections.abc import Iterator
from typing import Final

from comfytui.workflow.field_keys import Field, FieldKey, field_of, is_node_key, split_node_key
from comfytui.workflow.nodes import Node, Nodes, is_text, nodes_of
from comfytui.workflow.passes import TEXT_INPUTS
from comfytui.workflow.prompt_text.encoders import is_text_encoder
from comfytui.workflow.value_slots import MAX_HOPS

_PROMPT_FIELDS: Final = frozenset({Field.PROMPT, Field.NEGATIVE, Field.LYRICS})
_JOINED: Final = ("string_a", "string_b")
"""The inputs of a node that joins two texts."""
_PROVIDED: Final = ("text", "value", "string")
"""The inputs of nodes that provide a text; a language model's is named otherwise, and is an instruction."""

PromptInputs = frozenset[tuple[str, str]]
"""The ids of nodes, with the names of their inputs."""
NO_INPUTS: Final[PromptInputs] = frozenset()


def prompt_inputs(graph: object) -> PromptInputs:
    """Return the inputs whose texts get into a text encoder as they are; the graph may be any JSON value."""
    nodes = nodes_of(graph)
    return frozenset(
        found
        for node in nodes.values()
        if is_text_encoder(node.class_type)
        for name in node.inputs
        if name.rpartition(".")[2] in TEXT_INPUTS
        for found in _texts(nodes, node, name)
    )


def is_prompt(key: FieldKey, inputs: PromptInputs) -> bool:
    """Return whether a key names a prompt: a field with one, or one of these inputs of nodes."""
    return split_node_key(key) in inputs if is_node_key(key) else field_of(key) in _PROMPT_FIELDS


def _texts(nodes: Nodes, node: Node, name: str) -> Iterator[tuple[str, str]]:
    """Yield the inputs with the text that an input has: itself, or those of the nodes that provide it."""
    waiting, seen = [(node, name)], {(node.id, name)}
    while waiting and len(seen) <= MAX_HOPS:
        current, held = waiting.pop()
        if is_text(current.inputs.get(held)):
            yield current.id, held
        elif source := nodes.get(current.links.get(held, "")):
            following = [(source, each) for each in _providing(source) if (source.id, each) not in seen]
            seen.update((source.id, each) for _, each in following)
            waiting += following


def _providing(node: Node) -> list[str]:
    """Return the inputs of a node that only passes on or joins texts, from which its own text is."""
    if all(name in node.inputs for name in _JOINED):
        return [*_JOINED]
    return [name for name in _PROVIDED if name in node.inputs][:1] or [*node.reroute_input()]
