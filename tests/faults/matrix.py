"""The cells of the matrix in processes of their own: each is bound to one core, and there are more."""

import asyncio
import gc
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.faults import frame_faults  # noqa: F401 - its faults are entered into the catalogue
from tests.faults.catalogue import FAULTS
from tests.faults.fast_timings import scale
from tests.faults.fault_case import MOMENTS, Outcome, outcome_of
from tests.faults.leak_check import check_no_more_than, held
from tests.late_accepts import close_what_comes_too_late

PROCESSES = 2
AT_ONCE = 8
"""Cells that run at the same time in each: they wait more than they work."""

Place = tuple[str, str]
"""The name of a fault, and a moment."""
Results = dict[Place, Outcome | str]
"""What came of each cell; a string tells what broke."""


def results_of(names: Sequence[str]) -> Results:
    """What comes of these faults at every moment."""
    places = [(name, moment) for name in names for moment in MOMENTS]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        shares = pool.map(_share, [places[first::PROCESSES] for first in range(PROCESSES)])
        return {place: outcome for share in shares for place, outcome in share.items()}


def undisturbed() -> Outcome:
    """What comes of a run without any fault."""
    with pytest.MonkeyPatch.context() as patch:
        scale(patch)
        return asyncio.run(outcome_of(None, "mid-step"))


def _share(places: Sequence[Place]) -> Results:
    """Some cells; nothing of them is left in the process, nor anything open when it is forgotten."""
    close_what_comes_too_late()
    logging.disable()  # A server whose connections are cut has a lot to say.
    warnings.simplefilter("error")
    ignored: list[str] = []
    sys.unraisablehook = lambda fault: ignored.append(f"{fault.exc_value!r} in {fault.object!r}")
    threading.excepthook = lambda fault: ignored.append(f"{fault.exc_value!r} in {fault.thread!r}")
    with pytest.MonkeyPatch.context() as patch:
        scale(patch)
        before = held()
        results = asyncio.run(_run(places))
        check_no_more_than(before)
    gc.collect()
    assert not ignored, ignored
    return results


async def _run(places: Iterable[Place]) -> Results:
    free = asyncio.Semaphore(AT_ONCE)
    results: Results = {}

    async def one(place: Place) -> None:
        name, moment = place
        async with free:
            try:
                results[place] = await outcome_of(FAULTS[name], moment)
            except (Exception, asyncio.CancelledError):
                results[place] = traceback.format_exc()

    await asyncio.gather(*map(one, places))
    return results
