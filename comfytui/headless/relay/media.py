"""The headers with which the relay passes on a file: neither its name nor its content is trusted."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import PurePosixPath

from comfytui.comfy.protocol.events import Output
from comfytui.session.model import Job

OTHER = "application/octet-stream"
CONTENT_TYPES: Mapping[str, str] = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
}
"""Content types by suffix: none that a browser would run as a page, a style or a script."""
MAX_NAME = 100
"""Characters of a file name in a header."""
FOREVER = "private, max-age=31536000, immutable"
"""`Cache-Control` of what never changes; `private`, since a shared cache does not know who may see it."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_IMAGES_BY_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def content_type_of(output: Output) -> str:
    """Return the content type of a file, by its suffix alone."""
    return CONTENT_TYPES.get(PurePosixPath(output.filename).suffix.lower(), OTHER)


def image_type_of(data: bytes) -> str | None:
    """Return the content type of an image, by its first bytes; None if it is no JPEG, PNG or WebP."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((type_ for magic, type_ in _IMAGES_BY_MAGIC if data.startswith(magic)), None)


def file_headers(job: Job, output: Output, tag: str, content_type: str) -> dict[str, str]:
    """Return the headers of a file, or of a smaller version of it; that of a job that has ended never changes."""
    kind = "inline" if content_type.startswith("image/") else "attachment"
    return {
        "Content-Type": content_type,
        "Content-Disposition": f'{kind}; filename="{_safe_name(output)}"',
        "Cache-Control": FOREVER if job.status.ended else "no-store",
        "ETag": f'"{tag}"',
    }


def tag_of(job: Job, output: Output, width: int | None = None) -> str:
    """Return what identifies a file, or its version of this width, as long as the job has it."""
    parts = (job.prompt_id, output.type, output.subfolder, output.filename, str(width))
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=12).hexdigest()


def _safe_name(output: Output) -> str:
    """Return the name of a file in ASCII, without a folder, or anything that ends the quotes around it."""
    name = PurePosixPath(output.filename.replace("\\", "/")).name
    return _UNSAFE.sub("_", name)[-MAX_NAME:].lstrip(".") or "file"
