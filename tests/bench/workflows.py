"""Rows: workflows of the editor are converted and opened, and one of many names is found."""

import gzip
import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from comfytui.workflow.conversion import workflow_from
from comfytui.workflow.documents import load_document
from comfytui.workflow.editor.convert import convert
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import read_values
from tests.bench.long_choice import HEADING
from tests.bench.long_form import INPUTS, SAMPLERS, long_graph
from tests.bench.programs import DOWN, ESCAPE, UP, bare, dashboard, shown, shown_bare
from tests.bench.remote_server import scripted_server
from tests.bench.rounds import Rounds
from tests.bench.scripted_server import DEFINITIONS
from tests.bench.table import Row
from tests.bench.terminal import Terminal

TEMPLATES = DEFINITIONS.with_name("templates.jsonl.gz")
CONVERSION_LIMIT = 10
"""Milliseconds for each workflow, on average."""
OPEN_WORKFLOW = "\x0f"
"""ctrl+o"""
ENTER = "\r"
QUERY = "model 9876"
WORDS = "a red fox in snow"
FIND_INPUTS = "\x06"
"""ctrl+f"""


def rows(home: Path, rounds: Rounds) -> Iterator[Row]:
    """Measure the conversion, the opening of the largest template, and the picker."""
    templates = [json.loads(line) for line in gzip.decompress(TEMPLATES.read_bytes()).splitlines()]
    yield _conversion(templates)
    largest = max((each["workflow"] for each in templates), key=lambda each: len(json.dumps(each)))
    yield _opening(home, _doubled(largest), rounds.openings)
    yield _long_form(home, rounds)
    yield from _picker(home, rounds)


def _definitions() -> dict[str, Any]:
    definitions: dict[str, Any] = json.loads(gzip.decompress(DEFINITIONS.read_bytes()))
    return definitions


def _conversion(templates: list[dict[str, Any]]) -> Row:
    definitions = _definitions()
    texts = [json.dumps(each["workflow"]) for each in templates]
    began = time.process_time()
    workflows = [json.loads(text) for text in texts]
    parsed = time.process_time()
    for workflow in workflows:
        convert(workflow, definitions, now=datetime.now(), rng=Random(1))
    ended = time.process_time()
    what = f"{len(texts)} workflows of the editor: conversion"
    limit = CONVERSION_LIMIT * len(texts)
    return Row(what, "ms", 1000 * (ended - parsed), limit, 1000 * (parsed - began), "json.loads of them")


def _doubled(workflow: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow with each subgraph twice, which is as large as the largest template that ComfyUI has."""
    subgraphs = workflow["definitions"]["subgraphs"]
    copies = [{**each, "id": f"copy-{each['id']}"} for each in subgraphs]
    ids = {each["id"] for each in subgraphs}
    first = workflow["last_node_id"] + 1
    nodes = [
        {
            **node,
            "id": first + number,
            "type": f"copy-{node['type']}",
            "outputs": [{**each, "links": []} for each in node["outputs"]],
        }
        for number, node in enumerate(each for each in workflow["nodes"] if each["type"] in ids)
    ]
    return {
        **workflow,
        "last_node_id": first + len(nodes),
        "nodes": [*workflow["nodes"], *nodes],
        "definitions": {**workflow["definitions"], "subgraphs": [*subgraphs, *copies]},
    }


def _opening(home: Path, document: dict[str, Any], openings: int) -> Row:
    """Measure the time from the choice of a file to its form, when the server's definitions are not read yet."""
    file = home / "large.json"
    text = json.dumps(document, indent=2)
    file.write_text(text)
    workflow = workflow_from(load_document(file), _definitions(), datetime.now(), Random(1))
    # The cursor, which is on the first letter, is written apart from what follows.
    prompt = " ".join(str(read_values(workflow)[Field.PROMPT]).split()[1:3])
    seconds = []
    for _ in range(openings):
        with scripted_server(definitions=True) as server, dashboard(server.url, home) as terminal:
            shown(terminal)
            terminal.press(OPEN_WORKFLOW)
            terminal.shows("Open a workflow")
            terminal.response_seconds([str(file)])
            terminal.wait_until_quiet()
            before, pressed = len(terminal.written), time.monotonic()
            terminal.press(ENTER)
            seconds.append(terminal.shows(prompt, before) - pressed)
    what = f"workflow of {len(text) / 1e3:.0f} KB: choice to form"
    note = f"{len(workflow.graph)} nodes"
    return Row(what, "ms", 1000 * median(seconds), 1_000, note=note)


def _long_form(home: Path, rounds: Rounds) -> Row:
    """Measure keys in the prompt, in the filter of the inputs, and in their list."""
    with scripted_server(definitions=True) as server, dashboard(server.url, home, graph=long_graph()) as terminal:
        shown(terminal)
        typed = terminal.response_seconds(WORDS[: rounds.list_keys])
        terminal.response_seconds([FIND_INPUTS])
        terminal.wait_until_quiet()
        filtered = terminal.response_seconds("seed"[: rounds.list_keys])
        terminal.response_seconds([DOWN])  # leaves the filter for the list
        moved = terminal.response_seconds((DOWN, DOWN, UP) * (rounds.list_keys // 3))
    seconds = sorted([*typed, *filtered, *moved])
    note = f"p95 {1000 * seconds[int(0.95 * len(seconds))]:.0f} ms"
    return Row(f"form of {SAMPLERS * INPUTS} inputs: key to paint", "ms", 1000 * median(seconds), 50, note=note)


def _picker(home: Path, rounds: Rounds) -> Iterator[Row]:
    with Terminal([sys.executable, "-m", "tests.bench.long_choice", str(rounds.names)], home) as terminal:
        shown_bare(terminal)
        terminal.wait_until_quiet()
        opened = []
        for _ in range(rounds.openings):
            before, pressed = len(terminal.written), time.monotonic()
            terminal.press("o")
            terminal.shows(HEADING, before)
            opened.append(terminal.shows("model 1.safetensors", before) - pressed)
            terminal.response_seconds([ESCAPE])
            terminal.wait_until_quiet()
        terminal.response_seconds("o")
        typed = terminal.response_seconds(QUERY[: rounds.list_keys])
        terminal.wait_until_quiet()
        moved = terminal.response_seconds((DOWN, DOWN, UP) * (rounds.list_keys // 3))
    with bare(home, "input") as terminal:
        shown_bare(terminal)
        floor = median(terminal.response_seconds(QUERY[: rounds.list_keys]))
    what = f"choice of {rounds.names:,} names"
    yield Row(f"{what}: key to list", "ms", 1000 * median(opened), 200)
    key, slowest = 1000 * median([*typed, *moved]), 1000 * max(*typed, *moved)
    yield Row(
        f"{what}: key to paint",
        "ms",
        key,
        50,
        1000 * floor,
        "Input of a bare Textual app",
        note=f"slowest {slowest:.0f} ms",
    )
