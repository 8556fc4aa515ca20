"""An upload through the service: its progress is reported, and it ends when its caller gives it up."""

import asyncio
from pathlib import Path
from threading import Event

from comfytui.comfy.protocol.library import ServerFile
from comfytui.comfy.server import Server
from comfytui.service.backend import Backend
from comfytui.sim.server import SimServer
from tests.faults.proxy import proxy_to
from tests.service.test_service import QUICK
from tests.waiting import eventually
from tests.watcher import watching


async def test_the_progress_and_the_name_of_an_upload_are_told(tmp_path: Path) -> None:
    file, reports = tmp_path / "fox.png", list[int]()
    file.write_bytes(bytes(2**20))
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url)) as it:
        await it.live()
        upload = it.service.call(lambda backend: backend.upload(file, "fox.png", lambda sent, _: reports.append(sent)))
        assert await asyncio.wrap_future(upload) == ServerFile("fox.png")
        assert reports[-1] == 2**20
        assert sim.files.get("input", "", "fox.png") == bytes(2**20)


async def test_an_upload_that_is_given_up_ends() -> None:
    sent, ended = Event(), Event()

    def report(count: int, _: int) -> None:
        if count:
            sent.set()

    async def upload(backend: Backend) -> None:
        try:
            await backend.upload(bytes(64 * 2**20), "fox.png", report)
        except asyncio.CancelledError:
            ended.set()
            raise

    async with SimServer(QUICK) as sim, proxy_to(sim.url) as proxy, watching(Server.from_url(proxy.url)) as it:
        await it.live()
        proxy.throttle(10_000_000)
        answer = it.service.call(upload, stops=True)
        await eventually(sent.is_set, "the first bytes")
        answer.cancel()
        await eventually(ended.is_set, "the end of the upload")
        proxy.throttle(None)
        assert await asyncio.wrap_future(it.service.call(lambda backend: backend.queue_count())) == 0
        assert sim.files.get("input", "", "fox.png") is None
