"""Words are found with letters left out, behind those that are there as they are, and the letters are marked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.ui.widgets.entry_search import CHUNK, Entry, EntryGroup
from comfytui.ui.widgets.fuzzy_search import FuzzySearch
from comfytui.ui.widgets.marked_text import excerpt, parts


def titles(query: str, *entries: str, detail: str = "4x") -> list[str]:
    search = FuzzySearch([EntryGroup("", [Entry(entry, entry, detail) for entry in entries])], query)
    while not search.done:
        search.step(1)
    return [search.found.entry(index).title for index in range(len(search.found))]


def marked(query: str, title: str) -> str:
    """Return the title with its marks in capitals."""
    marks = FuzzySearch([], query).marks(title)
    return "".join(text.upper() if is_marked else text for text, is_marked in parts(title, marks))


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("rdfx", "a red fox"),
        ("lghthse", "an old lighthouse"),
        ("fox lghthse", "lighthouse, fox"),
        ("LGHTHSE", "an old Lighthouse"),
        ("lghr", "fog, (long_hair:1.2)"),
        ("lghr", "fog,long-hair"),
        ("猫窗", "一只猫在窗边"),
        ("rdfx 4x", "a red fox"),
    ],
)
def test_letters_in_their_order_from_the_beginning_of_a_word_match(query: str, title: str) -> None:
    assert titles(query, "something else", title) == [title]


@pytest.mark.parametrize("query", ["edfx", "fxrd", "rdfx cat", "rxxx", "z", "xdf"])
def test_other_letters_do_not(query: str) -> None:
    assert titles(query, "a red fox") == []


def test_letters_far_from_each_other_do_not_match() -> None:
    assert titles("rf", "red and then much more until a fox") == []


def test_words_as_they_are_come_first_then_letters_that_are_close_then_others_each_the_newest_first() -> None:
    newest_first = ["red xx fox a", "red fox b", "red xx fox c", "xrdfx d", "red fox e", "rdfx f"]
    assert titles("rdfx", *newest_first) == [
        *("rdfx f", "xrdfx d"),
        *("red fox b", "red fox e"),
        *("red xx fox a", "red xx fox c"),
    ]


def test_without_words_all_are_there_in_their_order() -> None:
    assert titles("", "b", "a") == ["b", "a"]


@pytest.mark.parametrize(
    ("query", "title", "expected"),
    [
        ("rdfx", "a red fox", "a ReD FoX"),
        ("fox", "outfox a fox", "outfox a FOX"),
        ("fox red", "a red fox", "a RED FOX"),
        ("utf", "outfox", "oUTFox"),
        ("rf", "red a fish, red fox", "red a fish, Red Fox"),
        ("lghr", "fog,(long_hair)", "fog,(LonG_HaiR)"),
        ("cat", "a red fox", "a red fox"),
        ("", "a red fox", "a red fox"),
        ("ix", "İ ix", "İ ix"),
    ],
)
def test_the_letters_that_match_are_marked(query: str, title: str, expected: str) -> None:
    assert marked(query, title) == expected


@given(query=st.text("abcx ,(\n猫İ", max_size=8), title=st.text("abcx ,(\n\x1f猫İ", max_size=30))
def test_what_is_found_has_marks_for_each_letter(query: str, title: str) -> None:
    found = titles(query, title, detail="")
    marks = FuzzySearch([], query).marks(title)
    if found and len(title.lower()) == len(title) and not {"\n", "\x1f"} & {*title}:
        assert {*query.lower()} - {" ", "\n"} == {title[mark].lower() for mark in marks}
    assert all(0 <= mark < len(title) for mark in marks)


def test_a_search_goes_on_where_it_stopped_and_finds_all_chunks() -> None:
    entries = [f"red{number} fox" for number in range(3 * CHUNK)]
    group = EntryGroup("", [Entry(each, each) for each in entries])
    search = FuzzySearch([group], "rdfx")
    search.step(0)
    assert len(search.found) == CHUNK
    search.step(60)
    assert len(search.found) == 3 * CHUNK
    narrower = FuzzySearch([group], "rd1fx", search)
    narrower.step(60)
    assert "red1 fox" in [narrower.found.entry(index).title for index in range(20)]


@pytest.mark.parametrize(
    ("marks", "cells", "expected"),
    [
        ({0, 2}, 10, ("abcdefghi…", {0, 2})),
        ((), 10, ("abcdefghi…", ())),
        ({24}, 14, ("…mnopqrstuvwx…", {13})),
        ({24}, 26, ("abcdefghijklmnopqrstuvwxyz", {24})),
    ],
)
def test_an_excerpt_has_the_first_mark(marks: set[int], cells: int, expected: tuple[str, set[int]]) -> None:
    assert excerpt("abcdefghijklmnopqrstuvwxyz", marks, cells) == expected
