"""Small private files on a full disk: the old content stays, and no partial file is left behind."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from comfytui.cli.startup_server import remember_server
from comfytui.ui.drafts import DraftFolder
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
