"""How long the runs of a workload took: jobs with the same settings take equally long."""

from dataclasses import dataclass, replace

from comfytui.session.model import Job
from comfytui.workflow.parameters import GenerationParameters

WorkloadKey = tuple[GenerationParameters, int]
"""Identifies jobs that take equally long: the same settings except texts and seeds, and as many nodes."""


@dataclass(frozen=True, slots=True)
class RunTimes:
    """Seconds that the parts of the latest run of a workload took."""

    before_first_step: float
    """A cold start loads the model here."""
    after_first_step: float
    """From the first step to the end of the run."""
    after_last_step: float
    """From the last step to the end of the run."""
    runs: int = 1
    """How many runs of the workload were measured."""


def workload_key_of(job: Job) -> WorkloadKey:
    """Return the key of the workload that a job belongs to."""
    return replace(job.parameters, prompt="", negative="", seed=None, more_seeds=(), cell=()), len(job.classes)
