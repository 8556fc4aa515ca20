"""Saving jobs with many files, large files, and responses that are no file."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from textual.app import App

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.http.transport import ChunkSink
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.server import Server
from comfytui.service.backend import Backend
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job, JobStatus
from comfytui.ui.downloads import save_outputs, start_saving
from comfytui.ui.screens.confirm import ConfirmScreen
from tests.stub_servers import answering, serving
from tests.waiting import eventually


class Files:
    """A service whose server has every file."""

    def call(self, request: Callable[[Backend], Coroutine[Any, Any, None]]) -> Future[None]:
        answer: Future[None] = Future()
        task = asyncio.ensure_future(request(cast(Backend, self)))
        task.add_done_callback(lambda _: answer.set_result(None))
        return answer

    async def download(self, _: Output, take: ChunkSink) -> None:
        await take(b"data")


def job_with(files: int) -> Job:
    job = Job("a", JobStatus.SUCCEEDED)
    return replace(job, outputs=tuple(Output(f"fox_{number}.png") for number in range(files)))


async def save_files(files: int, folder: Path, key: str = "") -> None:
    """Save so many files, and answer a question with `key`."""
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        worker = start_saving(app, cast(ServiceThread, Files()), job_with(files), folder)
        if key:
            await eventually(lambda: isinstance(app.screen, ConfirmScreen), "a question")
            assert str(folder) in cast(Any, app.screen)._question
            assert f"{files:,} files" in cast(Any, app.screen)._question
            await pilot.press(key)
        await worker.wait()


@pytest.mark.parametrize(("files", "key", "saved"), [(100, "", 100), (101, "n", 0), (101, "y", 101), (100_000, "n", 0)])
async def test_many_files_need_confirmation(tmp_path: Path, files: int, key: str, saved: int) -> None:
    await save_files(files, tmp_path, key)
    assert len(os.listdir(tmp_path)) == saved  # noqa: PTH208


MIB = 2**20
LARGE = 64 * MIB


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
        text, severity = await save_outputs(cast(ServiceThread, client), job_with(1), tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (severity, text) == ("information", f"Saved {tmp_path / 'fox_0.png'}")
    assert (tmp_path / "fox_0.png").stat().st_size == LARGE
    # The graph is looked for in the first half of it.
    assert peak < LARGE // 2 + 16 * MIB


@pytest.mark.parametrize("status", [204, 206, 404])
async def test_other_responses_are_not_saved(tmp_path: Path, status: int) -> None:
    routes = {"GET /api/prompt": answering({}), "GET /api/view": answering("" if status == 204 else "part", status)}
    async with serving(routes) as url, ComfyBackend(Server.from_url(url)) as client:
        text, severity = await save_outputs(cast(ServiceThread, Client(client)), job_with(1), tmp_path)
    assert severity == "error"
    assert "fox_0.png" in text
    assert os.listdir(tmp_path) == []  # noqa: PTH208
