"""What the fields of a workflow accept is read from the server."""

import asyncio

import pytest

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.errors import ServerError
from comfytui.comfy.server import Server
from comfytui.service.class_definitions import CONCURRENT_REQUESTS
from comfytui.service.server_specs import fetch_specs
from comfytui.sim.server import SimServer
from comfytui.workflow.builtin import txt2img
from tests.service.test_service import QUICK
from tests.waiting import eventually


async def test_the_classes_of_nodes_are_requested_together() -> None:
    async with SimServer(QUICK) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        held = sim.faults.hold_responses("/object_info")
        reading = asyncio.create_task(fetch_specs(backend, txt2img()))
        await eventually(lambda: held.hits == CONCURRENT_REQUESTS, "the requests")
        held.end()
        assert set(await reading) == set(txt2img().fields)


async def test_no_request_goes_on_after_one_has_failed() -> None:
    async with SimServer(QUICK) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        sim.faults.fail(500, "/object_info", times=1)
        sim.faults.hold_responses("/object_info")
        before = asyncio.all_tasks()
        with pytest.raises(ServerError):
            await fetch_specs(backend, txt2img())
        ours = [each for each in asyncio.all_tasks() - before if "definition_of" in repr(each)]
        assert not ours
