"""The bench runs: one short round of every row, without judging its figures."""

from math import isfinite
from pathlib import Path

import pytest

from tests.bench.__main__ import PARTS
from tests.bench.rounds import SMOKE

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")

ROWS = {
    "resting": 3,
    "running": 4,
    "writing": 4,
    "latency": 4,
    "long_queue": 3,
    "workflows": 5,
    "many_frames": 3,
    "relay": 4,
    "commands": 2,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home directory of the measured programs, which share their bytecode."""
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("part", PARTS)
def test_a_short_round_gives_every_row(part: str, home: Path) -> None:
    rows = list(PARTS[part](home, SMOKE))
    assert len(rows) == ROWS[part]
    for row in rows:
        assert isfinite(row.measured)
        assert str(row).count("|") == 7
