"""A field with several values is an axis of the batch."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.axes import cells_of, parse_axis, product_text
from comfytui.workflow.input_specs import InputSpec

STEPS = InputSpec("int", minimum=1, maximum=10_000)
CFG = InputSpec("float", minimum=0, maximum=100)
SAMPLER = InputSpec("choice", options=("euler", "heun", "dpmpp_2m", "a, b"))
ANY = InputSpec("choice")


@pytest.mark.parametrize(
    ("text", "spec", "values"),
    [
        ("20", STEPS, (20,)),
        ("20,30", STEPS, (20, 30)),
        ("20, 30 ,40", STEPS, (20, 30, 40)),
        ("20,", STEPS, (20,)),
        ("20,20", STEPS, (20,)),
        ("5..8", STEPS, (5, 6, 7, 8)),
        ("5..8:1", STEPS, (5, 6, 7, 8)),
        ("5 .. 9 : 2", STEPS, (5, 7, 9)),
        ("8..5", STEPS, (8, 7, 6, 5)),
        ("5..9:3", STEPS, (5, 8)),
        ("5...8", STEPS, (5, 6, 7, 8)),
        ("0...1:.5", CFG, (0.0, 0.5, 1.0)),
        ("1, 5..7", STEPS, (1, 5, 6, 7)),
        ("6..7:0.25", CFG, (6.0, 6.25, 6.5, 6.75, 7.0)),
        ("0.1..0.3:0.1", CFG, (0.1, 0.2, 0.3)),
        ("7,5", CFG, (7.5,)),
        ("7, 5", CFG, (7.0, 5.0)),
        ("7.5,8", CFG, (7.5, 8.0)),
        ("6,7,8", CFG, (6.0, 7.0, 8.0)),
        ("euler", SAMPLER, ("euler",)),
        ("euler, heun", SAMPLER, ("euler", "heun")),
        ("a, b", SAMPLER, ("a, b",)),
        ("euler,dpmpp_2m,", SAMPLER, ("euler", "dpmpp_2m")),
        ("one.safetensors, two.safetensors", ANY, ("one.safetensors", "two.safetensors")),
        ("a, b..c", InputSpec("text"), ("a, b..c",)),
    ],
)
def test_a_text_is_one_value_or_several(text: str, spec: InputSpec, values: tuple[object, ...]) -> None:
    assert parse_axis(text, spec) == values


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("", STEPS),
        (",", STEPS),
        ("20,,30", STEPS),
        ("20,x", STEPS),
        ("5..", STEPS),
        ("..", STEPS),
        ("5..8:0", STEPS),
        ("5..8:x", STEPS),
        ("1..100000", STEPS),
        ("1..1e30", STEPS),
        ("1..2:1e-30", CFG),
        ("1..nan", CFG),
        ("1..inf", CFG),
        ("5..6:0.5", STEPS),
        ("99..101", CFG),
        (",".join(map(str, range(1, 200))), STEPS),
        ("1" * 30_000, STEPS),
        ("euler, nothing", SAMPLER),
        ("euler,,heun", SAMPLER),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text: str, spec: InputSpec) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        parse_axis(text, spec, "Steps")


@given(st.text(alphabet="0159.,:- exnaif", max_size=30), st.sampled_from([STEPS, CFG, SAMPLER, ANY]))
def test_any_text_has_values_or_a_sentence(text: str, spec: InputSpec) -> None:
    said = ""
    try:
        parse_axis(text, spec)
    except ValueError as error:
        said = str(error)
    assert re.fullmatch(r"(This .*\.|This: .*\.)?", said, re.DOTALL)


@pytest.mark.parametrize(
    ("text", "spec", "sentence"),
    [
        ("5..", STEPS, "Steps: '5..' is no range: write it as 5..8 or 5..8:2."),
        ("5..", CFG, "Steps: '5..' is no range: write it as 5..8 or 5..8:0.5."),
        ("5..8:0", STEPS, "Steps: the step of a range cannot be 0."),
        ("1..1000000", STEPS, "Steps can have at most 100 values: these would be 1,000,000."),
        ("1..1e30", STEPS, "Steps can have at most 100 values."),
    ],
)
def test_a_wrong_range_says_what_to_write(text: str, spec: InputSpec, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence) + r"\Z"):
        parse_axis(text, spec, "Steps")


def test_cells_are_all_combinations() -> None:
    assert cells_of({"steps": (20, 30), "sampler": ("euler", "heun")}) == [
        {"steps": 20, "sampler": "euler"},
        {"steps": 20, "sampler": "heun"},
        {"steps": 30, "sampler": "euler"},
        {"steps": 30, "sampler": "heun"},
    ]
    assert cells_of({}) == [{}]


def test_the_product_names_its_factors() -> None:
    assert product_text(4, {"steps": (1, 2, 3), "sampler": ("a", "b")}) == "24 (4 × 3 × 2)"
    assert product_text(4, {}) == "4"
