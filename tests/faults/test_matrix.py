"""Every fault at every moment: in the end all is as if nothing had happened."""

import asyncio
from dataclasses import asdict

import pytest

from tests.faults import frames  # noqa: F401 - its faults are entered into the catalogue
from tests.faults.catalogue import FAULTS
from tests.faults.cell import IMAGES, MOMENTS, Outcome, outcome_of
from tests.faults.scaled import scale

pytestmark = pytest.mark.usefixtures("scaled")


@pytest.fixture(scope="module")
def undisturbed() -> Outcome:
    """What comes of a run without any fault."""
    with pytest.MonkeyPatch.context() as patch:
        scale(patch)
        return asyncio.run(outcome_of(None, "mid-step"))


def test_the_undisturbed_run_makes_every_image(undisturbed: Outcome) -> None:
    assert [job[2:4] for job in undisturbed.jobs] == [
        ("succeeded", (f"comfytui_{number:05}_.png",)) for number in range(1, IMAGES + 2)
    ]
    assert undisturbed == Outcome(undisturbed.jobs, IMAGES + 1)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_changes_nothing_in_the_end(name: str, undisturbed: Outcome) -> None:
    outcomes = await asyncio.gather(*(outcome_of(FAULTS[name], moment) for moment in MOMENTS), return_exceptions=True)
    cells = zip(MOMENTS, outcomes, strict=True)
    wrong = [f"{moment}: {_told(outcome, undisturbed)}" for moment, outcome in cells if outcome != undisturbed]
    assert not wrong, "\n".join(wrong)


def _told(outcome: Outcome | BaseException, right: Outcome) -> object:
    """What is not as it should be."""
    if isinstance(outcome, BaseException):
        return repr(outcome)
    return {key: value for key, value in asdict(outcome).items() if value != getattr(right, key)}
