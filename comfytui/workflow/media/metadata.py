"""Find the texts with the workflow in a file of any kind that ComfyUI saves."""

import io
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from comfytui.workflow.media.exr import exr_texts
from comfytui.workflow.media.id3 import id3_texts
from comfytui.workflow.media.isobmff import image_texts, video_texts
from comfytui.workflow.media.jpeg import jpeg_texts
from comfytui.workflow.media.json_header import glb_texts, safetensors_texts, svg_texts
from comfytui.workflow.media.matroska import matroska_texts
from comfytui.workflow.media.png import png_texts
from comfytui.workflow.media.reader import HEAD, MAX_TEXT, MediaError, MediaReader
from comfytui.workflow.media.text import COMMENT, PROMPT, WORKFLOW, Text, is_wanted
from comfytui.workflow.media.vorbis import flac_texts, ogg_texts
from comfytui.workflow.media.webp import webp_texts

MAX_TEXTS: Final = 4 * MAX_TEXT
"""Characters of all texts of one file, those of a name that was found before included."""
MAX_GRAPH: Final = 2**20
"""Characters of a graph's text that `extract_graph` parses: parsed, they take twenty times as much memory."""


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """A format of files that may hold a workflow."""

    name: str
    """With its article, such as `a PNG image`."""
    texts: Callable[[MediaReader], Iterator[Text]] = field(repr=False)
    """Yields the texts of a file."""


_FORMATS: Final = (
    (rb"\x89PNG\r\n\x1a\n", MediaFormat("a PNG image", png_texts)),
    (rb"\xff\xd8\xff", MediaFormat("a JPEG image", jpeg_texts)),
    (rb"RIFF.{4}WEBP", MediaFormat("a WebP image", webp_texts)),
    (rb".{4}ftyp(avi[fs]|hei[cx]|m[is]f1)", MediaFormat("an AVIF image", image_texts)),
    (rb".{4}(ftyp|moov|mdat|wide)", MediaFormat("an MP4 or MOV video", video_texts)),
    (rb"\x1a\x45\xdf\xa3", MediaFormat("a WebM or MKV video", matroska_texts)),
    (rb"fLaC", MediaFormat("a FLAC sound", flac_texts)),
    (rb"OggS", MediaFormat("an Ogg or Opus sound", ogg_texts)),
    (rb"ID3", MediaFormat("an MP3 sound", id3_texts)),
    (rb"glTF", MediaFormat("a GLB scene", glb_texts)),
    (rb"\x76\x2f\x31\x01", MediaFormat("an EXR image", exr_texts)),
    (rb".{4}\0{4}\{", MediaFormat("a safetensors file", safetensors_texts)),
    (rb"(?i)(\xef\xbb\xbf)?\s*<(svg|(\?xml|!--|!doctype\ssvg).*<svg)\s", MediaFormat("an SVG drawing", svg_texts)),
)
"""The first bytes of each format; a safetensors file begins with the size of its header."""


def media_format(head: bytes) -> MediaFormat | None:
    """Return the format of a file that begins with these bytes, or None if it is none that holds a workflow."""
    return next((form for start, form in _FORMATS if re.match(start, head, re.DOTALL)), None)


def find_texts(
    reader: MediaReader, form: MediaFormat, wanted: Collection[str] = (PROMPT, WORKFLOW)
) -> Mapping[str, str]:
    """Return the texts of a file by their names in lower case: those that are wanted, or else the comment.

    Of several texts of one name it is the first. A file that is damaged behind a wanted text is not read further.

    Raises:
        MediaError: The file is malformed, or its texts are too large.
        OSError: The file cannot be read.
    """
    found: dict[str, str] = {}
    left = MAX_TEXTS
    try:
        for name, text in form.texts(reader):
            left -= len(text)
            if left < 0:
                raise MediaError("its texts are too large")
            if is_wanted(name):
                found.setdefault(name.lower(), text)
            if found.keys() >= set(wanted):
                break
    except MediaError:
        if not found:
            raise
    return {name: text for name, text in found.items() if name in wanted or name == COMMENT}


def extract_graph(content: bytes) -> Any:
    """Return the graph in the content of a file, which may be any JSON value; None if it has none that can be read.

    The content may be cut off behind the graph.
    """
    return _graph_in(MediaReader(io.BytesIO(content), len(content)))


def graph_in_file(path: Path) -> Any:
    """Return the graph in a file, see `extract_graph`; None also if the file cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            return _graph_in(MediaReader(file, os.fstat(file.fileno()).st_size))
    except OSError:
        return None


def _graph_in(reader: MediaReader) -> Any:
    try:
        form = media_format(reader.read_up_to(0, HEAD))
        text = find_texts(reader, form, (PROMPT,)).get(PROMPT, "null") if form else "null"
        return json.loads(text) if len(text) <= MAX_GRAPH else None
    except (ValueError, RecursionError):
        return None
