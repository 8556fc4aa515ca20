"""The definitions of all node classes: read once a connection, and known from the disk while the server is away."""

import asyncio
import gzip
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.errors import ServerError, TooLarge, Unreachable
from comfytui.comfy.server import Server
from comfytui.private_files import PARTIAL_SECONDS
from comfytui.service.class_definitions import definitions_for
from comfytui.service.connection.stats_reader import server_fingerprint
from comfytui.service.definition_files import FILES_LIMIT, DefinitionFiles, read_definitions
from comfytui.service.definitions import DefinitionReader
from comfytui.session.model import LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.service.test_service import QUICK
from tests.waiting import eventually
from tests.watcher import watching

KNOWN: dict[str, Any] = {"A": {"input": {"required": {"x": ["INT", {"max": float("inf")}]}}}, "狐": {"input": {}}}


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


class Counting(ComfyBackend):
    """Counts the requests for all definitions."""

    requests = 0

    async def definitions(self) -> Any:
        self.requests += 1
        return await super().definitions()


async def test_they_are_read_once_for_all_callers_of_a_connection() -> None:
    async with SimServer(QUICK) as sim, Counting(Server.from_url(sim.url)) as backend:
        reader = DefinitionReader()
        first, second = await asyncio.gather(reader.read(backend), reader.read(backend))
        assert first == second
        assert first.is_current
        assert "KSampler" in first.classes
        assert backend.requests == 1
        await reader.read(backend, breaks=1)
        assert backend.requests == 2


async def test_another_server_at_the_address_has_its_own() -> None:
    async with SimServer(QUICK) as sim, Counting(Server.from_url(sim.url)) as backend:
        reader = DefinitionReader()
        before = await reader.read(backend)
        await sim.restart(SimConfig(checkpoints=("other.safetensors",), card="Another GPU"))
        after = await reader.read(backend)
        assert _checkpoints(before.classes) != _checkpoints(after.classes) == ["other.safetensors"]
        with pytest.raises(Unreachable, match="Another server"):
            await reader.read(backend, fingerprint="that of the first")


async def test_a_server_that_is_away_has_what_it_had(tmp_path: Path) -> None:
    files = DefinitionFiles(tmp_path)
    async with SimServer(QUICK) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        fingerprint = server_fingerprint(await backend.system_stats())
        current = await DefinitionReader(files).read(backend)
        await eventually(lambda: files.read(fingerprint) is not None, "the file")
        await sim.stop()
        later = await DefinitionReader(files).read(backend, fingerprint=fingerprint)
        assert (later.classes, later.is_current) == (current.classes, False)
        with pytest.raises(Unreachable):
            await DefinitionReader(files).read(backend, fingerprint="unknown")
        with pytest.raises(Unreachable):
            await DefinitionReader().read(backend, fingerprint=fingerprint)


async def test_a_slow_disk_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Event()
    monkeypatch.setattr(DefinitionFiles, "write", lambda *_: written.wait())
    try:
        async with SimServer(QUICK) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
            assert "KSampler" in (await DefinitionReader(DefinitionFiles(tmp_path)).read(backend)).classes
    finally:
        written.set()


async def test_too_many_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimServer(QUICK) as sim, Counting(Server.from_url(sim.url)) as backend:
        monkeypatch.setattr("comfytui.comfy.library.DEFINITIONS_LIMIT", 1000)
        reader = DefinitionReader()
        found = await reader.read(backend, ["KSampler", "NoSuchNode"])
        assert list(found.classes) == ["KSampler"]
        await reader.read(backend, ["SaveImage"])
        assert backend.requests == 1
        with pytest.raises(TooLarge):
            await reader.read(backend)


async def test_an_error_of_the_server_is_no_reason_for_older_ones(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        reader = DefinitionReader(DefinitionFiles(tmp_path))
        sim.faults.fail(500, "/object_info", times=1)
        with pytest.raises(ServerError):
            await reader.read(backend, ["KSampler"])
        assert (await reader.read(backend, ["KSampler"])).is_current


async def test_unknown_classes_are_left_out() -> None:
    async with SimServer(QUICK) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        assert list(await definitions_for(backend, ["NoSuchNode", "KSampler", "KSampler"])) == ["KSampler"]


async def test_a_service_reads_them_again_after_its_server_was_away(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, watching(Server.from_url(sim.url), folder=tmp_path) as it:
        await it.live()
        first = await asyncio.wrap_future(it.service.definitions())
        await sim.stop(killed=True)
        await eventually(lambda: it.state.link.kind is LinkKind.OFFLINE, "the lost connection")
        meanwhile = await asyncio.wrap_future(it.service.definitions())
        assert (meanwhile.classes, meanwhile.is_current) == (first.classes, False)
        await sim.restart(replace(QUICK, checkpoints=("new.safetensors",)))
        await it.live()
        again = await asyncio.wrap_future(it.service.definitions())
        assert (_checkpoints(again.classes), again.is_current) == (["new.safetensors"], True)


async def test_a_service_has_them_although_its_server_never_answered(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        async with watching(Server.from_url(sim.url), folder=tmp_path) as it:
            await it.live()
            first = await asyncio.wrap_future(it.service.definitions())
        await sim.stop()
        async with watching(Server.from_url(sim.url), folder=tmp_path) as it:
            await eventually(lambda: it.state.link.kind is LinkKind.OFFLINE, "the first attempt to connect")
            later = await asyncio.wrap_future(it.service.definitions())
            assert (later.classes, later.is_current) == (first.classes, False)


def _checkpoints(classes: Any) -> Any:
    return classes["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]


# On the disk


def test_they_are_kept_for_the_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    DefinitionFiles(folder).write("abc", "0.33.0", KNOWN)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert DefinitionFiles(folder).read("abc") == KNOWN
    assert DefinitionFiles(folder).read("ab") is None


def test_those_of_the_last_version_are_read(tmp_path: Path) -> None:
    files = DefinitionFiles(tmp_path)
    for age, version in ((20, "0.32.0"), (10, "0.34.0"), (30, "0.33.0")):
        files.write("abc", version, {version: {"input": {}}})
        (new,) = [each for each in tmp_path.iterdir() if each.stat().st_mtime > 10**9 + 40]
        os.utime(new, (10**9 - age, 10**9 - age))
    assert list(files.read("abc") or {}) == ["0.34.0"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"{",
        b"[]",
        zipped(b'{"A": {"input": {}}}')[:-9],
        zipped(b'{"A": {"input": {}}}')[:-4] + b"\0\0\0\0",
        zipped(b'{"A": ' + b"[" * 100_000),
        zipped(b" " * 2**24),
    ],
)
def test_a_damaged_file_is_removed_and_replaced(tmp_path: Path, content: bytes) -> None:
    files = DefinitionFiles(tmp_path)
    files.write("abc", "1.0", KNOWN)
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert files.read("abc") is None
    assert not list(tmp_path.iterdir())
    files.write("abc", "1.0", KNOWN)
    assert files.read("abc") == KNOWN


def test_a_pipe_or_folder_in_place_of_a_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "abc-1.json.gz")
    (tmp_path / "abd-1.json.gz").mkdir()
    files = DefinitionFiles(tmp_path)
    assert files.read("abc") is None
    assert files.read("abd") is None


def test_only_the_files_used_last_are_kept(tmp_path: Path) -> None:
    files = DefinitionFiles(tmp_path)
    for number in range(FILES_LIMIT):
        files.write(f"s{number}", "1.0", KNOWN)
        (new,) = tmp_path.glob(f"s{number}-*")
        os.utime(new, (10**9 + number, 10**9 + number))
    left_over, under_way = tmp_path / "s1-x.json.gz-1.new", tmp_path / "s1-x.json.gz-2.new"
    left_over.touch()
    under_way.touch()
    os.utime(left_over, (10**9, 10**9))
    assert files.read("s0") == KNOWN  # now it is the one used last
    files.write("new", "1.0", KNOWN)
    names = {each.name.split("-")[0] for each in tmp_path.glob("*.gz")}
    assert names == {"new", "s0", *(f"s{number}" for number in range(2, FILES_LIMIT))}
    assert not left_over.exists()
    assert under_way.exists()
    assert PARTIAL_SECONDS < 10**9


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files = DefinitionFiles(tmp_path / "file" / "folder")
    files.write("abc", "1.0", KNOWN)
    assert files.read("abc") is None


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from comfytui.service.definition_files import DefinitionFiles
files = DefinitionFiles(Path(sys.argv[1]))
known = {f"Class{n}": {"input": {}, "by": sys.argv[2]} for n in range(500)}
for turn in range(20):
    files.write("abc", "1.0", known)
    assert len(files.read("abc")) == 500
"""


async def test_several_processes_may_write_at_once(tmp_path: Path) -> None:
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(tmp_path), str(number), stderr=subprocess.PIPE
        )
        for number in range(3)
    ]
    assert [(await each.communicate())[1] for each in writers] == [b""] * 3
    assert [each.suffix for each in sorted(tmp_path.iterdir())] == [".gz"]  # noqa: ASYNC240


# A file that the user names


@pytest.mark.parametrize("compressed", [False, True])
def test_a_saved_response_is_read(tmp_path: Path, compressed: bool) -> None:
    file, content = tmp_path / "object_info.json", json.dumps(KNOWN).encode()
    file.write_bytes(zipped(content) if compressed else content)
    assert read_definitions(file) == KNOWN


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no node definitions"),
        (b"\x89PNG", "no node definitions"),
        (b'{"3": {"class_type": "KSampler"}}', "no node definitions"),
        (b"\x1f\x8bnonsense", "damaged"),
        (zipped(b" " * 2**24), "more than comfytui reads"),
        (b'{"A": {"input": ' + b"[" * 2_000_000, "more than comfytui reads"),
    ],
)
def test_what_is_no_response_is_refused_in_words(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "object_info.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_definitions(file)


def test_a_file_that_expands_too_far_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfytui.service.definition_files.DEFINITIONS_LIMIT", 2**20)
    file = tmp_path / "object_info.json"
    file.write_bytes(zipped(b'{"A": {"input": {}}' + b', "A": {"input": {}}' * 2**16))
    with pytest.raises(ValueError, match="larger than 1 MiB"):
        read_definitions(file)
