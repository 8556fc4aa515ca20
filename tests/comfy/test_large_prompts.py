"""A huge prompt in a queue or a history is read without its graph, and does not affect the others."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.comfy.errors import NotComfyUI, ServerError
from comfytui.comfy.protocol import queue_json
from comfytui.comfy.protocol.models import HistoryEntry
from comfytui.session.jobs.summarise import finished_prompt_of
from tests.comfy.protocol.test_hostile_bodies import call_with_body
from tests.resources import MB, memory_limit

IMAGE = "iVBORw0KGgo\\/" * 800_000
"""An image in Base64, 9 MB in JSON."""
NUMBERS = [0] * 3_000_000
MARKS = {"batch": "b", "index": 1, "total": 1}


def graph_with(value: object) -> dict[str, Any]:
    return {
        "1": {"class_type": "LoadImageBase64", "inputs": {"image": value}},
        "2": {"class_type": "Save", "inputs": {}},
    }


def item(number: int, value: object = "small", where: str = "graph") -> list[Any]:
    graph, workflow = (value, "") if where == "graph" else ("", value)
    extra = {"client_id": f"c{number}", "extra_pnginfo": {"workflow": {"nodes": [workflow]}}, "comfytui": MARKS}
    return [number, f"p{number}", graph_with(graph), extra, ["2"]]


def entry(number: int, value: object = "small", where: str = "graph") -> dict[str, Any]:
    status = {"status_str": "success", "completed": True, "messages": [["execution_start", {"timestamp": 5}]]}
    outputs = {"2": {"images": [{"filename": f"{number}.png"}]}}
    return {"prompt": item(number, value, where), "outputs": outputs, "status": status}


LARGE = pytest.mark.parametrize(
    ("value", "where"),
    [(IMAGE, "graph"), (IMAGE, "extra"), (NUMBERS, "graph"), ([[1, 2]] * 300_000, "graph")],
    ids=["image", "image in the workflow", "numbers", "points"],
)


@LARGE
@pytest.mark.parametrize("place", [0, 2])
async def test_a_huge_prompt_does_not_hide_others_in_the_queue(value: object, where: str, place: int) -> None:
    items = [item(number, value, where) if number == place else item(number) for number in range(3)]
    body = json.dumps({"queue_running": items[:1], "queue_pending": items[1:]}).encode()
    queue = await call_with_body(lambda client: client.queue(lambda item: item), body)
    found = [*queue.running, *queue.pending]
    assert [(item.prompt_id, item.client_id, item.tag) for item in found] == [
        (f"p{number}", f"c{number}", MARKS) for number in range(3)
    ]
    assert [bool(json.loads(item.graph or b"{}")) for item in found] == [number != place for number in range(3)]


@LARGE
@pytest.mark.parametrize("place", [0, 2])
async def test_a_huge_entry_does_not_hide_others_in_the_history(value: object, where: str, place: int) -> None:
    entries = {f"p{n}": entry(n, value, where) if n == place else entry(n) for n in range(3)}
    history = await call_with_body(lambda client: client.history(60, lambda entry: entry), json.dumps(entries).encode())
    assert [
        (each.item.prompt_id, each.item.client_id, each.outcome, each.outputs[0].filename, each.started)
        for each in history
    ] == [(f"p{n}", f"c{n}", "success", f"{n}.png", 5) for n in range(3)]
    # A graph of which parts are left out could not be submitted again.
    assert [bool(each.item.graph) for each in history] == [n != place for n in range(3)]


async def test_the_outcome_of_a_huge_prompt_is_read() -> None:
    body = json.dumps({"p1": entry(1, IMAGE)}).encode()
    ended = await call_with_body(lambda client: client.history_entry("p1"), body)
    assert (ended.outcome, ended.item.graph) == ("success", {})


def test_a_huge_prompt_takes_bounded_memory() -> None:
    reader: queue_json.HistoryReader[HistoryEntry] = queue_json.HistoryReader(lambda entry: entry)
    with memory_limit(24 * MB):
        reader.feed(b'{"p0": {"prompt": [0, "p0", {"1": {"class_type": "Load", "inputs": {"image": "')
        for _ in range(120):
            reader.feed(b"A" * 500_000)
            reader.read()
        reader.feed(b'"}}}, {"client_id": "c0"}, ["1"]], "outputs": {}, "status": {"status_str": "success"}}}')
        reader.read_rest()
    assert [(each.item.client_id, each.outcome) for each in reader.history()] == [("c0", "success")]


@pytest.mark.parametrize(
    "body",
    [
        b'{"p0": {"prompt": [1, "p0", {"1": "' + b"\\" * 9 * MB,
        b'{"p0": {"prompt": [1, "p0", {' + b'"1": {' * 1_600_000,
        b'{"p0": {"prompt": [1, "p0", ' + b"[]," * 3_200_000,
        b'{"p0": {' + b'"a": 1, ' * 1_200_000,
        b'{"p0": {"prompt": [1, "p0", {"1": "a',
        b" " * 9 * MB,
    ],
    ids=["text", "deep", "lists", "keys", "cut", "nothing"],
)
async def test_an_endless_member_is_rejected(body: bytes) -> None:
    with pytest.raises((ServerError, NotComfyUI)):
        await call_with_body(lambda client: client.history(60, lambda entry: entry), body)


VALUES = st.recursive(
    st.none() | st.integers(0, 9) | st.text('[]{}",: \\é', max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]"\\', max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, min_size=1, max_size=5), st.integers(1, 60), st.integers(100, 400))
@settings(max_examples=40)
def test_a_huge_entry_is_read_alike_in_chunks_of_any_size(values: list[Any], step: int, limit: int) -> None:
    entries = {f"p{n}": entry(n, value) for n, value in enumerate(values)}
    raw = json.dumps(entries).encode()
    reader: queue_json.HistoryReader[HistoryEntry] = queue_json.HistoryReader(
        lambda entry: entry, piece=50, member_limit=limit
    )
    for begin in range(0, len(raw), step):
        reader.feed(raw[begin : begin + step])
        reader.read()
    reader.read_rest()
    assert [each.item.prompt_id for each in reader.history()] == list(entries)
    assert {each.outcome for each in reader.history()} == {"success"}


@pytest.mark.parametrize(("cached", "wanted"), [(["1"], False), (["1", "2"], True)])
async def test_a_huge_prompt_that_was_partly_executed_is_not_all_cached(cached: list[str], wanted: bool) -> None:
    """Of its graph only the nodes with outputs are known."""
    whole = entry(1, IMAGE)
    whole["status"]["messages"].append(["execution_cached", {"nodes": cached}])
    body = json.dumps({"p1": whole}).encode()
    ended = await call_with_body(lambda client: client.history_entry("p1"), body)
    assert finished_prompt_of(ended).all_cached is wanted
