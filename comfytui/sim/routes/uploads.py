"""Routes for uploads: `/upload/image` and `/upload/mask`."""

import asyncio
import json
import posixpath
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from aiohttp import BodyPartReader, web
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfytui.sim.files import KINDS, Files, annotated, clean_folder, escapes
from comfytui.sim.sockets import FEATURES

if TYPE_CHECKING:
    from comfytui.sim.server import SimServer

MASK_COMPRESSION = 4
MAX_SIZE: int = FEATURES["max_upload_size"]
"""Bytes of the largest upload."""


def routes(server: "SimServer") -> list[web.RouteDef]:
    """Return the routes for uploads."""

    async def upload_image(request: web.Request) -> web.Response:
        return await _upload(server.files, await _read_form(request), is_mask=False)

    async def upload_mask(request: web.Request) -> web.Response:
        return await _upload(server.files, await _read_form(request), is_mask=True)

    return [web.post("/upload/image", upload_image), web.post("/upload/mask", upload_mask)]


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, and its file `image`."""

    fields: dict[str, str]
    filename: str
    content: bytes


async def _read_form(request: web.Request) -> Form:
    """Read a form into memory; aiohttp's own method leaves a file open if the client goes away.

    Raises:
        web.HTTPRequestEntityTooLarge: It is larger than the server accepts.
    """
    fields: dict[str, str] = {}
    filename, image, size = "", b"", 0
    parts = await request.multipart() if request.content_type == "multipart/form-data" else None
    while parts is not None and isinstance(part := await parts.next(), BodyPartReader):
        content = bytearray()
        while chunk := await part.read_chunk():
            content += chunk
            size += len(chunk)
            if size > MAX_SIZE:
                raise web.HTTPRequestEntityTooLarge(MAX_SIZE, size)
        if part.filename is None:
            fields[part.name or ""] = content.decode()
        elif part.name == "image":
            filename, image = part.filename, bytes(content)
    return Form(fields, filename, image)


async def _upload(files: Files, form: Form, *, is_mask: bool) -> web.Response:
    kind, subfolder = form.fields.get("type", "input"), form.fields.get("subfolder", "")
    if kind not in KINDS:
        raise KeyError(kind)  # ComfyUI fails as well
    if not form.filename:
        return web.Response(status=400)
    path = posixpath.join(clean_folder(subfolder), form.filename)
    if escapes(path):
        return web.Response(status=400)
    folder = posixpath.dirname(posixpath.normpath(path))
    name, is_duplicate = form.filename, False
    if form.fields.get("overwrite") not in {"true", "1"}:
        name, is_duplicate = _free_name(files, (kind, folder), name, form.content)
    if not is_duplicate:
        stored = await asyncio.to_thread(_masked, files, form) if is_mask else form.content
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


def _masked(files: Files, form: Form) -> bytes | None:
    """Return the image that a mask refers to with the alpha channel of the mask.

    Returns:
        None if there is no such image: then, as in ComfyUI, nothing is stored, and the response is as usual.
    """
    reference = json.loads(form.fields["original_ref"])
    name, kind = annotated(reference["filename"])
    kind, subfolder = kind or reference.get("type", "output"), reference.get("subfolder", "")
    if not name or name[0] == "/" or ".." in name or kind not in KINDS or escapes(subfolder):
        return None
    original = files.get(kind, posixpath.join(subfolder, posixpath.dirname(name)), posixpath.basename(name))
    if original is None:
        return None
    metadata, buffer = PngInfo(), BytesIO()
    with Image.open(BytesIO(original)) as image, Image.open(BytesIO(form.content)) as alpha:
        for key, text in getattr(image, "text", {}).items():
            metadata.add_text(key, text)
        combined = image.convert("RGBA")
        combined.putalpha(alpha.convert("RGBA").getchannel("A"))
    combined.save(buffer, format="PNG", compress_level=MASK_COMPRESSION, pnginfo=metadata)
    return buffer.getvalue()
