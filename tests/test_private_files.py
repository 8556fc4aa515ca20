"""A disk that takes no more: what was written before stays, and nothing half-written lies beside it."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from comfytui.cli.startup_server import remember_server
from comfytui.ui.drafts import Drafts
from comfytui.workflow.builtin import txt2img

WRITERS: dict[str, Callable[[Path, str], object]] = {
    "last server": lambda _, text: remember_server(text),
    "draft": lambda folder, text: Drafts(folder).write(txt2img(), {"prompt": text}),
}


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may have any bytes meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("what", WRITERS)
def test_a_full_disk_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder, write = tmp_path / "comfytui", WRITERS[what]
    for fresh in (True, False):
        if not fresh:
            write(folder, "before:8188")
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        with full_disk():
            write(folder, "after:8188")
        assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
        assert fresh or len(before) == 1
