"""Images that are small to send and expensive to decode."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

from PIL import Image


def webp_of(width: int, height: int) -> bytes:
    """Return a WebP that claims a size but has hardly any pixels."""
    bits = (width - 1) | (height - 1) << 14
    body = b"\x2f" + bits.to_bytes(4, "little") + bytes(13)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def extended_webp_of(width: int, height: int) -> bytes:
    """Return a WebP whose canvas claims a size, around an image of one pixel."""
    file = io.BytesIO()
    Image.new("RGBA", (1, 1)).save(file, "WEBP", lossless=True)
    canvas = bytes([0x10, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = b"VP8X" + struct.pack("<I", len(canvas)) + canvas + file.getvalue()[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


@cache
def full_webp(side: int) -> bytes:
    """Return a complete WebP of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), "blue").save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


@cache
def scan_bomb(side: int = 4000, scans: int = 20_000) -> bytes:
    """Return a progressive JPEG that repeats its last scan, over all its pixels."""
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    last = whole.rindex(b"\xff\xda")
    head, scan = whole[:last], whole[last:-2]
    return head + scan[:10] * scans + b"\xff\xd9"


def png_of(width: int, height: int, *chunks: tuple[bytes, bytes], rows: int | None = None) -> bytes:
    """Return a greyscale PNG with extra chunks before its pixels; only `rows` rows are present, if given."""
    pixels = zlib.compress(bytes((width + 1) * (height if rows is None else rows)), 9)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    every = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in every
    )


@cache
def _zeros(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def text_bomb(megabytes: int = 60) -> bytes:
    """Return a PNG with compressed texts (zTXt) of many zeros."""
    bomb = b"prompt\0\0" + _zeros(megabytes * 2**20)
    return png_of(8, 8, *[(b"zTXt", bomb)] * 3)


def international_text_bomb(megabytes: int = 60) -> bytes:
    """Return a PNG with a compressed international text (iTXt) of many zeros."""
    return png_of(8, 8, (b"iTXt", b"prompt\0\1\0\0\0" + _zeros(megabytes * 2**20)))


def profile_bomb(megabytes: int = 60) -> bytes:
    """Return a PNG with a compressed colour profile of many zeros."""
    return png_of(8, 8, (b"iCCP", b"icc\0\0" + _zeros(megabytes * 2**20)))


def pixel_bomb() -> bytes:
    """Return a small PNG with far too much pixel data."""
    return png_of(8, 8, rows=20_000_000)


def many_chunks(count: int = 50_000) -> bytes:
    """Return a PNG with very many chunks."""
    return png_of(8, 8, *[(b"tEXt", b"a\0b")] * count)


def many_segments(count: int = 100_000) -> bytes:
    """Return a JPEG with very many application segments."""
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG")
    return file.getvalue()[:2] + b"\xff\xe5\x00\x02" * count + file.getvalue()[2:]


def animation(form: str = "PNG", frames: int = 50) -> bytes:
    """Return an animation with many frames."""
    file = io.BytesIO()
    first, *others = (Image.new("L", (64, 64), shade) for shade in range(frames))
    first.save(file, form, save_all=True, append_images=others)
    return file.getvalue()


def other_format(form: str) -> bytes:
    """Return an image in another format."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, form)
    return file.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "webp that claims 64 M pixels": lambda: webp_of(16383, 3900),
    "webp whose canvas claims 280 T pixels": lambda: extended_webp_of(2**24, 2**24),
    "webp of 16 M pixels": lambda: full_webp(4096),
    "webp of 67 M pixels": lambda: webp_of(8192, 8192),
    "jpeg with 20,000 scans": scan_bomb,
    "jpeg with 60 scans": lambda: scan_bomb(4096, 55),
    "jpeg of segments": many_segments,
    "png of 16 M pixels": lambda: png_of(4096, 4096),
    "png that claims 4 G pixels": lambda: png_of(65000, 65000, rows=1),
    "png with a text bomb": text_bomb,
    "png with an iTXt bomb": international_text_bomb,
    "png with a profile bomb": profile_bomb,
    "png with endless pixels": pixel_bomb,
    "png of chunks": many_chunks,
    "animated png": animation,
    "animated webp": lambda: animation("WEBP"),
    "gif": lambda: animation("GIF"),
    "tiff": lambda: other_format("TIFF"),
    "bmp": lambda: other_format("BMP"),
    "nothing": bytes,
    "noise": lambda: bytes(range(256)) * 50,
    "half a jpeg": lambda: other_format("JPEG")[:300],
}
