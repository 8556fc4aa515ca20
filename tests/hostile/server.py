"""A ComfyUI that lies: a simulated one, whose answers and frames are now and then replaced by something else.

`python -m tests.hostile.server SEED SHARE` prints its URL and runs until its standard input ends. It is honest until it
has taken a prompt, so that what is lied to is a program at work and not its first request. A line of standard error
says each lie.
"""

import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

from aiohttp import ClientSession, ClientTimeout, WSMessage, WSMsgType, web

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.hostile import payloads

FRAME_PAUSE = 0.02
"""Seconds between two invented frames."""
DRIP_SECONDS = 3.0
ENDLESS_SECONDS = 4.0

Reply = TypeVar("Reply")
Lie = Callable[[web.Request, Random, int, bytes], Awaitable[web.StreamResponse]]


class HostileServer:
    """Passes requests on to a simulated server, and lies about a share of the answers."""

    def __init__(self, sim: SimServer, session: ClientSession, seed: int, share: float) -> None:
        self._sim = sim
        self._session = session
        self._seed = seed
        self._share = share
        self._counts: Counter[str] = Counter()
        self._honest = True

    def chance(self, what: str) -> Random:
        """Chance that depends on the seed and on how often that was asked for, and not on the time."""
        self._counts[what] += 1
        return Random(f"{self._seed} {what} {self._counts[what]}")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.path.endswith("/ws"):
            return await self._socket(request)
        is_honest = self._honest
        if request.method == "POST" and request.path.endswith("/prompt"):
            self._honest = False
        chance = self.chance(f"{request.method} {'/'.join(request.path.split('/')[:3])}")
        status, kind, body = await self._true_answer(request)
        if is_honest or chance.random() > self._share:
            return web.Response(status=status, body=body, content_type=kind)
        if request.path.endswith("/view"):
            return await self._lie_about_picture(request, chance, body)
        return await self._lie(request, chance, status, body)

    async def _true_answer(self, request: web.Request) -> tuple[int, str, bytes]:
        url = f"{self._sim.url}{request.path_qs}"
        body = await request.read()
        headers = {"Content-Type": "application/json"} if body else {}
        async with self._session.request(request.method, url, data=body or None, headers=headers) as answer:
            return answer.status, answer.content_type, await answer.read()

    async def _lie_about_picture(self, request: web.Request, chance: Random, body: bytes) -> web.StreamResponse:
        match chance.randrange(5):
            case 0:
                return await self._lie(request, chance, 200, body)
            case 1:
                return self._say("half a picture", web.Response(body=body[: len(body) // 2]))
        return self._say("picture", web.Response(body=payloads.picture(chance), content_type="image/png"))

    async def _lie(self, request: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        lie: Lie = chance.choice(
            [self._twist] * 8
            + [self._other_body] * 4
            + [self._encoded, self._status, self._redirect, self._headers]
            + [self._drip, self._endless, self._hang_up]
        )
        return await lie(request, chance, status, body)

    async def _twist(self, _: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        try:
            value = json.loads(body)
        except ValueError:
            value = {}
        text = payloads.written(payloads.twisted(value, chance, chance.randint(1, 6)))
        return self._say("twisted", web.Response(status=status, text=text, content_type="application/json"))

    async def _other_body(self, _: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        name = chance.choice(list(payloads.BODIES))
        return self._say(name, web.Response(body=payloads.BODIES[name](), content_type="application/json"))

    async def _encoded(self, _: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        name = chance.choice(list(payloads.ENCODED))
        data, encoding = payloads.ENCODED[name]()
        headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
        return self._say(f"encoded: {name}", web.Response(body=data, headers=headers))

    async def _status(self, _: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        status, text = chance.choice(payloads.STATUSES), chance.choice(payloads.ESCAPES)
        reply = payloads.written(
            {"error": {"message": text, "details": text}, "node_errors": {text: {"errors": [text]}}}
        )
        if status == 204:
            return self._say("204", web.Response(status=204))
        return self._say(f"{status}", web.Response(status=status, text=reply, content_type="application/json"))

    async def _redirect(self, request: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        if request.method != "GET" or not request.path.endswith("/view"):
            return await self._twist(request, chance, status, body)
        where = chance.choice(["file:///etc/passwd", "http://127.0.0.1:9/", "//pwned.invalid/", request.path_qs])
        return self._say("redirect", web.Response(status=302, headers={"Location": where}))

    async def _headers(self, _: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        reply = web.Response(status=status, body=body, content_type="application/json")
        for number in range(chance.choice([5, 60])):
            reply.headers.add("Set-Cookie", f"pwned{chance.randrange(10**9)}={'x' * 900}; Path=/")
            reply.headers[f"X-Pwned-{number}"] = "y" * 100
        return self._say("headers", reply)

    async def _drip(self, request: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        reply = self._say("drip", web.StreamResponse(headers={"Content-Type": "application/json"}))
        await reply.prepare(request)
        for _ in range(int(DRIP_SECONDS / 0.1)):
            await reply.write(b" ")
            await asyncio.sleep(0.1)
        await reply.write(body)
        return reply

    async def _endless(self, request: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        reply = self._say("endless", web.StreamResponse(headers={"Content-Type": "application/json"}))
        await reply.prepare(request)
        over = asyncio.get_running_loop().time() + ENDLESS_SECONDS
        await reply.write(b'{"queue_running": [')
        while asyncio.get_running_loop().time() < over:
            await reply.write(b"[0, []]," * 8_000)
        return reply

    async def _hang_up(self, request: web.Request, chance: Random, status: int, body: bytes) -> web.StreamResponse:
        reply = self._say("hang up", web.StreamResponse(headers={"Content-Length": str(len(body) + 10)}))
        await reply.prepare(request)
        await reply.write(body[: len(body) // 2])
        if request.transport:
            request.transport.abort()
        return reply

    def _say(self, lie: str, reply: Reply) -> Reply:
        print(lie, file=sys.stderr, flush=True)
        return reply

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse(compress=True, max_msg_size=2**24)
        await client.prepare(request)
        url = self._sim.url.replace("http", "ws") + request.path_qs
        async with self._session.ws_connect(url, max_msg_size=0) as truth:
            tasks = [
                asyncio.create_task(part)
                for part in (self._upwards(client, truth), self._downwards(client, truth), self._invent(client))
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return client

    async def _upwards(self, client: Any, truth: Any) -> None:
        async for message in client:
            await _pass_on(message, truth)

    async def _downwards(self, client: Any, truth: Any) -> None:
        async for message in truth:
            chance = self.chance("frame")
            if self._honest or message.type is not WSMsgType.TEXT or chance.random() > self._share:
                await _pass_on(message, client)
            else:
                value = payloads.twisted(json.loads(message.data), chance, chance.randint(1, 4))
                await client.send_str(payloads.written(value))

    async def _invent(self, client: Any) -> None:
        """Send what no server would."""
        while True:
            await asyncio.sleep(FRAME_PAUSE)
            chance = self.chance("invented")
            if self._honest or chance.random() > self._share:
                continue
            ids = [str(body.get("prompt_id")) for body in self._sim.submitted] or ["0"]
            match chance.randrange(40):
                case 0:
                    self._say("frame of empty lists", None)
                    await client.send_str(payloads.empty_lists(chance.choice([3, 60])).decode())
                case 1:
                    self._say("frame of 3 M blanks", None)
                    await client.send_str(" " * (3 * 2**20))
                case 2:
                    self._say("close", None)
                    await client.close(code=chance.choice([1000, 1011, 1013, 3000]), message=b"\x1b]0;PWNED\x07")
                    return
                case 3:
                    for _ in range(500):
                        await client.ping(b"PWNED")
                case 4:
                    for number in range(500):
                        await client.send_str(payloads.text_frame(self.chance(f"burst {number}"), chance.choice(ids)))
                case _ if chance.random() < 0.4:
                    await client.send_bytes(payloads.binary_frame(chance, chance.choice(ids)))
                case _:
                    await client.send_str(payloads.text_frame(chance, chance.choice(ids)))


async def _pass_on(message: WSMessage, to: Any) -> None:
    if message.type is WSMsgType.TEXT:
        await to.send_str(message.data)
    elif message.type is WSMsgType.BINARY:
        await to.send_bytes(message.data)


async def serve(seed: int, share: float) -> None:
    """Run until standard input ends."""
    config = SimConfig(steps_per_second=20, load_seconds=0.2, other_clients=2, other_client_pause=(0.5, 2.0))
    timeout = ClientTimeout(total=30)
    async with SimServer(config) as sim, ClientSession(timeout=timeout, auto_decompress=True) as session:
        hostile = HostileServer(sim, session, seed, share)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", hostile.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        with suppress(TimeoutError):
            await asyncio.wait_for(runner.cleanup(), 2)


if __name__ == "__main__":
    logging.disable()  # What aiohttp says of connections that end in the middle is no lie.
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
