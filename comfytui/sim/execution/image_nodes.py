"""Functions of the image nodes: encode, decode, save, load, make, scale, invert."""

import asyncio
import json
import time
from dataclasses import replace
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from comfytui.sim.execution.call import NodeCall, NodeResult
from comfytui.sim.execution.runtime_values import Images, Latent, Mask
from comfytui.sim.files import escapes, temp_suffix
from comfytui.sim.machine import NodeFailedError
from comfytui.sim.memory import sizes_of
from comfytui.sim.painting import paint
from comfytui.sim.painting.scene import Scene

DECODE_SHARE = 0.1
"""Share of the load time for the VAE."""
GREY = (127, 127, 127)
SAVED_COMPRESSION, TEMPORARY_COMPRESSION = 4, 1
RESAMPLING = {
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


async def decode(call: NodeCall) -> NodeResult:
    """Paint the images of a latent batch: over the encoded image, if there is one; an empty latent becomes grey."""
    machine, file = call.machine, call["vae"].file
    await machine.load_part(file, sizes_of(file, machine.config.device).vae, DECODE_SHARE)
    latent: Latent = call["samples"]
    return NodeResult((Images(tuple([await asyncio.to_thread(_paint_one, latent, i) for i in range(latent.batch)])),))


def _paint_one(latent: Latent, index: int) -> Image.Image:
    size = (latent.width // 8 * 8, latent.height // 8 * 8)
    scene: Scene | None = latent.scene
    before = None if latent.image is None else latent.image.resize(size)
    if scene is None:
        return before or Image.new("RGB", size, GREY)
    painted = paint(replace(scene, index=index), size)
    return painted if before is None else Image.blend(before, painted, latent.denoise)


async def encode(call: NodeCall) -> NodeResult:
    """Turn the first image of a batch into a latent."""
    machine, file = call.machine, call["vae"].file
    await machine.load_part(file, sizes_of(file, machine.config.device).vae, DECODE_SHARE)
    images: Images = call["pixels"]
    frame = images.frames[0]
    return NodeResult((Latent(*frame.size, len(images.frames), image=frame),))


async def make_empty(call: NodeCall) -> NodeResult:
    """Make images of one colour."""
    red_green_blue = tuple(call["color"].to_bytes(3, "big"))
    frame = Image.new("RGB", (call["width"], call["height"]), red_green_blue)
    return NodeResult((Images((frame,) * call["batch_size"]),))


async def save(call: NodeCall) -> NodeResult:
    """Save images to the output folder."""
    return await _store(call, "output", call.inputs.get("filename_prefix", "ComfyUI"), SAVED_COMPRESSION)


async def save_temporary(call: NodeCall) -> NodeResult:
    """Save images to the temporary folder."""
    return await _store(call, "temp", f"ComfyUI{temp_suffix(call.machine.rng)}", TEMPORARY_COMPRESSION)


async def _store(call: NodeCall, kind: str, prefix: str, compression: int) -> NodeResult:
    images: Images = call["images"]
    width, height = images.frames[0].size
    subfolder, _, stem = _expand(prefix, width, height).replace("\\", "/").rpartition("/")
    if escapes(subfolder):
        raise NodeFailedError("Exception", "**** ERROR: Saving image outside the output folder is not allowed.")
    saved = []
    for number, frame in enumerate(images.frames):
        counter = call.machine.files.next_number(kind, subfolder, stem)
        name = f"{stem.replace('%batch_num%', str(number))}_{counter:05}_.png"
        content = await asyncio.to_thread(_png, frame, call.graph, call.extra_data, compression)
        call.machine.files.put((kind, subfolder, name), content)
        saved.append({"filename": name, "subfolder": subfolder, "type": kind})
    return NodeResult((images,), {"images": saved})


def _expand(prefix: str, width: int, height: int) -> str:
    """Replace the variables in a file name prefix."""
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


async def load(call: NodeCall) -> NodeResult:
    """Load an uploaded image."""
    content = call.machine.files.find_annotated(call["image"])
    if content is None:
        raise NodeFailedError("FileNotFoundError", f"[Errno 2] No such file or directory: '{call['image']}'")
    try:
        frame = await asyncio.to_thread(lambda: ImageOps.exif_transpose(Image.open(BytesIO(content))).convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as exc:
        raise NodeFailedError("PIL.UnidentifiedImageError", "cannot identify image file") from exc
    return NodeResult((Images((frame,)), Mask()))


async def scale(call: NodeCall) -> NodeResult:
    """Scale images; an edge of 0 keeps the aspect ratio."""
    images: Images = call["image"]
    width, height = images.frames[0].size
    wide, high = call["width"], call["height"]
    if wide == 0 and high == 0:
        return NodeResult((images,))
    size = (wide or max(1, round(width * high / height)), high or max(1, round(height * wide / width)))
    method = RESAMPLING[call["upscale_method"]]
    fit = ImageOps.fit if call["crop"] == "center" else Image.Image.resize
    return NodeResult((Images(tuple([await asyncio.to_thread(fit, frame, size, method) for frame in images.frames])),))


async def invert(call: NodeCall) -> NodeResult:
    """Invert images."""
    images: Images = call["image"]
    return NodeResult((Images(tuple([await asyncio.to_thread(ImageOps.invert, frame) for frame in images.frames])),))
