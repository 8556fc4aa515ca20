"""Smaller versions of images, for lists and for phones."""

import asyncio
import io
from collections.abc import Awaitable, Callable

from comfytui.decoding.decoder import DECODER
from comfytui.decoding.decoder_process import PIXELS_PER_CELL

MIN_WIDTH, MAX_WIDTH = 16, 2048
"""Width of a smaller version, in pixels; it is at most twice as high."""
PREVIEW = "jpeg;90"
"""As what ComfyUI is asked for an image that is to become smaller: a JPEG is short, and quickly reduced."""
MAX_BYTES = 32 * 2**20
"""Bytes of such an image, or of the original where a server has no previews."""
CONTENT_TYPE = "image/webp"
QUALITY = 80
AT_ONCE = 2
"""Images that are fetched and reduced at once; the others wait, so that memory stays bounded."""
BACKGROUND = (255, 255, 255)
"""The colour behind transparent pixels."""


class Thumbnails:
    """Makes smaller versions of images, a few at once."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def make(self, fetch: Callable[[], Awaitable[bytes]], width: int) -> bytes:
        """Return a WebP of an image, as large as it is or as the width allows.

        Args:
            fetch: Returns the image.
            width: Most pixels across.

        Raises:
            DecodeError: It is no image, or one that takes too much time or memory.
            Exception: Whatever `fetch` raises.
        """
        async with self._slots:
            work = asyncio.create_task(asyncio.to_thread(_reduce, await fetch(), width))
            try:
                return await asyncio.shield(work)
            finally:
                # No thread stops for a client that leaves: the slot is free when it is.
                await asyncio.wait({work})


def _reduce(data: bytes, width: int) -> bytes:
    """Return a smaller WebP; only the process of the decoder reads the image, which may be hostile."""
    from PIL import Image

    pixels = DECODER.decode(data, (width, width * 2 // PIXELS_PER_CELL), BACKGROUND, enlarge=False)
    file = io.BytesIO()
    Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data).save(file, "WEBP", quality=QUALITY, method=2)
    return file.getvalue()
