"""Load LoRAs in a graph: a node for each, behind the model and the CLIP of the encoder whose text names them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from comfytui.workflow.annotations import INSERTED, Link, annotated, relinked
from comfytui.workflow.graph import Graph
from comfytui.workflow.nodes import Node, Nodes, Slot, nodes_of
from comfytui.workflow.prompt_text.encoders import consumers_of_text
from comfytui.workflow.prompt_text.lora_tags import LoraTag, LoraTagError
from comfytui.workflow.value_slots import MAX_HOPS

MAX_REACHED: Final = 5_000
"""Nodes that are searched for what takes a conditioning and a model."""


def insert_loras(graph: Graph, slots: Sequence[Slot], loras: Sequence[LoraTag]) -> Graph:
    """Return a graph with LoRAs before everything that takes the model and the CLIP of a prompt.

    Args:
        graph: The graph; it is not modified.
        slots: The inputs with the prompt.
        loras: The LoRAs by the server's names, in order.

    Raises:
        LoraTagError: The prompt goes to nothing that has a model.
    """
    if not loras:
        return graph
    nodes = nodes_of(graph)
    texts = [node for slot in slots for node in consumers_of_text(nodes, slot)]
    models = dict.fromkeys(link for text in texts for link in _models(nodes, text))
    clips = dict.fromkeys(link for text in texts if (link := _source(nodes, text, "clip")))
    if not models:
        raise LoraTagError("A LoRA tag needs a prompt whose sampler has a model: this workflow has none.")
    changed = dict(graph)
    remaining = list(clips)
    for model in models:
        clip = remaining.pop(0) if remaining else None
        changed = _insert_chain(changed, model, clip, loras)
    return changed


def _models(nodes: Nodes, text: Node) -> Iterator[Link]:
    """Yield the outputs of the models that are sampled with the conditioning of a text."""
    reached, queue = {text.id}, [text]
    consumers: dict[str, list[Node]] = {}
    for node in nodes.values():
        for source in dict.fromkeys(node.links.values()):
            consumers.setdefault(source, []).append(node)
    while queue and len(reached) < MAX_REACHED:
        node = queue.pop(0)
        if link := _source(nodes, node, "model"):
            yield link
            continue
        following = [each for each in consumers.get(node.id, ()) if each.id not in reached]
        reached.update(each.id for each in following)
        queue += following


def _source(nodes: Nodes, node: Node, name: str) -> Link | None:
    """Return the output of the loader at the beginning of a chain of models or CLIPs, or None if there is none."""
    link = _link(node, name)
    for _ in range(4 * MAX_HOPS):
        source = nodes.get(link[0]) if link else None
        if source is None:
            return None
        before = _link(source, name) or next((_link(source, each) for each in source.reroute_input()), None)
        if before is None:
            return link
        link = before
    return None


def _link(node: Node, name: str) -> Link | None:
    if name not in node.links:
        return None
    source, output = node.inputs[name]
    return source, int(output)


def _insert_chain(graph: Mapping[str, Any], model: Link, clip: Link | None, loras: Sequence[LoraTag]) -> dict[str, Any]:
    """Return a graph with a chain of LoRAs behind two outputs, to which all that took them are connected."""
    chain: dict[str, Any] = {}
    model_end, clip_end = model, clip
    free_id = _free_id(graph)
    for index, lora in enumerate(loras):
        node_id = str(free_id + index)
        inputs: dict[str, Any] = {"lora_name": lora.name, "strength_model": lora.model_strength}
        if clip_end:
            inputs |= {"strength_clip": lora.clip_strength, "model": [*model_end], "clip": [*clip_end]}
            clip_end = (node_id, 1)
        else:
            inputs |= {"model": [*model_end]}
        class_type = "LoraLoader" if clip_end else "LoraLoaderModelOnly"
        node = {"class_type": class_type, "inputs": inputs, "_meta": {"title": f"LoRA {lora.name}"}}
        chain[node_id] = annotated(node, INSERTED, {"": True})
        model_end = (node_id, 0)
    ends = {model: model_end, **({clip: clip_end} if clip and clip_end else {})}
    return {**{node_id: relinked(node, ends) for node_id, node in graph.items()}, **chain}


def _free_id(graph: Mapping[str, Any]) -> int:
    """Return a number that is larger than the ids of all nodes that are numbers."""
    ids = (node_id.partition(":")[0] for node_id in graph)
    return max((int(each) for each in ids if each.isascii() and each.isdigit() and len(each) < 16), default=0) + 1
