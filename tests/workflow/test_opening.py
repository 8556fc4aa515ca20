"""Whatever a user names is opened without waiting for ever, and read no further than it can be used."""

import json
import os
import socket
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from comfytui.workflow.documents import document_from_bytes, load_document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.json_text import MAX_VALUES
from comfytui.workflow.opening import MAX_TEXT_BYTES, open_file, read_text
from tests.resources import memory_limit
from tests.workflow.graphs import stable_diffusion

GRAPH = stable_diffusion.sd15()


class CountingFile(BytesIO):
    """A file that counts the bytes that are read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(WorkflowError) as caught, open_file(path, "'it'", **options):
        pass
    message = str(caught.value)
    assert message.endswith(".")
    return message


def test_a_pipe_without_a_writer_is_refused_after_a_while(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    assert "a pipe that did not end within 0.1 seconds" in refusal(tmp_path / "pipe.json", pipe_seconds=0.1)


def test_a_pipe_that_stays_open_is_refused_after_a_while(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "pipe.json")
    writer = os.open(path, os.O_RDWR)
    try:
        os.write(writer, b"{")
        assert "a pipe that did not end" in refusal(path, pipe_seconds=0.1)
    finally:
        os.close(writer)


def test_a_pipe_is_read_until_its_writer_closes_it(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "pipe.json")
    writer = threading.Thread(target=lambda: path.write_text(json.dumps({**GRAPH, "99": GRAPH["9"]}) + " " * 200_000))
    writer.start()
    assert load_document(path).graph == {**GRAPH, "99": GRAPH["9"]}
    writer.join()


def test_an_endless_pipe_is_refused(tmp_path: Path) -> None:
    reader, writer = os.pipe()

    def write() -> None:
        try:
            while True:
                os.write(writer, b" " * 65_536)
        except BrokenPipeError:
            os.close(writer)

    endless = threading.Thread(target=write)
    endless.start()
    try:
        assert "larger than 32 MB" in refusal(Path(f"/dev/fd/{reader}"))
    finally:
        os.close(reader)
        endless.join()


def test_devices_and_sockets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is a device, not a file" in refusal(Path("/dev/zero"))
    assert "is a device, not a file" in refusal(Path("/dev/null"))
    monkeypatch.chdir(tmp_path)  # A socket's path may not be long.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.json")
        assert "is a socket, not a file" in refusal(Path("socket.json"))


@pytest.mark.parametrize("path", ["C:\\Users\\me\\fox.json", "d:/fox.png", "\\\\server\\share\\fox.json"])
def test_a_path_of_windows_is_explained(path: str) -> None:
    assert "a path of Windows: give the path on this machine" in refusal(Path(path))


@pytest.mark.parametrize("path", ["https://example.com/fox.json", "file:///fox.json"])
def test_an_address_is_explained(path: str) -> None:
    assert "an address, not a file: download it" in refusal(Path(path))


def test_a_file_that_is_too_large_is_not_read() -> None:
    file = CountingFile(b"{}")
    with pytest.raises(WorkflowError, match="larger than 32 MB"):
        read_text(file, MAX_TEXT_BYTES + 1, "'it'")
    assert file.taken == 0


def test_a_file_that_grows_is_not_read_without_end() -> None:
    file = CountingFile(b" " * (MAX_TEXT_BYTES + 5_000_000))
    with pytest.raises(WorkflowError, match="larger than 32 MB"):
        read_text(file, 2, "'it'")
    assert file.taken < MAX_TEXT_BYTES + 2**21


@pytest.mark.parametrize("piece", [b"[", b"[],", b'{"a":', b"1,", b'{"":{}},'])
def test_a_bomb_of_values_is_refused_before_it_is_read_whole(piece: bytes) -> None:
    file = CountingFile(piece * (30 * 2**20 // len(piece)))
    size = len(file.getvalue())
    with pytest.raises(WorkflowError, match=f"more than {MAX_VALUES:,} values"):
        read_text(file, size, "'it'")
    assert file.taken < size / 2


@pytest.mark.parametrize("piece", [b"[", b"[],", b'{"a":', b'{"":{}},', b'"ab",', b"1.5,"])
def test_what_is_read_takes_bounded_memory(piece: bytes) -> None:
    values = piece.count(b"[") + piece.count(b"{") + piece.count(b",")
    content = b"[" + piece * (MAX_VALUES // values - 2)
    content = content[:-1] + b"]" if piece.endswith(b",") else content
    with memory_limit(300 * 2**20), pytest.raises(WorkflowError):
        document_from_bytes(content, "x", "'it'")
