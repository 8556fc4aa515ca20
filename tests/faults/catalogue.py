"""The faults of the matrix: functions that start a fault at once, and return when it is over."""

from comfytui.session.model import LinkKind
from tests.faults.fault_case import Fault, FaultCase
from tests.faults.proxied_connection import Direction, RequestRule
from tests.waiting import eventually

FAULTS: dict[str, Fault] = {}
SILENT_KINDS = (LinkKind.OFFLINE, LinkKind.POLLING, LinkKind.BUSY, LinkKind.ORPHANED)
"""Possible kinds of a link without traffic; which one depends on what is noticed first."""


def fault(function: Fault) -> Fault:
    """Add a fault to the catalogue, under its function's name."""
    FAULTS[getattr(function, "__name__", "").replace("_", " ")] = function
    return function


@fault
async def connections_reset(case: FaultCase) -> None:
    case.proxy.reset_connections()
    await case.link_was(*SILENT_KINDS)


@fault
async def reset_again_and_again(case: FaultCase) -> None:
    for _ in range(4):
        await eventually(lambda: case.proxy.websockets, "a socket")
        accepted = case.proxy.accepted
        case.proxy.reset_connections()
        await _connected(case, accepted + 1)


async def _connected(case: FaultCase, times: int) -> None:
    await eventually(lambda: case.proxy.accepted >= times, "another try")


@fault
async def websockets_reset(case: FaultCase) -> None:
    case.proxy.reset_connections(websockets_only=True)
    await case.link_was(*SILENT_KINDS)


@fault
async def half_open(case: FaultCase) -> None:
    case.proxy.stall()
    await case.link_was(*SILENT_KINDS)


@fault
async def nothing_comes(case: FaultCase) -> None:
    case.proxy.stall(Direction.TO_CLIENT)
    await case.link_was(*SILENT_KINDS)


@fault
async def nothing_goes(case: FaultCase) -> None:
    case.proxy.stall(Direction.TO_SERVER)
    await case.link_was(*SILENT_KINDS)


@fault
async def all_half_open_for_a_while(case: FaultCase) -> None:
    case.proxy.stall(new=True)
    await case.link_was(*SILENT_KINDS)
    case.proxy.heal()


@fault
async def a_link_gone_for_a_moment(case: FaultCase) -> None:
    case.proxy.freeze()
    await case.link_was(*SILENT_KINDS)
    case.proxy.thaw()


@fault
async def the_old_socket_lingers(case: FaultCase) -> None:
    case.proxy.stall()
    await case.link_was(*SILENT_KINDS)
    await eventually(lambda: case.state.link.kind is LinkKind.LIVE, "a new socket")
    case.proxy.reap()


@fault
async def throttled(case: FaultCase) -> None:
    case.proxy.throttle(20_000)
    await case.all_ran()


@fault
async def far_away(case: FaultCase) -> None:
    case.proxy.delay(0.08)
    await case.all_ran()


@fault
async def idle_connections_closed(case: FaultCase) -> None:
    case.proxy.close_idle(0.3)
    await case.all_ran()
    case.proxy.close_idle(None)


@fault
async def refused_for_a_while(case: FaultCase) -> None:
    case.proxy.go_down()
    case.proxy.reset_connections()
    await case.link_was(LinkKind.OFFLINE)
    await case.proxy.come_up()


@fault
async def away_until_all_that_was_sent_has_run(case: FaultCase) -> None:
    case.proxy.go_down()
    case.proxy.reset_connections()
    await case.link_was(LinkKind.OFFLINE)
    await case.submitted_ran()
    await case.proxy.come_up()


@fault
async def connections_accepted_and_closed(case: FaultCase) -> None:
    case.proxy.close_at_once()
    case.proxy.reset_connections()
    await _connected(case, case.proxy.accepted + 4)
    case.proxy.close_at_once(False)


@fault
async def sockets_accepted_and_closed(case: FaultCase) -> None:
    await _close_sockets(case, greeted=False, code=1001)


@fault
async def sockets_greeted_and_closed(case: FaultCase) -> None:
    await _close_sockets(case, greeted=True, code=1001)


@fault
async def sockets_greeted_and_reset(case: FaultCase) -> None:
    await _close_sockets(case, greeted=True, code=None)


async def _close_sockets(case: FaultCase, *, greeted: bool, code: int | None) -> None:
    closing = case.sim.faults.close_sockets(greeted=greeted, code=code, times=3)
    case.proxy.reset_connections(websockets_only=True)
    await eventually(lambda: closing.hits == 3, "three closed sockets")


@fault
async def upgrades_refused_for_a_while(case: FaultCase) -> None:
    with case.sim.faults.refuse_sockets():
        case.proxy.reset_connections(websockets_only=True)
        await case.link_was(LinkKind.POLLING)
        await case.submitted_ran()


@fault
async def upgrades_stripped(case: FaultCase) -> None:
    case.final = LinkKind.POLLING
    case.proxy.strip_upgrades()
    case.proxy.reset_connections(websockets_only=True)
    await case.link_was(LinkKind.POLLING)


@fault
async def the_loop_is_blocked(case: FaultCase) -> None:
    case.sim.faults.block_loop()
    await case.link_was(LinkKind.BUSY)
    case.sim.faults.unblock_loop()


@fault
async def responds_500(case: FaultCase) -> None:
    # Twice only: a prompt that gets three 500s is itself taken for the cause, rightly.
    case.sim.faults.fail(500, "/prompt", method="POST", times=2)
    with case.sim.faults.fail(500, method="GET") as failing:
        await eventually(lambda: failing.hits >= 5, "five failures")


@fault
async def accepts_prompts_and_responds_500(case: FaultCase) -> None:
    with case.sim.faults.fail(500, "/prompt", method="POST", processed=True, times=2):
        await case.all_ran()


@fault
async def responds_503(case: FaultCase) -> None:
    with case.sim.faults.fail(503) as failing:
        case.proxy.reset_connections()
        await eventually(lambda: failing.hits >= 8, "eight failures")


@fault
async def responds_late(case: FaultCase) -> None:
    with case.sim.faults.delay(0.3):
        await case.all_ran()


@fault
async def responds_too_late(case: FaultCase) -> None:
    with case.sim.faults.delay(1.5) as late:
        await eventually(lambda: late.hits >= 2, "two late responses")


@fault
async def responses_never_come(case: FaultCase) -> None:
    with case.sim.faults.hold_responses(processed=True) as held:
        await eventually(lambda: held.hits >= 3, "three held responses")


async def _hit(rule: RequestRule) -> None:
    await eventually(lambda: rule.hits, "a prompt")


@fault
async def the_response_to_a_prompt_lost(case: FaultCase) -> None:
    await _hit(case.proxy.lose_response_to(b"POST /api/prompt"))


@fault
async def the_response_to_a_prompt_silently_lost(case: FaultCase) -> None:
    await _hit(case.proxy.lose_response_to(b"POST /api/prompt", silent=True))


@fault
async def the_response_to_a_prompt_held(case: FaultCase) -> None:
    rule = case.proxy.hold_response_to(b"POST /api/prompt")
    await _hit(rule)
    await case.all_ran()
    rule.release()


@fault
async def reset_while_sending_a_prompt(case: FaultCase) -> None:
    await _hit(case.proxy.reset_on(b"POST /api/prompt"))
