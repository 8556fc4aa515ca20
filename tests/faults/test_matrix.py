"""Every fault at every moment: in the end all is as if nothing had happened."""

import asyncio
from dataclasses import asdict
from typing import Any

import pytest

from tests.faults import frames  # noqa: F401 - its faults are entered into the catalogue
from tests.faults.catalogue import FAULTS
from tests.faults.cell import IMAGES, MOMENTS, Outcome, outcome_of
from tests.faults.held import check_no_more_than, held
from tests.faults.scaled import scale

AT_ONCE = 15
"""Cells that run at the same time: they wait more than they work."""

Results = dict[tuple[str, str], Outcome | BaseException]


@pytest.fixture(scope="module")
def undisturbed() -> Outcome:
    """What comes of a run without any fault."""
    with pytest.MonkeyPatch.context() as patch:
        scale(patch)
        return asyncio.run(outcome_of(None, "mid-step"))


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Results:
    """What came of every cell of the faults that were chosen."""
    items: list[Any] = [item for item in request.session.items if "results" in getattr(item, "fixturenames", ())]
    chosen = {item.callspec.params["name"] for item in items}
    with pytest.MonkeyPatch.context() as patch:
        scale(patch)
        before = held()
        results = asyncio.run(_run([name for name in FAULTS if name in chosen]))
        check_no_more_than(before)
        return results


async def _run(names: list[str]) -> Results:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, moment: str) -> Outcome:
        async with places:
            return await outcome_of(FAULTS[name], moment)

    cells = [(name, moment) for name in names for moment in MOMENTS]
    outcomes = await asyncio.gather(*(one(*cell) for cell in cells), return_exceptions=True)
    return dict(zip(cells, outcomes, strict=True))


def test_the_undisturbed_run_makes_every_image(undisturbed: Outcome) -> None:
    assert [job[2:4] for job in undisturbed.jobs] == [
        ("succeeded", (f"comfytui_{number:05}_.png",)) for number in range(1, IMAGES + 2)
    ]
    assert undisturbed == Outcome(undisturbed.jobs, IMAGES + 1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_nothing_in_the_end(name: str, moment: str, undisturbed: Outcome, results: Results) -> None:
    outcome = results[name, moment]
    if isinstance(outcome, BaseException):
        raise outcome
    wrong = {key: value for key, value in asdict(outcome).items() if value != getattr(undisturbed, key)}
    assert not wrong
