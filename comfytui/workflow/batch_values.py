"""What is asked for with one batch: the values of its fields, and how many images differ by which seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from comfytui.workflow.axes import Axes, count_cells
from comfytui.workflow.fields import FieldKey, FieldValue
from comfytui.workflow.input_specs import InputSpec
from comfytui.workflow.seeds import SeedMode, SeedRange

MANY_IMAGES: Final = 50
"""Images of a batch above which it needs confirmation: a number is easily mistyped, and a product easily large."""
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
    axes: Axes = field(default_factory=dict)
    """The values of the fields that have several; `values` has the first of each."""
    object_info: Mapping[str, Any] = field(default_factory=dict)
    """The definitions of the classes whose choices decide which inputs their nodes have."""


def total_error(images: int, axes: Axes) -> str:
    """Return an error if a batch would have too many images, or an empty text."""
    total = images * count_cells(axes)
    return f"A batch can have at most {MAX_IMAGES:,} images: this would be {total:,}." if total > MAX_IMAGES else ""


def repetition_warning(images: int, mode: SeedMode, *, has_seed: bool, varies: bool = False) -> str:
    """Return a warning if all images of a batch would be the same, or an empty text.

    Args:
        images: The number of images.
        mode: How their seeds differ.
        has_seed: Whether the workflow has a seed, which is one value in fixed mode.
        varies: Whether a prompt may have variations; they are drawn by the seed, or without one for each image.
    """
    if images < 2 or (has_seed and mode is not SeedMode.FIXED):
        return ""
    if has_seed:
        also = ", with the same variations" if varies else ""
        return f"All {images} images will be the same{also}: choose random or increment for the seed."
    return "" if varies else f"All {images} images will be the same: this workflow has no seed to vary."
