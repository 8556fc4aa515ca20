"""A hostile ComfyUI: a proxy to a simulated server that replaces some of its responses and frames by attacks.

`python -m tests.hostile.server SEED RATE` prints its URL and runs until its standard input is closed. It behaves until
it has accepted a prompt, so that it attacks a program at work and not its first request. It prints a line per attack
to standard error.
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
Attack = Callable[[web.Request, Random, int, bytes], Awaitable[web.StreamResponse]]


class HostileServer:
    """Forwards requests to a simulated server, and attacks with a share of the responses and frames."""

    def __init__(self, sim: SimServer, session: ClientSession, seed: int, attack_rate: float) -> None:
        self._sim = sim
        self._session = session
        self._seed = seed
        self._attack_rate = attack_rate
        self._counts: Counter[str] = Counter()
        self._honest = True

    def rng(self, what: str) -> Random:
        """Return a generator that depends on the seed and on how often `what` occurred, but not on time."""
        self._counts[what] += 1
        return Random(f"{self._seed} {what} {self._counts[what]}")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Respond to a request."""
        if request.path.endswith("/ws"):
            return await self._socket(request)
        is_honest = self._honest
        if request.method == "POST" and request.path.endswith("/prompt"):
            self._honest = False
        rng = self.rng(f"{request.method} {'/'.join(request.path.split('/')[:3])}")
        status, kind, body = await self._real_response(request)
        if is_honest or rng.random() > self._attack_rate:
            return web.Response(status=status, body=body, content_type=kind)
        if request.path.endswith("/view"):
            return await self._attack_image(request, rng, body)
        return await self._attack(request, rng, status, body)

    async def _real_response(self, request: web.Request) -> tuple[int, str, bytes]:
        url = f"{self._sim.url}{request.path_qs}"
        body = await request.read()
        headers = {"Content-Type": "application/json"} if body else {}
        async with self._session.request(request.method, url, data=body or None, headers=headers) as response:
            return response.status, response.content_type, await response.read()

    async def _attack_image(self, request: web.Request, rng: Random, body: bytes) -> web.StreamResponse:
        match rng.randrange(5):
            case 0:
                return await self._attack(request, rng, 200, body)
            case 1:
                return self._log("half an image", web.Response(body=body[: len(body) // 2]))
        return self._log("image", web.Response(body=payloads.random_image(rng), content_type="image/png"))

    async def _attack(self, request: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        attack: Attack = rng.choice(
            [self._mutate] * 8
            + [self._replace_body] * 4
            + [self._encoded, self._status, self._redirect, self._headers]
            + [self._drip, self._endless, self._hang_up]
        )
        return await attack(request, rng, status, body)

    async def _mutate(self, _: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        try:
            value = json.loads(body)
        except ValueError:
            value = {}
        text = payloads.to_json(payloads.mutate(value, rng, rng.randint(1, 6)))
        return self._log("mutated", web.Response(status=status, text=text, content_type="application/json"))

    async def _replace_body(self, _: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        name = rng.choice(list(payloads.BODIES))
        return self._log(name, web.Response(body=payloads.BODIES[name](), content_type="application/json"))

    async def _encoded(self, _: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        name = rng.choice(list(payloads.ENCODED))
        data, encoding = payloads.ENCODED[name]()
        headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
        return self._log(f"encoded: {name}", web.Response(body=data, headers=headers))

    async def _status(self, _: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        status, text = rng.choice(payloads.STATUSES), rng.choice(payloads.ESCAPES)
        reply = payloads.to_json(
            {"error": {"message": text, "details": text}, "node_errors": {text: {"errors": [text]}}}
        )
        if status == 204:
            return self._log("204", web.Response(status=204))
        return self._log(f"{status}", web.Response(status=status, text=reply, content_type="application/json"))

    async def _redirect(self, request: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        if request.method != "GET" or not request.path.endswith("/view"):
            return await self._mutate(request, rng, status, body)
        where = rng.choice(["file:///etc/passwd", "http://127.0.0.1:9/", "//pwned.invalid/", request.path_qs])
        return self._log("redirect", web.Response(status=302, headers={"Location": where}))

    async def _headers(self, _: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        reply = web.Response(status=status, body=body, content_type="application/json")
        for number in range(rng.choice([5, 60])):
            reply.headers.add("Set-Cookie", f"pwned{rng.randrange(10**9)}={'x' * 900}; Path=/")
            reply.headers[f"X-Pwned-{number}"] = "y" * 100
        return self._log("headers", reply)

    async def _drip(self, request: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        reply = self._log("drip", web.StreamResponse(headers={"Content-Type": "application/json"}))
        await reply.prepare(request)
        for _ in range(int(DRIP_SECONDS / 0.1)):
            await reply.write(b" ")
            await asyncio.sleep(0.1)
        await reply.write(body)
        return reply

    async def _endless(self, request: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        reply = self._log("endless", web.StreamResponse(headers={"Content-Type": "application/json"}))
        await reply.prepare(request)
        over = asyncio.get_running_loop().time() + ENDLESS_SECONDS
        await reply.write(b'{"queue_running": [')
        while asyncio.get_running_loop().time() < over:
            await reply.write(b"[0, []]," * 8_000)
        return reply

    async def _hang_up(self, request: web.Request, rng: Random, status: int, body: bytes) -> web.StreamResponse:
        reply = self._log("hang up", web.StreamResponse(headers={"Content-Length": str(len(body) + 10)}))
        await reply.prepare(request)
        await reply.write(body[: len(body) // 2])
        if request.transport:
            request.transport.abort()
        return reply

    def _log(self, attack: str, reply: Reply) -> Reply:
        print(attack, file=sys.stderr, flush=True)
        return reply

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse(compress=True, max_msg_size=2**24)
        await client.prepare(request)
        url = self._sim.url.replace("http", "ws") + request.path_qs
        async with self._session.ws_connect(url, max_msg_size=0) as upstream:
            tasks = [
                asyncio.create_task(part)
                for part in (
                    self._forward_to_server(client, upstream),
                    self._forward_to_client(client, upstream),
                    self._send_invented(client),
                )
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return client

    async def _forward_to_server(self, client: Any, upstream: Any) -> None:
        async for message in client:
            await _forward(message, upstream)

    async def _forward_to_client(self, client: Any, upstream: Any) -> None:
        async for message in upstream:
            rng = self.rng("frame")
            if self._honest or message.type is not WSMsgType.TEXT or rng.random() > self._attack_rate:
                await _forward(message, client)
            else:
                value = payloads.mutate(json.loads(message.data), rng, rng.randint(1, 4))
                await client.send_str(payloads.to_json(value))

    async def _send_invented(self, client: Any) -> None:
        """Send frames that no server would send."""
        while True:
            await asyncio.sleep(FRAME_PAUSE)
            rng = self.rng("invented")
            if self._honest or rng.random() > self._attack_rate:
                continue
            ids = [str(body.get("prompt_id")) for body in self._sim.submitted] or ["0"]
            match rng.randrange(40):
                case 0:
                    self._log("frame of empty lists", None)
                    await client.send_str(payloads.empty_lists(rng.choice([3, 60])).decode())
                case 1:
                    self._log("frame of 3 M blanks", None)
                    await client.send_str(" " * (3 * 2**20))
                case 2:
                    self._log("close", None)
                    await client.close(code=rng.choice([1000, 1011, 1013, 3000]), message=b"\x1b]0;PWNED\x07")
                    return
                case 3:
                    for _ in range(500):
                        await client.ping(b"PWNED")
                case 4:
                    for number in range(500):
                        await client.send_str(payloads.text_frame(self.rng(f"burst {number}"), rng.choice(ids)))
                case _ if rng.random() < 0.4:
                    await client.send_bytes(payloads.binary_frame(rng, rng.choice(ids)))
                case _:
                    await client.send_str(payloads.text_frame(rng, rng.choice(ids)))


async def _forward(message: WSMessage, to: Any) -> None:
    if message.type is WSMsgType.TEXT:
        await to.send_str(message.data)
    elif message.type is WSMsgType.BINARY:
        await to.send_bytes(message.data)


async def serve(seed: int, attack_rate: float) -> None:
    """Run until standard input is closed."""
    config = SimConfig(steps_per_second=20, load_seconds=0.2, other_clients=2, other_client_pause=(0.5, 2.0))
    timeout = ClientTimeout(total=30)
    async with SimServer(config) as sim, ClientSession(timeout=timeout, auto_decompress=True) as session:
        hostile = HostileServer(sim, session, seed, attack_rate)
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
    logging.disable()  # aiohttp logs connections that end in the middle, which are no attacks.
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
