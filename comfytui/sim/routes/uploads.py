"""Routes for uploads: `/upload/image` and `/upload/mask`."""

import asyncio
import json
import posixpath
from io import BytesIO
from typing import TYPE_CHECKING, Any

from aiohttp import web
from multidict import MultiMapping
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfytui.sim.files import KINDS, Files, annotated, clean_folder, escapes

if TYPE_CHECKING:
    from comfytui.sim.server import SimServer

MASK_COMPRESSION = 4


def routes(server: "SimServer") -> list[web.RouteDef]:
    """Return the routes for uploads."""

    async def upload_image(request: web.Request) -> web.Response:
        return await _upload(server.files, await request.post(), is_mask=False)

    async def upload_mask(request: web.Request) -> web.Response:
        return await _upload(server.files, await request.post(), is_mask=True)

    return [web.post("/upload/image", upload_image), web.post("/upload/mask", upload_mask)]


async def _upload(files: Files, form: MultiMapping[Any], *, is_mask: bool) -> web.Response:
    image, kind, subfolder = form.get("image"), str(form.get("type", "input")), str(form.get("subfolder", ""))
    if kind not in KINDS:
        raise KeyError(kind)  # ComfyUI fails as well
    if not isinstance(image, web.FileField) or not image.filename:
        return web.Response(status=400)
    path = posixpath.join(clean_folder(subfolder), image.filename)
    if escapes(path):
        return web.Response(status=400)
    folder = posixpath.dirname(posixpath.normpath(path))
    content = image.file.read()
    name, is_duplicate = image.filename, False
    if form.get("overwrite") not in {"true", "1"}:
        name, is_duplicate = _free_name(files, (kind, folder), name, content)
    if not is_duplicate:
        stored = await asyncio.to_thread(_masked, files, form, content) if is_mask else content
        if stored is not None:
            files.put((kind, folder, posixpath.basename(name)), stored)
    return web.json_response({"name": name, "subfolder": subfolder, "type": kind})


def _free_name(files: Files, place: tuple[str, str], name: str, content: bytes) -> tuple[str, bool]:
    """Return the first name that is free or has the same content, and whether it has."""
    stem, suffix = posixpath.splitext(name)
    number = 1
    while (before := files.get(*place, posixpath.basename(name))) is not None:
        if before == content:
            return name, True
        name = f"{stem} ({number}){suffix}"
        number += 1
    return name, False


def _masked(files: Files, form: MultiMapping[Any], mask: bytes) -> bytes | None:
    """Return the image that a mask refers to with the alpha channel of the mask.

    Returns:
        None if there is no such image: then, as in ComfyUI, nothing is stored, and the response is as usual.
    """
    reference = json.loads(str(form.get("original_ref")))
    name, kind = annotated(reference["filename"])
    kind, subfolder = kind or reference.get("type", "output"), reference.get("subfolder", "")
    if not name or name[0] == "/" or ".." in name or kind not in KINDS or escapes(subfolder):
        return None
    original = files.get(kind, posixpath.join(subfolder, posixpath.dirname(name)), posixpath.basename(name))
    if original is None:
        return None
    metadata, buffer = PngInfo(), BytesIO()
    with Image.open(BytesIO(original)) as image, Image.open(BytesIO(mask)) as alpha:
        for key, text in getattr(image, "text", {}).items():
            metadata.add_text(key, text)
        combined = image.convert("RGBA")
        combined.putalpha(alpha.convert("RGBA").getchannel("A"))
    combined.save(buffer, format="PNG", compress_level=MASK_COMPRESSION, pnginfo=metadata)
    return buffer.getvalue()
