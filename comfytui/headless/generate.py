"""A request for images by the values of a workflow's fields, checked as the form checks what is typed in it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import NoReturn

from comfytui.headless.node_values import definitions_of_choices, known_inputs
from comfytui.headless.value_checks import NUMBERS, FieldError, check_number, check_text, check_value
from comfytui.sanitize import sanitize
from comfytui.service.prompt_tools import load_tools
from comfytui.service.server_specs import fetch_specs
from comfytui.service.submission.batch import BatchRequest
from comfytui.service.submission.batch_builder import build_batch
from comfytui.service.thread import ServiceThread
from comfytui.workflow.axes import parse_axis
from comfytui.workflow.batch_values import IMAGES_SPEC, BatchValues, total_error
from comfytui.workflow.documents import document_from_json
from comfytui.workflow.field_keys import Field, FieldKey, FieldValue, is_node_key, key_label, seed_keys
from comfytui.workflow.graph import Workflow, read_values
from comfytui.workflow.input_specs import InputSpec, fallback_spec, seed_range
from comfytui.workflow.prompt_text.rendering import NO_TOOLS, PromptTextError, PromptTools
from comfytui.workflow.seeds import SeedMode
from comfytui.workflow.unconverted import workflow_to_open


@dataclass(frozen=True)
class GenerateRequest:
    """A request for images that is not checked yet."""

    workflow: Workflow
    values: Mapping[str, object]
    """Values by the keys of the workflow's fields, or of inputs of its nodes such as `3.denoise`."""
    images: int = 1
    seed_mode: SeedMode | None = None
    """None: random without a seed; with one, fixed for one image, and else increment."""
    seed: int | None = None
    """The workflow's first seed; not in random mode."""
    axes: bool = False
    """Whether a text may be several values of a field, as in `20,30`."""
    tools: bool = False
    """Whether variations in texts are expanded, and LoRA tags taken."""
    wildcards: Path | None = None
    """The folder of the wildcards that variations may use."""


async def server_specs(
    service: ServiceThread, workflow: Workflow, given: Mapping[str, object] = MappingProxyType({})
) -> Mapping[FieldKey, InputSpec]:
    """Ask the server what the fields of a workflow accept, and the inputs of nodes that values are given for.

    Raises:
        ComfyError: The server cannot be asked.
    """
    return await asyncio.wrap_future(service.call(lambda backend: fetch_specs(backend, workflow, given)))


async def prompt_tools(service: ServiceThread, request: GenerateRequest) -> PromptTools:
    """Return what the texts of a request may use: of the user's files and of the server, as far as it can be asked."""
    if not request.tools:
        return NO_TOOLS
    own = read_values(request.workflow)
    given = {key: str(value) for key, value in request.values.items() if key in own or is_node_key(key)}
    return await load_tools(service, request.workflow, {**own, **given}, request.wildcards)


def workflow_from_json(document: object) -> Workflow:
    """Return the workflow in a JSON document; its graph is empty if it is in the editor's format.

    Raises:
        WorkflowError: It is none, or cannot be sent; the message begins with "The workflow".
    """
    return workflow_to_open(document_from_json(document, "workflow", "The workflow"))


def prepare(
    request: GenerateRequest,
    specs: Mapping[FieldKey, InputSpec],
    rng: Random,
    *,
    previews: bool,
    key: str = "",
    tools: PromptTools = NO_TOOLS,
) -> tuple[BatchRequest, Sequence[Mapping[FieldKey, int]]]:
    """Check a request and build its batch.

    Args:
        request: The request.
        specs: What the server says that the fields accept; fields that are not in it accept what ComfyUI's own do.
        rng: The source of random seeds.
        previews: Whether the server is to make previews.
        key: What the ids are made of; empty for new ones, see `batch_request`.
        tools: What the texts may use.

    Returns:
        The batch, and the seeds of each image by their keys; without keys if the workflow has no seed.

    Raises:
        FieldError: A value cannot be used.
    """
    images = int(check_number(request.images, IMAGES_SPEC, "images", "Images"))
    given = _given_values(request)
    seeds = seed_keys(request.workflow.fields)
    mode = request.seed_mode or _default_mode(images, is_given=any(name in given for name in seeds))
    if mode is SeedMode.RANDOM and (name := next(filter(given.__contains__, seeds), None)):
        no_effect = f"{key_label(name)} has no effect if seeds are random: leave it out, or choose another mode."
        raise FieldError(name, no_effect)
    inputs = known_inputs(request.workflow, given, specs)
    known = {name: _spec_of(name, specs) for name in request.workflow.fields} | {k: v.spec for k, v in inputs.items()}
    values = read_values(request.workflow) | {name: each.value for name, each in inputs.items()}
    lists = {name: _several(name, given[name], known[name]) for name in values if request.axes and name in given}
    for name, own in values.items():
        if several := lists.get(name):
            values[name] = several[0]
        elif name in given:
            values[name] = check_value(name, given[name], known[name])
        elif name not in seeds or mode is not SeedMode.RANDOM:
            values[name] = _own_value(name, own, known[name])
    axes = {name: several for name, several in lists.items() if len(several) > 1}
    ranges = {name: seed_range(known[name]) for name in seeds}
    if error := total_error(images, axes):
        raise FieldError("images", error)
    choices = definitions_of_choices(inputs.values())
    wanted = BatchValues(values, mode if seeds else SeedMode.FIXED, images, ranges, axes, choices)
    try:
        return build_batch(request.workflow, wanted, rng, previews=previews, key=key, tools=tools)
    except PromptTextError as text_error:
        raise FieldError(text_error.key, text_error.message) from None


def _given_values(request: GenerateRequest) -> Mapping[str, object]:
    """Return the values that were given, with the seed; they are not checked, but every name is known."""
    given = dict(request.values)
    if request.seed is not None:
        if Field.SEED in given:
            raise FieldError(Field.SEED, "Seed is given twice: once is enough.")
        given[Field.SEED] = request.seed
    for name in given:
        if name not in request.workflow.fields and not is_node_key(name):
            _raise_unknown(name, [*request.workflow.fields])
    return given


def _default_mode(images: int, *, is_given: bool) -> SeedMode:
    if not is_given:
        return SeedMode.RANDOM
    return SeedMode.FIXED if images == 1 else SeedMode.INCREMENT


def _raise_unknown(name: str, known: Sequence[FieldKey]) -> NoReturn:
    shown = sanitize(str(name), 80)
    close = get_close_matches(shown, known, 1)
    hint = f": did you mean {close[0]}?" if close else "."
    fields = f"Its fields are {', '.join(known)}." if known else "It has no fields that can be set."
    raise FieldError(shown, f"The workflow has no field '{shown}'{hint} {fields}")


def _spec_of(key: FieldKey, specs: Mapping[FieldKey, InputSpec]) -> InputSpec:
    """Return what a field accepts; a server that takes text for a number or the reverse is not believed."""
    fallback = fallback_spec(key)
    spec = specs.get(key, fallback)
    same = (spec.kind in NUMBERS) is (fallback.kind in NUMBERS) and (spec.kind == "bool") is (fallback.kind == "bool")
    return spec if same else fallback


def _own_value(key: FieldKey, value: FieldValue, spec: InputSpec) -> FieldValue:
    """Return a value that the workflow has itself; its texts, switches and files are left alone."""
    return check_value(key, value, spec) if spec.kind in NUMBERS or _is_named_choice(value, spec) else value


def _is_named_choice(value: FieldValue, spec: InputSpec) -> bool:
    return spec.kind == "choice" and isinstance(value, str)


def _several(key: FieldKey, value: object, spec: InputSpec) -> tuple[FieldValue, ...]:
    """Return the values of a text that is a list or a range; none for any other value."""
    if not isinstance(value, str) or spec.kind == "text" or ("," not in value and ".." not in value):
        return ()
    check_text(key, value)
    try:
        return parse_axis(value, spec, key_label(key))
    except ValueError as error:
        raise FieldError(key, str(error)) from None
