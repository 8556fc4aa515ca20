"""The workflow in files of every format that ComfyUI and its packs save, however large the files are.

PyAV and ffmpeg made the files in `files/`, in the way of ComfyUI's nodes, and `comment.*` as VideoHelperSuite does it.
"""

import html
import io
import json
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfytui.workflow.documents import WorkflowDocument, document_from_bytes, load_document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.media.reader import MAX_TEXT
from tests.hostile.image_bombs import png_of
from tests.resources import cpu_limit, memory_limit

FILES = sorted((Path(__file__).parent / "files").iterdir())
GRAPH = {"3": {"class_type": "KSampler", "inputs": {"seed": 5, "text": '狐, a "fox"; in = snow'}}}
EDITOR = {"nodes": [{"id": 3, "type": "KSampler"}], "links": [], "version": 0.4}
PROMPT, WORKFLOW = json.dumps(GRAPH), json.dumps(EDITOR)
BOTH = {"prompt": PROMPT, "workflow": WORKFLOW}


def apng() -> bytes:
    """Return an animation as SaveAnimatedPNG writes it, with its texts behind the pixels."""
    info = PngInfo()
    for key, text in BOTH.items():
        info.add(b"comf", key.encode() + b"\0" + text.encode(), after_idat=True)
    file = io.BytesIO()
    first, *others = (Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue"))
    first.save(file, "PNG", pnginfo=info, save_all=True, append_images=others)
    return file.getvalue()


def animated_webp(prompt: str = "prompt:", workflow: str = "workflow:") -> bytes:
    exif = Image.Exif()
    exif[0x0110], exif[0x010F] = prompt + PROMPT, workflow + WORKFLOW
    file = io.BytesIO()
    first, *others = (Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue"))
    first.save(file, "WEBP", exif=exif, save_all=True, append_images=others)
    return file.getvalue()


def swapped_webp() -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Prompt:" + PROMPT, "Workflow:" + WORKFLOW
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "WEBP", exif=exif)
    return file.getvalue()


def glb(extras: object) -> bytes:
    header = json.dumps({"asset": {"version": "2.0", "extras": extras}, "nodes": [{"mesh": 0}]}).encode()
    header += b" " * (-len(header) % 4)
    chunks = struct.pack("<I4s", len(header), b"JSON") + header + struct.pack("<I4s", 4, b"BIN\0") + bytes(4)
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def svg(metadata: str, before: str = "") -> bytes:
    return f'{before}<svg xmlns="http://www.w3.org/2000/svg"><metadata>{metadata}</metadata><path/></svg>'.encode()


def safetensors() -> bytes:
    header = json.dumps({"__metadata__": BOTH, "latent": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
    return struct.pack("<Q", len(header)) + header.encode() + bytes(4)


def exr() -> bytes:
    def attribute(name: str, kind: str, value: bytes) -> bytes:
        return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<I", len(value)) + value

    texts = b"".join(attribute(name, "string", text.encode()) for name, text in BOTH.items())
    return b"\x76\x2f\x31\x01\x02\0\0\0" + attribute("compression", "compression", b"\0") + texts + b"\0" + bytes(9)


def old_id3() -> bytes:
    """Return an ID3 tag of version 2.2, with texts in UTF-16."""
    frames = b""
    for name, text in BOTH.items():
        body = b"\x01" + (name + "\0").encode("utf-16") + text.encode("utf-16")
        frames += b"TXX" + len(body).to_bytes(3) + body
    return id3(frames, version=2)


def unsynchronised_id3() -> bytes:
    """Return an ID3 tag of version 2.3 that has a zero behind each 0xFF, and zeros behind its frames."""
    frames = b""
    for name, text in BOTH.items():
        body = b"\x01\xff\xfe" + (name + "\0").encode("utf-16-le") + text.encode("utf-16")
        frames += b"TXXX" + struct.pack(">IH", len(body), 0) + body
    return id3(frames.replace(b"\xff", b"\xff\0") + bytes(50), version=3, flags=0x80)


def id3(frames: bytes, version: int, flags: int = 0) -> bytes:
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, flags]) + size + frames


MADE = {
    "apng": apng(),
    "animated webp": animated_webp(),
    "webp with capitals": animated_webp("Prompt:", "Workflow:"),
    "webp with swapped tags": swapped_webp(),
    "glb": glb(BOTH),
    "glb with objects": glb({"prompt": GRAPH, "workflow": EDITOR}),
    "svg": svg(f"\n<![CDATA[\n{json.dumps({'prompt': GRAPH, 'workflow': EDITOR})}\n]]>"),
    "svg in XML": svg(html.escape(json.dumps(BOTH)), '<?xml version="1.0"?>\n<!-- drawn -->\n'),
    "latent": safetensors(),
    "exr": exr(),
    "ID3 2.2": old_id3(),
    "ID3 2.3 unsynchronised": unsynchronised_id3(),
}
ALL = {**{path.name: path.read_bytes() for path in FILES}, **MADE}


def message_of(content: bytes) -> str:
    with pytest.raises(WorkflowError) as caught:
        document_from_bytes(content, "x", "The file")
    return str(caught.value)


@pytest.mark.parametrize("content", ALL.values(), ids=ALL.keys())
def test_both_formats_are_found(content: bytes) -> None:
    assert document_from_bytes(content, "x", "The file") == WorkflowDocument("x", GRAPH, EDITOR, is_sent=True)


@pytest.mark.parametrize("content", ALL.values(), ids=ALL.keys())
def test_a_file_without_a_workflow_is_named_by_its_kind(content: bytes) -> None:
    for key in (b"prompt", b"Prompt", b"PROMPT", b"workflow", b"Workflow", b"WORKFLOW"):
        for codec in ("ascii", "utf-16-le", "utf-16-be"):
            content = content.replace(key.decode().encode(codec), key[::-1].decode().encode(codec))
    assert "without a workflow: give it as ComfyUI saved it" in message_of(content)


def moved_behind(path: Path, folder: Path, size: int) -> Path:
    """Return a copy of a video whose metadata are behind a very large part without content."""
    content = path.read_bytes()
    copy = folder / path.name
    if path.suffix == ".mp4":
        place = content.index(b"moov") - 4
        filler = struct.pack(">I4sQ", 1, b"mdat", size + 16)
    else:
        place = content.rindex(b"\x12\x54\xc3\x67")
        filler = b"\x1f\x43\xb6\x75\x01" + size.to_bytes(7)  # a cluster
        segment = content.index(b"\x18\x53\x80\x67") + 4
        content = content[:segment] + b"\x01" + b"\xff" * 7 + content[segment + 8 :]  # of unknown size
    with copy.open("wb") as file:
        file.write(content[:place] + filler)
        file.seek(size, io.SEEK_CUR)
        file.write(content[place:])
    return copy


@pytest.mark.parametrize("name", ["video.mp4", "video.webm"])
def test_of_a_huge_video_only_the_metadata_are_read(name: str, tmp_path: Path) -> None:
    path = moved_behind(Path(__file__).parent / "files" / name, tmp_path, 5 * 2**30)
    with memory_limit(2**20):
        assert load_document(path) == WorkflowDocument("video", GRAPH, EDITOR, is_sent=True)


@pytest.mark.parametrize("name", ["audio.flac", "audio.mp3", "faststart.mp4", "video.webm"])
def test_a_file_that_is_cut_off_behind_its_workflow_is_read(name: str) -> None:
    content = (Path(__file__).parent / "files" / name).read_bytes()
    assert document_from_bytes(content[:-20], "x", "The file").graph == GRAPH


def test_a_long_text_over_many_pages_is_read() -> None:
    graph = {"3": {"class_type": "X", "inputs": {"text": "fox " * 100_000}}}
    comments = b"OpusTags" + struct.pack("<II", 0, 1)
    text = b"prompt=" + json.dumps(graph).encode()
    packet = comments + struct.pack("<I", len(text)) + text
    pages = [page(b"OpusHead" + bytes(11), ends=True)]
    parts = [packet[start : start + 65_025] for start in range(0, len(packet), 65_025)]
    pages += [page(b"other stream", stream=2, ends=True)]
    pages += [page(part, ends=part is parts[-1]) for part in parts]
    assert document_from_bytes(b"".join(pages), "x", "The file").graph == graph


def page(data: bytes, *, stream: int = 1, ends: bool) -> bytes:
    sizes = [255] * (len(data) // 255) + ([len(data) % 255] if ends else [])
    return b"OggS\0\0" + struct.pack("<qIII", 0, stream, 0, 0) + bytes([len(sizes), *sizes]) + data


def avif_in_parts(exif: bytes) -> bytes:
    """Return an AVIF whose metadata, its second item, are in two parts behind a base offset."""
    item = struct.pack(">I4sIHH4s", 20, b"infe", 2 << 24, 2, 0, b"Exif")
    items = struct.pack(">I4sIH", 14 + len(item), b"iinf", 0, 1) + item
    half, base = len(exif) // 2, 12 + 12 + len(items) + 76
    places = struct.pack(">HHHIHIII", 1, 0, 0, 9, 1, 9, 9, 9)
    places += struct.pack(">HHHIHIIIIII", 2, 0, 0, base, 2, 9, 0, half, 9, half, len(exif) - half)
    table = struct.pack(">I4sIHH", 16 + len(places), b"iloc", 1 << 24, 0x4444, 2) + places
    head = struct.pack(">I4s4s", 12, b"ftyp", b"avif")
    return head + struct.pack(">I4sI", 12 + len(items) + len(table), b"meta", 0) + items + table + exif


def test_metadata_in_parts_are_put_together() -> None:
    image = (Path(__file__).parent / "files/image.avif").read_bytes()
    exif = image[image.index(b"Exif\0\0MM") - 4 :]
    assert document_from_bytes(avif_in_parts(exif), "x", "The file") == WorkflowDocument(
        "x", GRAPH, EDITOR, is_sent=True
    )


def avif_of(places: bytes) -> bytes:
    """Return an AVIF of which the first item is metadata, with a table of the places of others."""
    item = struct.pack(">I4sIHH4s", 20, b"infe", 2 << 24, 1, 0, b"Exif")
    items = struct.pack(">I4sIH", 14 + len(item), b"iinf", 0, 1) + item
    table = struct.pack(">I4sIHI", 18 + len(places), b"iloc", 2 << 24, 0, len(places) // 10) + places
    head = struct.pack(">I4s4s", 12, b"ftyp", b"avif")
    return head + struct.pack(">I4sI", 12 + len(items) + len(table), b"meta", 0) + items + table


def webp_of(text: bytes, tags: int) -> bytes:
    """Return a WebP with 28 directories of metadata, of which all tags have the same text."""
    place = 10 + 12 * tags
    entries = b"".join(struct.pack("<HHII", tag, 2, len(text), place) for tag in range(tags))
    exif = b"II*\0" + struct.pack("<IH", 8, tags) + entries + text
    chunk = b"EXIF" + struct.pack("<I", len(exif)) + exif
    return b"RIFF" + struct.pack("<I", 4 + 28 * len(chunk)) + b"WEBP" + 28 * chunk


MANY = 60_000
BOMBS = {
    "boxes": struct.pack(">I4s", 8, b"ftyp") + struct.pack(">I4s", 8, b"free") * MANY,
    "elements": b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\xff" + b"\xec\x80" * MANY,
    "nested elements": b"\x1a\x45\xdf\xa3\xff" * MANY,
    "pages": (b"OggS\0\0" + bytes(20) + b"\0") * MANY,
    "frames": id3((b"TIT2" + bytes(6)) * MANY, version=3),
    "blocks": b"fLaC" + bytes(4) * MANY,
    "attributes": b"\x76\x2f\x31\x01\x02\0\0\0" + b"a\0b\0\0\0\0\0" * MANY,
    "a header of lists": struct.pack("<Q", 2 + 3 * 500_000) + b"{" + b"[]," * 500_000 + b"}",
    "a header of opened lists": struct.pack("<Q", MANY + 1) + b"{" + b"[" * MANY,
    "an svg of metadata": b"<svg >" + b"<metadata" * MANY,
    "a text of 9 MB": b"fLaC\x84" + (MAX_TEXT + 1).to_bytes(3) + bytes(MAX_TEXT + 1),
    "items": struct.pack(">I4s4s", 12, b"ftyp", b"avif")
    + struct.pack(">I4sI", 2**19, b"meta", 0)
    + struct.pack(">I4sI", 12, b"iinf", 0)
    + struct.pack(">I4sI", 2**19 - 24, b"iloc", 0)
    + bytes(2**19),
    "places of no size": avif_of(struct.pack(">IHHH", 2, 0, 0, 65_535) * 10_000),
    "many compressed texts": png_of(8, 8, *[(b"zTXt", b"prompt\0\0" + zlib.compress(b" " * MAX_TEXT, 9))] * 1_000),
    "one text of many tags": webp_of(b"prompt:" + b"\xff" * (2**21 - 1), tags=200),
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS.keys())
def test_a_file_that_is_expensive_to_read_is_refused_soon(content: bytes) -> None:
    with cpu_limit(10), memory_limit(60 * 2**20):
        message_of(content)


def load_or_refuse(content: bytes) -> None:
    with suppress(WorkflowError):
        document = document_from_bytes(content, "x", "The file")
        assert document.graph is not None or document.editor is not None


STARTS = [b"", *(content[:size] for content in ALL.values() for size in (4, 12, 40, 200))]


@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_no_content_raises_another_error(start: bytes, rest: bytes) -> None:
    load_or_refuse(start + rest)


@given(st.sampled_from(sorted(ALL)), st.data())
def test_a_damaged_file_raises_no_other_error(name: str, data: st.DataObject) -> None:
    content = bytearray(ALL[name])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + 1] = data.draw(st.sampled_from([b"", b"\0", b"\xff", b"\x7f", b"\x01", b"\0\0\0\0"]))
    load_or_refuse(bytes(content))
