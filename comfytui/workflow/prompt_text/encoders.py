"""Whether the encoder of a prompt reads weights.

ComfyUI's own encoders pass the text to the tokenizer of their CLIP, which reads `(word:1.2)` for CLIP and T5 alike.
Tokenizers of language models, such as Qwen, Mistral and Gemma 3, take the text as it is. So do nodes of other kinds:
prompts of paid services, of language models, or of packs with a syntax of their own.
"""

import re
from collections.abc import Iterator
from typing import Final

from comfytui.workflow.nodes import Node, Nodes, Slot, follow_inputs, nodes_of, walk_upstream

_ENCODERS: Final = frozenset(
    {
        "BNK_CLIPTextEncodeAdvanced",
        "ConditioningTextEncode",
        "CLIPTextEncode",
        "CLIPTextEncodeControlnet",
        "CLIPTextEncodeFlux",
        "CLIPTextEncodeHiDream",
        "CLIPTextEncodeHunyuanDiT",
        "CLIPTextEncodeLumina2",
        "CLIPTextEncodePixArtAlpha",
        "CLIPTextEncodeSD3",
        "CLIPTextEncodeSDXL",
        "CLIPTextEncodeSDXLRefiner",
        "PhotoMakerEncode",
        "smZ CLIPTextEncode",
        "Efficient Loader",
        "Eff. Loader SDXL",
    }
)
"""Classes that encode a text with a CLIP, with its weights."""
_UNWEIGHTED_TYPES: Final = frozenset(
    {
        "boogu",
        "flux2",
        "hunyuan_image",
        "hunyuan_video_15",
        "ideogram4",
        "joyimage",
        "krea2",
        "lens",
        "longcat_image",
        "mage",
        "minimax",
        "ovis",
        "pixeldit",
        "qwen_image",
    }
)
"""Types of text encoders whose tokenizers read no weights."""
_WEIGHTED_TYPES: Final = frozenset({"omnigen2"})
"""Types whose tokenizers read them although a language model encodes the text."""
_LANGUAGE_MODEL: Final = re.compile(
    r"qwen(?!_?3_?0\.?6b)|mistral|ministral|gemma[-_]?[34]|gpt[-_]?oss|ovis", re.IGNORECASE
)
"""Names of text encoders that are language models; some share their type with others.

The Qwen 3 of 0.6B is none of them: it goes with a T5, whose tokenizer reads the weights.
"""
_CLIP_NAMES: Final = ("clip_name", "clip_name1", "clip_name2", "text_encoder")
MAX_CONSUMERS: Final = 64
"""Nodes that are followed from a text to its encoders."""


def reads_weights(graph: object, slot: Slot) -> bool:
    """Return whether an encoder that a text goes to reads weights.

    Args:
        graph: The graph; any JSON value.
        slot: The input with the text, of the encoder or of a node that provides its text.
    """
    nodes = nodes_of(graph)
    return any(_encodes_weights(nodes, node) for node in consumers_of_text(nodes, slot))


def is_text_encoder(class_type: str) -> bool:
    """Return whether nodes of a class make a conditioning of a text."""
    return class_type in _ENCODERS or "textencode" in class_type.lower()


def consumers_of_text(nodes: Nodes, slot: Slot) -> Iterator[Node]:
    """Yield the node that holds a text, and those that it goes to on its way to the encoders, each once."""
    reached = [slot.node_id] if slot.node_id in nodes else []
    for node_id in reached:
        yield nodes[node_id]
        if nodes[node_id].class_type in _ENCODERS or len(reached) > MAX_CONSUMERS:
            continue
        reached += [node.id for node in nodes.values() if node.id not in reached and node_id in node.links.values()]


def _encodes_weights(nodes: Nodes, node: Node) -> bool:
    if node.class_type not in _ENCODERS:
        return False
    sources = walk_upstream(nodes, node, follow_inputs("clip"))
    return not any(_is_language_model(source) for source in sources)


def _is_language_model(node: Node) -> bool:
    """Return whether a node loads text encoders of which none reads weights."""
    names = [node.inputs[name] for name in _CLIP_NAMES if isinstance(node.inputs.get(name), str)]
    if not names:
        return False
    kind = node.inputs.get("type")
    if isinstance(kind, str) and kind in _UNWEIGHTED_TYPES | _WEIGHTED_TYPES:
        return kind in _UNWEIGHTED_TYPES
    return all(map(_LANGUAGE_MODEL.search, names))
