"""Waiting for a batch saves all of its files, however many images came after it."""

from pathlib import Path

import pytest

from comfytui.comfy.server import Server
from comfytui.headless import facts
from comfytui.headless.commands.selection import Selection
from comfytui.headless.commands.wait import wait
from comfytui.sim.server import SimServer
from tests.cli.commands import QUICK, submitted
from tests.waiting import eventually


@pytest.mark.parametrize("kept", [1, facts.MAX_FACTS], ids=["forgotten", "known"])
async def test_images_that_no_event_is_left_of_are_saved(
    kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(facts, "MAX_FACTS", kept)
    folder = tmp_path / "images"
    async with SimServer(QUICK) as sim:
        batch = await submitted(sim, tmp_path, 3)
        await eventually(lambda: len(sim.queue.history) == 3, "the end of all")
        server, selection = Server.from_url(sim.url), Selection(batch_id=batch.id)
        assert await wait(server, selection, as_json=True, output=folder) == ("done",)
        saved = [*folder.iterdir()]
        assert len(saved) == 3
        last = capsys.readouterr().out.splitlines()[-1]
        assert all(str(each) in last for each in saved)
        for each in saved:
            each.unlink()
        folder.rmdir()
        folder.write_text("in the way")
        assert await wait(server, selection, as_json=True, output=folder) == ("failed",)
    assert "3 of 3 images could not be saved." in capsys.readouterr().err
