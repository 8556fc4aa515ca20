"""The simulated memory fills gradually while a model loads."""

from dataclasses import replace

import httpx
import pytest

from comfytui.sim.config import Device, SimConfig
from comfytui.sim.machine import Clock
from comfytui.sim.memory import GIB, MIB, Memory
from comfytui.sim.server import SimServer
from tests.sim.client import FAST, Client
from tests.sim.graphs import text_to_image

LOADING = replace(FAST, load_seconds=5.0)


class MemoryRecorder(Clock):
    """A clock without waiting that records the free RAM and VRAM at each stage of loading."""

    def __init__(self) -> None:
        self.free: list[tuple[int, int]] = []
        self.server: SimServer | None = None

    async def load(self, seconds: float) -> None:
        assert self.server is not None
        _, ram, device = self.server.machine.memory.stats()
        self.free.append((ram, device["vram_free"]))


async def free_memory_while_loading(config: SimConfig) -> list[tuple[int, int]]:
    clock = MemoryRecorder()
    async with SimServer(config, clock=clock) as server, httpx.AsyncClient(base_url=server.url) as http:
        clock.server = server
        await Client(server, http).run(text_to_image())
    return clock.free


async def test_first_the_ram_grows_and_then_the_card() -> None:
    free = await free_memory_while_loading(LOADING)
    ram, vram = [each[0] for each in free], [each[1] for each in free]
    reading = vram.index(next(value for value in vram if value != vram[0]))
    assert len(set(ram[:reading])) > 20
    assert ram == sorted(ram, reverse=True)
    assert vram == sorted(vram, reverse=True)
    assert len(set(vram)) > 20
    assert ram[0] - ram[-1] == pytest.approx(vram[0] - vram[-1], rel=0.1)


@pytest.mark.parametrize("device", ["cuda", "cpu"])
async def test_a_model_loaded_at_once_is_in_memory_at_once(device: Device) -> None:
    free = await free_memory_while_loading(replace(FAST, device=device))
    assert len(free) == 4
    assert free[0][0] - free[1][0] > 6 * GIB


def test_a_full_card_evicts_the_oldest_part() -> None:
    memory = Memory("cuda", "a card", card_total=10 * GIB, ram_total=32 * GIB)
    for key in ("a/x", "b/x", "a/x", "c/x"):
        memory.load(key, 4000)
        memory.grow(key, 4000, 1.0)
    assert memory.loaded_parts == {"a/x": 4000 * MIB, "c/x": 4000 * MIB}


def test_reading_a_file_again_unloads_its_parts() -> None:
    memory = Memory("cuda", "a card", card_total=10 * GIB, ram_total=32 * GIB)
    memory.read_file("a", 100)
    memory.grow_file("a", 100, 0.5)
    memory.load("a/x", 50)
    memory.read_file("a", 100)
    memory.grow("a/x", 50, 1.0)
    assert (memory.files_in_ram, memory.loaded_parts) == ({"a": 0}, {})
