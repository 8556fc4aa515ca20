"""Fixtures of the live tests: a running ComfyUI, and a service that uses it."""

from collections.abc import AsyncIterator

import pytest

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.server import Server, parse_header
from comfytui.service.server_specs import fetch_specs
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from tests.watcher import Watcher, watching


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    url = request.config.getoption("--comfyui")
    if not url:
        pytest.skip("no server to drive: give one with --comfyui URL")
    headers = [parse_header(header) for header in request.config.getoption("--header")]
    return Server.from_url(url, headers=headers)


@pytest.fixture
async def model(request: pytest.FixtureRequest, client: ComfyBackend) -> str:
    """The checkpoint of all live images."""
    specs = await fetch_specs(client, txt2img())
    names = specs[Field.MODEL].options if Field.MODEL in specs else None
    if not names:
        pytest.skip("the server has no checkpoint")
    chosen: str = request.config.getoption("--checkpoint") or names[0]
    assert chosen in names, f"the server has no checkpoint {chosen}: it has {', '.join(names)}"
    return chosen


@pytest.fixture
async def client(server: Server) -> AsyncIterator[ComfyBackend]:
    async with ComfyBackend(server) as client:
        yield client


@pytest.fixture
async def watcher(server: Server) -> AsyncIterator[Watcher]:
    async with watching(server) as watcher:
        yield watcher
