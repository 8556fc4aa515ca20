"""The names of the values that a form can set: fields, which are found by following links, and inputs of nodes.

Both kinds of key live in one namespace: `steps`, `steps-2` (a field), `3.denoise` (an input of node 3).
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

from comfytui.sanitize import sanitize


class Field(StrEnum):
    """A kind of setting that is found in graphs of any shape."""

    MODEL = "model"
    PROMPT = "prompt"
    NEGATIVE = "negative"
    LYRICS = "lyrics"
    IMAGE = "image"
    MASK = "mask"
    VIDEO = "video"
    AUDIO = "audio"
    MODEL_FILE = "model_file"
    WIDTH = "width"
    HEIGHT = "height"
    ASPECT_RATIO = "aspect_ratio"
    MEGAPIXELS = "megapixels"
    RESOLUTION = "resolution"
    LENGTH = "length"
    FPS = "fps"
    DURATION = "duration"
    STEPS = "steps"
    CFG = "cfg"
    GUIDANCE = "guidance"
    SAMPLER = "sampler"
    SCHEDULER = "scheduler"
    DENOISE = "denoise"
    SEED = "seed"
    LORA = "lora"
    LORA_ON = "lora_on"
    LORA_STRENGTH = "lora_strength"
    LORA_CLIP_STRENGTH = "lora_clip_strength"
    CONTROLNET_STRENGTH = "controlnet_strength"
    CONTROLNET_START = "controlnet_start"
    CONTROLNET_END = "controlnet_end"
    VAE = "vae"
    TEXT_ENCODER = "text_encoder"
    FILENAME_PREFIX = "filename_prefix"

    @property
    def label(self) -> str:
        """The name on the screen and in messages."""
        return _LABELS.get(self, self.value.replace("_", " ").capitalize())


_LABELS: Final = {
    Field.CFG: "CFG",
    Field.FPS: "FPS",
    Field.VAE: "VAE",
    Field.MODEL_FILE: "3D model",
    Field.LORA: "LoRA",
    Field.LORA_ON: "LoRA on",
    Field.LORA_STRENGTH: "LoRA strength",
    Field.LORA_CLIP_STRENGTH: "LoRA clip strength",
    Field.CONTROLNET_STRENGTH: "ControlNet strength",
    Field.CONTROLNET_START: "ControlNet start",
    Field.CONTROLNET_END: "ControlNet end",
}

FieldKey: TypeAlias = str
"""The name of one value: `field_key(field, index)`, or `node_key(node_id, input_name)`."""

FieldValue: TypeAlias = str | int | float | bool
"""A value that a form can set."""


def field_key(field: Field, index: int = 0) -> FieldKey:
    """Return the key of a field by its index from 0 among its kind: `steps`, `steps-2`, `steps-3`."""
    return f"{field}-{index + 1}" if index else str(field)


def node_key(node_id: str, input_name: str) -> FieldKey:
    """Return the key of one input of one node: `3.denoise`; of a part of its value, the name has the part's name too.

    A dot in the id is escaped, so that no two inputs have the same key.
    """
    return f"{node_id.replace('%', '%25').replace('.', '%2E')}.{input_name}"


def is_node_key(key: FieldKey) -> bool:
    """Return whether a key names an input of a node, rather than a field."""
    return "." in key


def split_node_key(key: FieldKey) -> tuple[str, str]:
    """Return the node id and the input name of a node's key."""
    node_id, _, input_name = key.partition(".")
    return node_id.replace("%2E", ".").replace("%25", "%"), input_name


def seed_key(index: int) -> FieldKey:
    """Return the key of a graph's seed by its index from 0: `seed`, `seed-2`, `seed-3`."""
    return field_key(Field.SEED, index)


def seed_keys(keys: Iterable[FieldKey]) -> list[FieldKey]:
    """Return the keys that name seeds of samplers."""
    return [key for key in keys if not is_node_key(key) and field_of(key) is Field.SEED]


@lru_cache(maxsize=1_024)
def field_of(key: FieldKey) -> Field:
    """Return the kind of field that a key names.

    Raises:
        ValueError: It names an input of a node.
    """
    return Field(key.partition("-")[0])


def key_label(key: FieldKey) -> str:
    """Return the name of a key in messages: `Steps`, `Steps-2`, `3.denoise`."""
    if is_node_key(key):
        return sanitize(key, 80)
    return f"{field_of(key).label}{key.removeprefix(field_of(key))}"


def index_of(key: FieldKey) -> int:
    """Return the index of a field's key among its kind, from 0."""
    number = key.partition("-")[2]
    return int(number) - 1 if number else 0
