"""Set the fields of a workflow and read them back; parameters, labels and seeds."""

from copy import deepcopy
from dataclasses import replace
from itertools import product
from json import dumps, loads
from random import Random
from typing import Any

import pytest

from comfytui.workflow import parameters
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.field_labels import field_labels
from comfytui.workflow.fields import DISPLAYED_FIELDS, Field, seed_key
from comfytui.workflow.graph import apply_values, classes_of, read_values, seed_labels, seed_warning, workflow_of
from comfytui.workflow.parameters import GraphReader, parameters_of
from comfytui.workflow.seeds import MAX_RANDOM_SEED, MAX_SEED, SeedMode, SeedRange, seeds_by_image, seeds_for
from tests.workflow.graphs import Graph, flux, stable_diffusion, unusual


def test_the_builtin_workflow_is_a_text_to_image_graph_with_every_common_field() -> None:
    workflow = txt2img()
    assert workflow.name == "txt2img"
    assert set(workflow.fields) == {*DISPLAYED_FIELDS, Field.DENOISE, Field.FILENAME_PREFIX} - {Field.GUIDANCE}
    assert read_values(workflow) == {
        Field.MODEL: "",
        Field.PROMPT: "",
        Field.NEGATIVE: "",
        Field.WIDTH: 512,
        Field.HEIGHT: 512,
        Field.STEPS: 20,
        Field.CFG: 7.0,
        Field.SAMPLER: "euler",
        Field.SCHEDULER: "normal",
        Field.DENOISE: 1.0,
        Field.SEED: 0,
        Field.FILENAME_PREFIX: "comfytui",
    }
    assert workflow.graph["9"]["inputs"]["filename_prefix"] == "comfytui"


def test_applying_values_sets_every_slot_of_a_copy() -> None:
    workflow = workflow_of("hires", stable_diffusion.hires())
    before = deepcopy(workflow.graph)
    graph = apply_values(workflow, {Field.SEED: 99, Field.STEPS: 30, Field.CFG: 3.0, Field.PROMPT: "an owl"})
    assert graph["3"]["inputs"]["cfg"] == graph["1"]["inputs"]["cfg"] == 3.0
    assert (graph["3"]["inputs"]["seed"], graph["1"]["inputs"]["seed"]) == (99, 7)
    assert (graph["3"]["inputs"]["steps"], graph["1"]["inputs"]["steps"]) == (30, 12)
    assert graph["6"]["inputs"] == {"text": "an owl", "clip": ["4", 1]}
    assert workflow.graph == before
    assert graph["8"] is workflow.graph["8"]


def test_values_of_missing_fields_are_ignored() -> None:
    workflow = workflow_of("invert", unusual.no_sampler())
    assert apply_values(workflow, {Field.SEED: 1, Field.PROMPT: "x"}) == workflow.graph


@pytest.mark.parametrize(
    ("graph", "warned"),
    [(unusual.no_sampler(), True), (unusual.only_a_seed(), False), (stable_diffusion.sd15(), False)],
)
def test_warns_where_no_seed_can_make_images_differ(graph: Graph, warned: bool) -> None:
    warning = seed_warning(workflow_of("any", graph))
    assert (warning is not None and "seed" in warning and "cache" in warning) is warned


def test_the_classes_of_well_formed_nodes_are_known() -> None:
    assert classes_of(unusual.no_sampler()) == {"1": "LoadImage", "2": "ImageInvert", "3": "SaveImage"}
    assert classes_of([1, 2]) == {}
    assert classes_of({"1": None, "2": {"class_type": 5}, "3": {"class_type": "X"}}) == {"3": "X"}


@pytest.mark.parametrize(
    ("graph", "shown"),
    [
        (
            stable_diffusion.sd15(),
            {
                "prompt": "a red fox in snow",
                "negative": "blurry",
                "model": "v1-5.safetensors",
                "width": 512,
                "height": 768,
                "steps": 20,
                "cfg": 7.5,
                "guidance": None,
                "sampler": "euler",
                "scheduler": "normal",
                "seed": 1,
                "latent_batch": 2,
            },
        ),
        (stable_diffusion.hires(), {"steps": 20, "width": 512, "seed": 1, "more_seeds": (7,)}),
        (flux.custom_sampler(), {"guidance": 3.5, "cfg": None, "negative": "", "seed": 219670278747233}),
        (unusual.all_in_one(), {"prompt": "a red fox", "model": None, "latent_batch": 3, "more_seeds": ()}),
        (unusual.no_sampler(), {"prompt": "", "seed": None, "latent_batch": 1}),
        (None, {"prompt": "", "steps": None}),
    ],
)
def test_parameters_are_those_of_the_first_pass(graph: object, shown: dict[str, Any]) -> None:
    parameters = parameters_of(graph)
    assert {name: getattr(parameters, name) for name in shown} == shown


def test_parameters_cut_long_texts_and_drop_large_numbers() -> None:
    graph = stable_diffusion.sd15()
    graph["6"]["inputs"]["text"] = "fox " * 2_500_000
    graph["4"]["inputs"]["ckpt_name"] = "m" * 10_000
    graph["3"]["inputs"] |= {"seed": 10**400, "steps": True, "cfg": float("inf")}
    graph["5"]["inputs"]["batch_size"] = -4
    parameters = parameters_of(graph)
    assert len(parameters.prompt) == 100_000
    assert parameters.prompt.endswith("fox…")
    assert len(parameters.model or "") == 200
    assert (parameters.seed, parameters.steps, parameters.cfg, parameters.latent_batch) == (None, None, None, 1)


def test_graphs_of_one_shape_share_classes_and_equal_texts_but_no_values() -> None:
    reader = GraphReader()
    first, second = stable_diffusion.sd15(), loads(dumps(stable_diffusion.sd15()))
    second["3"]["inputs"] |= {"seed": 2, "cfg": 3.5}
    second["6"]["inputs"]["text"] = "a blue fox"
    (one, classes), (two, same_classes) = reader.read(first), reader.read(second)
    assert two == replace(one, seed=2, cfg=3.5, prompt="a blue fox")
    assert same_classes is classes == classes_of(first)
    assert two.negative is one.negative


def test_equal_texts_are_shared_whole_even_without_memory_for_them() -> None:
    reader = GraphReader(max_memory=200)
    first, same, other = (name * 9 for name in ("client-1", "client-1", "client-2"))
    assert reader.share(same) is reader.share(first)
    assert reader.share(other) == other
    assert reader.share(first) is reader.share(same)


@pytest.mark.parametrize(
    "text", ["a blue fox", 'a "blue" \\ fox\n', "Füchse 🦊", "\ud800", "", "comfytui's place of a value"]
)
def test_texts_of_one_template_are_read_like_their_graphs(text: str) -> None:
    reader = GraphReader()
    first, second = stable_diffusion.sd15(), loads(dumps(stable_diffusion.sd15()))
    second["6"]["inputs"]["text"] = text
    for seed in (0, -1, 2**64 - 1, 10**30, 2.5, True, "7"):
        second["3"]["inputs"]["seed"] = seed
        for graph in (first, second, first):
            assert reader.read(dumps(graph).encode()) == (parameters_of(graph), classes_of(graph))


def test_texts_that_differ_in_every_seed_are_read_without_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = workflow_of("hires", stable_diffusion.hires())
    texts = [dumps(apply_values(workflow, {Field.SEED: seed, seed_key(1): seed + 10})).encode() for seed in range(3)]
    reader = GraphReader()
    assert reader.read(texts[0])[0].more_seeds == (10,)
    monkeypatch.setattr("comfytui.workflow.parameters.json.loads", None)
    parameter_sets = [reader.read(text)[0] for text in texts]
    assert [(parameters.seed, *parameters.more_seeds) for parameters in parameter_sets] == [(0, 10), (1, 11), (2, 12)]


@pytest.mark.parametrize("graph", [stable_diffusion.sd15(), stable_diffusion.hires(), flux.custom_sampler()])
def test_a_value_of_another_type_is_read_like_a_new_graph(graph: Graph) -> None:
    values: list[Any] = [7, True, 2.5, float("inf"), float("nan"), "words", None, {}]
    links: list[Any] = [["4", 0], ["4", True], ["4"], [{}, 0]]
    reader = GraphReader()
    for node_id, name, value in product(
        graph, ("cfg", "seed", "text", "latent_image", "batch_size", "model"), values + links
    ):
        changed = deepcopy(graph)
        changed[node_id]["inputs"][name] = value
        assert reader.read(graph) == (parameters_of(graph), classes_of(graph))
        assert reader.read(changed) == (parameters_of(changed), classes_of(changed))


def test_fixed_seeds_are_equal_and_increments_wrap_around() -> None:
    rng = Random(1)
    assert seeds_for(SeedMode.FIXED, 5, 3, rng) == (5, 5, 5)
    assert seeds_for(SeedMode.INCREMENT, 5, 3, rng) == (5, 6, 7)
    assert seeds_for(SeedMode.INCREMENT, MAX_SEED, 3, rng) == (MAX_SEED, 0, 1)
    assert seeds_for(SeedMode.RANDOM, 5, 0, rng) == ()


def test_random_seeds_differ_and_are_exact_in_javascript() -> None:
    seeds = seeds_for(SeedMode.RANDOM, 5, 1_000, Random(1))
    assert len(set(seeds)) == 1_000
    assert all(0 <= seed < MAX_RANDOM_SEED and int(float(seed)) == seed for seed in seeds)
    assert seeds == seeds_for(SeedMode.RANDOM, 6, 1_000, Random(1))


def test_seeds_stay_within_the_range_of_a_node() -> None:
    small = SeedRange(5, 8)
    assert seeds_for(SeedMode.INCREMENT, 7, 4, Random(1), small) == (7, 8, 5, 6)
    assert set(seeds_for(SeedMode.RANDOM, 5, 4, Random(1), small)) == {5, 6, 7, 8}
    assert set(seeds_for(SeedMode.RANDOM, 5, 100, Random(1), small)) == {5, 6, 7, 8}


@pytest.mark.parametrize(
    ("mode", "expected"), [(SeedMode.FIXED, [(5, 9), (5, 9)]), (SeedMode.INCREMENT, [(5, 9), (6, 3)])]
)
def test_each_seed_counts_on_within_its_own_range(mode: SeedMode, expected: list[tuple[int, int]]) -> None:
    ranges = {"seed": SeedRange(), "seed-2": SeedRange(3, 9)}
    seeds = seeds_by_image(mode, {"seed": 5, "seed-2": 9}, 2, Random(1), ranges)
    assert [tuple(each.values()) for each in seeds] == expected


def test_random_seeds_of_one_image_differ_even_where_few_are_allowed() -> None:
    ranges = {key: SeedRange(0, 2) for key in ("seed", "seed-2", "seed-3")}
    for seeds in seeds_by_image(SeedMode.RANDOM, dict.fromkeys(ranges, 0), 100, Random(1), ranges):
        assert sorted(seeds.values()) == [0, 1, 2]
    one = {"seed": SeedRange(0, 0), "seed-2": SeedRange(0, 0)}
    assert seeds_by_image(SeedMode.RANDOM, dict.fromkeys(one, 0), 1, Random(1), one) == [{"seed": 0, "seed-2": 0}]


def test_a_graph_without_seeds_has_no_seeds_per_image() -> None:
    assert seeds_by_image(SeedMode.RANDOM, {}, 2, Random(1), {}) == [{}, {}]


def test_seeds_are_labelled_by_their_nodes() -> None:
    graph = stable_diffusion.hires()
    graph["1"]["_meta"] = {"title": "Hires\x1b[2J pass"}
    assert seed_labels(workflow_of("hires", graph)) == {"seed": "#3 KSampler", "seed-2": "#1 Hires pass"}


def test_fields_are_labelled_with_their_nodes_where_there_are_several() -> None:
    graph = stable_diffusion.hires()
    graph["1"]["_meta"] = {"title": "Hires\x1b[2J pass"}
    labels = field_labels(workflow_of("hires", graph))
    assert (labels["cfg"], labels["model"]) == ("CFG", "Model")
    assert (labels["steps"], labels["steps-2"]) == ("Steps of #3 KSampler", "Steps of #1 Hires pass")


def test_a_whole_number_stays_an_integer_where_the_graph_has_one() -> None:
    graph = stable_diffusion.sd15()
    graph["3"]["inputs"]["cfg"] = 8
    workflow = workflow_of("any", graph)
    for value, sent in ((7.0, 7), (7.5, 7.5)):
        cfg = apply_values(workflow, {Field.CFG: value})["3"]["inputs"]["cfg"]
        assert (cfg, type(cfg)) == (sent, type(sent))


def test_memory_for_unrelated_graphs_is_limited() -> None:
    reader = GraphReader(max_memory=100_000)
    texts = [reader.read(with_text(f"{number} " + "x" * 1_500))[0].prompt for number in range(200)]
    assert len(texts[0]) > 1_500
    assert len(texts[-1]) == parameters.MAX_OVERFLOW_TEXT
    assert texts[-1].startswith("199 x")
    assert texts[-1].endswith("x…")
    node = {"class_type": "K", "inputs": {}}
    shapes = [reader.read({f"{number}-{node_id}": node for node_id in range(99)}) for number in range(9)]
    assert shapes[-1] == (parameters.GenerationParameters(), {})


def test_a_long_prompt_is_kept_whole() -> None:
    whole = "word " * 5_000 + "end"
    assert parameters.parameters_of(with_text(whole)).prompt == whole


def test_a_graph_with_too_many_values_is_not_read() -> None:
    text = dumps({"1": {"class_type": "K", "inputs": {"a": [1] * 300_000}}}).encode()
    assert GraphReader().read(text) == (parameters.GenerationParameters(), {})


def with_text(text: str) -> dict[str, Any]:
    return {
        "3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 2, "positive": ["6", 0], "negative": ["6", 0]}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": text}},
    }
