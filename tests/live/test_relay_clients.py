"""Real clients of the relay's stream, straight and behind a real nginx that buffers and speaks HTTP/1.0 to it."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.running import RunningRelay, running_relay
from tests.headless.relay.sse import STREAM
from tests.live.nginx import NGINX, nginx_before
from tests.waiting import TIMEOUT

CONFIG = SimConfig(steps_per_second=20, load_seconds=0)
MODEL = CONFIG.checkpoints[0]
CURL = shutil.which("curl")
BUFFERED = "proxy_buffering on; proxy_buffers 8 64k;"
HTTP_1_0 = "proxy_http_version 1.0;"
"""What nginx speaks unless told otherwise."""

behind_nginx = pytest.mark.skipif(NGINX is None, reason="no nginx is installed here")
with_curl = pytest.mark.skipif(CURL is None, reason="no curl is installed here")


@pytest.fixture
async def relay() -> AsyncIterator[RunningRelay]:
    async with SimServer(CONFIG) as sim, running_relay(sim.url) as relay:
        await relay.live()
        yield relay


@pytest.fixture(params=["straight", pytest.param("behind nginx", marks=behind_nginx)])
async def url(request: pytest.FixtureRequest, relay: RunningRelay, tmp_path: Path) -> AsyncIterator[str]:
    """Where clients reach the relay."""
    if request.param == "straight":
        yield relay.url
        return
    async with nginx_before(relay.url, tmp_path, directives=BUFFERED, upgrade="", http=HTTP_1_0) as nginx:
        yield nginx.url


async def run_seen_by(events: AsyncGenerator[dict[str, Any], None], relay: RunningRelay, batch: str) -> list[str]:
    """Check that steps arrive while the batch runs, and return the names of all events."""
    names = []
    seen_running = False
    async with asyncio.timeout(TIMEOUT):
        async for event in events:
            names.append(event["event"])
            seen_running |= bool(event.get("currentStep")) and not relay.context.feed.has_ended(
                relay.state.batches[batch]
            )
    assert seen_running, names
    return names


async def by_httpx_sse(url: str, batch: str) -> AsyncGenerator[dict[str, Any], None]:
    async with (
        httpx.AsyncClient(trust_env=False, timeout=TIMEOUT) as client,
        aconnect_sse(client, "GET", f"{url}{STREAM}", params={"batchId": batch}) as source,
        aclosing(source.aiter_sse()) as events,
    ):
        async for event in events:
            if event.data:  # httpx-sse also yields `retry:` and comments, as events without data.
                content = event.json()
                assert (content["event"], event.id.isdigit(), event.retry) == (event.event, True, None)
                yield content


async def by_curl(url: str, batch: str) -> AsyncGenerator[dict[str, Any], None]:
    assert CURL is not None
    curl = await asyncio.create_subprocess_exec(
        *(CURL, "-q", "-sS", "-N", "--noproxy", "*", f"{url}{STREAM}?batchId={batch}"), stdout=asyncio.subprocess.PIPE
    )
    assert curl.stdout is not None
    try:
        async for line in curl.stdout:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))
        assert await curl.wait() == 0
    finally:
        if curl.returncode is None:
            curl.kill()
            await curl.wait()


async def test_httpx_sse_gets_each_event_as_it_comes_and_the_end(relay: RunningRelay, url: str) -> None:
    batch = await relay.submit(2, model=MODEL, steps=40)
    async with aclosing(by_httpx_sse(url, batch)) as events:
        names = await run_seen_by(events, relay, batch)
    assert (names.count("image"), names[-1]) == (2, "done")


@with_curl
async def test_curl_gets_each_event_as_it_comes_and_ends_with_the_stream(relay: RunningRelay, url: str) -> None:
    batch = await relay.submit(2, model=MODEL, steps=40)
    async with aclosing(by_curl(url, batch)) as events:
        names = await run_seen_by(events, relay, batch)
    assert (names.count("image"), names[-1]) == (2, "done")
