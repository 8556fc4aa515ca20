"""Workflows of the editor, what it sends for them, and how they differ from what we send."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from comfytui.workflow.editor.convert import Conversion, convert

FOLDER = Path(__file__).parents[2] / "data" / "workflows"
NOW = datetime(2026, 1, 2, 3, 4, 5)
MADE_BY_BROWSER = {("Load3D", "image"), ("Load3DAdvanced", "viewport_state")}
"""Inputs for which the browser draws a scene."""
NEED_NO_MODEL = {"basic_image_color_adjustment.json", "utility_interpolation_image_upscale.json"}
"""Templates that a server runs without a model."""


@dataclass(frozen=True)
class Example:
    """A workflow, and the graph that it stands for."""

    name: str
    workflow: dict[str, Any]
    graph: dict[str, Any]

    def __str__(self) -> str:
        return self.name


@cache
def object_info() -> dict[str, Any]:
    info: dict[str, Any] = json.loads(gzip.decompress((FOLDER / "object_info.json.gz").read_bytes()))
    return info


@cache
def templates() -> list[Example]:
    graphs = {each["name"]: each["prompt"] for each in lines("prompts.jsonl.gz")}
    return [Example(each["name"], each["workflow"], graphs[each["name"]]) for each in lines("templates.jsonl.gz")]


@cache
def without_models() -> list[Example]:
    """Return the templates that a server runs without a model."""
    further = [Example(each["name"], each["workflow"], each["prompt"]) for each in lines("without_models.jsonl.gz")]
    return [*(each for each in templates() if each.name in NEED_NO_MODEL), *further]


@cache
def cases() -> list[Example]:
    return [
        Example(each["name"], each["workflow"], each.get("want") or each["prompt"]) for each in lines("cases.jsonl.gz")
    ]


def lines(name: str) -> Iterator[dict[str, Any]]:
    for line in gzip.decompress((FOLDER / name).read_bytes()).decode().splitlines():
        yield json.loads(line)


def converted(workflow: object, info: Mapping[str, Any] | None = None) -> Conversion:
    return convert(workflow, object_info() if info is None else info, now=NOW, rng=Random(1))


def differences(wanted: Mapping[str, Any], graph: Mapping[str, Any]) -> list[str]:
    """Return how two graphs differ: not in titles; a class that the server lacks needs its id, no more."""
    found = [f"{node_id} is missing" for node_id in wanted.keys() - graph.keys()]
    found += [f"{node_id} should not be there" for node_id in graph.keys() - wanted.keys()]
    for node_id in wanted.keys() & graph.keys():
        class_type = wanted[node_id].get("class_type")
        if class_type is None:
            continue
        if graph[node_id]["class_type"] != class_type:
            found.append(f"{node_id} is a {graph[node_id]['class_type']}, not a {class_type}")
        want, have = wanted[node_id]["inputs"], graph[node_id]["inputs"]
        found += [
            f"{node_id} {class_type}.{key}: {have.get(key, 'nothing')!r}, not {want.get(key, 'nothing')!r}"
            for key in sorted(want.keys() | have.keys())
            if (class_type, key) not in MADE_BY_BROWSER
            if not (key in want and key in have and is_same(want[key], have[key]))
        ]
    return found


def is_same(one: object, other: object) -> bool:
    """Whether two values are the same as JSON; numbers by value, as the editor rounds what is beyond 2^53."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(is_same, one, other))
        case (bool(), _) | (_, bool()):
            return one is other
        case int() | float(), int() | float():
            return float(one) == float(other)
        case _:
            return one == other
