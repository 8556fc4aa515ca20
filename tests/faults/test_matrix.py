"""Every fault at every moment: the outcome is the same as without the fault."""

from dataclasses import asdict
from typing import Any

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.fault_case import IMAGES, MOMENTS, Outcome
from tests.faults.matrix import Results, results_of, undisturbed

pytestmark = pytest.mark.matrix


@pytest.fixture(scope="module", name="undisturbed")
def fixture_undisturbed() -> Outcome:
    """The outcome without any fault."""
    return undisturbed()


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Results:
    """The outcomes of the cells of all selected faults."""
    items: list[Any] = [item for item in request.session.items if "results" in getattr(item, "fixturenames", ())]
    chosen = {item.callspec.params["name"] for item in items}
    return results_of([name for name in FAULTS if name in chosen])


def test_the_undisturbed_run_makes_every_image(undisturbed: Outcome) -> None:
    names = [f"comfytui_{number:05}_.png" for number in range(1, IMAGES + 2)]
    assert [job[2:4] for job in undisturbed.jobs] == [("succeeded", (name,)) for name in names]
    assert undisturbed.told == tuple(
        ("done", "succeeded", len(each), {"done": len(each)}, None, tuple(each))
        for each in (names[:IMAGES], names[IMAGES:])
    )
    assert undisturbed == Outcome(undisturbed.jobs, IMAGES + 1, undisturbed.told)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_nothing_in_the_end(name: str, moment: str, undisturbed: Outcome, results: Results) -> None:
    outcome = results[name, moment]
    assert isinstance(outcome, Outcome), outcome
    wrong = {key: value for key, value in asdict(outcome).items() if value != getattr(undisturbed, key)}
    assert not wrong
