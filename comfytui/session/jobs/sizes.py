"""Sizes of jobs in bytes, and how a job is shrunk to a size: what a server says of all jobs together is bounded."""

from collections.abc import Iterable
from dataclasses import replace
from sys import getsizeof
from typing import TYPE_CHECKING

from comfytui.session.model import Failure, Job

if TYPE_CHECKING:  # The screen is painted before this is loaded.
    from comfytui.comfy.protocol.events import Output

OBJECT_SIZE = 80
"""Bytes of an object with a few attributes, without their values."""


def results_size(job: Job) -> int:
    """Return the bytes of a job's results: its files, texts and errors."""
    return _size(job.text) + sum(map(_size, map(_texts_of, job.outputs))) + _failure_size(job.failure)


def traceback_size(job: Job) -> int:
    """Return the bytes of the traceback of a failed job."""
    return _size(job.failure.traceback) if job.failure and job.failure.traceback else 0


def graph_size(job: Job, counted: set[int]) -> int:
    """Return the bytes of what is known of a job's graph.

    Args:
        job: The job.
        counted: The `id` of each part that was counted before; jobs share parts. The parts counted here are added.
    """
    parameters = job.parameters
    texts = [
        text for text in (parameters.prompt, parameters.negative, parameters.model) if text and id(text) not in counted
    ]
    counted.update(map(id, texts))
    if id(job.classes) in counted:
        return _size(texts)
    counted.add(id(job.classes))
    return _size(texts) + _size(job.classes.keys()) + _size(job.classes.values())


def without_traceback(job: Job) -> Job:
    """Return the job without the traceback of its failure."""
    return replace(job, failure=replace(job.failure, traceback=())) if traceback_size(job) and job.failure else job


def shrink(job: Job, size: int) -> Job:
    """Return the job with as many of its results as fit in `size` bytes: its error first, then files, then texts."""
    if results_size(job) <= size:
        return job
    job = without_traceback(job)
    failure = job.failure
    if failure and _failure_size(failure) > size:
        failure = replace(failure, node_errors=())
    size -= _failure_size(failure)
    outputs, text = [], []
    for output in job.outputs:
        size -= _size(_texts_of(output))
        if size < 0:
            break
        outputs.append(output)
    for line in job.text:
        size -= getsizeof(line)
        if size < 0:
            break
        text.append(line)
    return replace(job, failure=failure, outputs=tuple(outputs), text=tuple(text))


def _failure_size(failure: Failure | None) -> int:
    if failure is None:
        return 0
    errors = ((error.class_type, error.message, error.details, error.input_name) for error in failure.node_errors)
    texts = (failure.message, failure.node_type, failure.cause, *failure.traceback)
    return _size(texts) + sum(map(_size, errors))


def _texts_of(output: "Output") -> tuple[str, ...]:
    return output.filename, output.subfolder, output.type, output.node, output.kind


def _size(texts: Iterable[str]) -> int:
    """Return the bytes of some texts and of the object that holds them."""
    return OBJECT_SIZE + sum(map(getsizeof, texts))
