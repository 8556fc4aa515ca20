"""A job that claims very many files is saved only after a question."""

import os
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from textual.app import App

from comfytui.comfy.events import Output
from comfytui.service.thread import ServiceThread
from comfytui.session.model import Job, JobStatus
from comfytui.ui.confirm import ConfirmScreen
from comfytui.ui.saving import save_and_tell
from tests.waiting import eventually


class Files:
    """A service whose server has every file."""

    def ask(self, _: object) -> Future[bytes]:
        answer: Future[bytes] = Future()
        answer.set_result(b"data")
        return answer


def job_with(files: int) -> Job:
    job = Job("a", JobStatus.SUCCEEDED)
    return replace(job, outputs=tuple(Output(f"fox_{number}.png") for number in range(files)))


async def save_files(files: int, folder: Path, key: str = "") -> None:
    """Save so many files, and answer a question with `key`."""
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        worker = app.run_worker(save_and_tell(app, cast(ServiceThread, Files()), job_with(files), folder))
        if key:
            await eventually(lambda: isinstance(app.screen, ConfirmScreen), "a question")
            assert str(folder) in cast(Any, app.screen)._question
            assert f"{files:,} files" in cast(Any, app.screen)._question
            await pilot.press(key)
        await worker.wait()


@pytest.mark.parametrize(("files", "key", "saved"), [(100, "", 100), (101, "n", 0), (101, "y", 101), (100_000, "n", 0)])
async def test_many_files_are_asked_about(tmp_path: Path, files: int, key: str, saved: int) -> None:
    await save_files(files, tmp_path, key)
    assert len(os.listdir(tmp_path)) == saved  # noqa: PTH208
