"""Paths as users type them, or as terminals paste them."""

from pathlib import Path

import pytest

from comfytui.ui.typed_path import typed_path


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
