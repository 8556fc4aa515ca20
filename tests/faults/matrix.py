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
from tests.faults.fast_timings import use_fast_timings
from tests.faults.fault_case import MOMENTS, Outcome, run_case
from tests.faults.leak_check import assert_none_leaked, open_resources
from tests.late_accepts import close_late_accepts

PROCESSES = 2
AT_ONCE = 8
"""Cells that run at the same time in each: they wait more than they work."""

Cell = tuple[str, str]
"""The name of a fault, and a moment."""
Results = dict[Cell, Outcome | str]
"""What came of each cell; a string tells what broke."""


def results_of(names: Sequence[str]) -> Results:
    """What comes of these faults at every moment."""
    cells = [(name, moment) for name in names for moment in MOMENTS]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        shares = pool.map(_share, [cells[first::PROCESSES] for first in range(PROCESSES)])
        return {cell_key: outcome for share in shares for cell_key, outcome in share.items()}


def undisturbed() -> Outcome:
    """What comes of a run without any fault."""
    with pytest.MonkeyPatch.context() as patch:
        use_fast_timings(patch)
        return asyncio.run(run_case(None, "mid-step"))


def _share(cells: Sequence[Cell]) -> Results:
    """Some cells; nothing of them is left in the process, nor anything open when it is forgotten."""
    close_late_accepts()
    logging.disable()  # A server whose connections are cut has a lot to say.
    warnings.simplefilter("error")
    ignored: list[str] = []
    sys.unraisablehook = lambda fault: ignored.append(f"{fault.exc_value!r} in {fault.object!r}")
    threading.excepthook = lambda fault: ignored.append(f"{fault.exc_value!r} in {fault.thread!r}")
    with pytest.MonkeyPatch.context() as patch:
        use_fast_timings(patch)
        before = open_resources()
        results = asyncio.run(_run(cells))
        assert_none_leaked(before)
    gc.collect()
    assert not ignored, ignored
    return results


async def _run(cells: Iterable[Cell]) -> Results:
    free = asyncio.Semaphore(AT_ONCE)
    results: Results = {}

    async def one(cell_key: Cell) -> None:
        name, moment = cell_key
        async with free:
            try:
                results[cell_key] = await run_case(FAULTS[name], moment)
            except (Exception, asyncio.CancelledError):
                results[cell_key] = traceback.format_exc()

    await asyncio.gather(*map(one, cells))
    return results
