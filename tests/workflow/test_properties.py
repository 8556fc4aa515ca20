"""Whatever a graph is made of, reading it ends and never raises, and what is set is what stands there afterwards."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from comfytui.workflow.fields import MAX_SEEDS, Field, Key, Value, field_of, find_fields, seed_key
from comfytui.workflow.graph import Workflow, apply_values, classes_of, read_values, warning_for, workflow_of
from comfytui.workflow.input_specs import InputSpec, check, input_spec_of
from comfytui.workflow.nodes import Slot, is_number, is_text, is_whole
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
WORDS = (Field.MODEL, Field.PROMPT, Field.NEGATIVE, Field.SAMPLER, Field.SCHEDULER)


KEYS = (*Field, *(seed_key(index) for index in range(1, MAX_SEEDS)))


def a_value_for(key: Key) -> st.SearchStrategy[Value]:
    return st.text(max_size=8) if key in WORDS else st.integers(0, 2**64 - 1)


VALUES = st.fixed_dictionaries({key: a_value_for(key) for key in KEYS})


@given(JSON | GRAPHS)
def test_any_json_has_a_recipe_and_fields(document: Any) -> None:
    parameters = parameters_of(document)
    assert isinstance(parameters, GenerationParameters)
    assert all(value is None or is_text(value) or is_number(value) for value in parts(parameters))
    assert isinstance(find_fields(document), Mapping)
    assert all(is_text(class_type) for class_type in classes_of(document).values())


def parts(parameters: GenerationParameters) -> list[object]:
    return [getattr(parameters, field.value) for field in Field] + [parameters.latent_batch, *parameters.more_seeds]


@given(st.lists(GRAPHS | JSON, max_size=4))
def test_documents_read_together_are_read_as_each_alone(documents: list[Any]) -> None:
    reader = GraphReader()
    together = [reader.read(document) for document in documents]
    assert together == [(parameters_of(document), classes_of(document)) for document in documents]


@given(st.lists(GRAPHS | JSON, min_size=1, max_size=3), st.lists(st.text() | st.integers() | JSON, max_size=4))
def test_texts_read_together_are_read_as_each_alone(documents: list[Any], others: list[Any]) -> None:
    documents += [_with_first_values(document, value) for document in documents for value in others]
    texts = [json.dumps(document).encode() for document in documents]
    reader = GraphReader()
    together = [reader.read(text) for text in texts]
    assert repr(together) == repr([GraphReader().read(json.loads(text)) for text in texts])


def _with_first_values(document: Any, value: Any) -> Any:
    """The document with another value in every place of a seed and a prompt."""
    changed = deepcopy(document)
    for key, slots in find_fields(document).items():
        for slot in slots if field_of(key) in (Field.SEED, Field.PROMPT) else ():
            changed[slot.node_id]["inputs"][slot.input_name] = value
    return changed


@given(st.binary(), st.text('{}[],:"1 \\\\n'))
def test_no_text_is_an_error(raw: bytes, text: str) -> None:
    reader = GraphReader()
    for each in (raw, text.encode(), b"[" * 100_000):
        assert isinstance(reader.read(each)[0], GenerationParameters)


@given(GRAPHS)
def test_slots_stand_in_the_graph_with_values_of_their_kind_and_serve_one_field(graph: dict[str, Any]) -> None:
    fields = find_fields(graph)
    slots = [slot for places in fields.values() for slot in places]
    assert len(slots) == len(set(slots))
    for field, places in fields.items():
        assert places
        for slot in places:
            assert graph[slot.node_id]["class_type"] == slot.class_type
            value = graph[slot.node_id]["inputs"][slot.input_name]
            match field:
                case _ if field in WORDS:
                    assert is_text(value)
                case Field.CFG | Field.GUIDANCE:
                    assert is_number(value)
                case _:
                    assert is_whole(value)


@given(GRAPHS, VALUES)
def test_filling_gives_back_what_was_filled_and_changes_nothing_else(
    graph: dict[str, Any], values: dict[Key, Value]
) -> None:
    before = deepcopy(graph)
    workflow = workflow_of("any", graph)
    filled = apply_values(workflow, values)
    assert repr(graph) == repr(before)
    assert read_values(Workflow("any", filled, workflow.fields)) == {field: values[field] for field in workflow.fields}
    assert filled.keys() == graph.keys()
    set_nodes = {slot.node_id for slots in workflow.fields.values() for slot in slots}
    assert all(filled[node_id] is graph[node_id] for node_id in graph.keys() - set_nodes)
    assert (warning_for(workflow) is None) == (Field.SEED in workflow.fields)


@given(GRAPHS)
def test_filling_with_what_stands_there_keeps_the_first_pass(graph: dict[str, Any]) -> None:
    workflow = workflow_of("any", graph)
    assert parameters_of(apply_values(workflow, read_values(workflow))) == parameters_of(graph)


def answer_to(typed: str, spec: InputSpec) -> Value | str:
    try:
        return check(typed, spec, "Steps")
    except ValueError as error:
        return str(error)


@given(JSON, st.text(max_size=60))
def test_hostile_definitions_say_something_or_nothing(definition: Any, typed: str) -> None:
    slot = Slot("1", "x", "A")
    for inputs in ({"required": {"x": definition}, "optional": definition}, definition):
        spec = input_spec_of({"A": {"input": inputs}}, slot)
        assert spec is None or answer_to(typed, spec) is not None


@given(st.sampled_from(["INT", "FLOAT", "COMBO", ["a"]]), JSON, st.text("0123456789.,-+e_ ", max_size=60))
def test_bounds_of_any_kind_hold_for_what_passes(kind: Any, options: Any, typed: str) -> None:
    spec = input_spec_of({"A": {"input": {"required": {"x": [kind, options]}}}}, Slot("1", "x", "A"))
    assert spec is not None
    value = answer_to(typed, spec)
    if is_number(value):
        assert spec.minimum is None or value >= spec.minimum
        assert spec.maximum is None or value <= spec.maximum
    else:
        assert value == typed or str(value).startswith("Steps ")
