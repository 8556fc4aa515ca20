"""Graphs that are queued again: as a client sends them, and with new seeds."""

from math import inf, nan
from random import Random

from comfytui.workflow.graph import sendable_graph
from comfytui.workflow.seeds import MAX_NEW_SEED, reseed
from tests.sim.graphs import flux, node, text_to_image


def test_every_seed_is_new_and_the_graph_is_not_modified() -> None:
    graph = text_to_image(seed=5)
    graph["20"] = node("KSampler", **{**graph["3"]["inputs"], "seed": 6, "latent_image": ["3", 0]})
    graph["8"]["inputs"]["samples"] = ["20", 0]
    made = reseed(graph, Random(1))
    assert made is not None
    first, second = made["3"]["inputs"]["seed"], made["20"]["inputs"]["seed"]
    assert {first, second}.isdisjoint({5, 6})
    assert first != second
    assert all(0 <= seed <= MAX_NEW_SEED for seed in (first, second))
    assert (graph["3"]["inputs"]["seed"], graph["20"]["inputs"]["seed"]) == (5, 6)
    assert {**made, "3": graph["3"], "20": graph["20"]} == graph


def test_no_number_gets_into_two_seeds_not_even_where_they_were_equal() -> None:
    graph = text_to_image(seed=5)
    graph["20"] = node("KSampler", **{**graph["3"]["inputs"], "latent_image": ["3", 0]})
    made = reseed(graph, Random(1))
    assert made is not None
    assert len({5, made["3"]["inputs"]["seed"], made["20"]["inputs"]["seed"]}) == 3


def test_a_number_that_is_drawn_twice_is_drawn_again() -> None:
    class Repeating(Random):
        def __init__(self) -> None:
            super().__init__(1)
            self.numbers = [7, 7, 8]

        def randint(self, a: int, b: int) -> int:
            return self.numbers.pop(0)

    made = reseed({"1": node("A", seed=1), "2": node("A", seed=1)}, Repeating())
    assert made is not None
    assert [made[node_id]["inputs"]["seed"] for node_id in ("1", "2")] == [7, 8]


def test_a_linked_seed_is_changed_at_its_source() -> None:
    graph = text_to_image(seed=5)
    graph["3"]["inputs"]["seed"] = ["30", 0]
    graph["30"] = node("PrimitiveInt", value=77)
    graph["20"] = node("KSampler", **{**graph["3"]["inputs"], "seed": ["31", 0], "latent_image": ["3", 0]})
    graph["31"] = node("PrimitiveInt", value=78)
    graph["8"]["inputs"]["samples"] = ["20", 0]
    made = reseed(graph, Random(1))
    assert made is not None
    assert [made[node_id]["inputs"]["seed"] for node_id in ("3", "20")] == [["30", 0], ["31", 0]]
    assert {made[node_id]["inputs"]["value"] for node_id in ("30", "31")}.isdisjoint({77, 78})


def test_seeds_of_unknown_nodes_are_found_by_name() -> None:
    made = reseed({"1": node("LabSampler", seed=3, steps=4), "2": node("Dice", variation_seed=4)}, Random(1))
    assert made is not None
    assert made["1"]["inputs"]["seed"] != 3
    assert made["1"]["inputs"]["steps"] == 4
    assert made["2"]["inputs"]["variation_seed"] != 4
    assert reseed(flux(), Random(1)) != flux()


def test_a_graph_without_a_seed_is_none() -> None:
    assert reseed({"1": node("LoadImage", image="fox.png")}, Random(1)) is None


def test_additions_of_a_server_are_not_sent() -> None:
    graph = text_to_image()
    given = {key: {**value, "is_changed": ["abc"], "_meta": {"title": "x"}} for key, value in graph.items()}
    assert sendable_graph(given) == {key: {**value, "_meta": {"title": "x"}} for key, value in graph.items()}


def test_a_value_that_is_no_graph_is_not_sent() -> None:
    nonsense: list[object] = [None, [], "", {}, 3, {"1": {"class_type": "A"}}, {"1": {"inputs": {}}}, {"1": None}]
    nonsense += [{"1": node("A", x=value)} for value in (nan, inf, "\ud800")]
    assert [sendable_graph(each) for each in nonsense] == [None] * len(nonsense)
