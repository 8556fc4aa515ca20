"""The embedded server leaves no process behind."""

import asyncio
import os
import signal
import subprocess
import sys

import httpx
import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.waiting import eventually

PARENT = """
import signal
from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
with EmbeddedServer(SimConfig()) as server:
    print(server.url, flush=True)
    signal.pause()
"""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_lives_as_long_as_its_context() -> None:
    config = SimConfig(checkpoints=("only.safetensors",), like="0.9.9")
    with EmbeddedServer(config) as server:
        pid = server.pid
        assert pid is not None
        assert httpx.get(f"{server.url}/models/checkpoints").json() == ["only.safetensors"]
        assert httpx.get(f"{server.url}/system_stats").json()["system"]["comfyui_version"] == "0.9.9"
    assert not _alive(pid)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
async def test_it_ends_with_its_parent(end: signal.Signals) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert parent.stdout is not None
    url = (await parent.stdout.readline()).decode().strip()
    assert not _gone(url)
    parent.send_signal(end)
    rest, errors = await parent.communicate()
    assert (rest, errors) == (b"", b"")
    await eventually(lambda: _gone(url), "the end of the orphan")


def _gone(url: str) -> bool:
    try:
        httpx.get(f"{url}/prompt")
    except httpx.HTTPError:
        return True
    return False
