"""Presets are kept one by one: what is damaged, renamed or deleted takes no other with it."""

import json
import os
import stat
from pathlib import Path

import pytest

from comfytui.presets import (
    FILE_LIMIT,
    NAME_LIMIT,
    PresetError,
    PresetExists,
    Presets,
    Texts,
    TransientPresets,
    preset_name,
)

TEXTS = {"prompt": "a fox\nin snow \ud800", "steps": "20"}


@pytest.fixture
def presets(tmp_path: Path) -> Presets:
    return Presets(tmp_path, "workflow")


def names(presets: Presets) -> list[str]:
    return [each.name for each in presets.all()]


def file_of(folder: Path, name: str) -> Path:
    return next(each for each in folder.glob("presets/*/*.json") if json.loads(each.read_bytes())["name"] == name)


def test_a_preset_is_there_for_the_next_process_and_for_the_user_alone(presets: Presets, tmp_path: Path) -> None:
    assert presets.save("Portrait 狐", TEXTS) == "Portrait 狐"
    assert Presets(tmp_path, "workflow").load("Portrait 狐") == TEXTS
    assert names(Presets(tmp_path, "workflow")) == ["Portrait 狐"]
    assert names(Presets(tmp_path, "another workflow")) == []
    assert stat.S_IMODE(file_of(tmp_path, "Portrait 狐").stat().st_mode) == 0o600


def test_the_one_saved_last_comes_first(presets: Presets, tmp_path: Path) -> None:
    for age, name in ((30, "old"), (10, "new"), (20, "middle")):
        presets.save(name, TEXTS)
        os.utime(file_of(tmp_path, name), (10**9 - age, 10**9 - age))
    assert [(each.name, each.saved) for each in presets.all()] == [
        ("new", 10**9 - 10),
        ("middle", 10**9 - 20),
        ("old", 10**9 - 30),
    ]


def test_a_preset_is_replaced_only_if_that_is_wanted(presets: Presets) -> None:
    presets.save("a", TEXTS)
    with pytest.raises(PresetExists, match="There is a preset named a already"):
        presets.save(" a ", {"steps": "30"})
    assert presets.load("a") == TEXTS
    presets.save("a", {"steps": "30"}, replace=True)
    assert presets.load("a") == {"steps": "30"}
    assert names(presets) == ["a"]


def test_a_renamed_preset_holds_what_it_held(presets: Presets) -> None:
    presets.save("a", TEXTS)
    presets.save("b", {})
    with pytest.raises(PresetExists):
        presets.rename("a", "b")
    assert presets.rename("a", "a") == "a"
    assert presets.rename("a", "c") == "c"
    assert (presets.load("c"), presets.load("a"), sorted(names(presets))) == (TEXTS, None, ["b", "c"])
    with pytest.raises(PresetError, match="no preset named a"):
        presets.rename("a", "d")


def test_a_deleted_preset_is_gone(presets: Presets) -> None:
    presets.save("a", TEXTS)
    presets.save("b", TEXTS)
    presets.delete("a")
    presets.delete("a")
    assert names(presets) == ["b"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": "b", "texts": {}}', b'{"name": "a"}', b"[" * 100_000])
def test_a_damaged_file_takes_no_other_with_it(presets: Presets, tmp_path: Path, content: bytes) -> None:
    presets.save("a", TEXTS)
    presets.save("b", TEXTS)
    file_of(tmp_path, "a").write_bytes(content)
    assert (presets.load("a"), names(presets), presets.load("b")) == (None, ["b"], TEXTS)
    presets.save("a", {"steps": "1"})
    assert presets.load("a") == {"steps": "1"}


def test_texts_of_other_types_are_left_out(presets: Presets, tmp_path: Path) -> None:
    presets.save("a", TEXTS)
    file_of(tmp_path, "a").write_text(json.dumps({"name": "a", "texts": {"steps": 20, "prompt": "x", "cfg": None}}))
    assert presets.load("a") == {"prompt": "x"}


def test_a_name_is_one_harmless_line(presets: Presets, tmp_path: Path) -> None:
    name = "../\x1b]0;x\x07 a\nb\u202e/" + "x" * 200
    saved = presets.save(name, TEXTS)
    assert len(saved) <= NAME_LIMIT
    assert saved.isprintable()
    assert presets.load(name) == presets.load(saved) == TEXTS
    assert preset_name("u\u0308") == "ü"
    assert {each.parent.parent for each in tmp_path.rglob("*.json")} == {tmp_path / "presets"}


@pytest.mark.parametrize("name", ["", "  ", "\x1b[0m", "\u200b"])
def test_a_preset_needs_a_name(presets: Presets, name: str) -> None:
    with pytest.raises(PresetError, match="needs a name"):
        presets.save(name, TEXTS)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "presets").touch()
    with pytest.raises(PresetError, match="The preset a could not be saved: "):
        Presets(tmp_path, "workflow").save("a", TEXTS)
    with pytest.raises(PresetError, match="too large"):
        Presets(tmp_path, "workflow").save("a", {"prompt": "x" * FILE_LIMIT})


def test_presets_that_are_not_kept_on_the_disk_do_the_same() -> None:
    kept: dict[str, tuple[float, Texts]] = {}
    presets = TransientPresets(kept)
    presets.save("a", TEXTS)
    presets.save("b", {})
    with pytest.raises(PresetExists):
        presets.rename("a", "b")
    assert presets.rename("a", "c") == "c"
    presets.delete("b")
    presets.delete("b")
    assert names(TransientPresets(kept)) == ["c"]
    assert TransientPresets(kept).load("c") == TEXTS
    assert presets.load("a") is None
    with pytest.raises(PresetError, match="needs a name"):
        presets.save(" ", TEXTS)
