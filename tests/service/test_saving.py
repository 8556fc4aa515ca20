"""Saving a job's files: large ones, several jobs at once, and responses that are no file."""

import asyncio
import json
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.errors import ServerError
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.server import Server
from comfytui.new_files import SaveError
from comfytui.service.backend import Backend
from comfytui.service.saving import SavedOutputs, save_outputs
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job, JobStatus
from comfytui.workflow.graph import apply_values, workflow_of
from comfytui.workflow.parameters import parameters_of
from tests.sim.graphs import two_seeds
from tests.stub_servers import answering, serving

MIB = 2**20
LARGE = 64 * MIB


def job_with(*names: str) -> Job:
    return replace(Job("a", JobStatus.SUCCEEDED), outputs=tuple(map(Output, names)))


class Client:
    """A service of one client, on the loop of the test."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def call(self, request: Callable[[Backend], Coroutine[Any, Any, Any]]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(request(self._backend), asyncio.get_running_loop())


async def large(request: web.Request) -> web.StreamResponse:
    reply = web.StreamResponse()
    await reply.prepare(request)
    for _ in range(LARGE // MIB):
        await reply.write(bytes(MIB))
    return reply


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    routes = {"GET /api/prompt": answering({}), "GET /api/view": large}
    async with serving(routes) as url, ComfyBackend(Server.from_url(url)) as it:
        yield Client(it)


async def test_large_file_is_streamed_to_disk(tmp_path: Path, client: Client) -> None:
    tracemalloc.start()
    try:
        saved = await save_outputs(cast(ServiceThread, client), job_with("fox.png"), tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert saved == SavedOutputs(1, (tmp_path / "fox.png",))
    assert (tmp_path / "fox.png").stat().st_size == LARGE
    # The graph is looked for in the first half of it.
    assert peak < LARGE // 2 + 16 * MIB


@pytest.mark.parametrize("status", [204, 206, 404])
async def test_other_responses_are_not_saved(tmp_path: Path, status: int) -> None:
    routes = {"GET /api/prompt": answering({}), "GET /api/view": answering("" if status == 204 else "part", status)}
    async with serving(routes) as url, ComfyBackend(Server.from_url(url)) as client:
        saved = await save_outputs(cast(ServiceThread, Client(client)), job_with("fox.png"), tmp_path)
    assert (saved.total, saved.paths) == (1, ())
    assert isinstance(saved.error, ServerError)
    assert "fox.png" in str(saved.error)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def ok(request: web.Request) -> web.Response:
    """Return the name of a file as its content; there is no file `gone.png`."""
    name = request.query["filename"]
    return web.Response(body=name.encode(), status=404 if name == "gone.png" else 200)


@pytest.fixture
async def small() -> AsyncIterator[ServiceThread]:
    async with (
        serving({"GET /api/prompt": answering({}), "GET /api/view": ok}) as url,
        ComfyBackend(Server.from_url(url)) as it,
    ):
        yield cast(ServiceThread, Client(it))


async def test_jobs_saved_at_the_same_time_overwrite_nothing(tmp_path: Path, small: ServiceThread) -> None:
    results = await asyncio.gather(*(save_outputs(small, job_with("a.png", "b.png"), tmp_path) for _ in range(8)))
    paths = [path for result in results for path in result.paths]
    assert all(result.error is None for result in results)
    assert len(set(paths)) == 16
    assert {path.name for path in paths} == set(os.listdir(tmp_path))  # noqa: PTH208
    assert all(path.read_bytes().decode()[0] == path.name[0] for path in paths)


async def test_a_file_that_is_gone_holds_up_none_of_the_others(tmp_path: Path, small: ServiceThread) -> None:
    saved = await save_outputs(small, job_with("gone.png", "a.png", "b.png"), tmp_path)
    assert (saved.total, saved.paths) == (3, (tmp_path / "a.png", tmp_path / "b.png"))
    assert saved.missing == (0,)
    assert "gone.png" in str(saved.error)


async def test_folder_that_is_a_file_is_an_error(tmp_path: Path, small: ServiceThread) -> None:
    (tmp_path / "file").touch()
    saved = await save_outputs(small, job_with("a.png"), tmp_path / "file")
    assert isinstance(saved.error, SaveError)
    assert "not a folder" in str(saved.error)


async def test_job_without_files_creates_no_folder(tmp_path: Path, small: ServiceThread) -> None:
    assert await save_outputs(small, job_with(), tmp_path / "new") == SavedOutputs(0)
    assert not (tmp_path / "new").exists()


def images_of(*graphs: Any) -> list[bytes]:
    images = []
    for graph in graphs:
        known = PngInfo()
        known.add_text("prompt", json.dumps(graph))
        Image.new("RGB", (8, 8)).save(image := BytesIO(), "PNG", pnginfo=known)
        images.append(image.getvalue())
    return images


@pytest.mark.parametrize("seed", ["seed", "seed-2"])
async def test_file_with_a_different_seed_is_named(tmp_path: Path, seed: str) -> None:
    workflow = workflow_of("two", two_seeds())
    job = replace(job_with("mine.png", "other.png"), parameters=parameters_of(workflow.graph))
    mine, other = images_of(workflow.graph, apply_values(workflow, {seed: 7}))

    async def image(request: web.Request) -> web.Response:
        return web.Response(body=mine if request.query["filename"] == "mine.png" else other)

    routes = {"GET /api/prompt": answering({}), "GET /api/view": image}
    async with serving(routes) as url, ComfyBackend(Server.from_url(url)) as it:
        saved = await save_outputs(cast(ServiceThread, Client(it)), job, tmp_path)
    assert saved == SavedOutputs(2, (tmp_path / "mine.png", tmp_path / "other.png"), "other.png")
