"""A start with a damaged value in the journal."""

import sqlite3
from contextlib import closing
from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.ui.screen import screen
from tests.watcher import watching

QUICK = SimConfig(steps_per_second=0, load_seconds=0)


async def test_damaged_value_loses_one_row_with_one_message(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        async with watching(Server.from_url(sim.url), folder=tmp_path) as watcher:
            await watcher.live()
            for prompt in ("a lighthouse", "a red fox"):
                await watcher.until(await watcher.submit(1, model=QUICK.checkpoints[0], prompt=prompt))
        # What the server still had would be shown from there.
        await sim.restart()
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db, db:
            db.execute("UPDATE prompts SET seconds = ? WHERE seq = 1", (float("inf"),))
        async with screen(sim.url, (160, 40), journal=tmp_path) as it:
            await it.shows("1 entry of the journal")
            await it.press("escape")
            await it.shows("a red fox")
            assert "a lighthouse" not in it.text
        async with screen(sim.url, (160, 40), journal=tmp_path) as it:
            await it.shows("● live")
            await it.press("escape")
            await it.shows("a red fox")
            assert "entry of the journal" not in it.text
