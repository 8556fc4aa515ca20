"""Media types of output files, by their suffix alone: nodes report videos under `images` and `gifs`, too."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from comfytui.comfy.protocol.events import Output


class Media(StrEnum):
    """Kinds of output files; the values are shown on screen."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    MODEL = "3D model"
    TEXT = "text"
    OTHER = "file"


_SUFFIXES: Final[Mapping[Media, str]] = {
    Media.IMAGE: "png jpg jpeg webp gif bmp tif tiff avif",
    Media.VIDEO: "mp4 webm mkv mov avi m4v mpg mpeg",
    Media.AUDIO: "flac mp3 wav opus ogg m4a aac",
    Media.MODEL: "glb gltf obj fbx stl ply usdz splat spz ksplat",
    Media.TEXT: "txt json csv md srt vtt xml yaml",
}
_BY_SUFFIX: Final = MappingProxyType(
    {f".{suffix}": media for media, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
)


def media_of(output: "Output") -> Media:
    """Return the kind of a file; only for an IMAGE can the server make a preview (`/view?preview=`)."""
    return _BY_SUFFIX.get(PurePosixPath(output.filename).suffix.lower(), Media.OTHER)
