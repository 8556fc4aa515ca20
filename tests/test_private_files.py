"""Small private files: a full disk keeps their old content, and what else stands in their place is not waited for."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from comfytui.cli.startup_server import last_server, remember_server
from comfytui.config.config import Config
from comfytui.presets import Presets
from comfytui.private_files import remove_partial
from comfytui.ui.drafts import DraftFolder
from comfytui.ui.recent_files import RecentFiles
from comfytui.ui.themes import ThemeStore
from comfytui.workflow.builtin import txt2img

WRITERS: dict[str, Callable[[Path, str], object]] = {
    "last server": lambda _, text: remember_server(text),
    "draft": lambda folder, text: DraftFolder(folder).write(txt2img(), {"prompt": text}),
}


@contextmanager
def full_disk() -> Iterator[None]:
    """Make every write of this process fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_keeps_the_old_content_and_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder, write = tmp_path / "comfytui", WRITERS[writer]
    for is_first in (True, False):
        if not is_first:
            write(folder, "before:8188")
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        with full_disk():
            write(folder, "after:8188")
        assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
        assert is_first or len(before) == 1


FILES: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "last server": (lambda _: remember_server("box:8188"), lambda _: last_server(Config())),
    "draft": (
        lambda folder: DraftFolder(folder).write(txt2img(), {"prompt": "a"}),
        lambda folder: DraftFolder(folder).read(txt2img()),
    ),
    "preset": (
        lambda folder: Presets(folder, "workflow").save("a", {"prompt": "a"}),
        lambda folder: [*Presets(folder, "workflow").all(), *(Presets(folder, "workflow").load("a") or ())],
    ),
    "recent files": (lambda folder: RecentFiles(folder).add("/a.json"), lambda folder: RecentFiles(folder).read()),
    "theme": (lambda folder: ThemeStore(folder).write("comfy"), lambda folder: ThemeStore(folder).read()),
}
"""What writes and reads each kind of file."""


@pytest.mark.parametrize("kind", FILES)
def test_a_pipe_in_the_place_of_a_file_counts_as_missing_and_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "comfytui"
    write, read = FILES[kind]
    write(folder)
    (file,) = (each for each in tmp_path.rglob("*") if each.is_file())
    assert read(folder)
    file.unlink()
    os.mkfifo(file)
    found: list[object] = []
    reader = Thread(target=lambda: found.append(read(folder)), daemon=True)
    reader.start()
    reader.join(20)
    assert not reader.is_alive()
    assert not found[0]
    write(folder)
    assert file.is_file()


def test_files_of_writers_that_were_killed_are_removed_once_they_are_old(tmp_path: Path) -> None:
    workflow, presets = txt2img(), Presets(tmp_path, "w")
    presets.save("fox", {})
    DraftFolder(tmp_path).write(workflow, {"prompt": "a fox"})
    before = {file for file in tmp_path.rglob("*") if file.is_file()}
    folders = {file.parent for file in before}
    assert len(folders) == 2
    old, young = [folder / "a.json-x.new" for folder in folders], [folder / "b.json-x.new" for folder in folders]
    for file in (*old, *young):
        file.write_text("{")
    for file in old:
        os.utime(file, (1, 1))
    presets.save("fox", {}, replace=True)
    DraftFolder(tmp_path).write(workflow, {"prompt": "a cat"})
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == {*before, *young}


def test_what_cannot_be_removed_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "a.new"
    folder.mkdir()
    os.utime(folder, (1, 1))
    remove_partial(tmp_path)
    remove_partial(tmp_path / "missing")
    assert folder.is_dir()
