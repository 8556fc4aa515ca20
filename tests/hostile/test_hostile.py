"""The program withstands a hostile server: a few short sessions, and long ones on demand.

`pytest -m soak tests/hostile --seed N` runs from that seed on.
"""

from pathlib import Path
from random import SystemRandom

import pytest

from tests.hostile.fuzz_session import FuzzSession, hostile_server

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")

SHORT_SECONDS, LONG_SECONDS = 2.0, 12.0
SESSIONS = 40


def run_session(seed: int, folder: Path, seconds: float, attack_rate: float, size: tuple[int, int]) -> None:
    it = FuzzSession(seed, folder)
    with hostile_server(seed, attack_rate, folder / "attacks") as url:
        try:
            it.run(url, seconds, size)
        finally:
            attacks = len((folder / "attacks").read_text().splitlines())
            print(f"seed {seed}: {attacks} attacks besides frames; {it.measurements}", flush=True)


@pytest.mark.parametrize(("seed", "attack_rate", "size"), [(1, 0.5, (120, 40)), (2, 0.9, (80, 24))])
def test_a_short_session_stays_within_the_limits(
    tmp_path: Path, request: pytest.FixtureRequest, seed: int, attack_rate: float, size: tuple[int, int]
) -> None:
    given = request.config.getoption("--seed")
    run_session(seed if given is None else given + seed, tmp_path, SHORT_SECONDS, attack_rate, size)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_long_sessions_stay_within_the_limits(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    given = request.config.getoption("--seed")
    seed = SystemRandom().randrange(2**32) if given is None else given
    for number in range(SESSIONS):
        attack_rate, size = (0.1, 0.3, 0.6, 0.95)[number % 4], ((120, 40), (80, 24), (200, 60))[number % 3]
        run_session(seed + number, tmp_path / str(number), LONG_SECONDS, attack_rate, size)
