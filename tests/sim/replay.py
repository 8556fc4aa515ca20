"""Replays the client's side of a recording on a simulated server."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Any, Self

import httpx
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.sim.gate import Gate
from tests.sim.recording import Exchange, Recording, load
from tests.waiting import eventually

RECORDED_SERVER = SimConfig(
    steps_per_second=0,
    load_seconds=0,
    checkpoints=("v1-5-random.safetensors",),
    diffusion_models=(),
    text_encoders=(),
    vae=(),
    loras=(),
    controlnets=(),
    embeddings=(),
    has_workflows=False,
    preview_method="latent2rgb",
    preview_size=96,
    device="cpu",
)
"""The server that the recordings were made of."""
CONFIGS = {
    "http_workflows": replace(
        RECORDED_SERVER, loras=("fox_style.safetensors",), embeddings=("easynegative.safetensors",)
    ),
}
"""The servers of recordings that were made of another one."""
FLAGS = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}


class Socket:
    """A client's socket, and the frames that it received."""

    def __init__(self, connection: ClientConnection) -> None:
        self.frames: list[str | bytes] = []
        self._connection = connection
        self._arrived = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for frame in self._connection:
                async with self._arrived:
                    self.frames.append(frame)
                    self._arrived.notify_all()
        except ConnectionClosed:
            pass

    async def send(self, message: dict[str, Any]) -> None:
        await self._connection.send(json.dumps(message))

    async def count(self, frames: int) -> None:
        """Wait until a number of frames was received."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.frames) >= frames)

    async def receive_all(self) -> None:
        """Wait until all frames sent so far were received: a pong cannot overtake a frame."""
        await (await self._connection.ping())

    async def close(self) -> None:
        await self._connection.close()
        await self._reader


class Replay:
    """A running replay; each `request` sends the next recorded request unchanged."""

    def __init__(self, server: SimServer, gate: Gate, http: httpx.AsyncClient, recording: Recording) -> None:
        self.server, self.gate, self.recording = server, gate, recording
        self.sockets: dict[str, Socket] = {}
        self.exchanges: list[Exchange] = []
        self._http = http
        self._planned: Iterator[Exchange] = iter(recording.exchanges)
        self._gone: dict[str, list[str | bytes]] = {}

    def on(self, name: str) -> Self:
        """Return a replay of another recording with the same server and HTTP client."""
        return type(self)(self.server, self.gate, self._http, load(name))

    @property
    def frames(self) -> dict[str, list[str | bytes]]:
        """The frames that each socket received; sockets of the same name are concatenated."""
        names = self._gone.keys() | self.sockets.keys()
        return {
            name: self._gone.get(name, []) + (self.sockets[name].frames if name in self.sockets else [])
            for name in names
        }

    @property
    def _in_node(self) -> bool:
        """Whether a prompt runs a node."""
        return any(each.node is not None for each in self.server.sockets.recipients)

    async def open(self, name: str = "owner", *, like: str | None = None, flags: bool = True) -> None:
        """Open a socket with the recorded client id, and wait for the server's first frames.

        Args:
            name: Name of the socket in the recording.
            like: Name of the socket whose client id to use, if another.
            flags: Whether to send feature flags.
        """
        client_id = self.recording.client_id(like or name)
        url = f"{self.server.url.replace('http', 'ws')}/ws?clientId={client_id}"
        socket = self.sockets[name] = Socket(await connect(url, max_size=None))
        if flags:
            await socket.send(FLAGS)
            await socket.count(3 if self._in_node else 2)
        else:
            await socket.count(1)

    async def close(self, name: str = "owner") -> None:
        """Close a socket, and wait until the server has noticed."""
        socket = self.sockets.pop(name)
        await socket.receive_all()
        await socket.close()
        self._gone.setdefault(name, []).extend(socket.frames)

    async def request(self, count: int = 1) -> None:
        """Send the next recorded requests, one after another."""
        for _ in range(count):
            planned = next(self._planned)
            response = await self._http.request(planned.method, planned.path, **body_of(planned))
            try:
                body = response.json()
            except ValueError:
                body = response.text
            type_ = response.headers.get("content-type")
            self.exchanges.append(
                Exchange(planned.method, planned.path, planned.request, response.status_code, body, planned.note, type_)
            )
            if planned.method == "POST":
                await _next_millisecond()

    async def start(self) -> None:
        """Let the first job start, up to the first node that takes time."""
        self.gate.let_start()
        await eventually(lambda: self._in_node, "the first node")
        await self.receive_all()

    async def steps(self, count: int) -> None:
        """Let the sampler do a number of steps, and wait until their frames were received."""
        await self.gate.let_steps(count)
        await self.receive_all()

    async def receive_all(self) -> None:
        """Wait until the server has sent all queued frames, and the sockets have received them."""
        await self.server.sockets.outbox.join()
        for socket in self.sockets.values():
            await socket.receive_all()

    async def finish(self, *prompt_ids: str) -> None:
        """Let everything run, and request each prompt once it has ended, as in the recording."""
        await self.gate.let_all()
        for prompt_id in prompt_ids:
            await eventually(partial(self.server.queue.history.__contains__, prompt_id), "the end of a prompt")
            await self.request()
        await self.receive_all()

    @property
    def submitted(self) -> list[str]:
        """The ids of the prompts that were submitted."""
        return [each.request["prompt_id"] for each in self.exchanges if each.path == "/prompt"]


def body_of(planned: Exchange) -> dict[str, Any]:
    """Return the arguments that send the body of a recorded request; recorded forms lack the contents of files."""
    match planned.request:
        case {"form": fields}:
            names = {name: value[6:-1] for name, value in fields.items() if value.startswith("<file ")}
            files = {name: (file, content_of(file, planned.note)) for name, file in names.items()}
            return {"data": {name: value for name, value in fields.items() if name not in names}, "files": files}
        case str(text):
            return {"content": text}
        case json_body:
            return {"json": json_body}


def content_of(file: str, note: str) -> bytes:
    """Return the content of a file in a recorded form: of the recorded kind, another one where the note says so."""
    if not file.endswith(".png"):
        return b"hello"
    buffer = BytesIO()
    Image.new("RGB", (8, 8), (9, 9, 9) if "other" in note else (200, 90, 40)).save(buffer, "PNG")
    return buffer.getvalue()


@asynccontextmanager
async def replaying(name: str) -> AsyncIterator[Replay]:
    """Start a server like the recorded one, blocked at its first job, and replay a recording on it."""
    gate = Gate()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SimServer(CONFIGS.get(name, RECORDED_SERVER), clock=gate))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url))
        replay = Replay(server, gate, http, load(name))
        yield replay
        for socket in list(replay.sockets):
            await replay.close(socket)


async def _next_millisecond() -> None:
    """Wait until a prompt gets another time than those before it: the list of jobs is sorted by these times."""
    now = int(time.time() * 1000)
    await eventually(lambda: int(time.time() * 1000) > now, "the next millisecond", pause=0.001)
