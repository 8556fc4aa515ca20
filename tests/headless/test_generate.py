"""Requests for images by field values: what is taken, what is refused and in which words, and which seeds result."""

import json
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from comfytui.comfy.server import Server
from comfytui.headless.generate import (
    GenerateRequest,
    prepare,
    server_specs,
    workflow_from_json,
)
from comfytui.headless.value_checks import MAX_TEXT, ChoicesUnknown, FieldError
from comfytui.service.submission.batch import BatchRequest
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.editor.input_definitions import read_input
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.fields import FieldKey
from comfytui.workflow.graph import Workflow, read_values, workflow_of
from comfytui.workflow.input_specs import Choices, InputSpec
from comfytui.workflow.parameters import parameters_of
from comfytui.workflow.prompt_text.rendering import PromptTools
from comfytui.workflow.seeds import SeedMode
from tests.resources import cpu_limit
from tests.watcher import watching
from tests.workflow.graphs import flux, stable_diffusion, unusual

GRAPHS = {
    graph.__name__: graph()
    for graph in (
        flux.custom_sampler,
        flux.with_two_prompts,
        flux.ksampler,
        stable_diffusion.hires,
        stable_diffusion.base_and_refiner,
        stable_diffusion.controlled,
        unusual.no_sampler,
        unusual.all_in_one,
        unusual.wildcards,
        unusual.image_to_image,
    )
}
MODELS = ("dream.safetensors", "fox.safetensors")
SPECS: Mapping[FieldKey, InputSpec] = {
    "model": InputSpec("choice", options=MODELS),
    "sampler": InputSpec("choice", options=("euler", "heun")),
    "scheduler": InputSpec("choice", options=("normal", "karras")),
}


NOTHING: Mapping[str, object] = {}


def request(
    values: Mapping[str, object] = NOTHING, images: int = 1, mode: SeedMode | None = None, seed: int | None = None
) -> GenerateRequest:
    return GenerateRequest(txt2img(), values, images, mode, seed)


def batch_of(wanted: GenerateRequest, specs: Mapping[FieldKey, InputSpec] = SPECS, key: str = "") -> BatchRequest:
    return prepare(wanted, specs, Random(1), previews=False, key=key)[0]


def seeds_of(wanted: GenerateRequest) -> list[Mapping[FieldKey, int]]:
    return [*prepare(wanted, SPECS, Random(1), previews=False)[1]]


def values_of(wanted: GenerateRequest, specs: Mapping[FieldKey, InputSpec] = SPECS) -> dict[FieldKey, Any]:
    return read_values(replace(wanted.workflow, graph=batch_of(wanted, specs).graphs[0]))


def error_of(wanted: GenerateRequest, specs: Mapping[FieldKey, InputSpec] = SPECS) -> FieldError:
    with pytest.raises(FieldError) as caught:
        prepare(wanted, specs, Random(1), previews=False)
    assert str(caught.value) == caught.value.message
    assert caught.value.message.endswith(".")
    return caught.value


def seed_workflow() -> Workflow:
    """A workflow with two passes, each with a seed of its own."""
    graph = {**txt2img().graph}
    second = {**graph["3"]["inputs"], "latent_image": ["3", 0], "seed": 70}
    graph["8"] = {**graph["8"], "inputs": {"samples": ["20", 0], "vae": ["4", 2]}}
    return workflow_of("two passes", {**graph, "20": {"class_type": "KSampler", "inputs": second}})


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("steps", "12", 12),
        ("steps", 12, 12),
        ("steps", 12.0, 12),
        ("cfg", "1,5", 1.5),
        ("cfg", 3, 3.0),
        ("prompt", "a fox = \u00e9\n", "a fox = \u00e9\n"),
        ("negative", "", ""),
        ("sampler", "heun", "heun"),
        ("sampler", "", "euler"),
        ("model", "", MODELS[0]),
        ("model", MODELS[1], MODELS[1]),
        ("seed", str(2**64 - 1), 2**64 - 1),
    ],
)
def test_texts_and_json_values_set_fields(name: str, given: object, taken: object) -> None:
    value = values_of(request({name: given}))[name]
    assert (value, type(value)) == (taken, type(taken))


def test_what_is_not_given_is_the_workflows() -> None:
    assert values_of(request({"steps": 7}, seed=0)) == {**values_of(request(seed=0)), "steps": 7}
    assert batch_of(request()).title == "txt2img"
    assert batch_of(request({"prompt": "a fox"})).title == "a fox"


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("stepz", 1, "no field 'stepz': did you mean steps? Its fields are model, prompt"),
        ("guidance", 1, "no field 'guidance'. Its fields are model"),
        ("seed-2", 1, "no field 'seed-2'"),
        ("\x1b[31mx", 1, "no field 'x'"),
        ("steps", "many", "Steps must be a whole number from 1 to 10000"),
        ("steps", 0, "from 1 to 10000"),
        ("steps", 1.5, "whole number"),
        ("steps", True, "whole number"),
        ("steps", None, "whole number"),
        ("steps", [1], "whole number"),
        ("steps", 10**400, "whole number"),
        ("cfg", float("nan"), "CFG must be a number from 0 to 100"),
        ("cfg", "nan", "number from 0 to 100"),
        ("cfg", float("inf"), "number from 0 to 100"),
        ("seed", -1, "from 0 to"),
        ("prompt", 5, "Prompt must be text"),
        ("prompt", {"text": "a"}, "must be text"),
        ("prompt", "a" * (MAX_TEXT + 1), "at most 100,000 characters"),
        ("prompt", "a\ud800", "broken character"),
        ("model", "fux.safetensors", "'fux.safetensors' is not on the server: choose one that is, such as fox"),
        ("sampler", "zzz", "such as euler, heun."),
        ("scheduler", 1, "must be text"),
    ],
)
def test_values_that_cannot_be_used_are_named(name: str, given: object, words: str) -> None:
    error = error_of(request({name: given}))
    assert words in error.message
    assert error.field in {name, "x"}
    json.dumps(error.message, ensure_ascii=False).encode()


@pytest.mark.parametrize("images", [0, 1001, True, 1.5, "x", None, 10**30])
def test_only_1_to_1000_images_are_made(images: Any) -> None:
    error = error_of(replace(request(), images=images))
    assert (error.field, error.message) == ("images", "Images must be a whole number from 1 to 1000.")


def test_an_empty_model_needs_choices_that_are_known() -> None:
    assert isinstance(error_of(request(), {}), ChoicesUnknown)
    assert "nothing to choose from" in error_of(request(), {"model": InputSpec("choice", options=())}).message
    assert values_of(request({"model": "any.ckpt"}), {})["model"] == "any.ckpt"


def test_a_model_of_the_workflow_that_the_server_lacks_is_refused() -> None:
    graph = {**txt2img().graph, "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "gone.ckpt"}}}
    error = error_of(GenerateRequest(workflow_of("mine", graph), NOTHING))
    assert error.field == "model"
    assert "gone.ckpt" in error.message


def test_a_server_that_takes_text_for_a_number_is_not_believed() -> None:
    assert values_of(request({"steps": "6"}), {**SPECS, "steps": InputSpec("text")})["steps"] == 6


def test_a_seed_is_fixed_for_one_image_and_counts_on_for_several() -> None:
    assert seeds_of(request(seed=5)) == [{"seed": 5}]
    assert seeds_of(request(images=3, seed=5)) == [{"seed": 5}, {"seed": 6}, {"seed": 7}]
    assert seeds_of(request({"seed": "5"}, 3)) == [{"seed": 5}, {"seed": 6}, {"seed": 7}]
    assert seeds_of(request(NOTHING, 2, SeedMode.FIXED, 5)) == [{"seed": 5}, {"seed": 5}]


def test_without_a_seed_all_are_random() -> None:
    assert len({each["seed"] for each in seeds_of(request(images=50))}) == 50
    assert seeds_of(request(NOTHING, 2, SeedMode.FIXED)) == [{"seed": 0}, {"seed": 0}]


@pytest.mark.parametrize(("values", "seed", "field"), [(NOTHING, 5, "seed"), ({"seed": 5}, None, "seed")])
def test_a_seed_is_refused_where_seeds_are_random(values: Mapping[str, object], seed: int | None, field: str) -> None:
    error = error_of(request(values, 2, SeedMode.RANDOM, seed))
    assert error.field == field
    assert error.message.startswith("Seed has no effect if seeds are random: ")


def test_a_seed_that_is_given_twice_is_refused() -> None:
    assert error_of(request({"seed": 2}, seed=1)).field == "seed"


def test_a_workflow_without_a_seed_has_none() -> None:
    graph = {key: node for key, node in txt2img().graph.items() if key != "3"}
    without = GenerateRequest(workflow_of("no seed", graph), {}, 2)
    batch, seeds = prepare(without, SPECS, Random(1), previews=False)
    assert [*seeds] == [{}, {}]
    assert len(batch.graphs) == 2
    assert "no field 'seed'" in error_of(replace(without, seed=1)).message


def test_each_of_several_seeds_counts_on_by_itself() -> None:
    wanted = GenerateRequest(seed_workflow(), {}, 2, seed=5)
    assert seeds_of(wanted) == [{"seed": 5, "seed-2": 70}, {"seed": 6, "seed-2": 71}]
    assert seeds_of(replace(wanted, values={"seed-2": 9}))[1] == {"seed": 6, "seed-2": 10}


def test_a_key_makes_ids_that_are_the_same_again() -> None:
    assert batch_of(request(images=2), key="a") == batch_of(request(images=2), key="a")
    assert batch_of(request(images=2), key="a").batch_id != batch_of(request(images=2)).batch_id


@pytest.mark.parametrize("name", GRAPHS)
def test_every_workflow_can_be_made_as_it_is(name: str) -> None:
    workflow = workflow_from_json(GRAPHS[name])
    kept = GenerateRequest(workflow, {}, 1, SeedMode.FIXED)
    assert read_values(replace(workflow, graph=batch_of(kept, {}).graphs[0])) == read_values(workflow)


def test_a_workflow_comes_as_json() -> None:
    assert workflow_from_json(json.loads(json.dumps(txt2img().graph))).fields == txt2img().fields
    assert workflow_from_json({"prompt": txt2img().graph}).graph == txt2img().graph


def nested(depth: int) -> object:
    inner: object = 1
    for _ in range(depth):
        inner = [inner]
    return {"1": {"class_type": "A", "inputs": {"x": inner}}}


@pytest.mark.parametrize(
    "document",
    [
        None,
        5,
        [],
        "text",
        {},
        {"nodes": []},
        {"1": 5},
        {"1": {"class_type": "A"}},
        {"1": {"class_type": "A", "inputs": {"x": float("nan")}}},
        {"1": {"class_type": "A\ud800", "inputs": {}}},
        nested(100_000),
    ],
    ids=lambda document: str(type(document)),
)
def test_what_is_no_workflow_is_refused(document: object) -> None:
    with pytest.raises(WorkflowError, match=r"^The workflow "):
        workflow_from_json(document)


CODEC = ["COMBO", {"options": ["h264", "av1"]}]
BRANCHES = ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "mp4", "inputs": {"required": {"codec": CODEC}}}]}]
FORMAT = InputSpec("choice", options=("auto", "mp4"), branches=read_input("format", BRANCHES))
NODE_SPECS: Mapping[FieldKey, InputSpec] = {
    **SPECS,
    "3.steps": InputSpec("int", minimum=1, maximum=50),
    "9.lossless": InputSpec("bool", switch_labels=("lossy", "lossless")),
    "9.colour": InputSpec("colour"),
    "9.format": FORMAT,
    "9.format.codec": InputSpec("choice", options=("h264", "av1")),
    "9.factor": InputSpec("choice", options=Choices([2, 4])),
}


@pytest.mark.parametrize(
    ("values", "inputs"),
    [
        ({"3.steps": "30"}, {"3.steps": 30}),
        ({"steps": 10, "3.steps": 30}, {"3.steps": 30}),
        ({"3.denoise": "0,5"}, {"3.denoise": 0.5}),
        ({"6.text": "an owl, 3"}, {"6.text": "an owl, 3"}),
        ({"9.lossless": "on"}, {"9.lossless": True}),
        ({"9.lossless": False}, {"9.lossless": False}),
        ({"9.colour": "#F80"}, {"9.colour": "#ff8800"}),
        ({"9.factor": "4"}, {"9.factor": 4}),
        ({"9.format": "mp4"}, {"9.format": "mp4", "9.format.codec": "h264"}),
        ({"9.format.codec": "av1", "9.format": "mp4"}, {"9.format": "mp4", "9.format.codec": "av1"}),
    ],
)
def test_values_set_single_inputs_of_nodes(values: Mapping[str, object], inputs: Mapping[str, object]) -> None:
    graph = batch_of(request(values), NODE_SPECS).graphs[0]
    for key, wanted in inputs.items():
        node_id, name = key.split(".", 1)
        value = graph[node_id]["inputs"][name]
        assert (value, type(value)) == (wanted, type(wanted))


def test_an_input_of_a_node_may_have_several_values() -> None:
    batch = batch_of(replace(request({"3.steps": "10,20"}), axes=True), NODE_SPECS)
    assert [graph["3"]["inputs"]["steps"] for graph in batch.graphs] == [10, 20]


@pytest.mark.parametrize(
    ("key", "given", "words"),
    [
        ("99.steps", 1, "The workflow has no node '99': its nodes are 3, 4, 5, 6, 7, 8, 9."),
        ("3.model", 1, "'3.model' is linked to node '4': a value would have no effect."),
        ("3.stepz", 1, "Node '3' (KSampler) has no input 'stepz' to set: the nearest name is 3.steps."),
        ("8.x", 1, "Node '8' (VAEDecode) has no input 'x' to set: there are no inputs."),
        ("3.steps", "many", "3.steps must be a whole number from 1 to 50."),
        ("3.cfg", "x", "3.cfg must be a number."),
        ("9.lossless", "2", "9.lossless must be lossless or lossy."),
        ("9.lossless", 1, "9.lossless must be lossless or lossy."),
        ("9.colour", "red", "9.colour must be a colour such as #ff8800."),
        ("9.format", "avi", "9.format 'avi' is not on the server: choose one that is, such as auto, mp4."),
        ("\x1b[31m.x", 1, "The workflow has no node ''"),
    ],
)
def test_inputs_of_nodes_that_cannot_be_set_are_named(key: str, given: object, words: str) -> None:
    assert error_of(request({key: given}), NODE_SPECS).message.startswith(words)


def test_a_lora_is_set_and_switched_off() -> None:
    workflow = workflow_from_json(stable_diffusion.controlled())
    values = {"lora_on": "off", "lora-2": "fast", "lora_strength-2": "0,5"}
    graph = batch_of(GenerateRequest(workflow, values), {}).graphs[0]
    assert "12:20" not in graph
    assert graph["12:21"]["inputs"] == {"model": ["4", 0], "lora_name": "fast", "strength_model": 0.5}
    refused = error_of(GenerateRequest(workflow, {"lora_on-2": "maybe"}), {})
    assert refused.message == "LoRA on-2 must be on or off."


async def test_the_server_says_what_inputs_of_nodes_take() -> None:
    async with SimServer(SimConfig()) as sim, watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        specs = await server_specs(watcher.service, txt2img(), {"3.steps": "1", "99.steps": 1, "3.model": 1})
    assert (specs["3.steps"].maximum, "99.steps" in specs, "3.model" in specs) == (10_000, False, False)


async def test_the_server_says_what_fields_take() -> None:
    async with SimServer(SimConfig()) as sim, watching(Server.from_url(sim.url)) as watcher:
        await watcher.live()
        specs = await server_specs(watcher.service, txt2img())
    assert specs["model"].options == tuple(sim.config.checkpoints)
    assert values_of(request(), specs)["model"] == sim.config.checkpoints[0]


# Variations and axes


def test_several_values_of_a_field_make_an_image_of_each() -> None:
    wanted = replace(request({"steps": "20,30", "cfg": "6..7:0.5", "sampler": "heun"}, images=2, seed=5), axes=True)
    graphs = batch_of(wanted).graphs
    values = [read_values(replace(wanted.workflow, graph=graph)) for graph in graphs]
    assert [(each["seed"], each["steps"], each["cfg"]) for each in values] == [
        (seed, steps, cfg) for seed in (5, 6) for steps in (20, 30) for cfg in (6.0, 6.5, 7.0)
    ]
    assert seeds_of(wanted) == [{"seed": seed} for seed in (5, 6) for _ in range(6)]
    assert parameters_of(graphs[1]).cell == (("Steps", 20), ("CFG", 6.5))
    assert parameters_of(batch_of(request({"steps": 20})).graphs[0]).cell == ()


@pytest.mark.parametrize("steps", ["20,20", "20, 20 ,20", "20,", "20..20"])
def test_one_value_that_is_given_repeatedly_is_one_image(steps: str) -> None:
    (graph,) = batch_of(replace(request({"steps": steps, "sampler": "heun,heun"}), axes=True)).graphs
    assert parameters_of(graph).steps == 20
    assert parameters_of(graph).sampler == "heun"
    assert parameters_of(graph).cell == ()


def test_a_broken_character_among_several_values_is_refused() -> None:
    error = error_of(replace(request({"model": "a", "sampler": "heun,\udcff"}), axes=True), specs={})
    assert error.message == "Sampler has a broken character: give it as UTF-8."


def test_several_values_are_refused_where_they_were_not_asked_for() -> None:
    assert error_of(request({"steps": "20,30"})).message == "Steps must be a whole number from 1 to 10000."


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"steps": "20,x"}, "steps", "Steps must be a whole number from 1 to 10000."),
        ({"steps": "1..500"}, "steps", "Steps can have at most 100 values: these would be 500."),
        ({"sampler": "euler,nothing"}, "sampler", "Sampler 'nothing' is not on the server: choose one that is."),
        (
            {"steps": "1..100", "width": "64..864:8"},
            "width",
            "Width can have at most 100 values: these would be 101.",
        ),
        (
            {"steps": "1..100", "width": "64..856:8"},
            "images",
            "A batch can have at most 1,000 images: this would be 10,000.",
        ),
    ],
)
def test_values_of_an_axis_that_cannot_be_used(values: Mapping[str, object], field: str, message: str) -> None:
    error = error_of(replace(request(values), axes=True))
    assert (error.field, error.message) == (field, message)


def test_variations_are_expanded_by_the_seed_of_each_image() -> None:
    wanted = request({"prompt": "a {red|blue|green|white} fox"}, images=20, seed=1)
    texts = [
        parameters_of(graph).prompt
        for graph in prepare(wanted, SPECS, Random(1), previews=False, tools=PromptTools())[0].graphs
    ]
    assert set(texts) == {f"a {colour} fox" for colour in ("red", "blue", "green", "white")}
    again = prepare(replace(wanted, images=1, seed=7), SPECS, Random(2), previews=False, tools=PromptTools())
    assert parameters_of(again[0].graphs[0]).prompt == texts[6]
    assert values_of(wanted)["prompt"] == "a {red|blue|green|white} fox"


def test_a_batch_is_named_by_its_template_and_opens_with_it_again() -> None:
    wanted = request({"prompt": "a {red|blue} fox"})
    batch, _ = prepare(wanted, SPECS, Random(1), previews=False, tools=PromptTools())
    assert batch.title == "a {red|blue} fox"
    reopened = workflow_of("again", json.loads(json.dumps(batch.graphs[0])))
    assert read_values(reopened)["prompt"] == "a {red|blue} fox"


def test_a_text_that_cannot_be_expanded_names_its_field() -> None:
    with pytest.raises(FieldError, match="LoRAs are not known yet") as caught:
        prepare(request({"negative": "<lora:x:1>"}), SPECS, Random(1), previews=False, tools=PromptTools())
    assert caught.value.field == "negative"


def test_each_image_of_several_choices_has_the_inputs_of_its_own() -> None:
    batch = batch_of(replace(request({"9.format": "auto, mp4"}), axes=True), NODE_SPECS)
    formats = [
        {name: value for name, value in graph["9"]["inputs"].items() if name.startswith("format")}
        for graph in batch.graphs
    ]
    assert formats == [{"format": "auto"}, {"format": "mp4", "format.codec": "h264"}]


def test_variations_that_would_take_minutes_are_refused() -> None:
    long = request({"prompt": "{a|b}" * 1_000}, images=1_000)
    with cpu_limit(5), pytest.raises(FieldError) as caught:
        prepare(long, SPECS, Random(1), previews=False, tools=PromptTools())
    assert caught.value.field == "prompt"
    assert caught.value.message == "Prompt has too many variations for so many images: ask for fewer."


def test_braces_that_are_text_have_no_limit() -> None:
    text = '{"a": 1} ' * 400
    batch, _ = prepare(request({"prompt": text}, images=1_000), SPECS, Random(1), previews=False, tools=PromptTools())
    assert len(batch.graphs) == 1_000
