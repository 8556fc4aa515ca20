"""Hostile responses are rejected before they exhaust memory, however they are compressed."""

import gzip
import json
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import NotComfyUI, ServerError
from comfytui.comfy.protocol import queue_json
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.models import HistoryEntry, Queue, QueueItem
from comfytui.comfy.server import Server
from tests.comfy.bodies import parse_history, parse_queue
from tests.resources import MB, memory_limit
from tests.stub_servers import Handler, everywhere, serving

COUNT = json.dumps({"exec_info": {"queue_remaining": 3}}).encode()
Call = Callable[[ComfyClient], Awaitable[Any]]


def body_handler(body: bytes, encoding: str | None = None) -> Handler:
    """Return a handler that sends a body with a content encoding."""

    async def handler(_: web.Request) -> web.Response:
        headers = {"Content-Type": "application/json"} | ({"Content-Encoding": encoding} if encoding else {})
        return web.Response(body=body, headers=headers)

    return handler


async def call_with_body(call: Call, body: bytes, encoding: str | None = None) -> Any:
    """Return the result of a call to a server that sends this body for every request."""
    async with serving(everywhere(body_handler(body, encoding))) as url, ComfyClient(Server.from_url(url)) as client:
        client._prefix = "/api"
        return await call(client)


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        ("identity, gzip", gzip.compress),
        ("", bytes),
    ],
)
async def test_a_response_compressed_once_is_read(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    assert await call_with_body(lambda client: client.queue_count(), compress(COUNT), encoding) == 3


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "gzip, gzip", "gzip,deflate", "deflate, identity, gzip", "gzip;q=1"]
)
async def test_encodings_that_were_not_requested_are_rejected(encoding: str) -> None:
    body = gzip.compress(gzip.compress(bytes(10 * MB), 9), 9)
    with memory_limit(10 * MB), pytest.raises(ServerError, match="compressed in a way that comfytui did not ask for"):
        await call_with_body(lambda client: client.queue(), body, encoding)


async def test_a_damaged_response_is_reported() -> None:
    with pytest.raises(ServerError, match="damaged, or compressed"):
        await call_with_body(lambda client: client.queue_count(), gzip.compress(COUNT * 100)[:40] + b"x" * 40, "gzip")


async def test_only_supported_encodings_are_requested() -> None:
    requested: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        requested.append(request.headers["Accept-Encoding"])
        return web.json_response({"exec_info": {"queue_remaining": 3}})

    async with serving(everywhere(handler)) as url, ComfyClient(Server.from_url(url)) as client:
        await client.queue_count()
    assert set(requested) == {"gzip, deflate"}


IMAGE = Output("a.png")


@pytest.mark.parametrize(
    ("call", "limit"),
    [
        (lambda client: client.system_stats(), 1),
        (lambda client: client.queue_count(), 1),
        (lambda client: client.object_info("KSampler"), 8),
        (lambda client: client.submit({}, prompt_id="p", client_id="c", tag={}), 4),
        (lambda client: client.cancel_job("p"), 4),
        (lambda client: client.jobs(), 8),
        (lambda client: client.view(IMAGE), 64),
    ],
    ids=["stats", "count", "object_info", "submit", "cancel", "jobs", "view"],
)
async def test_a_compressed_huge_response_is_rejected(call: Call, limit: int) -> None:
    bomb = gzip.compress(bytes(70 * MB), 1)
    with (
        memory_limit((2 * limit + 8) * 2**20),
        pytest.raises(ServerError, match=rf"larger than {limit} MiB and was not read"),
    ):
        await call_with_body(call, bomb, "gzip")


async def test_a_compressed_huge_history_is_rejected() -> None:
    bomb = gzip.compress(bytes(70 * MB), 1)
    with memory_limit(24 * 2**20), pytest.raises(ServerError, match="sent more than 4 MiB of one entry in one answer"):
        await call_with_body(lambda client: client.history_entry("p"), bomb, "gzip")


async def test_a_large_file_is_passed_on_as_it_arrives(tmp_path: Path) -> None:
    body = bytes(range(256)) * 100_000

    async def download(client: ComfyClient) -> None:
        with (tmp_path / "a.mp4").open("wb") as file:

            async def sink(data: bytes) -> None:
                file.write(data)

            await client.download(IMAGE, sink)

    with memory_limit(60 * MB):  # of which the server holds 50
        await call_with_body(download, body)
    assert (tmp_path / "a.mp4").read_bytes() == body


async def test_a_missing_file_is_not_downloaded() -> None:
    taken: list[bytes] = []

    async def sink(data: bytes) -> None:
        taken.append(data)

    async def missing(_: web.Request) -> web.Response:
        return web.Response(status=404, body=b"not there")

    async with serving(everywhere(missing)) as url, ComfyClient(Server.from_url(url)) as client:
        with pytest.raises(ServerError, match="no longer has"):
            await client.download(IMAGE, sink)
    assert taken == []


async def test_the_probe_of_the_prefix_does_not_read_an_endless_page() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        if request.path != "/api/prompt":
            return web.json_response({"queue_running": [], "queue_pending": []})
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(2**16))

    async with serving(everywhere(endless)) as url, ComfyClient(Server.from_url(url)) as client:
        assert await client.queue() == Queue()


async def test_a_choice_of_too_many_values_is_rejected() -> None:
    options = ",".join(f'"{number}"' for number in range(60_000))
    body = f'{{"KSampler": {{"input": {{"required": {{"sampler_name": [[{options}]]}}}}}}}}'.encode()
    with memory_limit(5 * MB), pytest.raises(ServerError, match="sent more than 50,000 values in one answer"):
        await call_with_body(lambda client: client.object_info("KSampler"), body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"queue_running": [], "queue_pending": [' + b"[]," * 2_000_000 + b"[]]}",
        b'{"queue_running": [' + b"1," * 2_000_000 + b'1], "queue_pending": []}',
        b'{"queue_pending": [' + b'[1, {"a": ["x"]}, "y", {}, ["9"]], ' * 200_000 + b'1], "queue_running": []}',
        b"[" * 5_000_000,
        b"{" + b'"a": [], ' * 1_000_000 + b'"queue_running": [], "queue_pending": []}',
    ],
    ids=["empty", "numbers", "no id", "deep", "many lists"],
)
async def test_a_queue_of_millions_of_malformed_prompts_is_rejected(body: bytes) -> None:
    with (
        memory_limit(60 * MB),
        pytest.raises(ServerError, match=r"sent more than .* in one answer, which was not read"),
    ):
        await call_with_body(lambda client: client.queue(), body)


async def test_a_history_of_too_many_entries_is_rejected() -> None:
    entries = {f"p{number}": {"prompt": [number, f"p{number}", {}, {}, []]} for number in range(20_001)}
    with pytest.raises(ServerError, match="sent more than 20,000 entries in one answer"):
        await call_with_body(lambda client: client.history(60, lambda entry: entry), json.dumps(entries).encode())


async def test_the_newest_entries_of_a_history_longer_than_requested_are_kept() -> None:
    entries = {f"p{number}": {"prompt": [number, f"p{number}", {}, {}, []]} for number in range(5_000)}
    history = await call_with_body(lambda client: client.history(3, lambda entry: entry), json.dumps(entries).encode())
    assert [entry.item.prompt_id for entry in history] == ["p4997", "p4998", "p4999"]


async def test_a_queue_of_too_many_prompts_is_rejected() -> None:
    queue = {"queue_running": [], "queue_pending": [[n, f"p{n}", {}, {}, []] for n in range(20_001)]}
    with pytest.raises(ServerError, match="sent more than 20,000 prompts in one answer, which was not read: check"):
        await call_with_body(lambda client: client.queue(), json.dumps(queue).encode())


def test_the_files_of_a_history_are_limited_in_number() -> None:
    files = [{"filename": f"{n}.png"} for n in range(12_000)]
    entries = {f"p{n}": {"prompt": [n, f"p{n}", {}, {}, []], "outputs": {"9": {"images": files}}} for n in range(4)}
    history = parse_history(json.dumps(entries).encode())
    assert [len(entry.outputs) for entry in history] == [10_000, 10_000, 16, 16]


def test_the_files_of_a_history_are_limited_in_size() -> None:
    files = [{"filename": f"{n}.png", "subfolder": "\U0001f98a" * 1_000} for n in range(100)]
    entry = {"outputs": {"9": {"images": files}}}
    raw = json.dumps({f"p{n}": entry for n in range(4)}, ensure_ascii=False).encode()
    history = parse_history(raw, max_outputs=200)
    assert [len(entry.outputs) for entry in history] == [25, 2, 2, 2]


@pytest.mark.parametrize(("length", "kept"), [(64, True), (65, False)])
def test_an_id_is_measured_in_bytes(length: int, kept: bool) -> None:
    prompt = [0, "\U0001f98a" * length, {}, {}, []]
    queue = parse_queue(
        json.dumps({"queue_running": [prompt], "queue_pending": []}).encode(), lambda item: item.prompt_id
    )
    assert bool(queue.running) is kept


SCALARS = st.none() | st.integers() | st.floats() | st.text('[]{}",: \\\ud800é9')
GRAPHS = st.dictionaries(st.text('[]"é'), SCALARS | st.lists(st.lists(SCALARS, max_size=2), max_size=3), max_size=3)
ITEMS = st.lists(
    st.builds(lambda number, graph, extra: [number, "p", graph, extra, ["9"]], st.integers(-9, 9), GRAPHS, GRAPHS),
    max_size=9,
)


@given(ITEMS, ITEMS, st.booleans(), st.sampled_from([None, 1]), st.integers(20, 400), st.data())
@settings(max_examples=30)
def test_a_queue_read_in_pieces_equals_one_read_at_once(
    running: list[Any], pending: list[Any], swapped: bool, indent: int | None, piece: int, data: st.DataObject
) -> None:
    for number, item in enumerate(running + pending):
        item[1] = f"p{number}"
    lists = {"queue_running": running, "queue_pending": pending}
    raw = json.dumps(dict(reversed(lists.items())) if swapped else lists, indent=indent).encode()
    step = data.draw(st.integers(1, max(len(raw), 1)))
    reader = queue_json.QueueReader(lambda item: item, piece)
    for begin in range(0, len(raw), step):
        reader.feed(raw[begin : begin + step])
        reader.read()
    reader.read_rest()
    assert prompt_ids(reader.queue()) == (
        [item[1] for item in running],
        [item[1] for item in sorted(pending, key=lambda item: item[0])],
    )


@given(
    st.dictionaries(st.text(min_size=1, max_size=9), st.tuples(GRAPHS, st.lists(SCALARS, max_size=3))),
    st.integers(20, 400),
)
@settings(max_examples=30)
def test_a_history_read_in_pieces_equals_one_read_at_once(
    given_entries: dict[str, tuple[dict[str, Any], list[Any]]], piece: int
) -> None:
    entries = {
        key: {"prompt": [1, "q", graph, graph, []], "outputs": graph, "status": {"messages": messages}}
        for key, (graph, messages) in given_entries.items()
    }
    raw = json.dumps(entries).encode()
    reader: queue_json.HistoryReader[HistoryEntry] = queue_json.HistoryReader(lambda entry: entry, piece=piece)
    reader.feed(raw)
    reader.read()
    reader.read_rest()
    assert len(reader.history()) == len(entries)


def prompt_ids(queue: Queue[QueueItem]) -> tuple[list[str], list[str]]:
    return [item.prompt_id for item in queue.running], [item.prompt_id for item in queue.pending]


def test_false_boundaries_within_a_prompt_are_ignored() -> None:
    odd = {"points": [[[1, 2]], [3, [4]], [5, 6]], "text": '[["9"]], [4, "]], "queue_pending": [[1'}
    items = [[n, f"p{n}", odd, {"extra_pnginfo": [[[1]], [2]]}, ["9"]] for n in range(9)]
    raw = json.dumps({"queue_running": items[:2], "queue_pending": items[2:]}).encode()
    queue = parse_queue(raw, prompt_id_of, piece=30)
    assert queue == Queue(("p0", "p1"), tuple(f"p{n}" for n in range(2, 9)))


def test_a_prompt_full_of_false_boundaries_is_read() -> None:
    items = [[n, f"p{n}", {"points": [[[1]], [2, [3]]] * 50}, {}, ["9"]] for n in range(20)]
    raw = json.dumps({"queue_running": [], "queue_pending": items}).encode()
    queue = parse_queue(raw, prompt_id_of, piece=30)
    assert len(queue.pending) == 20


def prompt_id_of(item: QueueItem) -> str:
    return item.prompt_id


@pytest.mark.parametrize("body", [b"[1]", b"{}", b'{"queue_running": []}', b'{"queue_running": [[1,', b"<html>", b""])
async def test_a_body_that_is_no_queue_is_not_comfyui(body: bytes) -> None:
    with pytest.raises(NotComfyUI):
        await call_with_body(lambda client: client.queue(), body)


async def test_switching_protocols_is_an_error() -> None:
    async def switching(_: web.Request) -> web.StreamResponse:
        return web.Response(status=101, headers={"Upgrade": "junk", "Connection": "upgrade"})

    async with serving(everywhere(switching)) as url, ComfyClient(Server.from_url(url)) as client:
        client._prefix = "/api"
        with pytest.raises((ServerError, NotComfyUI)):
            await client.queue_count()
