"""What the server says that a workflow's fields accept, kept for a minute, and for when it cannot be asked."""

import asyncio
from collections.abc import Mapping
from typing import Final

from comfytui.clock import Clock
from comfytui.comfy.errors import ComfyError
from comfytui.headless.generate import server_specs
from comfytui.service.thread import ServiceThread
from comfytui.workflow.field_keys import FieldKey, is_node_key
from comfytui.workflow.graph import Workflow
from comfytui.workflow.input_specs import InputSpec

MAX_WORKFLOWS: Final = 32
"""Workflows whose specs are kept."""
MAX_VALUE: Final = 200
"""Characters of a value that tell which specs are kept for it."""
LIFETIME: Final = 60.0
"""Seconds for which specs are used without asking again."""
NODES_TIMEOUT: Final = 10.0
"""Seconds in which the server has to describe its nodes."""

Specs = Mapping[FieldKey, InputSpec]


class KeptSpecs:
    """Asks the server for the specs of workflows, and keeps them.

    Args:
        service: The service of the server.
        clock: The time source.
    """

    def __init__(self, service: ServiceThread, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._kept: dict[object, tuple[float, Specs]] = {}

    async def specs_of(self, workflow: Workflow, values: Mapping[str, object], *, ask: bool) -> Specs | None:
        """Return what the server says about a workflow's fields and the inputs of nodes that values are given for.

        Args:
            workflow: The workflow.
            values: The values by field.
            ask: Whether the server may be asked.

        Returns:
            The specs, or what the server said last; None if it never did.
        """
        inputs = frozenset((key, str(value)[:MAX_VALUE]) for key, value in values.items() if is_node_key(key))
        cache_key = (frozenset(workflow.fields.items()), inputs)
        read, specs = self._kept.get(cache_key, (0.0, None))
        if not ask or (specs is not None and self._clock.monotonic() - read < LIFETIME):
            return specs
        try:
            specs = await asyncio.wait_for(server_specs(self._service, workflow, values), NODES_TIMEOUT)
        except (ComfyError, TimeoutError):
            return specs
        self._kept.pop(cache_key, None)
        self._kept[cache_key] = self._clock.monotonic(), specs
        if len(self._kept) > MAX_WORKFLOWS:
            del self._kept[next(iter(self._kept))]
        return specs
