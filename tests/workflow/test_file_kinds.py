"""Files that are mistaken for workflows are named, and the message says what to do."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from comfytui.workflow.documents import load_document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.file_kinds import other_kind
from comfytui.workflow.media.metadata import media_format


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("workflow.json"))
    return file.getvalue()


def image(form: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, form)
    return file.getvalue()


KINDS = {
    "zip": (zipped("workflow.json"), "is a ZIP archive: unpack it"),
    "checkpoint": (zipped("archive/data.pkl"), "is a PyTorch checkpoint, not a workflow"),
    "old checkpoint": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "is a PyTorch checkpoint"),
    "gguf": (b"GGUF\x03\0\0\0", "is a GGUF model"),
    "gzip": (gzip.compress(b"{}"), "is a compressed file: unpack it"),
    "tar": (tarred(), "is an archive: unpack it"),
    "gif": (image("GIF"), "is a GIF image, which holds no workflow: give the PNG image"),
    "bmp": (image("BMP"), "is a BMP image"),
    "tiff": (image("TIFF"), "is a TIFF image"),
    "avi": (b"RIFF\x24\0\0\0AVI LIST", "is an AVI video"),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "is a WAV sound"),
    "mp3": (b"\xff\xfb\x90\x64" + bytes(100), "is an MP3 sound without metadata"),
    "pdf": (b"%PDF-1.7\n", "is a PDF document"),
    "html": (b"<!DOCTYPE html><html><body>404", "is a web page, perhaps in place of a download"),
    "html behind a comment": (b"\n<!-- cached -->\n<HTML lang=en>", "is a web page"),
    "xml": (b'<?xml version="1.0"?><rss></rss>', "is an XML document"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "script": (b"#!/bin/sh\necho\n", "is a program"),
    "text": ("eine Füchsin im Schnee\n".encode(), "is a text, but not JSON"),
    "a word like JSON": (b"nullify", "not JSON"),
    "empty": (b"", "is empty: give a JSON file"),
    "blank": (b" \n\t ", "is empty"),
    "zeros": (bytes(5_000), "is full of zeros"),
    "noise": (bytes(range(128, 256)) + bytes(range(128)), "is of a kind that holds no workflow"),
    "a glTF document": (json.dumps({"asset": {}, "nodes": [{"mesh": 0}]}).encode(), "JSON, but not a workflow"),
}


@pytest.mark.parametrize(("content", "expected"), KINDS.values(), ids=KINDS.keys())
def test_a_file_is_named_by_its_kind(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(WorkflowError) as caught:
        load_document(path)
    message = str(caught.value)
    assert expected in message
    assert message.startswith(f"'{path}'")
    assert message.endswith(".")
    assert message.count(". ") == 0


@given(st.binary(max_size=300))
def test_any_beginning_has_a_kind(head: bytes) -> None:
    kind = other_kind(head)
    assert kind is None or ": " in kind
    media_format(head)


@pytest.mark.parametrize("piece", [b" ", b"<!--", b"<!-- -->", b"\xff", b"\0", b"{"])
def test_no_beginning_takes_long(piece: bytes) -> None:
    for end in (b"", b"x", b"<"):
        head = (piece * 4_096)[:4_095] + end
        other_kind(head)
        media_format(head)
