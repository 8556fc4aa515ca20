"""The search in entries: what matches, in which order, and how much time it takes at once."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.ui.widgets.entry_search import CHUNK, Entry, EntryGroup, Search


def group(*titles: str, name: str = "", detail: str = "") -> EntryGroup[str]:
    return EntryGroup(name, [Entry(title, title, detail) for title in titles])


def found(search: Search[str]) -> list[str]:
    while not search.done:
        search.step(1)
    matches = search.found
    return [matches.entry(index).title for index in range(len(matches))]


def titles(groups: Sequence[EntryGroup[str]], query: str) -> list[str]:
    return found(Search(groups, query))


def test_all_words_must_match_in_any_order_and_case() -> None:
    groups = [group("SDXL base 1.0", "sdxl refiner", "Flux dev", "base flux")]
    assert titles(groups, "BASE sdxl") == ["SDXL base 1.0"]
    assert titles(groups, "nothing") == []
    assert titles(groups, "") == titles(groups, "  ") == ["SDXL base 1.0", "sdxl refiner", "Flux dev", "base flux"]


def test_the_best_matches_come_first() -> None:
    entries = [
        Entry("other", "in the detail", "fox"),
        Entry("outfoxed", "inside a word"),
        Entry("red fox", "at a word"),
        Entry("fox", "at the beginning"),
    ]
    search = Search([EntryGroup("", entries)], "fox")
    assert found(search) == ["fox", "red fox", "outfoxed", "other"]


def test_groups_are_searched_together_and_entries_keep_their_order() -> None:
    groups = [group("a1", "b1", name="first"), group(name="empty"), group("a2", "b2", name="second")]
    assert titles(groups, "b") == ["b1", "b2"]
    assert titles(groups, "") == ["a1", "b1", "a2", "b2"]


def test_line_breaks_and_separators_in_titles_do_not_shift_the_matches() -> None:
    groups = [group("one\ntwo", "three\x1ffour", "five", detail="x\ny\x1fz")]
    assert titles(groups, "five") == ["five"]
    assert titles(groups, "four") == ["three\x1ffour"]
    assert titles(groups, "two one") == ["one\ntwo"]
    assert len(titles(groups, "y z")) == 3


def test_a_narrower_query_searches_the_earlier_matches_only() -> None:
    groups = [group(*(f"model-{n}" for n in range(5 * CHUNK)))]
    wide = Search(groups, "99")
    found(wide)
    narrow = Search(groups, "999", wide)
    assert found(narrow) == titles(groups, "999")
    steps = list(Search(groups, "999", wide)._pending)
    assert 0 < sum(len(lines or ()) for _, _, lines in steps) < CHUNK
    assert found(Search(groups, "98", narrow)) == titles(groups, "98")
    assert found(Search([group("999")], "999", wide)) == ["999"]


def test_a_step_ends_when_its_time_is_over_and_what_is_found_by_then_stays_as_it_is() -> None:
    groups = [group(*(f"model-{n}" for n in range(3 * CHUNK)))]
    search = Search(groups, "model")
    search.step(0)
    early = search.found
    assert len(early) == CHUNK
    search.step(0)
    assert len(early) == CHUNK
    assert len(search.found) == 2 * CHUNK
    assert not search.done
    assert early.entry(CHUNK - 1).title == f"model-{CHUNK - 1}"


def test_a_match_is_found_again_by_its_position() -> None:
    groups = [group("outfox", "fox", "none", "a fox")]
    search = Search(groups, "fox")
    found(search)
    matches = search.found
    assert [matches.position(index) for index in range(3)] == [1, 3, 0]
    assert [matches.index(position) for position in range(4)] == [2, 0, None, 1]
    with pytest.raises(IndexError):
        matches.position(3)


@given(st.lists(st.text(max_size=8), max_size=30), st.text(max_size=4))
def test_it_finds_what_a_plain_comparison_finds(names: list[str], query: str) -> None:
    words = query.lower().split()
    expected = [name for name in names if all(word in name.translate({0x1F: " ", 0x0A: " "}).lower() for word in words)]
    assert sorted(titles([group(*names)], query)) == sorted(expected)
