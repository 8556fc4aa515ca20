"""A process that decodes images: `python -m comfytui.ui.images.decoder_process`, asked over its standard input.

What a decoder costs is decided by the picture, and a thread cannot be killed in the middle of one. So this process has
limits of its own: too much memory makes an error, too much time ends it, and so does the end of whoever started it.

A request is a `REQUEST` header and the file's bytes; a reply is a `REPLY` header and either the pixels (RGB, or a level
of grey each) or, where the width is 0, the reason why there are none.
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

REQUEST = Struct(">IHH?3B")
"""Bytes of the file, columns and rows of cells, whether in colour, and the colour that shines through."""
REPLY = Struct(">HHI")
"""Width and height in pixels, and the bytes that follow."""
FORMATS = ("JPEG", "PNG", "WEBP")
MOST_PIXELS = 4096 * 4096
"""Larger pictures would need hundreds of megabytes to decode."""
MOST_SCANS = 64
"""Passes of a progressive JPEG over all its pixels; encoders make about ten."""
MEMORY = 288 * 2**20
"""Bytes of memory; the largest picture needs three quarters of it."""
CPU_SECONDS = 3
"""Seconds of computing for one picture; the largest needs about one."""
PIXELS_PER_CELL = 2
"""A cell is one pixel wide and two high in colour, and one pixel without."""
OVERSAMPLING = 3
"""Pixels in each direction from which the last and best scaling makes one."""
BAND = 64
"""Rows of the reduced picture that are converted at once, so that the whole one is never copied."""


class UnsupportedImageError(Exception):
    """The picture is whole, but not for showing."""


def decode(data: bytes, room: tuple[int, int], background: tuple[int, int, int] | None) -> "Image":
    """Decode a picture as large as fits in `room`.

    Args:
        data: A file of one of the FORMATS; of an animation, the first picture is decoded.
        room: Columns and rows of cells.
        background: What shines through, for pixels in RGB; None for levels of grey.

    Raises:
        Unshowable: It is too large or of another format.
        Exception: Whatever Pillow raises at a broken file.
    """
    picture = _webp(data) if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else _jpeg_or_png(data)
    columns, rows = _fitting(picture.size, room)
    if background is None:
        return _scaled(picture, (columns, rows), (0, 0, 0)).convert("L")
    return _scaled(picture, (columns, rows * PIXELS_PER_CELL), background)


def _jpeg_or_png(data: bytes) -> "Image":
    from PIL import Image, UnidentifiedImageError

    # In the data of a scan no such marker can stand.
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > MOST_SCANS:
        raise UnsupportedImageError("too many scans")
    Image.MAX_IMAGE_PIXELS = None  # Looked at here, and not above a limit of Pillow's own.
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS[:2])
    except UnidentifiedImageError:
        raise UnsupportedImageError("not JPEG, PNG or WEBP") from None
    _check(*picture.size)
    return picture


def _webp(data: bytes) -> "Image":
    """Decode a WebP; Pillow's own way keeps three copies of the pixels."""
    from PIL import Image, _webp

    size = _size_of_webp(data)
    _check(*size)
    decoder = _webp.WebPAnimDecoder(data)
    mode = decoder.get_info()[-1]
    pixels, _ = decoder.get_next()
    return Image.frombuffer("RGBX" if mode == "RGBX" else "RGBA", size, pixels, "raw", mode, 0, 1)


def _size_of_webp(data: bytes) -> tuple[int, int]:
    """Width and height by the header: a decoder has memory for them before it has seen a pixel."""
    kind, body = data[12:16], data[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def _check(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise UnsupportedImageError("too large")


def _fitting(pixels: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The most cells in the room that keep the picture's proportions."""
    width, height = pixels
    scale = min(room[0] / width, room[1] * PIXELS_PER_CELL / height)
    return max(1, round(width * scale)), max(1, round(height * scale / PIXELS_PER_CELL))


def _scaled(picture: "Image", pixels: tuple[int, int], background: tuple[int, int, int]) -> "Image":
    """The picture in exactly so many pixels, opaque."""
    from PIL import Image

    picture.draft("RGB", pixels)
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    width, height = picture.size
    across, down = (max(1, size // wanted // OVERSAMPLING) for size, wanted in zip(picture.size, pixels, strict=True))
    reduced = Image.new(mode, (-(-width // across), -(-height // down)))
    for top in range(0, height, BAND * down):
        band = picture.crop((0, top, width, min(height, top + BAND * down)))
        reduced.paste(band.convert(mode).reduce((across, down)), (0, top // down))
    small = reduced.resize(pixels, Image.Resampling.LANCZOS)
    if mode == "RGB":
        return small
    return Image.alpha_composite(Image.new("RGBA", pixels, background), small).convert("RGB")


def _answer(data: bytes, room: tuple[int, int], background: tuple[int, int, int] | None) -> bytes:
    """The reply to one request."""
    try:
        picture = decode(data, room, background)
    except UnsupportedImageError as error:
        return _refusal(str(error))
    except MemoryError:
        return _refusal("too large")
    except Exception:  # Pillow raises whatever a broken file makes it raise.
        return _refusal("broken")
    pixels = picture.tobytes()
    return REPLY.pack(picture.width, picture.height, len(pixels)) + pixels


def _refusal(reason: str) -> bytes:
    return REPLY.pack(0, 0, len(reason)) + reason.encode()


def _limit() -> None:
    """Take little: of memory, of the processor, and nothing of the disk."""
    os.nice(5)
    for what, most in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until nobody asks any more."""
    from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401  (before the first one waits)

    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        size, columns, rows, in_colour, *background = REQUEST.unpack(head)
        data = requests.read(size)
        # SIGPROF ends the process, in the middle of whatever a library does.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        red, green, blue = background
        reply = _answer(data, (columns, rows), (red, green, blue) if in_colour else None)
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(reply)
        replies.flush()


if __name__ == "__main__":
    _limit()
    serve(sys.stdin.buffer, sys.stdout.buffer)
