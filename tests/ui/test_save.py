"""Saved pictures never lead elsewhere, never replace anything, and are whole or absent."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.ui.save import SaveError, safe_name, save


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
def test_a_servers_name_becomes_a_name(name: str, kept: str) -> None:
    assert safe_name(name) == kept


@given(st.text(max_size=400))
def test_any_name_stays_in_the_folder(name: str) -> None:
    kept = safe_name(name)
    assert kept
    assert "/" not in kept
    assert kept not in {".", ".."}
    assert len(kept.encode()) <= 200


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    assert save(tmp_path, "fox.png", b"first").name == "fox.png"
    assert save(tmp_path, "fox.png", b"second").name == "fox (2).png"
    assert (tmp_path / "fox.png").read_bytes() == b"first"


def test_a_link_that_lies_there_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "fox.png").symlink_to(target)
    saved = save(tmp_path / "pictures", "fox.png", b"data")
    assert saved.name == "fox (2).png"
    assert not target.exists()


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    assert save(tmp_path / "a" / "b", "fox.png", b"data").read_bytes() == b"data"


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="is not a folder: choose another one with --output"):
        save(tmp_path / "file", "fox.png", b"data")


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaveError, match="disk is full: nothing was saved"):
        save(tmp_path, "fox.png", b"data")
    assert list(tmp_path.iterdir()) == []
