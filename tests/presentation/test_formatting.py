"""Durations, rates and memory as they are shown on the screen."""

import pytest

from comfytui.comfy.protocol.models import Device, SystemStats
from comfytui.presentation import formatting

GIB = 2**30


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (3.9, "0:03"), (83, "1:23"), (3661, "1:01:01"), (-5, "0:00")]
)
def test_durations_are_shown_in_minutes_and_hours(seconds: float, shown: str) -> None:
    assert formatting.duration(seconds) == shown


def test_a_wide_estimate_is_a_range() -> None:
    assert formatting.time_left((30.0, 50.0)) == "0:30-0:50 left"
    assert formatting.time_left((41.0, 41.2)) == "0:41 left"
    assert formatting.time_left(None) == ""


def test_a_start_that_may_be_immediate_has_only_an_upper_bound() -> None:
    assert formatting.time_until_start((0.4, 5.0)) == "starts within 0:05"
    assert formatting.time_until_start((12.0, 18.0)) == "starts in 0:12-0:18"
    assert formatting.time_until_start((0.0, 0.4)) == "starts in 0:00"
    assert formatting.time_until_start(None) == ""


def test_a_slow_server_is_rated_in_seconds_per_step() -> None:
    assert formatting.rate(3.14) == "3.1 it/s"
    assert formatting.rate(0.4) == "2.5 s/it"
    assert formatting.rate(None) == ""


def test_memory_of_a_server_with_an_accelerator_is_its_vram_and_ram() -> None:
    gpu = Device("cuda:0 NVIDIA", "cuda", 24 * GIB, 7 * GIB)
    stats = SystemStats("0.33.0", 64 * GIB, 33 * GIB, (gpu,))
    assert formatting.server_memory(stats) == "VRAM ▇▇▇▇▇▇▁▁ 17.0/24 GB   RAM 30.7/64 GB"
    assert formatting.server_memory(stats, ascii_only=True).isascii()
    assert formatting.server_memory(stats, wide=False) == "VRAM 17.0/24 GB"


def test_memory_of_a_server_without_an_accelerator_is_its_ram() -> None:
    stats = SystemStats("0.33.0", 64 * GIB, 32 * GIB, (Device("cpu", "cpu", 64 * GIB, 32 * GIB),))
    assert formatting.server_memory(stats, wide=False) == "RAM 32.0/64 GB"


def test_small_changes_of_memory_do_not_change_the_text() -> None:
    first = SystemStats("0.33.0", 64 * GIB, 32 * GIB)
    second = SystemStats("0.33.0", 64 * GIB, 32 * GIB + 10 * 2**20)
    assert formatting.server_memory(first) == formatting.server_memory(second)
