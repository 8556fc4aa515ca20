"""The graph in an image's metadata, and the low cost of reading any image."""

import io
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfytui.workflow.media.metadata import extract_graph, find_texts, media_format
from comfytui.workflow.media.reader import MAX_TEXT, MediaError, MediaReader
from tests.hostile.image_bombs import BOMBS, international_text_bomb, many_chunks, many_segments, png_of, text_bomb
from tests.resources import memory_limit

GRAPH = {"3": {"class_type": "KSampler", "inputs": {"seed": 5, "text": "狐"}}}


def saved(form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, form, **options)
    return file.getvalue()


def exif(tag: int, text: str) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = 1
    made[tag] = text
    return made


def with_text(text: str, *, international: bool = False, compressed: bool = False) -> bytes:
    info = PngInfo()
    info.add_text("parameters", "Steps: 20")
    (info.add_itxt if international else info.add_text)("prompt", text, zip=compressed)
    return saved("PNG", pnginfo=info)


def big_endian_exif(text: str) -> bytes:
    """Return an EXIF directory in big-endian order, as cameras write it."""
    data = text.encode() + b"\0"
    return b"Exif\0\0MM\0*" + struct.pack(">IHHHIII", 8, 1, 0x0110, 2, len(data), 26, 0) + data


def extract_prompt(content: bytes) -> str | None:
    form = media_format(content)
    assert form
    return find_texts(MediaReader(io.BytesIO(content), len(content)), form).get("prompt")


TEXT = json.dumps(GRAPH)
IMAGES = {
    "text": with_text(TEXT),
    "compressed text": with_text(TEXT, compressed=True),
    "iTXt": with_text(json.dumps(GRAPH, ensure_ascii=False), international=True),
    "compressed iTXt": with_text(json.dumps(GRAPH, ensure_ascii=False), international=True, compressed=True),
    "png with EXIF": saved("PNG", exif=exif(0x010F, f"prompt:{TEXT}")),
    "webp": saved("WEBP", exif=exif(0x0110, f"prompt:{TEXT}")),
    "lossless webp": saved("WEBP", lossless=True, exif=exif(0x010F, f"prompt:{TEXT}")),
    "jpeg": saved("JPEG", exif=exif(0x0110, f"prompt:{TEXT}")),
    "jpeg with big-endian EXIF": saved("JPEG", exif=big_endian_exif(f"prompt:{TEXT}")),
}


@pytest.mark.parametrize("content", IMAGES.values(), ids=IMAGES.keys())
def test_the_graph_is_found_where_comfyui_writes_it(content: bytes) -> None:
    assert extract_graph(content) == GRAPH


def test_the_beginning_of_an_image_is_enough() -> None:
    content = with_text(TEXT)
    assert extract_graph(content[: content.index(b"prompt") + len("prompt") + 1 + len(TEXT) + 8]) == GRAPH
    assert extract_graph(content[: content.index(b"prompt") + 20]) is None


@pytest.mark.parametrize("content", IMAGES.values(), ids=IMAGES.keys())
def test_an_image_without_a_graph_has_none(content: bytes) -> None:
    assert extract_prompt(content.replace(b"prompt", b"tpmorp")) is None


@pytest.mark.parametrize("make", [text_bomb, international_text_bomb, many_chunks, many_segments])
def test_bombs_are_refused(make: Any) -> None:
    with pytest.raises(MediaError):
        extract_prompt(make())


def test_a_long_text_is_refused() -> None:
    with pytest.raises(MediaError, match="too large"):
        extract_prompt(png_of(8, 8, (b"tEXt", b"prompt\0" + b" " * MAX_TEXT)))


@pytest.mark.parametrize("text", ["[" * 100_000, "[" + "[]," * 400_000 + "0]", "9" * 5_000, "{"])
def test_an_invalid_or_expensive_graph_is_none(text: str) -> None:
    content = png_of(8, 8, (b"tEXt", b"prompt\0" + text.encode()))
    with memory_limit(50 * 2**20):
        assert extract_graph(content) is None


def test_no_image_raises_or_takes_much_memory() -> None:
    contents = [make() for make in BOMBS.values()]
    with memory_limit(50 * 2**20):
        for content in contents:
            extract_graph(content)


@given(st.sampled_from(sorted(IMAGES)), st.data())
def test_a_damaged_image_never_raises(name: str, data: st.DataObject) -> None:
    content = bytearray(IMAGES[name])
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    extract_graph(bytes(content[: data.draw(st.integers(0, len(content)))]))


def test_an_exif_directory_beyond_the_file_is_none() -> None:
    tags = struct.pack("<HHII", 0x0110, 2, 2**32 - 1, 8) * 3
    body = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 65_535) + tags
    assert extract_graph(b"\xff\xd8\xff\xe1" + struct.pack(">H", len(body) + 2) + body + b"\xff\xda\0\x02") is None
