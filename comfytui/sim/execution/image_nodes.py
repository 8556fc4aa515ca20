"""The nodes that deal in pictures: decode, save, load, scale, invert."""

import asyncio
import json
import time
from dataclasses import replace
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from comfytui.sim.execution.call import Call, Result
from comfytui.sim.execution.runtime_values import Images, Latent, Mask
from comfytui.sim.files import escapes, temp_suffix
from comfytui.sim.machine import NodeFailedError
from comfytui.sim.memory import sizes_of
from comfytui.sim.painting import paint
from comfytui.sim.painting.scene import Scene

DECODE_SHARE = 0.1
"""Part of the load time that brings the VAE into memory."""
GREY = (127, 127, 127)
SAVED_COMPRESSION, TEMPORARY_COMPRESSION = 4, 1
RESAMPLING = {
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


async def decode(call: Call) -> Result:
    """Paint the pictures of a latent batch; an empty latent gives grey."""
    box, file = call.box, call["vae"].file
    await box.bring(file, sizes_of(file, box.config.device).vae, DECODE_SHARE)
    latent: Latent = call["samples"]
    return Result((Images(tuple([await asyncio.to_thread(_paint_one, latent, i) for i in range(latent.batch)])),))


def _paint_one(latent: Latent, index: int) -> Image.Image:
    size = (latent.width // 8 * 8, latent.height // 8 * 8)
    scene: Scene | None = latent.scene
    return Image.new("RGB", size, GREY) if scene is None else paint(replace(scene, index=index), size)


async def save(call: Call) -> Result:
    """Save pictures to the output folder."""
    return await _store(call, "output", call.inputs.get("filename_prefix", "ComfyUI"), SAVED_COMPRESSION)


async def save_temporary(call: Call) -> Result:
    """Save pictures to the temporary folder."""
    return await _store(call, "temp", f"ComfyUI{temp_suffix(call.box.rng)}", TEMPORARY_COMPRESSION)


async def _store(call: Call, kind: str, prefix: str, compression: int) -> Result:
    pictures: Images = call["images"]
    width, height = pictures.frames[0].size
    subfolder, _, stem = _expand(prefix, width, height).replace("\\", "/").rpartition("/")
    if escapes(subfolder):
        raise NodeFailedError("Exception", "**** ERROR: Saving image outside the output folder is not allowed.")
    shown = []
    for number, frame in enumerate(pictures.frames):
        counter = call.box.files.next_number(kind, subfolder, stem)
        name = f"{stem.replace('%batch_num%', str(number))}_{counter:05}_.png"
        content = await asyncio.to_thread(_png, frame, call.graph, call.extra_data, compression)
        call.box.files.put((kind, subfolder, name), content)
        shown.append({"filename": name, "subfolder": subfolder, "type": kind})
    return Result((pictures,), {"images": shown})


def _expand(prefix: str, width: int, height: int) -> str:
    """Fill in the variables that a file name prefix may have."""
    now = time.localtime()
    values = {"width": width, "height": height, "year": now.tm_year}
    values |= {"month": now.tm_mon, "day": now.tm_mday, "hour": now.tm_hour, "minute": now.tm_min, "second": now.tm_sec}
    for name, value in values.items():
        prefix = prefix.replace(f"%{name}%", f"{value:02}")
    return prefix


def _png(frame: Image.Image, graph: dict[str, Any], extra_data: dict[str, Any], compression: int) -> bytes:
    metadata = PngInfo()
    metadata.add_text("prompt", json.dumps(graph))
    for key, value in (extra_data.get("extra_pnginfo") or {}).items():
        metadata.add_text(key, json.dumps(value))
    buffer = BytesIO()
    frame.save(buffer, format="PNG", pnginfo=metadata, compress_level=compression)
    return buffer.getvalue()


async def load(call: Call) -> Result:
    """Load an uploaded picture."""
    content = call.box.files.find_annotated(call["image"])
    if content is None:
        raise NodeFailedError("FileNotFoundError", f"[Errno 2] No such file or directory: '{call['image']}'")
    try:
        frame = await asyncio.to_thread(lambda: ImageOps.exif_transpose(Image.open(BytesIO(content))).convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as exc:
        raise NodeFailedError("PIL.UnidentifiedImageError", "cannot identify image file") from exc
    return Result((Images((frame,)), Mask()))


async def scale(call: Call) -> Result:
    """Scale pictures; 0 keeps the proportion of the other edge."""
    pictures: Images = call["image"]
    width, height = pictures.frames[0].size
    wide, high = call["width"], call["height"]
    if wide == 0 and high == 0:
        return Result((pictures,))
    size = (wide or max(1, round(width * high / height)), high or max(1, round(height * wide / width)))
    method = RESAMPLING[call["upscale_method"]]
    fit = ImageOps.fit if call["crop"] == "center" else Image.Image.resize
    return Result((Images(tuple([await asyncio.to_thread(fit, frame, size, method) for frame in pictures.frames])),))


async def invert(call: Call) -> Result:
    """Invert pictures."""
    pictures: Images = call["image"]
    return Result((Images(tuple([await asyncio.to_thread(ImageOps.invert, frame) for frame in pictures.frames])),))
