"""What the texts of a request may use: the user's wildcards and the server's LoRAs, each read if a text needs it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from comfytui.comfy.errors import ComfyError
from comfytui.workflow.fields import FieldKey, FieldValue
from comfytui.workflow.graph import Workflow
from comfytui.workflow.prompt_text.rendering import PromptTools
from comfytui.workflow.prompt_text.template_keys import needs_loras, template_keys
from comfytui.workflow.prompt_text.wildcards import NO_WILDCARDS, load_wildcards

if TYPE_CHECKING:
    from comfytui.service.backend import Backend
    from comfytui.service.thread import ServiceThread

TIMEOUT = 10.0
"""Seconds in which the server has to name its LoRAs."""


async def load_tools(
    service: "ServiceThread", workflow: Workflow, values: Mapping[FieldKey, FieldValue], wildcards: Path | None
) -> PromptTools:
    """Return what the texts of a workflow may use; the LoRAs are unknown if the server cannot be asked.

    Args:
        service: The service of the server.
        workflow: The workflow.
        values: The values of its fields.
        wildcards: The folder of the user's wildcards.
    """
    uses_wildcards = any("__" in str(values[key]) for key in template_keys(workflow, values))
    found = await asyncio.to_thread(load_wildcards, wildcards) if uses_wildcards else NO_WILDCARDS
    if not needs_loras(workflow, values):
        return PromptTools(found)
    try:
        request = asyncio.wrap_future(service.call(fetch_lora_names))
        return PromptTools(found, await asyncio.wait_for(request, TIMEOUT))
    except (ComfyError, TimeoutError):
        return PromptTools(found)


async def fetch_lora_names(backend: "Backend") -> tuple[str, ...]:
    """Return the names of the server's LoRAs.

    Raises:
        ComfyError: The server cannot be asked.
    """
    match await backend.object_info("LoraLoader"):
        case {"LoraLoader": {"input": {"required": {"lora_name": [list() as names, *_]}}}} | {
            "LoraLoader": {"input": {"required": {"lora_name": ["COMBO", {"options": list() as names}, *_]}}}
        }:
            return tuple(name for name in names if isinstance(name, str))
        case _:
            return ()
