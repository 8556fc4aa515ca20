"""The graph that ComfyUI writes into the pictures it saves."""

import json
import warnings
from io import BytesIO
from typing import Any

_FORMATS = ("PNG", "WEBP", "JPEG")
_EXIF_MARK = "prompt:"
"""WebP and JPEG have no text chunks: there the graph stands in an EXIF tag, behind this mark."""


class UnreadablePictureError(ValueError):
    """The bytes are no picture, or one whose metadata are broken or too large."""


def is_picture(content: bytes) -> bool:
    """Tell a PNG, JPEG or WebP by its first bytes."""
    return content.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or content[8:12] == b"WEBP"


def prompt_in(content: bytes) -> str | None:
    """Return the graph's JSON text as it stands in the picture, or None; pixels are not decoded."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # Large upscales are no attack here: nothing is decompressed but text.
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(content), formats=_FORMATS) as image:
                return _text_of(image.info) or _text_of(dict(image.getexif()))
    # Pillow's parsers raise nearly anything on hostile bytes.
    except Exception as error:
        raise UnreadablePictureError(str(error)) from error


def graph_in(content: bytes) -> Any:
    """Return what stands in the picture as its graph, any JSON value; None where there is none to be read."""
    try:
        return json.loads(prompt_in(content) or "null")
    except (ValueError, RecursionError):
        return None


def _text_of(metadata: dict[Any, Any]) -> str | None:
    chunk = metadata.get("prompt")
    if isinstance(chunk, str):
        return chunk
    marked = (value for value in metadata.values() if isinstance(value, str) and value.startswith(_EXIF_MARK))
    return next((value.removeprefix(_EXIF_MARK) for value in marked), None)
