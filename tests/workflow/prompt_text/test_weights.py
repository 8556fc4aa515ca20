"""ctrl+up and ctrl+down in a prompt change weights as ComfyUI's editor does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.prompt_text.weights import WEIGHT_STEP, change_weight


def press(marked: str, *, up: bool = True, times: int = 1) -> str:
    """Return a text after a key; `|` marks the cursor, or both ends of the selection."""
    start = marked.index("|")
    end = marked.rindex("|") - 1 if marked.count("|") == 2 else start
    text = marked.replace("|", "")
    for _ in range(times):
        edit = change_weight(text, start, end, WEIGHT_STEP if up else -WEIGHT_STEP)
        if edit is None:
            break
        text = edit.apply(text)
        start, end = edit.start, edit.start + len(edit.replacement)
    return f"{text[:start]}|{text[start:end]}|{text[end:]}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a c|at, a dog", "a |(cat:1.05)|, a dog"),
        ("a |cat", "a |(cat:1.05)|"),
        ("a cat|", "a |(cat:1.05)|"),
        ("a (c|at:1.05)", "a |(cat:1.1)|"),
        ("a (c|at:.5)", "a |(cat:0.55)|"),
        ("a (c|at:-0.05)", "a |(cat:0)|"),
        ("a (c|at:0.95)", "a |cat|"),
        ("a (c|at)", "a |(cat:1.05)|"),
        ("a |(cat) b", "a |(cat:1.05)| b"),
        ("a ((b|ig:1.2) cat:1.1)", "a (|(big:1.25)| cat:1.1)"),
        ("a ((big:1.2) c|at:1.1)", "a |((big:1.2) cat:1.15)|"),
        ("|a big |cat", "|(a big:1.05)| cat"),
        ("(|a cat:1.2|)", "|(a cat:1.25)|"),
        ("|(a:1.2) (b:1.3)|", "|((a:1.2) (b:1.3):1.05)|"),
        ("|two\nlines|", "|(two\nlines:1.05)|"),
        ("cat \\(an|imal\\)", "cat \\(|(animal:1.05)|\\)"),
        ("(cat \\(an|imal\\):1.2)", "|(cat \\(animal\\):1.25)|"),
        ("(at 12:30|)", "|(at 12:30:1.05)|"),
        ("(v2:1|.5)", "|(v2:1.55)|"),
        ("(c|at:1e-3)", "|(cat:0.051)|"),
        ("日本|語, b", "|(日本語:1.05)|, b"),
        ("(unclosed c|at", "(unclosed |(cat:1.05)|"),
    ],
)
def test_up_raises_the_weight_at_the_cursor_and_selects_what_changed(before: str, after: str) -> None:
    assert press(before) == after


def test_down_then_up_gives_the_word_back() -> None:
    assert press("a c|at", up=False) == "a |(cat:0.95)|"
    assert press("a (c|at:1.05)", up=False) == "a |cat|"
    assert press("c|at", up=False, times=21) == "|(cat:-0.05)|"


def test_hundred_steps_add_no_rounding_errors() -> None:
    assert press("c|at", times=100) == "|(cat:6)|"


@pytest.mark.parametrize("before", ["|", "a, | b", "a |  | b", "(c|at:1e300)", "()|"])
def test_nothing_changes_where_there_is_no_word(before: str) -> None:
    text = before.replace("|", "")
    assert press(before).replace("|", "") == text


@given(st.text(alphabet="(a:1.5) \\\n,|", max_size=40), st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_any_text_keeps_what_is_outside_of_the_edit(text: str, first: int, second: int, up: bool) -> None:
    start, end = sorted((min(first, len(text)), min(second, len(text))))
    edit = change_weight(text, start, end, WEIGHT_STEP if up else -WEIGHT_STEP)
    if edit:
        assert 0 <= edit.start < edit.end <= len(text)
        assert edit.apply(text).startswith(text[: edit.start])
        assert edit.apply(text).endswith(text[edit.end :])
