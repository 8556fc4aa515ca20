"""`comfytui watch` beside a server that is killed and started again, while other processes submit batches."""

import asyncio
import json
import re
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from time import monotonic

import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.bench.terminal import memory
from tests.cli.commands import Command, command, ended
from tests.waiting import eventually

CONFIG = SimConfig(steps_per_second=25, load_seconds=0.1, preview_size=64)
STEPS = 4
MAX_GROWTH = 24.0
"""MB by which a watch may grow while it sees some hundred jobs, and takes over the client ids of some ten batches."""


@dataclass
class Watched:
    """A user, what their `watch` wrote, and the batches that their other processes submitted."""

    state: Path
    watch: Command
    as_json: bool
    lines: list[str] = field(default_factory=list)
    batches: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The title and the number of images of each batch, by its id."""

    async def read(self) -> None:
        """Read the lines as they come, forever."""
        while line := await self.watch.process.stdout.readline():  # type: ignore[union-attr]
            self.lines.append(line.decode().rstrip("\n"))

    async def submit(self, sim: SimServer, images: int) -> str:
        """Submit a batch by a process of its own; return its id."""
        title = f"batch {len(self.batches) + 1} of {self.state.name}"
        options = ("--json", "--set", f"prompt={title}", "--set", f"steps={STEPS}", "--set", "width=64")
        done = await ended(self.state, "run", sim.url, "-n", str(images), "--detach", *options)
        assert done.code == 0, done
        batch_id = str(done.events[0]["batchId"])
        self.batches[batch_id] = (title, images)
        return batch_id

    def images(self, batch_id: str) -> list[str]:
        """Return how each image of a batch ended, as often as that was told, as `INDEX END`."""
        title, _ = self.batches[batch_id]
        if not self.as_json:
            found = (re.match(rf"{title}: Image (\d+) of \d+ (done|lost)", line) for line in self.lines)
            return [f"{each[1]} {each[2]}" for each in found if each]
        events = (json.loads(line) for line in self.lines if batch_id in line)
        return [f"{each['imageIndex']} {each['status']}" for each in events if each["event"] == "image"]

    def ends(self, batch_id: str) -> list[dict[str, int]]:
        """Return the counts of the end of a batch, as often as it was told."""
        title, _ = self.batches[batch_id]
        if self.as_json:
            events = (json.loads(line) for line in self.lines if batch_id in line)
            return [each["counts"] for each in events if each["event"] in {"done", "lost"}]
        found = (re.match(rf"{title}: (\d+) of (\d+) done(?:, (\d+) lost)?$", line) for line in self.lines)
        ends = [{"done": int(each[1]), "lost": int(each[3] or 0)} for each in found if each]
        return [{end: count for end, count in counts.items() if count} for counts in ends]

    def is_linked(self, link: str) -> bool:
        """Return whether the connection is in a state, according to the last line about it."""
        if self.as_json:
            links = [json.loads(line)["link"] for line in self.lines if '"event":"link"' in line]
        else:
            links = [line.split()[1].strip(".") for line in self.lines if line.startswith("Connection: ")]
        return links[-1:] == [link]

    def check(self) -> None:
        """Check that each image and each batch has ended exactly once, and that both agree."""
        for batch_id, (title, images) in self.batches.items():
            told = self.images(batch_id)
            assert sorted(int(each.split()[0]) for each in told) == [*range(1, images + 1)], (title, told)
            assert self.ends(batch_id) == [Counter(each.split()[1] for each in told)], (title, told)

    def others(self) -> int:
        """Return of how many ends of other users' jobs it told."""
        if self.as_json:
            return sum('"event":"otherJob"' in line and '"status":"running"' not in line for line in self.lines)
        return sum(line.startswith("Another user") and ": started: " not in line for line in self.lines)


async def all_ended(users: list[Watched], batch_ids: list[str]) -> None:
    """Wait until each user was told the end of their batch."""
    for user, batch_id in zip(users, batch_ids, strict=True):
        await eventually(partial(user.ends, batch_id), f"the end of {user.batches[batch_id]} in {user.lines[-30:]}")


async def kill_in_the_middle(sim: SimServer, users: list[Watched], rng: Random) -> None:
    """Kill the server once it has made an image of a batch of each user, and start it again."""
    batch_ids = [await user.submit(sim, 8) for user in users]
    for user, batch_id in zip(users, batch_ids, strict=True):
        await eventually(partial(user.images, batch_id), "an image")
        if rng.random() < 0.5:
            break
    await sim.stop(killed=True)
    for user in users:
        await eventually(partial(user.is_linked, "offline"), "an offline connection")
    await sim.restart()
    await all_ended(users, batch_ids)


async def soak_watch(folder: Path, rng: Random, goes_on: Callable[[int], bool], longest_pause: float = 0.0) -> None:
    """Watch as two users, as JSON and as text, as long as it goes on; SIGINT ends the one, SIGTERM the other.

    Args:
        folder: Where the users' state is kept.
        rng: Decides how many images there are, and when the server is killed.
        goes_on: Tells whether there is a round after so many.
        longest_pause: Seconds at most in which nothing happens after a round, as is mostly the case.
    """
    json_user, text_user = folder / "json", folder / "text"
    async with (
        SimServer(CONFIG) as sim,
        command(json_user, "watch", sim.url, "--json", "--interval", "1") as json_watch,
        command(text_user, "watch", sim.url, "--interval", "1") as text_watch,
        asyncio.TaskGroup() as tasks,
    ):
        users = [Watched(json_user, json_watch, as_json=True), Watched(text_user, text_watch, as_json=False)]
        reading = [tasks.create_task(user.read()) for user in users]
        for user in users:
            await eventually(partial(user.is_linked, "live"), "a live connection")
        used: list[list[float]] = []
        while goes_on(len(used)):
            await all_ended(users, [await user.submit(sim, 1) for user in users])
            await all_ended(users, [await user.submit(sim, rng.randint(2, 4)) for user in users])
            await kill_in_the_middle(sim, users, rng)
            used.append([memory(user.watch.process.pid) for user in users])
            print(
                "round",
                len(used),
                "batches",
                len(users[0].batches),
                "lines",
                [len(user.lines) for user in users],
                used[-1],
            )
            await asyncio.sleep(rng.uniform(0, longest_pause))
        for user in users:
            user.check()
            assert user.others() > 0
        for user, number in zip(users, (signal.SIGINT, signal.SIGTERM), strict=True):
            user.watch.process.send_signal(number)
        await asyncio.gather(*reading)
        # The end of the output comes before that of the process.
        assert [await user.watch.process.wait() for user in users] == [130, 143]
        assert [await user.watch.process.stderr.read() for user in users] == [b"", b""]  # type: ignore[union-attr]
    for before, after in zip(used[len(used) // 5], used[-1], strict=True):
        assert after - before < MAX_GROWTH, used


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
async def test_a_restart_of_the_server_leaves_no_end_untold(tmp_path: Path) -> None:
    await soak_watch(tmp_path, Random(7), lambda rounds: rounds < 1)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
async def test_ten_minutes_of_restarts_leave_no_end_untold(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    given = request.config.getoption("--seed")
    seed = SystemRandom().randrange(2**32) if given is None else given
    print("seed", seed)
    over = monotonic() + 600
    await soak_watch(tmp_path, Random(seed), lambda _: monotonic() < over, longest_pause=60)
