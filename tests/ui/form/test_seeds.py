"""Workflows with several seeds: each has its own field and follows the seed mode."""

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select

from comfytui.ui.drafts import DraftFolder
from comfytui.workflow.graph import Workflow, workflow_of
from tests.fake_backend import FakeBackend
from tests.sim import graphs
from tests.ui.screen import Screen, screen


def two_seeds() -> Workflow:
    return workflow_of("two", graphs.two_seeds())


def sent(server: FakeBackend) -> list[tuple[Any, Any]]:
    """The two seeds of each prompt that the server got."""
    return [tuple(body["prompt"][each]["inputs"]["seed"] for each in ("3", "11")) for body in server.submitted]


def choose(it: Screen, mode: str) -> None:
    it.app.screen.query_one("#seed-mode", Select).value = mode


def shown(it: Screen) -> list[str]:
    """What stands in the seed fields, in their order."""
    return [field.value for field in it.app.screen.query(Input) if (field.id or "").startswith("seed")]


@pytest.mark.parametrize(
    ("mode", "expected", "next_ones"),
    [("fixed", [(5, 6), (5, 6)], ["5", "6"]), ("increment", [(5, 6), (6, 7)], ["7", "8"])],
)
async def test_two_seeds_are_independent(mode: str, expected: list[tuple[int, int]], next_ones: list[str]) -> None:
    server = FakeBackend()
    async with screen(server, workflow=two_seeds()) as it:
        await it.shows("live")
        assert shown(it) == ["5", "6"]
        choose(it, mode)
        await it.generate(images="2")
        await it.until(lambda: len(server.submitted) == 2, "two prompts")
        assert sent(server) == expected
        await it.until(lambda: shown(it) == next_ones, "the seeds that the next batch begins with")


async def test_random_seeds_differ() -> None:
    server = FakeBackend()
    async with screen(server, workflow=two_seeds()) as it:
        await it.shows("live")
        await it.generate(images="2")
        await it.until(lambda: len(server.submitted) == 2, "two prompts")
        assert len({seed for pair in sent(server) for seed in pair}) == 4
        await it.until(lambda: shown(it) == [str(seed) for seed in sent(server)[0]], "the seeds of the first image")
        first, second = sent(server)[0]
        await it.shows("2 of 2 done")
        await it.press("escape", "home", "down", "enter")
        await it.shows(f"seeds {first}, {second}")


async def test_typed_seed_is_submitted_with_other_seed(tmp_path: Path) -> None:
    drafts = DraftFolder(tmp_path)
    server = FakeBackend()
    async with screen(server, workflow=two_seeds(), drafts=drafts) as it:
        await it.shows("live")
        assert "#3 KSampler" in it.text
        assert "#11 KSampler" in it.text
        await it.generate(images="1", **{"seed-2": "77"})
        await it.until(lambda: server.submitted, "a prompt")
        assert sent(server) == [(5, 77)]
    async with screen(server, workflow=two_seeds(), drafts=drafts) as it:
        await it.shows("live")
        assert shown(it) == ["5", "77"]


async def test_wrong_or_refused_seed_is_marked_at_its_field() -> None:
    server = FakeBackend()
    async with screen(server, workflow=two_seeds()) as it:
        await it.shows("live")
        await it.write("seed-2", "many")
        await it.shows("Seed of #11 KSampler must be a")
        wrong = [control.id for control in it.app.screen.query(".-wrong")]
        assert wrong == ["seed-2"]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_labels_of_seeds_show_in_what_they_differ(size: tuple[int, int]) -> None:
    graph = graphs.two_seeds()
    for node_id, title in (("3", "KSampler (Advanced) - BASE"), ("11", "KSampler (Advanced) - REFINER")):
        graph[node_id]["_meta"] = {"title": title}
    async with screen(FakeBackend(), size, workflow=workflow_of("two", graph)) as it:
        await it.shows("BASE")
        await it.shows("FINER")
