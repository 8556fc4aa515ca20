"""Pages of other origins in a browser: what those that are allowed may do, and what others may not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from comfytui.headless.relay.options import RelayOptions
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.browser.browser import Browser
from tests.headless.relay.running import RunningRelay, running_relay
from tests.waiting import eventually

TOKEN = "a-token-for-the-app"
QUICK = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64)
FOLLOWED = """void (async (headers) => {{
    const first = await fetch({url!r}, {{ headers }});
    headers["If-None-Match"] = first.headers.get("ETag");
    const again = await fetch({url!r} + "?wait=0.1", {{ headers }});
    window.got = [first.status, again.status];
}})({{ Authorization: "Bearer {token}" }}).catch((error) => {{ window.got = String(error); }})"""
SHOWN = """void Object.assign(new Image(), {{
    onload: () => {{ window.got = "shown"; }}, onerror: () => {{ window.got = "blocked"; }}, {attributes} src: {url!r},
}})"""
ENDED = """void Object.assign(new EventSource({url!r}), {{ onerror() {{ this.close(); }} }}).addEventListener(
    "done", ({{ data }}) => {{ window.got = JSON.parse(data).event; }},
)"""


@asynccontextmanager
async def page() -> AsyncIterator[str]:
    """Serve an empty page, and give its origin: another one than the relay's, by its port."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>app</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def made_by(relay: RunningRelay, sim: SimServer) -> tuple[str, str]:
    """Have an image made; return the address of its file, and its batch."""
    await relay.live()
    batch_id = await relay.submit(1, model=sim.config.checkpoints[0])
    [prompt_id] = relay.state.batches[batch_id].prompt_ids
    await eventually(lambda: relay.state.jobs[prompt_id].outputs, "the image")
    return f"{relay.url}/api/view/{prompt_id}/0", batch_id


async def test_an_allowed_page_follows_polls_and_shows(browser: Browser) -> None:
    async with page() as origin, page() as other, SimServer(QUICK) as sim:
        options = RelayOptions(port=0, token=TOKEN, allowed_origins=(origin,))
        async with running_relay(sim.url, options=options) as relay:
            view, batch_id = await made_by(relay, sim)
            stream = f"{relay.url}/api/generate/progress?batchId={batch_id}&token={TOKEN}"
            await browser.open(origin)
            await browser.run(FOLLOWED.format(url=f"{relay.url}/api/progress", token=TOKEN))
            await browser.until("window.got", [200, 304])
            await browser.run(SHOWN.format(url=f"{view}?token={TOKEN}", attributes=""))
            await browser.until("window.got", "shown")
            await browser.run(ENDED.format(url=stream))
            await browser.until("window.got", "done")
            await browser.open(other)
            await browser.run(SHOWN.format(url=f"{view}?token={TOKEN}", attributes=""))
            await browser.until("window.got", "blocked")
            await browser.open("about:blank")


@pytest.mark.parametrize(
    ("attributes", "result"),
    [
        ('referrerPolicy: "no-referrer",', "blocked"),
        ('referrerPolicy: "no-referrer", crossOrigin: "anonymous",', "shown"),
    ],
)
async def test_a_page_that_tells_no_referrer_needs_crossorigin(browser: Browser, attributes: str, result: str) -> None:
    async with page() as origin, SimServer(QUICK) as sim:
        options = RelayOptions(port=0, allowed_origins=(origin,))
        async with running_relay(sim.url, options=options) as relay:
            view, _ = await made_by(relay, sim)
            await browser.open(origin)
            await browser.run(SHOWN.format(url=view, attributes=attributes))
            await browser.until("window.got", result)
            await browser.open("about:blank")
