"""The WebSocket clients, and the single queue through which all frames are sent."""

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
from comfytui.sim.faults.fault_types import HandshakeFault
from comfytui.sim.faults.faults import Faults

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
    """A preview image, encoded when it is sent: as type 4 with metadata, as type 1 without."""

    image: Image.Image
    max_size: int
    metadata: dict[str, Any] | None = None

    def encode(self) -> bytes:
        """Return the complete binary frame."""
        buffer = BytesIO()
        fitted = ImageOps.contain(self.image, (self.max_size, self.max_size), Image.Resampling.BILINEAR)
        fitted.save(buffer, format="JPEG", quality=JPEG_QUALITY)
        if self.metadata is None:
            return struct.pack(">II", PREVIEW, JPEG) + buffer.getvalue()
        head = json.dumps({**self.metadata, "image_type": "image/jpeg"}).encode()
        return struct.pack(">II", PREVIEW_WITH_METADATA, len(head)) + head + buffer.getvalue()


@dataclass(slots=True, eq=False)
class Recipient:
    """Who gets the frames of a running prompt, and the node that it has entered last."""

    client_id: str | None
    """The client; None sends the frames to all clients."""
    node: str | None = None


@dataclass(slots=True)
class Sockets:
    """Sockets by client id, and the frames to be sent, in order."""

    remaining: Callable[[], int]
    """Returns the number of running and pending jobs, for `status` frames."""
    warn: Callable[[str], None]
    capabilities: Capabilities
    faults: Faults
    clients: dict[str, web.WebSocketResponse] = field(default_factory=dict)
    flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    outbox: asyncio.Queue[tuple[str, Any, str | None]] = field(default_factory=asyncio.Queue)
    recipients: list[Recipient] = field(default_factory=list)
    """Those of the running prompts, in the order in which these started."""

    def send(self, event: str, data: Any, client_id: str | None) -> None:
        """Queue a frame for one client, or for all if `client_id` is None.

        Args:
            event: Type of the frame.
            data: JSON data of the frame, or a `Preview`.
            client_id: The recipient.
        """
        self.outbox.put_nowait((event, data, client_id))

    def send_status(self) -> None:
        """Queue a `status` frame with the current number of jobs, for all clients."""
        self.send("status", {"status": self.status()}, None)

    def status(self) -> dict[str, Any]:
        """Return the response to `GET /prompt`, which is also the body of a `status` frame."""
        return {"exec_info": {"queue_remaining": self.remaining()}}

    def wants_metadata(self, client_id: str | None) -> bool:
        """Return whether a client accepts previews of type 4."""
        flags = self.flags.get(client_id or "", {})
        return flags.get("supports_preview_metadata", False) is True

    async def publish(self) -> None:
        """Send the queued frames in order, forever; a client that does not read blocks all others."""
        while True:
            event, data, client_id = await self.outbox.get()
            frame = (
                await asyncio.to_thread(data.encode)
                if isinstance(data, Preview)
                else json.dumps({"type": event, "data": data})
            )
            for each in self.faults.outgoing(event, data, (frame, client_id)):
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
        """Serve `/ws`: send the first `status`, then read until the socket is closed."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        fault = self.faults.handshake_fault()
        if fault is not None and not fault.greeted:
            await _close(socket, request, fault)
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
            if fault is None:
                await self._listen(socket, sid)
            else:
                await _close(socket, request, fault)
        finally:
            # As in ComfyUI, this removes whichever socket has the id, also a newer one, which then gets no more frames.
            self.clients.pop(sid, None)
            self.flags.pop(sid, None)
        return socket

    async def _greet(self, sid: str) -> None:
        await self._send_now("status", {"status": self.status(), "sid": sid}, sid)
        nodes = [each.node for each in self.recipients if each.client_id == sid and each.node is not None]
        if nodes:
            # As in ComfyUI, it does not say of which prompt; of several, it is the one that started last.
            await self._send_now("executing", {"node": nodes[-1]}, sid)

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

    def orphan(self, sid: str) -> bool:
        """Stop sending to a client's open socket, as happens when an older socket with the same id is closed.

        Returns:
            False if the client has no socket.
        """
        self.flags.pop(sid, None)
        return self.clients.pop(sid, None) is not None

    async def close_all(self) -> None:
        """Close all registered sockets; the others end with the server."""
        for socket in list(self.clients.values()):
            with contextlib.suppress(ClientError, ConnectionError, asyncio.TimeoutError):
                async with asyncio.timeout(1):
                    await socket.close()


async def _close(socket: web.WebSocketResponse, request: web.Request, fault: HandshakeFault) -> None:
    if fault.code is not None:
        await socket.close(code=fault.code)
    elif request.transport is not None:
        request.transport.abort()
