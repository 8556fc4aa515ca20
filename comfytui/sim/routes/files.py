"""Route for the contents of files: `/view`."""

import asyncio
import mimetypes
import posixpath
from io import BytesIO
from typing import TYPE_CHECKING

from aiohttp import web
from multidict import MultiMapping
from PIL import Image

from comfytui.sim.files import KINDS, annotated, escapes

if TYPE_CHECKING:
    from comfytui.sim.server import SimServer

PREVIEW_FORMATS = ("webp", "jpeg")
PREVIEW_QUALITY = 90
BLOCKED_TYPES = frozenset({"text/html", "application/xhtml+xml", "text/javascript", "text/css"})


def routes(server: "SimServer") -> list[web.RouteDef]:
    """Return the route for files."""

    async def view(request: web.Request) -> web.Response:
        return await _view(server, request)

    return [web.get("/view", view)]


async def _view(server: "SimServer", request: web.Request) -> web.Response:
    query = request.rel_url.query
    if "filename" not in query:
        return web.Response(status=404)
    name, kind = annotated(query["filename"])
    if not name or name[0] == "/" or ".." in name:
        return web.Response(status=400)
    kind = kind or query.get("type", "output")
    if kind not in KINDS:
        return web.Response(status=400)
    subfolder = query.get("subfolder", "")
    if escapes(subfolder):
        return web.Response(status=403)
    name = posixpath.basename(name)
    content = server.files.get(kind, subfolder, name)
    if content is None:
        return web.Response(status=404)
    headers = {"Content-Disposition": f'filename="{name}"'}
    if "preview" in query or query.get("channel", "rgba") != "rgba":
        body, type_ = await asyncio.to_thread(_convert, content, query)
    else:
        body, type_ = content, mimetypes.guess_type(name)[0] or "application/octet-stream"
    return web.Response(
        body=body, content_type="application/octet-stream" if type_ in BLOCKED_TYPES else type_, headers=headers
    )


def _convert(content: bytes, query: MultiMapping[str]) -> tuple[bytes, str]:
    """Return an image converted to the queried preview format or channel, and its content type."""
    channel = query.get("channel", "")
    buffer = BytesIO()
    with Image.open(BytesIO(content)) as image:
        if "preview" in query:
            wanted, *options = query["preview"].split(";")
            quality = options[-1] if options else ""
            form = wanted if wanted in PREVIEW_FORMATS and "a" not in channel else "webp"
            converted = image.convert("RGB") if form == "jpeg" or channel == "rgb" else image
            converted.save(buffer, format=form, quality=int(quality) if quality.isdigit() else PREVIEW_QUALITY)
            return buffer.getvalue(), f"image/{form}"
        if channel == "a":
            converted = Image.new("RGBA", image.size)
            converted.putalpha(image.getchannel("A") if "A" in image.getbands() else Image.new("L", image.size, 255))
        elif channel == "rgb":
            converted = image.convert("RGB")
        else:
            return content, "image/png"
        converted.save(buffer, format="PNG")
    return buffer.getvalue(), "image/png"
