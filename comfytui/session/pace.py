"""How long the parts of a run take, measured for each kind of job."""

from dataclasses import dataclass, replace

from comfytui.session.model import Job
from comfytui.workflow.recipe import Recipe

Kind = tuple[Recipe, int]
"""Jobs that take equally long: the same settings but for words and seeds, and as many nodes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The parts of the latest run of a kind, in seconds, and how many `runs` were measured.

    `lead`: from its start to its first step (a cold start loads the model here), `body`: from there to its end,
    `tail`: from its last step to its end.
    """

    lead: float
    body: float
    tail: float
    runs: int = 1


def kind_of(job: Job) -> Kind:
    """The kind of a job."""
    return replace(job.recipe, prompt="", negative="", seed=None, more_seeds=()), len(job.classes)
