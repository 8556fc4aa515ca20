"""A running ComfyUI, and the service that drives it."""

from collections.abc import AsyncIterator

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from tests.watcher import Watcher, watching


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    url = request.config.getoption("--comfyui")
    if not url:
        pytest.skip("no server to drive: give one with --comfyui URL")
    return Server.from_url(url)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[ComfyClient]:
    async with ComfyClient(server) as client:
        yield client


@pytest.fixture
async def watcher(server: Server) -> AsyncIterator[Watcher]:
    async with watching(server) as watcher:
        yield watcher
