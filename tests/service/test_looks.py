"""Looks at a server over HTTP end when they are told to."""

import asyncio
from dataclasses import replace

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.service.door import Door
from comfytui.service.looks import Looker
from comfytui.session.model import Link, LinkKind
from comfytui.session.state import SessionState


async def test_they_end_also_when_one_is_asked_for_in_that_very_moment() -> None:
    live = replace(SessionState(), link=Link(LinkKind.LIVE))
    looker = Looker(lambda _: None, lambda: live, Door(lambda _: None, lambda _: None, lambda: None))
    async with ComfyClient(Server.from_url("http://127.0.0.1:9")) as client:
        for steps in range(4):
            looking = asyncio.create_task(looker.run(client))
            await asyncio.sleep(0.01)
            looker.want()
            for _ in range(steps):
                await asyncio.sleep(0)
            looking.cancel()
            done, _ = await asyncio.wait([looking], timeout=10)
            assert done
            looker._wanted.clear()
