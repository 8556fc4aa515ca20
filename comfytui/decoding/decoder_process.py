"""The decoder process: `python -m comfytui.decoding.decoder_process` reads images from stdin, writes pixels to stdout.

The cost of decoding depends on the image, and a thread cannot be killed in the middle of one. This process limits
itself: too much memory is an error, too much processor time ends the process, and so does the end of its parent.

A request is a `REQUEST` header and the bytes of the file. A reply is a `REPLY` header and the pixels, each RGB or one
level of grey; if the width is 0, the reason why the image cannot be shown follows instead.
"""

import io
import os
import resource
import signal
import sys
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Image

REQUEST = Struct(">IHH??3B")
"""Bytes of the file, columns and rows, whether to enlarge, whether in colour, and the background colour."""
REPLY = Struct(">HHI")
"""Width and height in pixels, and the number of bytes that follow."""
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 4096 * 4096
"""Larger images would need hundreds of megabytes to decode."""
MAX_SCANS = 64
"""Scans of a progressive JPEG, each a pass over all its pixels; encoders write about ten."""
MAX_MEMORY = 288 * 2**20
"""Bytes of memory; the largest image needs three quarters of it."""
MAX_CPU_SECONDS = 3
"""Seconds of processor time for one image; the largest needs about one."""
PIXELS_PER_CELL = 2
"""A cell is one pixel wide and two high in colour, and one pixel without."""
OVERSAMPLING = 3
"""Pixels in each direction that the final, high-quality scaling combines to one."""
BAND_ROWS = 64
"""Rows of the reduced image that are converted at once, so that the whole image is never copied."""


class UnsupportedImageError(Exception):
    """The image is too costly or of a format that is not shown; the message says which."""


def decode(
    data: bytes, max_cells: tuple[int, int], background: tuple[int, int, int] | None, *, enlarge: bool = True
) -> "Image":
    """Decode an image, scaled to the largest size that fits.

    Args:
        data: A file of one of the FORMATS; of an animation, the first frame is decoded.
        max_cells: Columns and rows.
        background: The colour behind transparent pixels, for pixels in RGB; None for levels of grey.
        enlarge: Whether a small image is scaled up.

    Raises:
        UnsupportedImageError: The image is too large or of another format.
        Exception: Whatever Pillow raises for a broken file.
    """
    image = _webp(data) if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else _jpeg_or_png(data)
    columns, rows = _fit(image.size, max_cells, enlarge=enlarge)
    if background is None:
        return _scale(image, (columns, rows), (0, 0, 0)).convert("L")
    return _scale(image, (columns, rows * PIXELS_PER_CELL), background)


def _jpeg_or_png(data: bytes) -> "Image":
    from PIL import Image, UnidentifiedImageError

    # The start-of-scan marker cannot occur within the data of a scan.
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > MAX_SCANS:
        raise UnsupportedImageError("too many scans")
    Image.MAX_IMAGE_PIXELS = None  # _check_size does it instead.
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS[:2])
    except UnidentifiedImageError:
        raise UnsupportedImageError("not JPEG, PNG or WEBP") from None
    _check_size(*image.size)
    return image


def _webp(data: bytes) -> "Image":
    """Decode a WebP without Pillow's plugin, which keeps three copies of the pixels."""
    from PIL import Image, _webp

    size = _webp_size(data)
    _check_size(*size)
    decoder = _webp.WebPAnimDecoder(data)
    mode = decoder.get_info()[-1]
    pixels, _ = decoder.get_next()
    return Image.frombuffer("RGBX" if mode == "RGBX" else "RGBA", size, pixels, "raw", mode, 0, 1)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Read width and height from the header: the decoder allocates memory for them before it reads a pixel."""
    kind, body = data[12:16], data[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnsupportedImageError("too large")


def _fit(pixels: tuple[int, int], max_cells: tuple[int, int], *, enlarge: bool) -> tuple[int, int]:
    """Return the largest size in cells that keeps the proportions of the image, at most its own unless enlarged."""
    width, height = pixels
    scale = min(max_cells[0] / width, max_cells[1] * PIXELS_PER_CELL / height)
    scale = scale if enlarge else min(scale, 1.0)
    return max(1, round(width * scale)), max(1, round(height * scale / PIXELS_PER_CELL))


def _scale(image: "Image", pixels: tuple[int, int], background: tuple[int, int, int]) -> "Image":
    """Scale the image to exactly `pixels`, opaque on the background."""
    from PIL import Image

    image.draft("RGB", pixels)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    width, height = image.size
    across, down = (max(1, size // target // OVERSAMPLING) for size, target in zip(image.size, pixels, strict=True))
    reduced = Image.new(mode, (-(-width // across), -(-height // down)))
    for top in range(0, height, BAND_ROWS * down):
        band = image.crop((0, top, width, min(height, top + BAND_ROWS * down)))
        reduced.paste(band.convert(mode).reduce((across, down)), (0, top // down))
    small = reduced.resize(pixels, Image.Resampling.LANCZOS)
    if mode == "RGB":
        return small
    return Image.alpha_composite(Image.new("RGBA", pixels, background), small).convert("RGB")


def _reply(data: bytes, max_cells: tuple[int, int], background: tuple[int, int, int] | None, *, enlarge: bool) -> bytes:
    """Return the reply to one request."""
    try:
        image = decode(data, max_cells, background, enlarge=enlarge)
    except UnsupportedImageError as error:
        return _failure_reply(str(error))
    except MemoryError:
        return _failure_reply("too large")
    except Exception:  # A broken file makes Pillow raise almost anything.
        return _failure_reply("broken")
    pixels = image.tobytes()
    return REPLY.pack(image.width, image.height, len(pixels)) + pixels


def _failure_reply(reason: str) -> bytes:
    return REPLY.pack(0, 0, len(reason)) + reason.encode()


def _limit_resources() -> None:
    """Limit memory, lower the priority, and write no files."""
    os.nice(5)
    for limit, value in ((resource.RLIMIT_DATA, MAX_MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until the input ends."""
    from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401  (loaded before the first request)

    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        size, columns, rows, enlarge, in_colour, *background = REQUEST.unpack(head)
        data = requests.read(size)
        # SIGPROF ends the process, even in the middle of native code.
        signal.setitimer(signal.ITIMER_PROF, MAX_CPU_SECONDS)
        red, green, blue = background
        reply = _reply(data, (columns, rows), (red, green, blue) if in_colour else None, enlarge=enlarge)
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(reply)
        replies.flush()


if __name__ == "__main__":
    _limit_resources()
    serve(sys.stdin.buffer, sys.stdout.buffer)
