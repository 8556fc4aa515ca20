"""Paths as users type them, or as terminals paste them."""

import shlex
from pathlib import Path

import pytest

from comfytui.ui.typed_path import local_file, local_folder, typed_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (" /a/b.json ", "/a/b.json"),
        ("'/a/my fox.json'", "/a/my fox.json"),
        ("/a/my\\ fox.json", "/a/my fox.json"),
        ("/a/my fox.json", "/a/my fox.json"),
        ("/a\\b.json", "/a\\b.json"),
        ("/a/it\\'s\\(1\\).json", "/a/it's(1).json"),
        ("'/a/it'\\''s.json'", "/a/it's.json"),
        ("file://other.example/b.json", "file://other.example/b.json"),
        ("file:///a/my%20fox.json", "/a/my fox.json"),
        ("'/a/it.json", "/a/it.json"),
        ("~/b.json", str(Path.home() / "b.json")),
        ("~nobody-here/b.json", "~nobody-here/b.json"),
        ("file://[", "file://["),
        ("file://\u2100/b.json", "file://\u2100/b.json"),
        ("~\0/b.json", "~\0/b.json"),
    ],
)
def test_a_typed_path_is_found(text: str, path: str) -> None:
    assert typed_path(text) == Path(path)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "my cat's photo (1).png"
    path.write_bytes(b"png")
    return path


def test_paths_as_terminals_and_shells_write_them_are_taken(picture: Path) -> None:
    escaped = str(picture)
    for each in " '()":
        escaped = escaped.replace(each, f"\\{each}")
    quoted = "'{}'".format(str(picture).replace("'", r"'\''"))
    for text in (
        str(picture),
        f'"{picture}"',
        f" {picture}\n",
        escaped,
        quoted,
        shlex.quote(str(picture)),
        picture.as_uri(),
    ):
        assert local_file(text) == picture == typed_path(text), text
        assert local_folder(text) is None


def test_a_path_below_the_home_folder_is_taken(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(picture.parent))
    assert local_file(f"~/{picture.name}") == picture


def test_a_relative_path_needs_a_separator(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(picture.parent.parent)
    assert local_file(f"{picture.parent.name}/{picture.name}") == Path(picture.parent.name, picture.name)
    monkeypatch.chdir(picture.parent)
    assert local_file(f"./{picture.name}") == Path(picture.name)
    assert local_file(picture.name) is None


@pytest.mark.parametrize(
    "text",
    ["", "cat.png", "input/cat.png", "/", "/no/such.png", "file://other.example/tmp/x.png", "/a\0b", "/x\n/y",
     "~nobody/x", "/" + "x" * 5_000, "'", "file://[", "https://example.com/x.png"],
)  # fmt: skip
def test_what_is_no_file_here_is_left_alone(text: str) -> None:
    assert local_file(text) is None
