"""A relay with scripted documents, on a port that it keeps when it restarts."""

import asyncio
import json
from io import BytesIO
from typing import Any

from aiohttp import web
from PIL import Image

from comfytui.headless.relay.page import page_routes

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64"/></svg>'
Json = dict[str, Any]


def jpeg(colour: str, size: int = 64) -> bytes:
    """Return a JPEG of one colour."""
    data = BytesIO()
    Image.new("RGB", (size, size), colour).save(data, "jpeg")
    return data.getvalue()


def progress(batch_id: str = "b1", **values: Any) -> Json:
    """Return a progress event."""
    event: Json = {
        "version": 1,
        "event": "progress",
        "promptId": f"{batch_id}-p1",
        "batchId": batch_id,
        "status": "running",
        "imageIndex": 2,
        "totalImages": 4,
        "currentStep": 12,
        "totalSteps": 20,
        "percentage": 60,
        "imageFraction": 0.55,
        "batchFraction": 0.39,
        "phase": "sampling",
        "node": "KSampler",
        "rate": 5.9,
        "elapsedSeconds": 4.2,
        "leftSeconds": 9.4,
        "seed": 5,
        "ahead": 0,
        "link": "live",
    }
    return event | values


def image(batch_id: str = "b1", index: int = 1, **values: Any) -> Json:
    """Return the event about an image, which is also the snapshot of its job as far as the page reads it."""
    prompt_id = f"{batch_id}-p{index}"
    event: Json = {
        "version": 1,
        "event": "image",
        "promptId": prompt_id,
        "batchId": batch_id,
        "status": "done",
        "outcome": "succeeded",
        "imageIndex": index,
        "totalImages": 4,
        "seed": 40 + index,
        "outputs": [{"filename": f"{index}.png", "media": "image", "url": f"/api/view/{prompt_id}/0", "path": None}],
        "error": None,
    }
    return event | values


def end(batch_id: str = "b1", how: str = "done", **counts: int) -> Json:
    """Return the last event of a batch."""
    return {"version": 1, "event": how, "promptId": None, "batchId": batch_id, "counts": counts or {"done": 4}}


def batch(batch_id: str = "b1", title: str = "a red fox in fresh snow", total: int = 4, **values: Any) -> Json:
    """Return the snapshot of a batch: one that runs, unless it is given another progress."""
    snapshot: Json = {
        "batchId": batch_id,
        "title": title,
        "totalImages": total,
        "status": "running",
        "counts": {"done": 1, "running": 1, "queued": 2},
        "promptIds": [f"{batch_id}-p{index}" for index in range(1, total + 1)],
        "progress": progress(batch_id),
    }
    return snapshot | values


class StubRelay:
    """Serves the page with the documents that a test sets, and sends it the events that a test gives.

    Args:
        token: What a client has to log in with; none is needed without it.
    """

    def __init__(self, token: str | None = None) -> None:
        self.batches: list[Json] = []
        self.jobs: list[Json] = []
        self.name = "gpu-box"
        self.link = "live"
        self.reason = ""
        """Why the link is in this state."""
        self.requests: list[str] = []
        """The paths of all requests, with their queries."""
        self.cancelled: list[str] = []
        """The ids of the jobs and batches that were to be cancelled, in order."""
        self.cancel_answers: list[tuple[int, Json]] = []
        """The answers to the next cancellations, with their status; those after are 200."""
        self.generated: list[tuple[str, Json]] = []
        """The requests for images, with their keys."""
        self.answers: list[tuple[int, Json]] = []
        """The answers to the next of these, with their status; those after are 202."""
        self.refuses_streams = False
        """Whether no client may follow events."""
        self.missing = False
        """Whether the files of all images are gone."""
        self.previews: dict[str, bytes] = {}
        """The newest previews, by job."""
        self.port = 0
        self._token = token
        self._clients: set[asyncio.Queue[Json | None]] = set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def followers(self) -> int:
        """How many streams are open."""
        return len(self._clients)

    async def start(self) -> None:
        """Serve, on the port of before if there was one."""
        app = web.Application(middlewares=[self._check])
        app.add_routes(page_routes())
        app.add_routes(
            [
                web.get("/api/queue", self._queue),
                web.get("/api/server", self._server),
                web.get("/api/generate/progress", self._stream),
                web.get("/api/view/{id}/{index}", self._view),
                web.get("/api/preview/{id}", self._preview),
                web.post("/login", self._login),
                web.post("/api/jobs/{id}/cancel", self._cancel),
                web.post("/api/batches/{id}/cancel", self._cancel),
                web.post("/api/generate", self._generate),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End all streams, and the server."""
        self._put(None)
        if self._runner:
            await self._runner.cleanup()

    def send(self, *events: Json) -> None:
        """Send events to all who follow."""
        for event in events:
            self._put(event)

    def _put(self, event: Json | None) -> None:
        for client in self._clients:
            client.put_nowait(event)

    @web.middleware
    async def _check(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(str(request.rel_url))
        known = self._token is None or request.cookies.get("token") == self._token
        if request.path.startswith("/api/") and not known:
            return web.json_response({"error": "unauthorised"}, status=401)
        response: web.StreamResponse = await handler(request)
        return response

    async def _queue(self, _: web.Request) -> web.Response:
        running = [job for job in self.jobs if job["status"] in {"running", "queued"}]
        ended = [job for job in self.jobs if job not in running]
        lists = {"running": running, "pending": [], "ended": ended, "batches": self.batches}
        return web.json_response({"version": 1, "link": self.link, "current": True, "length": 3, "omitted": 0, **lists})

    async def _server(self, _: web.Request) -> web.Response:
        link = {"state": self.link, "reason": self.reason}
        return web.json_response({"version": 1, "name": self.name, "queueLength": 3, "link": link})

    async def _view(self, _: web.Request) -> web.Response:
        if self.missing:
            return web.json_response({"error": "ComfyUI has this file no longer."}, status=404)
        return web.Response(text=PICTURE, content_type="image/svg+xml")

    async def _preview(self, request: web.Request) -> web.Response:
        preview = self.previews.get(request.match_info["id"])
        if preview is None:
            return web.json_response({"error": "There is no preview of this job."}, status=404)
        tag = str(hash(preview))
        response = web.Response(body=preview, content_type="image/jpeg")
        if any(each.value == tag for each in request.if_none_match or ()):
            response = web.Response(status=304)
        response.etag = tag
        return response

    async def _cancel(self, request: web.Request) -> web.Response:
        self.cancelled.append(request.match_info["id"])
        status, answer = self.cancel_answers.pop(0) if self.cancel_answers else (200, {})
        return web.json_response(answer, status=status)

    async def _generate(self, request: web.Request) -> web.Response:
        self.generated.append((request.headers["Idempotency-Key"], await request.json()))
        status, answer = self.answers.pop(0) if self.answers else (202, {})
        return web.json_response(answer, status=status)

    async def _login(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("token") != self._token:
            return web.json_response({"error": "This is not the token of the relay."}, status=401)
        response = web.json_response({})
        response.set_cookie("token", str(self._token), httponly=True, samesite="Strict")
        return response

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self.refuses_streams:
            return web.json_response({"error": "Too many clients."}, status=503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        await response.write(b"retry: 200\n\n")
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        self._clients.add(queue)
        try:
            while event := await queue.get():
                await response.write(f"event: {event['event']}\ndata: {json.dumps(event)}\n\n".encode())
        finally:
            self._clients.discard(queue)
        return response
