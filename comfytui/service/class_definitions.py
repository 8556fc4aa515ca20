"""The definitions of some node classes of a server, class by class."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfytui.comfy.protocol.definitions_json import Definitions
    from comfytui.service.backend import Library

CONCURRENT_REQUESTS = 4
"""Classes of nodes that are requested at the same time."""
CLASSES_LIMIT = 1_000
"""Classes that are requested one by one; a workflow has a few dozen."""


async def definitions_for(library: "Library", class_types: Iterable[str]) -> "Definitions":
    """Read the definitions of some node classes, with one request for each; those that are unknown are left out.

    Raises:
        ComfyError: A request failed; then none goes on.
    """
    free = asyncio.Semaphore(CONCURRENT_REQUESTS)

    async def definition_of(class_type: str) -> Mapping[str, Any]:
        async with free:
            return await library.object_info(class_type)

    wanted = islice(dict.fromkeys(class_types), CLASSES_LIMIT)
    requests = {each: asyncio.ensure_future(definition_of(each)) for each in wanted}
    try:
        await asyncio.gather(*requests.values())
    finally:
        # After one has failed, the others would go on, beyond the backend's end.
        for request in requests.values():
            request.cancel()
        await asyncio.gather(*requests.values(), return_exceptions=True)
    found = {each: request.result().get(each) for each, request in requests.items()}
    return {each: definition for each, definition in found.items() if isinstance(definition, dict)}
