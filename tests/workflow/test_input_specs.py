"""What fields take, as real and hostile servers say, and what becomes of typed text."""

import json
from pathlib import Path
from typing import Any

import pytest

from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field, Value
from comfytui.workflow.input_specs import FALLBACK, MAX_OPTIONS, InputSpec, check, hint, input_spec_of
from comfytui.workflow.nodes import Slot

RECORDING = Path(__file__).parent.parent / "recordings" / "http_surface.jsonl"


def recorded(path: str) -> Any:
    rows = (json.loads(line) for line in RECORDING.read_text(encoding="utf-8").splitlines())
    return next(row["http"]["response"] for row in rows if row.get("http", {}).get("path") == path)


def of(field: Field, object_info: Any) -> InputSpec | None:
    return input_spec_of(object_info, txt2img().fields[field][0])


def told(definition: object, group: str = "required") -> InputSpec | None:
    return input_spec_of({"A": {"input": {group: {"x": definition}}}}, Slot("1", "x", "A"))


def test_a_real_server_s_definitions() -> None:
    sampler = recorded("/object_info/KSampler")
    assert of(Field.STEPS, sampler) == FALLBACK[Field.STEPS]
    assert of(Field.SEED, sampler) == FALLBACK[Field.SEED]
    assert of(Field.CFG, sampler) == InputSpec("float", minimum=0, maximum=100, step=0.1, default=8)
    choices = of(Field.SAMPLER, sampler)
    assert choices is not None
    assert choices.options is not None
    assert choices.options[:2] == ("euler", "euler_cfg_pp")
    loader = recorded("/object_info/CheckpointLoaderSimple")
    assert of(Field.MODEL, loader) == InputSpec("choice", options=("v1-5-random.safetensors",))
    assert of(Field.MODEL, recorded("/object_info/NoSuchNode")) is None
    assert of(Field.MODEL, sampler) is None


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ([["a", "b"]], InputSpec("choice", options=("a", "b"))),
        ([["a", 5, None]], InputSpec("choice", options=("a",))),
        ([[]], InputSpec("choice", options=())),
        (["COMBO", {"options": ["a", "b"], "multiselect": False}], InputSpec("choice", options=("a", "b"))),
        (["COMBO", {"remote": {"route": "/x"}}], InputSpec("choice")),
        (["COMBO"], InputSpec("choice")),
        (["STRING", {"multiline": True}], InputSpec("text")),
        (["INT"], InputSpec("int")),
        (["INT", {"min": 16, "max": 64, "step": 8, "default": 32}], InputSpec("int", None, 16, 64, 8, 32)),
        (["INT", {"min": "low", "max": None, "step": [], "default": {}}], InputSpec("int")),
        (["FLOAT", {"min": float("-inf"), "max": 10**400, "default": True}], InputSpec("float")),
        (["FLOAT", "options"], InputSpec("float")),
        (["MODEL", {}], None),
        ([], None),
        ("INT", None),
        (None, None),
        ({"0": "INT"}, None),
    ],
)
def test_definitions_in_both_spellings_and_broken_ones(definition: object, expected: InputSpec | None) -> None:
    assert told(definition) == expected
    assert told(definition, "optional") == expected
    assert told(definition, "hidden") is None


@pytest.mark.parametrize("info", [{}, {"A": None}, {"A": {"input": []}}, {"A": {"input": {"required": 5}}}])
def test_hostile_answers_say_nothing(info: dict[str, Any]) -> None:
    assert input_spec_of(info, Slot("1", "x", "A")) is None


def test_a_node_that_only_holds_a_value_does_not_widen_the_field() -> None:
    info = {"PrimitiveInt": {"input": {"required": {"value": ["INT", {"min": -(2**63), "max": 2**63}]}}}}
    assert input_spec_of(info, Slot("40", "value", "PrimitiveInt")) is None


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (Field.STEPS, " 20 ", 20),
        (Field.STEPS, "10000", 10_000),
        (Field.SEED, "18446744073709551615", 2**64 - 1),
        (Field.CFG, "7", 7.0),
        (Field.CFG, "7,5", 7.5),
        (Field.CFG, "0", 0.0),
        (Field.WIDTH, "1020", 1020),
        (Field.PROMPT, "  [b]anything\n", "  [b]anything\n"),
        (Field.MODEL, "unknown yet", "unknown yet"),
    ],
)
def test_typed_text_becomes_a_value(field: Field, text: str, value: Value) -> None:
    checked = check(text, FALLBACK[field])
    assert checked == value
    assert type(checked) is type(value)


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        (Field.STEPS, "0", "Steps must be a whole number from 1 to 10000."),
        (Field.STEPS, "", "Steps must be a whole number from 1 to 10000."),
        (Field.STEPS, "many", "Steps must be a whole number from 1 to 10000."),
        (Field.STEPS, "20.5", "Steps must be a whole number from 1 to 10000."),
        (Field.STEPS, "9" * 100_000, "Steps must be a whole number from 1 to 10000."),
        (Field.CFG, "nan", "CFG must be a number from 0 to 100."),
        (Field.CFG, "inf", "CFG must be a number from 0 to 100."),
        (Field.CFG, "1,000,5", "CFG must be a number from 0 to 100."),
        (Field.CFG, "100.01", "CFG must be a number from 0 to 100."),
        (Field.WIDTH, "8", "Width must be a whole number from 16 to 16384."),
        (Field.SEED, "-1", "Seed must be a whole number from 0 to 18446744073709551615."),
        (Field.MODEL, "", "Model has nothing to choose from: the server offers none."),
    ],
)
def test_wrong_text_is_answered_with_what_is_right(field: Field, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"must|nothing") as caught:
        check(text, FALLBACK[field], field.label)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("spec", "text", "sentence"),
    [
        (InputSpec("int", minimum=5), "4", "This must be a whole number of at least 5."),
        (InputSpec("int", maximum=5), "6", "This must be a whole number of at most 5."),
        (InputSpec("float"), "x", "This must be a number."),
        (InputSpec("float", minimum=0.5, maximum=1.5), "2", "This must be a number from 0.5 to 1.5."),
        (InputSpec("choice", options=("a",)), "b\x1b[31m", "This 'b' is not on the server: choose one that is."),
        (InputSpec("choice", options=()), "b", "This has nothing to choose from: the server offers none."),
    ],
)
def test_sentences_for_other_bounds(spec: InputSpec, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="This") as caught:
        check(text, spec)
    assert str(caught.value) == sentence


def test_of_a_million_choices_the_first_are_kept_and_the_rest_is_counted() -> None:
    names = [*map(str, range(1_000_000)), None, "x" * 10_000]
    spec = told([names])
    assert spec is not None
    assert spec.options is not None
    assert len(spec.options) == MAX_OPTIONS
    assert spec.left_out == 1_000_001 - MAX_OPTIONS
    # What is not kept may be on the server all the same.
    assert check("999999", spec) == "999999"
    assert not spec.lacks("999999")


def test_a_choice_that_the_server_offers() -> None:
    assert check("b", InputSpec("choice", options=("a", "b"))) == "b"


def test_sizes_off_their_step_are_allowed_with_a_hint() -> None:
    width = FALLBACK[Field.WIDTH]
    assert hint(1020, width, "Width") == "Width should be a multiple of 8, e.g. 1016"
    assert hint(1024, width, "Width") is None
    assert hint(80, InputSpec("int", minimum=1, step=4), "Length") == "Length should be 1 plus a multiple of 4, e.g. 77"
    assert hint(20, FALLBACK[Field.STEPS]) is None
    assert hint(7.55, FALLBACK[Field.CFG]) is None


def test_every_field_has_a_fallback_that_takes_the_builtin_default() -> None:
    assert set(FALLBACK) == set(Field)
    for spec in FALLBACK.values():
        if spec.default is not None:
            assert check(str(spec.default), spec) == spec.default
