"""The program holds against a server that lies: a few short rounds, and long ones by hand.

`pytest -m soak tests/hostile --seed N` plays from that seed on.
"""

from pathlib import Path
from random import SystemRandom

import pytest

from tests.hostile.fuzz_session import Round, hostile_server

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")

SHORT_SECONDS, LONG_SECONDS = 2.0, 12.0
ROUNDS = 40


def play(seed: int, folder: Path, seconds: float, share: float, size: tuple[int, int]) -> None:
    it = Round(seed, folder)
    with hostile_server(seed, share, folder / "lies") as url:
        try:
            it.play(url, seconds, size)
        finally:
            lies = len((folder / "lies").read_text().splitlines())
            print(f"seed {seed}: {lies} lies besides frames; {it.measured}", flush=True)


@pytest.mark.parametrize(("seed", "share", "size"), [(1, 0.5, (120, 40)), (2, 0.9, (80, 24))])
def test_a_short_round(
    tmp_path: Path, request: pytest.FixtureRequest, seed: int, share: float, size: tuple[int, int]
) -> None:
    given = request.config.getoption("--seed")
    play(seed if given is None else given + seed, tmp_path, SHORT_SECONDS, share, size)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_long_rounds(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    given = request.config.getoption("--seed")
    seed = SystemRandom().randrange(2**32) if given is None else given
    for number in range(ROUNDS):
        share, size = (0.1, 0.3, 0.6, 0.95)[number % 4], ((120, 40), (80, 24), (200, 60))[number % 3]
        play(seed + number, tmp_path / str(number), LONG_SECONDS, share, size)
