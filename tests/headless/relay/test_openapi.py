"""The relay describes its API in `/api/openapi.json`."""

import json
import re

from comfytui.comfy.server import Server
from comfytui.headless.relay.app import relay_app
from comfytui.headless.relay.openapi import openapi
from comfytui.service.thread import ServiceThread
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.running import running_relay
from tests.timings import FAST


def normalized(path: str) -> str:
    """Return a path without the names of its parameters."""
    return re.sub(r"\{\w+\}", "{}", path)


async def test_every_route_of_the_api_is_described_and_no_other() -> None:
    app = relay_app(ServiceThread(Server.from_url("http://127.0.0.1:9"), timings=FAST))
    routes = {
        (route.method.lower(), normalized(route.resource.canonical))
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/") and route.method != "HEAD"
    }
    described = {(method, normalized(path)) for path, operations in openapi()["paths"].items() for method in operations}
    assert described == routes


async def test_each_parameter_of_a_path_is_described() -> None:
    for path, operations in openapi()["paths"].items():
        for operation in operations.values():
            parameters = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert parameters == set(re.findall(r"\{(\w+)\}", path)), path


async def test_the_document_is_served() -> None:
    async with SimServer(SimConfig()) as sim, running_relay(sim.url) as relay:
        response = await relay.client.get("/api/openapi.json")
        assert response.json() == json.loads(json.dumps(openapi()))
        again = await relay.client.get("/api/openapi.json", headers={"If-None-Match": response.headers["etag"]})
        assert again.status_code == 304
