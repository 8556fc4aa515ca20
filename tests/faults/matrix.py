"""Runs the cells of the matrix (a fault at a moment) in several processes, to use several cores."""

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

from tests.faults import frame_faults  # noqa: F401 - adds its faults to the catalogue
from tests.faults.catalogue import FAULTS
from tests.faults.fault_case import MOMENTS, Outcome, run_case
from tests.faults.leak_check import assert_none_leaked, open_resources
from tests.late_accepts import close_late_accepts

PROCESSES = 2
AT_ONCE = 8
"""Cells that run concurrently in each process: they mostly wait."""

Cell = tuple[str, str]
"""Name of a fault, and of a moment."""
Results = dict[Cell, Outcome | str]
"""Outcome of each cell; a string is a traceback."""


def results_of(names: Sequence[str]) -> Results:
    """Run these faults at every moment."""
    cells = [(name, moment) for name in names for moment in MOMENTS]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        shares = pool.map(_share, [cells[first::PROCESSES] for first in range(PROCESSES)])
        return {cell: outcome for share in shares for cell, outcome in share.items()}


def undisturbed() -> Outcome:
    """Return the outcome without any fault."""
    return asyncio.run(run_case(None, "mid-step"))


def _share(cells: Sequence[Cell]) -> Results:
    """Run some cells; fails if they leak threads, files or sockets, or objects that are not closed."""
    close_late_accepts()
    logging.disable()  # A server logs a lot when its connections are reset.
    warnings.simplefilter("error")
    ignored: list[str] = []
    sys.unraisablehook = lambda fault: ignored.append(f"{fault.exc_value!r} in {fault.object!r}")
    threading.excepthook = lambda fault: ignored.append(f"{fault.exc_value!r} in {fault.thread!r}")
    before = open_resources()
    results = asyncio.run(_run(cells))
    assert_none_leaked(before)
    gc.collect()
    assert not ignored, ignored
    return results


async def _run(cells: Iterable[Cell]) -> Results:
    free = asyncio.Semaphore(AT_ONCE)
    results: Results = {}

    async def one(cell: Cell) -> None:
        name, moment = cell
        async with free:
            try:
                results[cell] = await run_case(FAULTS[name], moment)
            except (Exception, asyncio.CancelledError):
                results[cell] = traceback.format_exc()

    await asyncio.gather(*map(one, cells))
    return results
