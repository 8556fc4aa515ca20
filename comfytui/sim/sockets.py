"""The client table and the one queue through which every frame leaves."""

import asyncio
import contextlib
import json
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from aiohttp import ClientError, WSMsgType, web
from PIL import Image, ImageOps

from comfytui.sim.capabilities import Capabilities
from comfytui.sim.faults.faults import Faults, HandshakeFault

PREVIEW = 1
PREVIEW_WITH_METADATA = 4
JPEG = 1
JPEG_QUALITY = 95
FEATURES: dict[str, Any] = {
    "supports_preview_metadata": True,
    "supports_model_type_tags": True,
    "max_upload_size": 100 * 1024 * 1024,
    "extension": {"manager": {"supports_v4": True}},
    "node_replacements": True,
    "assets": False,
}


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview to be encoded when its turn comes: with metadata it is sent as type 4, without as type 1."""

    image: Image.Image
    max_size: int
    metadata: dict[str, Any] | None = None

    def encode(self) -> bytes:
        """Return the whole binary frame."""
        buffer = BytesIO()
        fitted = ImageOps.contain(self.image, (self.max_size, self.max_size), Image.Resampling.BILINEAR)
        fitted.save(buffer, format="JPEG", quality=JPEG_QUALITY)
        if self.metadata is None:
            return struct.pack(">II", PREVIEW, JPEG) + buffer.getvalue()
        head = json.dumps({**self.metadata, "image_type": "image/jpeg"}).encode()
        return struct.pack(">II", PREVIEW_WITH_METADATA, len(head)) + head + buffer.getvalue()


@dataclass(slots=True)
class Sockets:
    """Sockets filed by client id, and the frames that wait to be sent, one after another."""

    remaining: Callable[[], int]
    """How many jobs run or wait, told in every `status`."""
    warn: Callable[[str], None]
    capabilities: Capabilities
    faults: Faults
    clients: dict[str, web.WebSocketResponse] = field(default_factory=dict)
    flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    outbox: asyncio.Queue[tuple[str, Any, str | None]] = field(default_factory=asyncio.Queue)
    client_id: str | None = None
    """The owner of the job that runs, or ran last; None sends its frames to everybody."""
    last_node: str | None = None

    def send(self, event: str, data: Any, client_id: str | None) -> None:
        """Queue a frame for one client, or for all when `client_id` is None; `data` may be a Preview."""
        self.outbox.put_nowait((event, data, client_id))

    def send_status(self) -> None:
        """Tell everybody how many jobs remain, as of now."""
        self.send("status", {"status": self.status()}, None)

    def status(self) -> dict[str, Any]:
        """Return the answer of `GET /prompt`, which is also the body of a `status` frame."""
        return {"exec_info": {"queue_remaining": self.remaining()}}

    def wants_metadata(self) -> bool:
        """Return whether the running job's client takes previews of type 4."""
        flags = self.flags.get(self.client_id or "", {})
        return flags.get("supports_preview_metadata", False) is True

    async def publish(self) -> None:
        """Send the queued frames in order, for ever: a client that does not read holds up all."""
        while True:
            event, data, client_id = await self.outbox.get()
            frame = (
                await asyncio.to_thread(data.encode)
                if isinstance(data, Preview)
                else json.dumps({"type": event, "data": data})
            )
            for each in self.faults.disturbed(event, data, (frame, client_id)):
                await self._deliver(*each)
            self.outbox.task_done()

    async def _deliver(self, frame: str | bytes, client_id: str | None) -> None:
        if client_id is None:
            targets = list(self.clients.values())
        else:
            targets = [self.clients[client_id]] if client_id in self.clients else []
        for socket in targets:
            try:
                await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
            except (ClientError, ConnectionError) as exc:
                self.warn(f"send error: {exc}")

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve `/ws`: greet, then read until the socket ends."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        closing = self.faults.at_the_door()
        if closing is not None and not closing.greeted:
            await _close(socket, request, closing)
            return socket
        sid = request.rel_url.query.get("clientId", "")
        if sid:
            self.clients.pop(sid, None)
        else:
            sid = uuid.uuid4().hex
        self.clients[sid] = socket
        self.flags[sid] = {}
        try:
            await self._greet(sid)
            if closing is None:
                await self._listen(socket, sid)
            else:
                await _close(socket, request, closing)
        finally:
            # As in ComfyUI, whoever is filed under the id goes, also a newer socket: that one is deaf from then on.
            self.clients.pop(sid, None)
            self.flags.pop(sid, None)
        return socket

    async def _greet(self, sid: str) -> None:
        await self._send_now("status", {"status": self.status(), "sid": sid}, sid)
        if self.client_id == sid and self.last_node is not None:
            await self._send_now("executing", {"node": self.last_node}, sid)

    async def _send_now(self, event: str, data: Any, sid: str) -> None:
        await self._deliver(json.dumps({"type": event, "data": data}), sid)

    async def _listen(self, socket: web.WebSocketResponse, sid: str) -> None:
        first = True
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                data = json.loads(message.data)
                if first and self.capabilities.feature_flags and data.get("type") == "feature_flags":
                    self.flags[sid] = data.get("data", {})
                    await self._send_now("feature_flags", FEATURES, sid)
                first = False
            except json.JSONDecodeError:
                self.warn(f"Invalid JSON received from client {sid}: {message.data}")
            except (AttributeError, KeyError) as exc:
                self.warn(f"Error processing WebSocket message: {exc}")

    def deafen(self, sid: str) -> bool:
        """Make a client's socket deaf, as the end of an older one of the same id does; False when there is none."""
        self.flags.pop(sid, None)
        return self.clients.pop(sid, None) is not None

    async def close_all(self) -> None:
        """Close every socket, deaf ones aside, which end with the server."""
        for socket in list(self.clients.values()):
            with contextlib.suppress(ClientError, ConnectionError, asyncio.TimeoutError):
                async with asyncio.timeout(1):
                    await socket.close()


async def _close(socket: web.WebSocketResponse, request: web.Request, closing: HandshakeFault) -> None:
    if closing.code is not None:
        await socket.close(code=closing.code)
    elif request.transport is not None:
        request.transport.abort()
