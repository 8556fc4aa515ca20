"""Whatever a client sends, the relay answers as its OpenAPI document says, and never fails."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from comfytui.headless.relay.openapi import openapi
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.running import RunningRelay, running_relay
from tests.waiting import eventually

QUICK = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64)
CHECKS = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
EXAMPLES = 10
# Schemathesis draws some of the values with the module `random`.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")


def operations(*, constrained: bool = False) -> list[Any]:
    """Return the operations; if `constrained`, those for which there are values that are not valid."""
    results: list[Any] = [*schemathesis.openapi.from_dict(openapi()).get_all_operations()]
    described = [each.ok() for each in results]
    return [
        pytest.param(each, id=each.definition.raw["operationId"])
        for each in described
        if not constrained or is_constrained(each.definition.raw)
    ]


def is_constrained(operation: dict[str, Any]) -> bool:
    schemas = [each["schema"] for each in operation["parameters"]]
    return "requestBody" in operation or any(schema != {"type": "string"} for schema in schemas)


def run_cases(operation: Any, mode: GenerationMode, relay: RunningRelay, known: dict[str, str]) -> None:
    """Send requests that are made from the description, and check what comes back."""

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck]
    )
    @given(operation.as_strategy(mode, path_parameters=known or None))
    def check(case: Case[Any]) -> None:
        response = case.call(base_url=relay.url, timeout=60)
        assert response.status_code < 500 or response.status_code == 503, response.text
        case.validate_response(response, checks=CHECKS)

    check()


@pytest.mark.parametrize("operation", operations())
async def test_valid_requests_are_answered_as_described(operation: Any) -> None:
    await check_answers(operation, GenerationMode.POSITIVE)


@pytest.mark.parametrize("operation", operations(constrained=True))
async def test_invalid_requests_are_answered_as_described(operation: Any) -> None:
    await check_answers(operation, GenerationMode.NEGATIVE)


async def check_answers(operation: Any, mode: GenerationMode) -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        await relay.live()
        await relay.submit(1, model=sim.config.checkpoints[0])
        await eventually(lambda: all(job.outputs for job in relay.state.jobs.values()), "the image")
        # Streams of all of mine end at once, rather than never.
        relay.context.stop()
        known = {
            "promptId": next(iter(relay.state.jobs)),
            "batchId": next(iter(relay.state.batches)),
            "index": "0",
        }
        names = {each["name"] for each in operation.definition.raw["parameters"] if each["in"] == "path"}
        await asyncio.to_thread(run_cases, operation, mode, relay, {})
        if names and mode is GenerationMode.POSITIVE:
            await asyncio.to_thread(run_cases, operation, mode, relay, {name: known[name] for name in names})
