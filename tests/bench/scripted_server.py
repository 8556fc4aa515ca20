"""A server that sends exactly the requested frames and records when:
`python -m tests.bench.scripted_server PENDING [definitions]`.

It implements just enough of ComfyUI's protocol. A submitted prompt starts to run and stays at its sampler.
"""

import asyncio
import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from aiohttp import web

SAMPLER = "3"
DEFINITIONS = Path(__file__).parents[1] / "data" / "workflows" / "object_info.json.gz"
"""The definitions of all node classes, 1.6 MB."""
GRAPH_BYTES = 2_000
"""Size of each pending graph as JSON."""
STATS = {
    "system": {"comfyui_version": "0.33.0", "os": "linux", "ram_total": 64 << 30, "ram_free": 33 << 30, "argv": []},
    "devices": [{"name": "cuda:0", "type": "cuda", "vram_total": 24 << 30, "vram_free": 7 << 30}],
}


class ScriptedServer:
    """The queue, the socket of one client, and the times of the frames sent."""

    def __init__(self, pending: int, *, definitions: bool = False) -> None:
        self.running: list[list[Any]] = []
        self.pending = ", ".join(json.dumps(_item(number)) for number in range(1, pending + 1))
        self.count = pending
        self.socket: web.WebSocketResponse | None = None
        self.sent_at: dict[int, float] = {}
        self.connected_at = 0.0
        self.definitions = gzip.decompress(DEFINITIONS.read_bytes()) if definitions else b"{}"

    @property
    def body(self) -> str:
        """The response to `GET /queue`."""
        return f'{{"queue_running": {json.dumps(self.running)}, "queue_pending": [{self.pending}]}}'

    async def send(self, event: str, **data: Any) -> None:
        """Send one frame."""
        if self.socket is not None:
            await self.socket.send_str(json.dumps({"type": event, "data": data}))

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serve `/ws`."""
        self.socket = socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connected_at = time.monotonic()
        await self.send("status", status=self.status(), sid=request.query.get("clientId", ""))
        async for _ in socket:
            pass
        return socket

    def status(self) -> dict[str, Any]:
        """Return the data of a status frame."""
        return {"exec_info": {"queue_remaining": self.count + len(self.running)}}

    async def submit(self, request: web.Request) -> web.Response:
        """Accept a prompt, and run the first one of each client as far as its sampler."""
        body = await request.json()
        prompt_id = body["prompt_id"]
        extra = {**body["extra_data"], "client_id": body["client_id"]}
        if not self.running or self.running[0][3]["client_id"] != body["client_id"]:
            self.running = [[0, prompt_id, body["prompt"], extra, ["9"]]]
            await self.send("status", status=self.status())
            await self.send("execution_start", prompt_id=prompt_id, timestamp=int(time.time() * 1000))
            await self.send("execution_cached", prompt_id=prompt_id, nodes=[], timestamp=int(time.time() * 1000))
            await self.send("executing", prompt_id=prompt_id, node=SAMPLER, display_node=SAMPLER)
        return web.json_response({"prompt_id": prompt_id, "number": 0, "node_errors": {}})

    async def send_steps(self, request: web.Request) -> web.Response:
        """Serve `/bench/step`; see `RemoteServer.send_steps`."""
        command = await request.json()
        first, last, pause = command["first"], command["last"], command["pause"]
        prompt_id = self.running[0][1] if self.running else ""
        began = time.monotonic()
        for count, value in enumerate(range(first, last + 1)):
            if (wait := began + count * pause - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            self.sent_at[value] = time.monotonic()
            await self.send("progress", value=value, max=command["top"], prompt_id=prompt_id, node=SAMPLER)
        return web.json_response({str(value): self.sent_at[value] for value in (first, last)})

    async def times(self, _: web.Request) -> web.Response:
        """Serve `/bench/times`: when the socket was opened and each step sent, in monotonic seconds."""
        return web.json_response({"connected": self.connected_at, "sent": self.sent_at})

    def app(self) -> web.Application:
        """Return the application with its routes, also under `/api`."""
        bodies: dict[str, Any] = {"/history": {}, "/system_stats": STATS, "/object_info/": {}}
        app = web.Application()
        for prefix in ("", "/api"):
            app.router.add_get(f"{prefix}/ws", self.connect)
            app.router.add_post(f"{prefix}/prompt", self.submit)
            app.router.add_get(f"{prefix}/prompt", lambda _: _json(json.dumps(self.status())))
            app.router.add_get(f"{prefix}/queue", lambda _: _json(self.body))
            for path, body in bodies.items():
                text = json.dumps(body)
                app.router.add_get(f"{prefix}{path}{{rest:.*}}", lambda _, text=text: _json(text))  # type: ignore[misc]
            app.router.add_get(f"{prefix}/object_info", lambda _: _json(self.definitions.decode()))
        app.router.add_post("/bench/step", self.send_steps)
        app.router.add_get("/bench/times", self.times)
        return app


def _item(number: int) -> list[Any]:
    """Return a pending prompt of another client: the text-to-image graph, padded to its usual size."""
    graph: dict[str, Any] = {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                **{"seed": number, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal"},
                **{"denoise": 1.0, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0]},
                "latent_image": ["5", 0],
            },
        },
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_xl_base_1.0.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 1024, "height": 1024, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": f"picture number {number}", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}},
    }
    graph["7"]["inputs"]["text"] = ("blurry, " * GRAPH_BYTES)[: GRAPH_BYTES - len(json.dumps(graph))]
    extra = {"client_id": f"{number % 7:032x}", "create_time": 1_760_000_000_000 + number}
    return [number, str(UUID(int=number)), graph, extra, ["9"]]


async def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


async def serve(pending: int, *, definitions: bool) -> None:
    """Serve until standard input is closed; prints the URL first."""
    runner = web.AppRunner(
        ScriptedServer(pending, definitions=definitions).app(), access_log=None, shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), definitions="definitions" in sys.argv))
