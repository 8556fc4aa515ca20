"""Saved files: safe names, nothing overwritten, whole or absent."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.new_files import DiskFullError, SaveError, check_folder, new_file, remove_stale_parts, safe_name


def save(folder: Path, name: str, data: bytes) -> Path:
    with new_file(folder) as file:
        file.write(data)
        return file.commit(name)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("fox_00012_.png", "fox_00012_.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/name.png", "name.png"),
        (".bashrc", "bashrc"),
        ("..", "image.png"),
        ("", "image.png"),
        ("a\x1b[31m\nb.png", "a b.png"),
        ("CON:<>|?*.png", "CON______.png"),
        ("狐.png", "狐.png"),
    ],
)
def test_unsafe_characters_of_name_are_replaced(name: str, kept: str) -> None:
    assert safe_name(name) == kept


@given(st.text(max_size=400))
def test_safe_name_never_leaves_folder(name: str) -> None:
    kept = safe_name(name)
    assert kept
    assert "/" not in kept
    assert kept not in {".", ".."}
    assert len(kept.encode()) <= 200


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    assert save(tmp_path, "fox.png", b"first").name == "fox.png"
    assert save(tmp_path, "fox.png", b"second").name == "fox (2).png"
    assert (tmp_path / "fox.png").read_bytes() == b"first"


def test_symlink_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "fox.png").symlink_to(target)
    saved = save(tmp_path / "images", "fox.png", b"data")
    assert saved.name == "fox (2).png"
    assert not target.exists()


def test_missing_folder_is_created(tmp_path: Path) -> None:
    assert save(tmp_path / "a" / "b", "fox.png", b"data").read_bytes() == b"data"


def test_file_in_place_of_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="is not a folder: choose another one with --output"):
        save(tmp_path / "file", "fox.png", b"data")


def test_check_creates_nothing_that_stays(tmp_path: Path) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/a/b", "link"])
def test_check_refuses_what_is_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SaveError, match="is not a folder: choose another one with --output"):
        check_folder(tmp_path / name)


@pytest.mark.parametrize("name", ["n" * 300, "new/" + "n" * 300, "n" * 300 + "/new", "new/" * 2_000])
def test_check_refuses_a_name_that_is_too_long(tmp_path: Path, name: str) -> None:
    with pytest.raises(SaveError, match="File name too long"):
        check_folder(tmp_path / name)


def test_full_disk_is_reported_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match=r"disk is full: nothing was saved in .*\. Free some room\.$"):
        save(tmp_path, "fox.png", b"data")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from comfytui.new_files import new_file
with new_file(Path(sys.argv[1])) as file:
    file.write(b"half of an image")
    file._file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_part_of_killed_writer_is_hidden_and_removed_later(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    (part,) = tmp_path.iterdir()
    assert part.name.startswith(".comfytui-")
    os.utime(part, (0, 0))
    remove_stale_parts(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_parts_being_written_are_not_removed(tmp_path: Path) -> None:
    (tmp_path / ".comfytui-0.part").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_bytes(b"x")
    (tmp_path / ".comfytui-1.part").mkdir()
    os.utime(tmp_path / "precious", (0, 0))
    with new_file(tmp_path) as file:
        file.write(b"data")
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0), follow_symlinks=False)
        remove_stale_parts(tmp_path)
        remove_stale_parts(tmp_path / "missing")
        assert file.commit("fox.png").read_bytes() == b"data"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".comfytui-0.part",
        ".comfytui-1.part",
        "fox.png",
        "precious",
    ]


def test_nothing_is_overwritten_on_file_system_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "fox.png").write_bytes(b"precious")
    (tmp_path / "fox (2).png").symlink_to(tmp_path / "nowhere")
    assert save(tmp_path, "fox.png", b"data").name == "fox (3).png"
    assert (tmp_path / "fox.png").read_bytes() == b"precious"
    assert (tmp_path / "fox (3).png").read_bytes() == b"data"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fox (2).png", "fox (3).png", "fox.png"]


def test_saved_file_has_default_permissions(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        assert save(tmp_path, "fox.png", b"data").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
