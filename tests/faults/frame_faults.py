"""Faults of sockets that stay open but lose, duplicate, truncate or reorder frames."""

from comfytui.sim.faults.fault_types import FrameFault
from tests.faults.catalogue import fault
from tests.faults.fault_case import FaultCase

END_EVENTS = frozenset({"execution_success", "executing", "status", "executed"})


@fault
async def orphaned(case: FaultCase) -> None:
    case.sim.sockets.orphan(case.client_id)
    await case.all_ran()


@fault
async def all_frames_dropped(case: FaultCase) -> None:
    await _until_run(case, case.sim.faults.drop())


@fault
async def every_other_frame_dropped(case: FaultCase) -> None:
    turn = iter(range(1_000_000))
    await _until_run(case, case.sim.faults.drop(lambda *_: next(turn) % 2 == 0))


@fault
async def frames_of_the_end_dropped(case: FaultCase) -> None:
    await _until_run(case, case.sim.faults.drop(lambda event, _: event in END_EVENTS))


@fault
async def starts_dropped(case: FaultCase) -> None:
    await _until_run(case, case.sim.faults.drop("execution_start"))


@fault
async def steps_dropped(case: FaultCase) -> None:
    await _until_run(case, case.sim.faults.drop(lambda event, _: event.startswith("progress")))


@fault
async def frames_duplicated(case: FaultCase) -> None:
    await _until_run(case, case.sim.faults.duplicate())


@fault
async def frames_truncated(case: FaultCase) -> None:
    await _until_run(case, case.sim.faults.truncate())


@fault
async def every_third_frame_truncated(case: FaultCase) -> None:
    turn = iter(range(1_000_000))
    await _until_run(case, case.sim.faults.truncate(lambda *_: next(turn) % 3 == 0))


@fault
async def frames_out_of_order(case: FaultCase) -> None:
    await _until_run(case, case.sim.faults.postpone())


async def _until_run(case: FaultCase, fault: FrameFault) -> None:
    with fault:
        await case.all_ran()
