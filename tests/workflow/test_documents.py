"""Load workflows from files; every file without one is refused with one sentence."""

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfytui.workflow.documents import WorkflowDocument, load_document, load_workflow
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import read_values
from comfytui.workflow.opening import MAX_TEXT_BYTES
from tests.workflow.graphs import stable_diffusion

GRAPH = stable_diffusion.sd15()
EDITOR = {"last_node_id": 9, "nodes": [{"id": 3, "type": "KSampler"}], "links": [], "version": 0.4}
PNG = b"\x89PNG\r\n\x1a\n"


def save_png(path: Path, **chunks: str) -> Path:
    info = PngInfo()
    for key, text in chunks.items():
        info.add_text(key, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def save_exif(path: Path, text: str) -> Path:
    exif = Image.Exif()
    exif[0x010F] = "workflow:{}"
    exif[0x0110] = text
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def message_of(path: Path) -> str:
    with pytest.raises(WorkflowError) as caught:
        load_workflow(path)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 700
    assert message.endswith(".")
    return message


def test_a_workflow_is_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "my fox.json"
    path.write_text(json.dumps(GRAPH), encoding="utf-8")
    workflow = load_workflow(str(path))
    assert workflow.name == "my fox"
    assert workflow.graph == GRAPH
    assert read_values(workflow)[Field.PROMPT] == "a red fox in snow"


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"prompt": GRAPH, "client_id": "x", "extra_data": {}}).encode(),
        b"\xef\xbb\xbf" + json.dumps(GRAPH).encode(),
        json.dumps(GRAPH).encode("utf-16"),
    ],
    ids=["as it is posted", "byte order mark", "as PowerShell redirects it"],
)
def test_other_encodings_of_the_same_graph_are_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.json"
    path.write_bytes(content)
    assert load_workflow(path).graph == GRAPH


def save_plain_png(path: Path) -> Path:
    return save_png(path, prompt=json.dumps(GRAPH), workflow=json.dumps(EDITOR))


def save_compressed_png(path: Path) -> Path:
    info = PngInfo()
    info.add_text("prompt", json.dumps(GRAPH), zip=True)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


@pytest.mark.parametrize(
    "document",
    [
        EDITOR,
        {"workflow": EDITOR},
        {"prompt": EDITOR},
        {"workflow": json.dumps(EDITOR)},
        {"workflow": EDITOR, "prompt": {"3": {"class_type": "KSampler"}}},
        {"workflow": EDITOR, "prompt": {"3": {"class_type": "X", "inputs": {"cfg": float("nan")}}}},
        {"workflow": EDITOR, "prompt": "{"},
        {"workflow": EDITOR, "prompt": "a fox"},
        {"workflow": EDITOR, "prompt": {}},
    ],
)
def test_the_format_of_the_editor_is_kept_as_it_is(tmp_path: Path, document: object) -> None:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert load_document(path) == WorkflowDocument("graph", None, EDITOR)


POSTED = {"prompt": GRAPH, "client_id": "x", "extra_data": {"extra_pnginfo": {"workflow": EDITOR}}}


@pytest.mark.parametrize(
    "document",
    [
        {"prompt": GRAPH, "workflow": EDITOR},
        {"prompt": json.dumps(GRAPH), "workflow": json.dumps(EDITOR)},
        {"workflow": EDITOR, "prompt": GRAPH, "version": "1.2"},
        POSTED,
        {"id": "x", "status": "completed", "workflow": POSTED},
        {"0b3f": {"prompt": [7, "0b3f", GRAPH, POSTED["extra_data"], ["9"]], "outputs": {}}},
    ],
    ids=["texts", "strings", "with more", "as it is posted", "a job", "a history"],
)
def test_a_file_with_both_formats_gives_both(tmp_path: Path, document: object) -> None:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert load_document(path) == WorkflowDocument("graph", GRAPH, EDITOR)


def test_a_graph_is_not_taken_for_a_wrapper(tmp_path: Path) -> None:
    nodes = {"prompt": {"class_type": "A", "inputs": {}}, "workflow": {"class_type": "B", "inputs": {}}}
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(nodes), encoding="utf-8")
    assert load_document(path) == WorkflowDocument("graph", nodes, None)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("fox.png", save_plain_png),
        ("fox.png", save_compressed_png),
        ("fox.webp", lambda path: save_exif(path, "prompt:" + json.dumps(GRAPH))),
        ("fox.jpg", lambda path: save_exif(path, "prompt:" + json.dumps(GRAPH))),
    ],
)
def test_images_saved_by_comfyui_are_loaded(tmp_path: Path, name: str, save: Callable[[Path], Path]) -> None:
    workflow = load_workflow(save(tmp_path / name))
    assert workflow.graph == GRAPH
    assert workflow.name == "fox"


def test_values_computed_by_the_server_are_left_out(tmp_path: Path) -> None:
    computed = {**GRAPH, "4": {**GRAPH["4"], "is_changed": [float("nan")], "_meta": {"title": "Load"}}}
    workflow = load_workflow(save_png(tmp_path / "fox.png", prompt=json.dumps(computed)))
    assert workflow.graph == {**GRAPH, "4": {**GRAPH["4"], "_meta": {"title": "Load"}}}


def test_a_huge_image_is_accepted_without_a_warning(tmp_path: Path) -> None:
    content = save_plain_png(tmp_path / "fox.png").read_bytes()
    header = struct.pack(">II", 12_000, 12_000) + b"\x08\x02\x00\x00\x00"
    (tmp_path / "big.png").write_bytes(PNG + chunk(b"IHDR", header) + content[33:])
    assert load_workflow(tmp_path / "big.png").graph == GRAPH


def test_a_workflow_can_come_from_a_pipe(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, json.dumps(GRAPH).encode())
        os.close(writer)
        assert load_workflow(f"/dev/fd/{reader}").graph == GRAPH
    finally:
        os.close(reader)


BAD_CONTENT = {
    "empty file": (b"", "is empty"),
    "yaml": (b"prompt: fox", "a text, but not JSON"),
    "cut off": (json.dumps(GRAPH).encode()[:-20], "not JSON"),
    "the editor's format": (json.dumps(EDITOR).encode(), "Workflow > Export (API)"),
    "a wrapped editor's format": (json.dumps({"prompt": EDITOR}).encode(), "Workflow > Export (API)"),
    "empty graph": (b"{}", "empty workflow"),
    "empty wrapped graph": (b'{"prompt": {}}', "empty workflow"),
    "a list": (b"[1, 2]", "not a workflow"),
    "a number": (b"5", "not a workflow"),
    "null": (b"null", "not a workflow"),
    "other JSON": (b'{"name": "comfytui", "version": 1}', "not a workflow"),
    "node without inputs": (b'{"3": {"class_type": "KSampler"}}', "node '3' lacks"),
    "node without class": (b'{"3": {"inputs": {}}}', "node '3' lacks"),
    "class of another type": (b'{"\\u001b[31m": {"class_type": 1, "inputs": {}}}', "damaged"),
    "invalid UTF-8": (b'{"3": "\xff\xfe"}', "UTF-8"),
    "binary": (b"GIF89a\x08\x00\x08\x00\xf0\xff" * 40, "a GIF image, which holds no workflow"),
    "half a character": (b'{"3": {"class_type": "X", "inputs": {"text": "\\ud800"}}}', "a broken character"),
    "NaN": (b'{"3": {"class_type": "X", "inputs": {"cfg": NaN}}}', "NaN or infinity"),
    "infinity": (b'{"3": {"class_type": "X", "inputs": {"cfg": [-Infinity]}}}', "NaN or infinity"),
    "endless number": (b'{"3": {"class_type": "X", "inputs": {"seed": ' + b"9" * 5_000 + b"}}}", "too long"),
    "deep": (b'{"3":' * 200_000, "nested too deeply"),
    "deep list": (b"[" * 200_000, "nested too deeply"),
    "deep input": (b'{"3": {"class_type": "A", "inputs": {"x": %s}}}' % (b"[" * 300 + b"]" * 300), "nested too deeply"),
    "broken png": (PNG + b"\x00" * 40, "image that cannot be read ("),
    "cut png": (PNG + chunk(b"IHDR", struct.pack(">II", 8, 8) + b"\x08\x02\x00\x00\x00")[:-6], "cannot be read"),
    "broken webp": (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image that cannot be read ("),
    "broken jpeg": (b"\xff\xd8\xff\xe0" + b"\x00" * 10, "image that cannot be read ("),
}


@pytest.mark.parametrize(("content", "expected"), BAD_CONTENT.values(), ids=BAD_CONTENT.keys())
def test_an_error_explains_bad_content(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "given.json"
    path.write_bytes(content)
    message = message_of(path)
    assert expected in message
    assert "given.json'" in message


def test_an_image_without_a_workflow_is_refused(tmp_path: Path) -> None:
    assert "without a workflow" in message_of(save_png(tmp_path / "plain.png"))
    assert "without a workflow" in message_of(save_png(tmp_path / "other.png", parameters="Steps: 20", prompt="a fox"))
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.jpg")
    assert "without a workflow" in message_of(tmp_path / "plain.jpg")
    assert "not a workflow" in message_of(save_exif(tmp_path / "other.jpg", "Canon"))


def test_an_image_with_an_invalid_workflow_is_refused(tmp_path: Path) -> None:
    assert "not JSON" in message_of(save_png(tmp_path / "broken.png", prompt="{"))


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    header = chunk(b"IHDR", struct.pack(">II", 8, 8) + b"\x08\x02\x00\x00\x00")
    bomb = chunk(b"zTXt", b"prompt\x00\x00" + zlib.compress(b" " * 50_000_000, 9))
    path = tmp_path / "bomb.png"
    path.write_bytes(PNG + header + bomb + chunk(b"IEND", b""))
    assert "cannot be read" in message_of(path)


def test_paths_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    assert "There is no file" in message_of(tmp_path / "missing.json")
    assert "is a directory" in message_of(tmp_path)
    (tmp_path / "file").touch()
    assert "cannot be read" in message_of(tmp_path / "file" / "below.json")
    assert "cannot be read" in message_of(tmp_path / ("n" * 300))
    assert "cannot be read" in message_of(Path("null\x00byte"))


def test_a_file_without_read_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "secret.json"
    path.touch()
    # Patched, because root can read every file.
    monkeypatch.setattr(os, "open", refuse)
    assert "Permission denied" in message_of(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.write(b"{")
        file.truncate(MAX_TEXT_BYTES + 1)
    assert "larger than 32 MB" in message_of(path)


def test_escapes_in_a_file_name_are_not_printed(tmp_path: Path) -> None:
    message = message_of(tmp_path / "\x1b]0;title\x07\x1b[31mred\nline\u202e.json")
    assert "red line.json'" in message
    assert "\x1b" not in message
