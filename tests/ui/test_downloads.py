"""Saving a job with many files from the screen."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from textual.app import App

from comfytui.comfy.http.transport import ChunkSink
from comfytui.comfy.protocol.events import Output
from comfytui.service.backend import Backend
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job, JobStatus
from comfytui.ui.downloads import start_saving
from comfytui.ui.screens.confirm import ConfirmScreen
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
