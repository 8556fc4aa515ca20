"""What inputs accept by the definitions of real and hostile servers, and how typed text is parsed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field, FieldValue
from comfytui.workflow.input_specs import FALLBACK_SPECS, InputSpec, Upload, input_spec_of, parse_input, step_hint
from comfytui.workflow.nodes import Slot

RECORDING = Path(__file__).parent.parent / "recordings" / "http_surface.jsonl"


def recorded(path: str) -> Any:
    rows = (json.loads(line) for line in RECORDING.read_text(encoding="utf-8").splitlines())
    return next(row["http"]["response"] for row in rows if row.get("http", {}).get("path") == path)


def spec_of_field(field: Field, object_info: Any) -> InputSpec | None:
    return input_spec_of(object_info, txt2img().fields[field][0])


def spec_of_definition(definition: object, group: str = "required") -> InputSpec | None:
    return input_spec_of({"A": {"input": {group: {"x": definition}}}}, Slot("1", "x", "A"))


def test_definitions_of_a_real_server_are_read() -> None:
    sampler = recorded("/object_info/KSampler")
    steps, seed, cfg = (spec_of_field(field, sampler) for field in (Field.STEPS, Field.SEED, Field.CFG))
    assert steps == replace(FALLBACK_SPECS[Field.STEPS], tooltip="The number of steps used in the denoising process.")
    assert seed is not None
    assert replace(seed, tooltip="", is_seed=False) == FALLBACK_SPECS[Field.SEED]
    assert seed.is_seed
    assert cfg is not None
    assert (cfg.minimum, cfg.maximum, cfg.step, cfg.default, cfg.precision) == (0, 100, 0.1, 8, 0.01)
    choices = spec_of_field(Field.SAMPLER, sampler)
    assert choices is not None
    assert choices.options is not None
    assert choices.options[:2] == ("euler", "euler_cfg_pp")
    loader = recorded("/object_info/CheckpointLoaderSimple")
    model = spec_of_field(Field.MODEL, loader)
    assert model is not None
    assert (model.kind, model.options) == ("choice", ("v1-5-random.safetensors",))
    assert spec_of_field(Field.MODEL, recorded("/object_info/NoSuchNode")) is None
    assert spec_of_field(Field.MODEL, sampler) is None


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (["BOOLEAN", {"default": True, "label_on": "wide\x1b[2J", "label_off": 5}], ("bool", True, ("off", "wide"))),
        (["BOOLEAN", {"default": 1}], ("bool", None, ("off", "on"))),
        (["COLOR", {"default": "#ffffff"}], ("colour", "#ffffff", ("off", "on"))),
        (["FLOAT,INT", {"widgetType": "FLOAT", "default": 25.0}], ("float", 25.0, ("off", "on"))),
        (["MARKDOWN"], ("text", None, ("off", "on"))),
    ],
)
def test_the_other_kinds_are_read(definition: object, expected: object) -> None:
    spec = spec_of_definition(definition)
    assert spec is not None
    assert (spec.kind, spec.default, spec.switch_labels) == expected


@pytest.mark.parametrize(
    ("options", "upload"),
    [
        ({"image_upload": True}, Upload("image")),
        ({"image_upload": True, "image_folder": "output"}, Upload("image", "output")),
        ({"image_upload": True, "image_folder": "../secrets"}, Upload("image")),
        ({"video_upload": True}, Upload("video")),
        ({"audio_upload": True}, Upload("audio")),
        ({"file_upload": True}, Upload("file")),
    ],
)
def test_an_input_with_an_upload_is_a_file_of_a_folder(options: dict[str, Any], upload: Upload) -> None:
    for definition in ([["a.png"], options], ["COMBO", {"options": ["a.png"], **options}]):
        spec = spec_of_definition(definition)
        assert spec is not None
        assert (spec.kind, spec.options, spec.upload) == ("file", ("a.png",), upload)
        # A file that was uploaded a moment ago is not in the list yet.
        assert parse_input("new.png", spec) == "new.png"
        assert not spec.excludes("new.png")


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        (InputSpec("bool"), "on", True),
        (InputSpec("bool"), " False ", False),
        (InputSpec("bool", switch_labels=("tight", "Wide")), "wide", True),
        (InputSpec("colour"), "#F80", "#ff8800"),
        (InputSpec("colour"), "ff8800cc", "#ff8800cc"),
        (InputSpec("int", display="color"), "#0000ff", 255),
        (InputSpec("int", display="color"), "255", 255),
    ],
)
def test_typed_switches_and_colours_become_values(spec: InputSpec, text: str, value: FieldValue) -> None:
    checked = parse_input(text, spec)
    assert checked == value
    assert type(checked) is type(value)


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ([["a", "b"]], InputSpec("choice", options=("a", "b"))),
        ([["a", 5, None]], InputSpec("choice", options=("a", "5"))),
        ([[]], InputSpec("choice", options=())),
        (["COMBO", {"options": ["a", "b"], "multiselect": False}], InputSpec("choice", options=("a", "b"))),
        (["COMBO", {"remote": {"route": "/x"}}], InputSpec("choice")),
        (["COMBO"], InputSpec("choice")),
        (["STRING", {"multiline": True}], InputSpec("text", multiline=True)),
        (["STRING", {"default": "a"}], InputSpec("text", default="a")),
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
def test_definitions_of_both_formats_are_read_and_malformed_ones_are_none(
    definition: object, expected: InputSpec | None
) -> None:
    assert spec_of_definition(definition) == expected
    assert spec_of_definition(definition, "optional") == expected
    assert spec_of_definition(definition, "hidden") is None


@pytest.mark.parametrize("info", [{}, {"A": None}, {"A": {"input": []}}, {"A": {"input": {"required": 5}}}])
def test_malformed_responses_have_no_spec(info: dict[str, Any]) -> None:
    assert input_spec_of(info, Slot("1", "x", "A")) is None


def test_a_node_that_only_provides_a_value_has_no_spec() -> None:
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
def test_typed_text_becomes_a_value(field: Field, text: str, value: FieldValue) -> None:
    checked = parse_input(text, FALLBACK_SPECS[field])
    assert checked == value
    assert type(checked) is type(value)


@pytest.mark.parametrize(
    ("field", "text", "message"),
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
def test_an_error_says_what_is_accepted(field: Field, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"must|nothing") as caught:
        parse_input(text, FALLBACK_SPECS[field], field.label)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("spec", "text", "message"),
    [
        (InputSpec("int", minimum=5), "4", "This must be a whole number of at least 5."),
        (InputSpec("int", maximum=5), "6", "This must be a whole number of at most 5."),
        (InputSpec("float"), "x", "This must be a number."),
        (InputSpec("float", minimum=0.5, maximum=1.5), "2", "This must be a number from 0.5 to 1.5."),
        (InputSpec("choice", options=("a",)), "b\x1b[31m", "This 'b' is not on the server: choose one that is."),
        (InputSpec("bool", switch_labels=("tight", "wide")), "2", "This must be wide or tight."),
        (InputSpec("colour"), "red", "This must be a colour such as #ff8800."),
        (InputSpec("file"), " ", "This is empty: name a file of the server, or upload one."),
        (InputSpec("choice", options=()), "b", "This has nothing to choose from: the server offers none."),
    ],
)
def test_an_error_names_the_bounds(spec: InputSpec, text: str, message: str) -> None:
    with pytest.raises(ValueError, match="This") as caught:
        parse_input(text, spec)
    assert str(caught.value) == message


class WatchedChoices(list[object]):
    """A list that knows how often its items were looked at."""

    looks = 0

    def __iter__(self) -> Iterator[object]:
        self.looks += 1
        return super().__iter__()

    def __contains__(self, item: object) -> bool:
        self.looks += 1
        return super().__contains__(item)

    def __getitem__(self, index: Any) -> Any:
        self.looks += 1
        return super().__getitem__(index)


def test_many_choices_are_kept_whole_and_cost_nothing_until_they_are_shown() -> None:
    names = WatchedChoices([*map(str, range(200_000)), None, "x" * 10_000])
    spec = spec_of_definition([names])
    assert names.looks == 0
    assert spec is not None
    assert spec.options is not None
    assert len(spec.options) == 200_000
    assert parse_input("199999", spec) == "199999"
    assert not spec.excludes("199999")
    assert spec.excludes("200000")


def test_choices_that_are_numbers_are_shown_as_texts_and_sent_as_numbers() -> None:
    spec = spec_of_definition([[8, 16.5, "8", "auto"]])
    assert spec is not None
    assert spec.options == ("8", "16.5", "8", "auto")
    assert parse_input("16.5", spec) == 16.5
    assert parse_input("auto", spec) == "auto"


def test_a_choice_of_the_server_is_accepted() -> None:
    assert parse_input("b", InputSpec("choice", options=("a", "b"))) == "b"


def test_a_size_off_its_step_is_accepted_with_a_hint() -> None:
    width = FALLBACK_SPECS[Field.WIDTH]
    assert step_hint(1020, width, "Width") == "Width should be a multiple of 8, e.g. 1016"
    assert step_hint(1024, width, "Width") is None
    assert (
        step_hint(80, InputSpec("int", minimum=1, step=4), "Length")
        == "Length should be 1 plus a multiple of 4, e.g. 77"
    )
    assert step_hint(20, FALLBACK_SPECS[Field.STEPS]) is None
    assert step_hint(7.55, FALLBACK_SPECS[Field.CFG]) is None


def test_every_field_has_a_fallback_that_accepts_its_default() -> None:
    assert set(FALLBACK_SPECS) == set(Field)
    for spec in FALLBACK_SPECS.values():
        if spec.default is not None:
            assert parse_input(str(spec.default), spec) == spec.default
