"""The documents of the relay's commands: what is asked for, and what became of it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from comfytui.headless.documents.jobs import VERSION, Document
from comfytui.workflow.batch_values import MAX_IMAGES
from comfytui.workflow.seeds import SeedMode


class GenerateBody(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for images."""

    workflow: dict[str, Any] | None = None
    """ComfyUI's API format, or its editor's, which is converted; without it, text to image with any checkpoint."""
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    """Values by the workflow's fields (`prompt`, `steps`, ...), or by inputs of its nodes (`3.denoise`)."""
    images: Annotated[int, Meta(ge=1, le=MAX_IMAGES)] = 1
    seed_mode: SeedMode | None = None
    """Without it: `random` without a seed; with one, `fixed` for one image and else `increment`."""
    seed: int | None = None
    """The first seed; not with the mode `random`."""
    variations: bool = False
    """Whether variations such as `{a|b}` are expanded in texts, and LoRA tags taken."""


class GenerateAnswer(Document, frozen=True, kw_only=True):
    """The images that are made; they can be followed by these ids."""

    version: int = VERSION
    batch_id: str
    prompt_ids: Sequence[str]
    """In image order."""
    seeds: Sequence[Mapping[str, int]]
    """The seeds of each image by their fields; empty where the workflow has none."""
    warnings: Sequence[str] = ()
    """What was found in a workflow of the editor that does not keep it from being queued, in a sentence each."""


class AwayAnswer(Document, frozen=True, kw_only=True):
    """ComfyUI cannot be reached."""

    version: int = VERSION
    error: str
    field: str | None = None
    """The value whose choices are not known."""
    saved: bool
    """Whether the images are on the disk, so that they are made even if the relay ends before ComfyUI is back."""
    batch_id: str | None = None
    """If it is not null, the images are made once ComfyUI is back: they are not to be asked for again."""
    prompt_ids: Sequence[str] = ()
    seeds: Sequence[Mapping[str, int]] = ()
    warnings: Sequence[str] = ()


class CancelAnswer(Document, frozen=True, kw_only=True):
    """What became of a job that was to be cancelled."""

    version: int = VERSION
    prompt_id: str
    outcome: str
    """`removed`, `interrupt_sent`, `dropped`, `on_arrival`, `already_ended`, ..."""
    message: str


class ErrorAnswer(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was not carried out."""

    error: str
    field: str | None = None
    """The value that is to be corrected; left out if it is none."""
