"""Sockets that stay open and bring less, more, or otherwise than was sent."""

from comfytui.sim.faults.faults import FrameFault
from tests.faults.catalogue import fault
from tests.faults.fault_case import Cell

ENDS = frozenset({"execution_success", "executing", "status", "executed"})


@fault
async def deaf(cell: Cell) -> None:
    cell.sim.sockets.deafen(cell.client_id)
    await cell.worked_off()


@fault
async def all_frames_dropped(cell: Cell) -> None:
    await _until_run(cell, cell.sim.faults.drop())


@fault
async def every_other_frame_dropped(cell: Cell) -> None:
    turn = iter(range(1_000_000))
    await _until_run(cell, cell.sim.faults.drop(lambda *_: next(turn) % 2 == 0))


@fault
async def frames_of_the_end_dropped(cell: Cell) -> None:
    await _until_run(cell, cell.sim.faults.drop(lambda event, _: event in ENDS))


@fault
async def starts_dropped(cell: Cell) -> None:
    await _until_run(cell, cell.sim.faults.drop("execution_start"))


@fault
async def steps_dropped(cell: Cell) -> None:
    await _until_run(cell, cell.sim.faults.drop(lambda event, _: event.startswith("progress")))


@fault
async def frames_duplicated(cell: Cell) -> None:
    await _until_run(cell, cell.sim.faults.duplicate())


@fault
async def frames_truncated(cell: Cell) -> None:
    await _until_run(cell, cell.sim.faults.truncate())


@fault
async def every_third_frame_truncated(cell: Cell) -> None:
    turn = iter(range(1_000_000))
    await _until_run(cell, cell.sim.faults.truncate(lambda *_: next(turn) % 3 == 0))


@fault
async def frames_out_of_order(cell: Cell) -> None:
    await _until_run(cell, cell.sim.faults.postpone())


async def _until_run(cell: Cell, fault: FrameFault) -> None:
    with fault:
        await cell.worked_off()
