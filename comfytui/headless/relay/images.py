"""The routes of pictures: the files of a job, as ComfyUI has them or smaller, and the newest preview."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import TypeVar

from aiohttp import web

from comfytui.comfy.errors import ComfyError, ServerError, TimedOut, Unreachable
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.media_types import Media, media_of
from comfytui.decoding.decoder import DecodeError
from comfytui.headless.relay.answers import has_same
from comfytui.headless.relay.context import CONTEXT
from comfytui.headless.relay.errors import why_away
from comfytui.headless.relay.media import content_type_of, file_headers, image_type_of, tag_of
from comfytui.headless.relay.requested import requested_job
from comfytui.headless.relay.thumbnails import CONTENT_TYPE, MAX_BYTES, MAX_WIDTH, MIN_WIDTH, PREVIEW
from comfytui.service.backend import Backend
from comfytui.session.model import Job, LinkKind
from comfytui.session.selectors import is_overwritten

T = TypeVar("T")

WRITE_SECONDS = 30.0
"""Seconds in which a client must take a piece of a file."""
MAX_TRANSFERS = 32
"""Files that are passed on at once; each takes a connection to ComfyUI as long as its client reads."""

ROUTES = web.RouteTableDef()


@ROUTES.get("/api/view/{prompt_id}/{index:[0-9]{1,5}}", allow_head=False)
async def get_file(request: web.Request) -> web.StreamResponse:
    """Answer with a file that a job made; `?width=` asks for a smaller version of an image."""
    job, output = _requested_file(request)
    width = _requested_width(request, output)
    tag = tag_of(job, output, width)
    headers = file_headers(job, output, tag, CONTENT_TYPE if width else content_type_of(output))
    if has_same(request, tag):
        return web.Response(status=304, headers=headers)
    if width:
        return web.Response(body=await _smaller(request, output, width), headers=headers)
    return await _pass_on(request, output, headers)


@ROUTES.get("/api/preview/{prompt_id}", allow_head=False)
async def get_preview(request: web.Request) -> web.Response:
    """Answer with the newest preview of a job, if it is the newest of all."""
    job, preview = requested_job(request), request.app[CONTEXT].preview
    content_type = image_type_of(preview.image) if preview and preview.prompt_id == job.prompt_id else None
    if preview is None or content_type is None:
        raise web.HTTPNotFound(text="There is no preview of this job.")
    tag = blake2b(preview.image, digest_size=12).hexdigest()
    headers = {"Cache-Control": "no-store", "ETag": f'"{tag}"'}
    if has_same(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=preview.image, content_type=content_type, headers=headers)


def _requested_file(request: web.Request) -> tuple[Job, Output]:
    """Return the job and the file that the path names."""
    job, index = requested_job(request), int(request.match_info["index"])
    if index >= len(job.outputs):
        raise web.HTTPNotFound(text="The job has no file of this number.")
    output = job.outputs[index]
    if is_overwritten(request.app[CONTEXT].feed.state, job, output):
        raise web.HTTPGone(text="A newer job uses the same name: the file of this one is no longer there.")
    return job, output


def _requested_width(request: web.Request, output: Output) -> int | None:
    """Return the width of a smaller version, in pixels; None if the file itself is asked for."""
    text = request.query.get("width")
    if text is None:
        return None
    if media_of(output) is not Media.IMAGE:
        raise web.HTTPBadRequest(text="width: only images have smaller versions.")
    if not re.fullmatch("[0-9]{1,5}", text) or not MIN_WIDTH <= int(text) <= MAX_WIDTH:
        raise web.HTTPBadRequest(text=f"width: a number of pixels from {MIN_WIDTH} to {MAX_WIDTH}.")
    return int(text)


async def _smaller(request: web.Request, output: Output, width: int) -> bytes:
    """Return a smaller version of an image."""

    def fetch() -> Awaitable[bytes]:
        return ask(request, lambda backend: backend.view(output, PREVIEW, MAX_BYTES))

    try:
        return await request.app[CONTEXT].thumbnails.make(fetch, width)
    except DecodeError as error:
        raise web.HTTPBadGateway(text=f"The image cannot be made smaller: {error}.") from None


async def _pass_on(request: web.Request, output: Output, headers: dict[str, str]) -> web.StreamResponse:
    """Pass on a file piece by piece, as fast as the client takes it; only one piece is in memory."""
    context, loop = request.app[CONTEXT], asyncio.get_running_loop()
    if context.transfers >= MAX_TRANSFERS:
        raise web.HTTPServiceUnavailable(text="Too many files are being passed on: try again in a moment.")
    response = web.StreamResponse(headers=headers)

    async def send(piece: bytes) -> None:
        async with asyncio.timeout(WRITE_SECONDS):
            if not response.prepared:
                await response.prepare(request)
            await response.write(piece)

    async def sink(piece: bytes) -> None:  # On the service's loop.
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(send(piece), loop))

    context.transfers += 1
    try:
        await ask(request, lambda backend: backend.download(output, sink))
    except (web.HTTPError, TimeoutError) as error:
        if not response.prepared and isinstance(error, web.HTTPError):
            raise
        # What the client got is incomplete; only a connection that breaks off says so.
        if request.transport is not None:
            request.transport.abort()
        return response
    finally:
        context.transfers -= 1
    if not response.prepared:  # The file is empty.
        await response.prepare(request)
    return response


async def ask(request: web.Request, question: Callable[[Backend], Awaitable[T]]) -> T:
    """Ask ComfyUI for something.

    Raises:
        HTTPError: It has it no longer (404), fails (502), or cannot be reached (503).
    """
    if (state := request.app[CONTEXT].session.state).link.kind is LinkKind.OTHER_SERVER:
        # It may have a file of the same name.
        raise web.HTTPServiceUnavailable(text=f"{why_away(state)}.")
    try:
        return await asyncio.wrap_future(request.app[CONTEXT].session.service.call(question))
    except (Unreachable, TimedOut) as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from None
    except ComfyError as error:
        is_gone = isinstance(error, ServerError) and error.status == 404
        raise (web.HTTPNotFound if is_gone else web.HTTPBadGateway)(text=str(error)) from None
