"""Fields that are found anywhere in a graph, whatever its samplers: files, loaders, ControlNets, frame rates."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from comfytui.workflow.field_keys import Field
from comfytui.workflow.nodes import Node, Nodes, Slot, is_number, is_text, topological_order
from comfytui.workflow.value_slots import TypeCheck, own_names, slot_of

MAX_ROWS: Final = 64
"""Fields of one kind that one graph has."""

_is_image_loader = re.compile(r"load.*image|image.*load", re.IGNORECASE).search
_is_video_loader = re.compile(r"load.*video|video.*load", re.IGNORECASE).search
_is_3d_loader = re.compile(r"load.*3d", re.IGNORECASE).search
_is_audio_loader = re.compile(r"load.*audio|audio.*load", re.IGNORECASE).search
_CLIP_NAMES: Final = ("clip_name", "clip_name1", "clip_name2", "clip_name3", "clip_name4", "text_encoder")
_FILE_INPUTS: Final[Mapping[Field, tuple[str, ...]]] = {
    Field.IMAGE: ("image", "file"),
    Field.MASK: ("image", "file"),
    Field.VIDEO: ("file", "video"),
    Field.AUDIO: ("audio", "audio_file", "file"),
    Field.MODEL_FILE: ("model_file",),
}
"""The names of the inputs that name files."""
CONTROLNET_FIELDS: Final[Mapping[Field, tuple[str, ...]]] = {
    Field.CONTROLNET_STRENGTH: ("strength", "controlnet_strength"),
    Field.CONTROLNET_START: ("start_percent",),
    Field.CONTROLNET_END: ("end_percent",),
}
"""The fields of a ControlNet, each with the names of its input."""


def file_slots(nodes: Nodes) -> Mapping[Field, list[Slot]]:
    """Return the inputs that name files of the server's input folder, if something uses them."""
    outputs = _used_outputs(nodes)
    found: dict[Field, list[Slot]] = {field: [] for field in _FILE_INPUTS}
    for node in nodes.values():
        if node.id in outputs and (field := _file_field(node, outputs[node.id])):
            names = (name for name in _FILE_INPUTS[field] if is_text(node.inputs.get(name)))
            if slot := next((Slot(node.id, name, node.class_type) for name in names), None):
                found[field].append(slot)
    return found


def loader_slots(nodes: Nodes) -> Mapping[Field, list[Slot]]:
    """Return the inputs that name VAEs, text encoders and sizes, frame rates, and the file name prefixes of outputs."""
    ordered = topological_order(nodes)
    return {
        Field.ASPECT_RATIO: list(_named(nodes, ordered, ("aspect_ratio", "ratio"), is_text)),
        Field.MEGAPIXELS: list(_named(nodes, ordered, ("megapixels",), is_number)),
        Field.RESOLUTION: list(_named(nodes, ordered, ("resolution",), is_text)),
        Field.VAE: list(_named(nodes, ordered, ("vae_name",), is_text)),
        Field.TEXT_ENCODER: list(_named(nodes, ordered, _CLIP_NAMES, is_text, _is_text_encoder)),
        Field.FPS: list(_named(nodes, ordered, ("fps", "frame_rate"), is_number, lambda node: bool(node.links))),
        Field.FILENAME_PREFIX: list(_named(nodes, ordered, ("filename_prefix",), is_text)),
    }


def controlnet_rows(nodes: Nodes) -> list[Mapping[Field, Slot]]:
    """Return the strength, start and end of each ControlNet, in the order in which they are applied."""
    rows: list[Mapping[Field, Slot]] = []
    for node in topological_order(nodes):
        if "controlnet" in node.class_type.lower() or any(name.startswith("control_net") for name in node.links):
            slots = {field: slot_of(nodes, node, names, is_number) for field, names in CONTROLNET_FIELDS.items()}
            if slots[Field.CONTROLNET_STRENGTH]:
                rows.append({field: slot for field, slot in slots.items() if slot})
    return rows[:MAX_ROWS]


def _used_outputs(nodes: Nodes) -> dict[str, set[int]]:
    """Return the indices of the outputs of each node that something uses."""
    used: dict[str, set[int]] = {}
    for node in nodes.values():
        for name, source in node.links.items():
            used.setdefault(source, set()).add(int(node.inputs[name][1]))
    return used


def _file_field(node: Node, outputs: set[int]) -> Field | None:
    if _is_image_loader(node.class_type):
        # The second output of a loader is the image's transparency, as a mask.
        is_mask = "mask" in node.class_type.lower() or outputs == {1}
        return Field.MASK if is_mask else Field.IMAGE
    if _is_video_loader(node.class_type):
        return Field.VIDEO
    if _is_audio_loader(node.class_type):
        return Field.AUDIO
    return Field.MODEL_FILE if _is_3d_loader(node.class_type) else None


def _is_text_encoder(node: Node) -> bool:
    return "vision" not in node.class_type.lower()


def _named(
    nodes: Nodes,
    ordered: list[Node],
    names: tuple[str, ...],
    has_type: TypeCheck,
    condition: Callable[[Node], bool] = lambda _: True,
) -> Iterator[Slot]:
    """Yield the slot of each named input of each node, each slot once."""
    slots = (
        slot_of(nodes, node, (name,), has_type)
        for node in ordered
        if condition(node)
        for name in own_names(node, names)
        if name in node.inputs
    )
    yield from dict.fromkeys(slot for slot in slots if slot)
