"""What is asked for with one batch: the values of its fields, and how many images differ by which seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from comfytui.workflow.fields import FieldKey, FieldValue
from comfytui.workflow.input_specs import InputSpec
from comfytui.workflow.seeds import SeedMode, SeedRange

MAX_IMAGES: Final = 1_000
IMAGES_SPEC: Final = InputSpec(kind="int", minimum=1, maximum=MAX_IMAGES)


@dataclass(frozen=True, slots=True)
class BatchValues:
    """The values of a batch, which have been checked."""

    values: Mapping[FieldKey, FieldValue]
    """The value of each field."""
    seed_mode: SeedMode
    images: int
    seed_ranges: Mapping[FieldKey, SeedRange]
    """What each seed may be."""


def repetition_warning(images: int, mode: SeedMode, *, has_seed: bool) -> str:
    """Return a warning if all images of a batch would be the same, or an empty text."""
    if images < 2 or (has_seed and mode is not SeedMode.FIXED):
        return ""
    reason = "choose random or increment for the seed" if has_seed else "this workflow has no seed to vary"
    return f"All {images} images will be the same: {reason}."
