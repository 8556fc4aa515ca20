"""What is offered at the cursor of a prompt, also of 200,000 tags."""

import os
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.prompt_text.completion import MAX_FOUND, Kind, NameIndex, Query, TagIndex, query_at
from comfytui.workflow.prompt_text.tag_list import Tag, load_tags


@pytest.mark.parametrize(
    ("before", "kind", "text"),
    [
        ("a cat, embedding:", Kind.EMBEDDING, ""),
        ("(embedding:easy", Kind.EMBEDDING, "easy"),
        ("a <lora:", Kind.LORA, ""),
        ("a <lora:my style", Kind.LORA, "my style"),
        ("a __", Kind.WILDCARD, ""),
        ("a __animals/c", Kind.WILDCARD, "animals/c"),
        ("__a__ and __b", Kind.WILDCARD, "b"),
        ("a cat, blue ey", Kind.TAG, "blue ey"),
        ("bl", Kind.TAG, "bl"),
        ("(long ha", Kind.TAG, "long ha"),
    ],
)
def test_what_is_typed_decides_what_is_offered(before: str, kind: Kind, text: str) -> None:
    assert query_at(before) == Query(kind, text, len(before) - len(text))


@pytest.mark.parametrize("before", ["", "a", "a cat, ", "a cat, b", "<lora:x:0.", "__animal__", "(x:1.2"])
def test_nothing_is_offered_elsewhere(before: str) -> None:
    assert query_at(before) is None


@given(st.text(max_size=80))
def test_any_line_has_a_query_in_it_or_none(before: str) -> None:
    query = query_at(before)
    assert query is None or before[query.start :] == query.text


def test_names_that_begin_with_what_is_typed_come_first() -> None:
    index = NameIndex(Kind.LORA, ["drink.safetensors", "styles\\Ink.safetensors", "inked.pt", "oil.pt"])
    assert [entry.insert for entry in index.find("ink")] == ["styles\\Ink:1>", "inked:1>", "drink:1>"]
    assert [entry.insert for entry in NameIndex(Kind.WILDCARD, ["animals/cat"]).find("cat")] == ["animals/cat__"]
    assert [entry.insert for entry in NameIndex(Kind.EMBEDDING, ["easy.pt"]).find("")] == ["easy"]


def test_tags_are_found_by_name_alias_and_part_the_most_frequent_first() -> None:
    index = TagIndex(
        [Tag("blue_eyes", 5), Tag("blue_sky", 9), Tag("light_blue", 99), Tag("azure_(art)", 3, ("bluish",))]
    )
    entries = index.find("blu")
    assert [entry.name for entry in entries] == ["blue sky", "blue eyes", "azure (art)", "light blue"]
    assert [entry.insert for entry in entries][2] == r"azure \(art\), "
    assert entries[2].detail == "bluish → 3"
    assert [entry.name for entry in index.find("Blue_E")] == ["blue eyes"]
    assert index.find("zzz") == []


def test_frequent_tags_are_found_among_200_000() -> None:
    tags = [Tag(f"{word}_{number}", number) for word in ("long hair", "blue", "lo", "x") for number in range(50_000)]
    index = TagIndex(tags)
    found = {typed: [entry.name for entry in index.find(typed)] for typed in ("lo", "blue", "air", "zz", "blue 4999")}
    assert found["lo"][:2] == ["long hair 49999", "lo 49999"]
    assert found["blue"][:2] == ["blue 49999", "blue 49998"]
    assert found["air"][0].startswith("long hair ")
    assert {len(each) for each in (found["lo"], found["blue"], found["air"])} == {MAX_FOUND}
    assert found["blue 4999"][:2] == ["blue 49999", "blue 49998"]
    assert found["zz"] == []


def test_a_tag_file_is_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text('1girl,0,4114588,"1girls,sole_female"\n,0,1\nplain\nodd,0,many\n' + "x" * 300 + ",0,1\n日本,0,7\n")
    assert load_tags(file) == [
        Tag("1girl", 4_114_588, ("1girls", "sole_female")),
        Tag("plain"),
        Tag("odd"),
        Tag("日本", 7),
    ]
    assert load_tags(tmp_path / "missing.csv") == []
    file.write_bytes(b'"unclosed\n\xff\x00,0,1\n' * 50)
    load_tags(file)


def test_a_tag_has_nothing_that_a_prompt_cannot_show(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text('\x1b[31mred\x1b[0m_fox,0,5,"rot\u202e,\u200b"\n\u200b,0,4\n"blue\nsky",0,3\n')
    assert load_tags(file) == [Tag("red_fox", 5, ("rot",)), Tag("bluesky", 3)]


def test_a_pipe_in_the_place_of_the_tags_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tags.csv")
    reader = Thread(target=load_tags, args=(tmp_path / "tags.csv",), daemon=True)
    reader.start()
    reader.join(20)
    assert not reader.is_alive()
