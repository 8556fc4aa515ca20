"""Properties for any JSON value: reading never raises, and values that are set are read back."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.fields import (
    DISPLAYED_FIELDS,
    MAX_SEEDS,
    Field,
    FieldKey,
    FieldValue,
    field_of,
    find_fields,
    seed_key,
)
from comfytui.workflow.graph import Workflow, apply_values, classes_of, read_values, seed_warning, workflow_of
from comfytui.workflow.input_specs import InputSpec, input_spec_of, parse_input
from comfytui.workflow.node_inputs import node_inputs, set_value
from comfytui.workflow.nodes import Slot, is_integer, is_number, is_text
from comfytui.workflow.parameters import GenerationParameters, GraphReader, parameters_of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
IDS = st.sampled_from(["", "1", "2", "3", "12:34", "-1"])
LINKED = ("positive", "negative", "model", "conditioning", "conditioning_1", "guider", "sigmas", "noise", "samples")
HELD = ("noise_seed", "steps", "cfg", "sampler_name", "scheduler", "ckpt_name", "text_g", "guidance", "width", "height")
EITHER = ("seed", "sampler", "latent_image", "text", "t5xxl", "value", "string", "prompt", "any", "negative_prompt")
NAMES = st.sampled_from((*LINKED, *HELD, *EITHER, "batch_size"))
LINKS = st.tuples(IDS, st.integers(0, 2)).map(list)
NODES = st.fixed_dictionaries(
    {
        "class_type": st.sampled_from(["KSampler", "CLIPTextEncode", "ConditioningZeroOut", "Reroute"]),
        "inputs": st.dictionaries(NAMES, LINKS | LINKS | JSON, max_size=8),
    }
)
GRAPHS = st.dictionaries(IDS, NODES | NODES | JSON, max_size=6)
TEXT_FIELDS = (Field.MODEL, Field.PROMPT, Field.NEGATIVE, Field.SAMPLER, Field.SCHEDULER)


KEYS = (*Field, *(seed_key(index) for index in range(1, MAX_SEEDS)))


def values_for(key: FieldKey) -> st.SearchStrategy[FieldValue]:
    return st.text(max_size=8) if key in TEXT_FIELDS else st.integers(0, 2**64 - 1)


VALUES = st.fixed_dictionaries({key: values_for(key) for key in KEYS})


@given(JSON | GRAPHS)
def test_any_json_has_parameters_and_fields(document: Any) -> None:
    parameters = parameters_of(document)
    assert isinstance(parameters, GenerationParameters)
    assert all(value is None or is_text(value) or is_number(value) for value in values_of(parameters))
    assert isinstance(find_fields(document), Mapping)
    assert all(is_text(class_type) for class_type in classes_of(document).values())


DEFINITIONS = st.dictionaries(
    st.sampled_from(["KSampler", "CLIPTextEncode", "Reroute"]),
    st.fixed_dictionaries(
        {"input": st.fixed_dictionaries({"required": st.dictionaries(NAMES, JSON, max_size=4)}) | JSON}
    )
    | JSON,
    max_size=3,
)


@given(JSON | GRAPHS, DEFINITIONS)
def test_any_json_has_inputs_that_can_be_set_to_what_they_are(document: Any, object_info: Any) -> None:
    groups = node_inputs(document, object_info)
    keys = [each.key for group in groups for each in group.inputs]
    assert len(keys) == len(set(keys))
    for each in (each for group in groups for each in group.inputs):
        changed = set_value(document, object_info, each.slot, each.value)
        inputs = changed[each.slot.node_id]["inputs"]
        value = inputs[each.slot.input_name]
        assert (value[each.slot.member] if each.slot.member else value) == each.value


def values_of(parameters: GenerationParameters) -> list[object]:
    return [getattr(parameters, field.value) for field in DISPLAYED_FIELDS] + [
        parameters.latent_batch,
        *parameters.more_seeds,
    ]


@given(st.lists(GRAPHS | JSON, max_size=4))
def test_documents_read_together_are_read_as_each_alone(documents: list[Any]) -> None:
    reader = GraphReader()
    together = [reader.read(document) for document in documents]
    assert together == [(parameters_of(document), classes_of(document)) for document in documents]


@given(st.lists(GRAPHS | JSON, min_size=1, max_size=3), st.lists(st.text() | st.integers() | JSON, max_size=4))
def test_texts_read_together_are_read_as_each_alone(documents: list[Any], others: list[Any]) -> None:
    documents += [with_seeds_and_prompts(document, value) for document in documents for value in others]
    texts = [json.dumps(document).encode() for document in documents]
    reader = GraphReader()
    together = [reader.read(text) for text in texts]
    assert repr(together) == repr([GraphReader().read(json.loads(text)) for text in texts])


def with_seeds_and_prompts(document: Any, value: Any) -> Any:
    """Return the document with another value in every slot of a seed or prompt."""
    changed = deepcopy(document)
    for key, slots in find_fields(document).items():
        for slot in slots if field_of(key) in (Field.SEED, Field.PROMPT) else ():
            changed[slot.node_id]["inputs"][slot.input_name] = value
    return changed


@given(st.binary(), st.text('{}[],:"1 \\\\n'))
def test_no_text_raises(raw: bytes, text: str) -> None:
    reader = GraphReader()
    for each in (raw, text.encode(), b"[" * 100_000):
        assert isinstance(reader.read(each)[0], GenerationParameters)


@given(GRAPHS)
def test_slots_exist_have_values_of_the_right_type_and_belong_to_one_field(graph: dict[str, Any]) -> None:
    fields = find_fields(graph)
    slots = [slot for slots in fields.values() for slot in slots]
    assert len(slots) == len(set(slots))
    for field, field_slots in fields.items():
        assert field_slots
        for slot in field_slots:
            assert graph[slot.node_id]["class_type"] == slot.class_type
            value = graph[slot.node_id]["inputs"][slot.input_name]
            match field:
                case _ if field in TEXT_FIELDS:
                    assert is_text(value)
                case Field.CFG | Field.GUIDANCE:
                    assert is_number(value)
                case _:
                    assert is_integer(value)


@given(GRAPHS, VALUES)
def test_applied_values_are_read_back_and_nothing_else_changes(
    graph: dict[str, Any], values: dict[FieldKey, FieldValue]
) -> None:
    before = deepcopy(graph)
    workflow = workflow_of("any", graph)
    changed = apply_values(workflow, values)
    assert repr(graph) == repr(before)
    assert read_values(Workflow("any", changed, workflow.fields)) == {field: values[field] for field in workflow.fields}
    assert changed.keys() == graph.keys()
    set_nodes = {slot.node_id for slots in workflow.fields.values() for slot in slots}
    assert all(changed[node_id] is graph[node_id] for node_id in graph.keys() - set_nodes)
    assert (seed_warning(workflow) is None) == (Field.SEED in workflow.fields)


@given(GRAPHS)
def test_applying_the_current_values_keeps_the_parameters(graph: dict[str, Any]) -> None:
    workflow = workflow_of("any", graph)
    assert parameters_of(apply_values(workflow, read_values(workflow))) == parameters_of(graph)


def result_of(typed: str, spec: InputSpec) -> FieldValue | str:
    try:
        return parse_input(typed, spec, "Steps")
    except ValueError as error:
        return str(error)


@given(JSON, st.text(max_size=60))
def test_any_definition_has_a_spec_or_none(definition: Any, typed: str) -> None:
    slot = Slot("1", "x", "A")
    for inputs in ({"required": {"x": definition}, "optional": definition}, definition):
        spec = input_spec_of({"A": {"input": inputs}}, slot)
        assert spec is None or result_of(typed, spec) is not None


@given(st.sampled_from(["INT", "FLOAT", "COMBO", ["a"]]), JSON, st.text("0123456789.,-+e_ ", max_size=60))
def test_accepted_values_are_within_the_bounds(kind: Any, options: Any, typed: str) -> None:
    spec = input_spec_of({"A": {"input": {"required": {"x": [kind, options]}}}}, Slot("1", "x", "A"))
    assert spec is not None
    value = result_of(typed, spec)
    if is_number(value):
        assert spec.minimum is None or value >= spec.minimum
        assert spec.maximum is None or value <= spec.maximum
    else:
        assert value == typed or str(value).startswith("Steps ")
