"""Everything that goes wrong, each as one function: it begins at once, and returns when it is over."""

from comfytui.session.model import LinkKind
from tests.faults.fault_case import Cell, Fault
from tests.faults.proxied_connection import Rule, Way
from tests.waiting import eventually

FAULTS: dict[str, Fault] = {}
GONE = (LinkKind.OFFLINE, LinkKind.POLLING, LinkKind.BUSY, LinkKind.DEAF)
"""What may be said of a link that brings nothing: which of it depends on what is noticed first."""


def fault(function: Fault) -> Fault:
    """Enter a fault into the catalogue."""
    FAULTS[getattr(function, "__name__", "").replace("_", " ")] = function
    return function


@fault
async def cut(cell: Cell) -> None:
    cell.proxy.cut()
    await cell.told(*GONE)


@fault
async def cut_again_and_again(cell: Cell) -> None:
    for _ in range(4):
        await eventually(lambda: cell.proxy.websockets, "a socket")
        accepted = cell.proxy.accepted
        cell.proxy.cut()
        await _tried(cell, accepted + 1)


async def _tried(cell: Cell, times: int) -> None:
    await eventually(lambda: cell.proxy.accepted >= times, "another try")


@fault
async def websockets_cut(cell: Cell) -> None:
    cell.proxy.cut(websockets_only=True)
    await cell.told(*GONE)


@fault
async def half_open(cell: Cell) -> None:
    cell.proxy.stall()
    await cell.told(*GONE)


@fault
async def nothing_comes(cell: Cell) -> None:
    cell.proxy.stall(Way.TO_CLIENT)
    await cell.told(*GONE)


@fault
async def nothing_goes(cell: Cell) -> None:
    cell.proxy.stall(Way.TO_SERVER)
    await cell.told(*GONE)


@fault
async def all_half_open_for_a_while(cell: Cell) -> None:
    cell.proxy.stall(new=True)
    await cell.told(*GONE)
    cell.proxy.heal()


@fault
async def a_link_gone_for_a_moment(cell: Cell) -> None:
    cell.proxy.freeze()
    await cell.told(*GONE)
    cell.proxy.thaw()


@fault
async def the_old_socket_lingers(cell: Cell) -> None:
    cell.proxy.stall()
    await cell.told(*GONE)
    await eventually(lambda: cell.state.link.kind is LinkKind.LIVE, "a new socket")
    cell.proxy.reap()


@fault
async def throttled(cell: Cell) -> None:
    cell.proxy.throttle(20_000)
    await cell.worked_off()


@fault
async def far_away(cell: Cell) -> None:
    cell.proxy.delay(0.08)
    await cell.worked_off()


@fault
async def idle_connections_closed(cell: Cell) -> None:
    cell.proxy.close_idle(0.3)
    await cell.worked_off()
    cell.proxy.close_idle(None)


@fault
async def refused_for_a_while(cell: Cell) -> None:
    cell.proxy.go_down()
    cell.proxy.cut()
    await cell.told(LinkKind.OFFLINE)
    await cell.proxy.come_up()


@fault
async def away_until_all_that_was_sent_has_run(cell: Cell) -> None:
    cell.proxy.go_down()
    cell.proxy.cut()
    await cell.told(LinkKind.OFFLINE)
    await cell.heard()
    await cell.proxy.come_up()


@fault
async def connections_taken_and_closed(cell: Cell) -> None:
    cell.proxy.turn_away()
    cell.proxy.cut()
    await _tried(cell, cell.proxy.accepted + 4)
    cell.proxy.turn_away(False)


@fault
async def sockets_taken_and_closed(cell: Cell) -> None:
    await _doors(cell, greeted=False, code=1001)


@fault
async def sockets_greeted_and_closed(cell: Cell) -> None:
    await _doors(cell, greeted=True, code=1001)


@fault
async def sockets_greeted_and_cut(cell: Cell) -> None:
    await _doors(cell, greeted=True, code=None)


async def _doors(cell: Cell, *, greeted: bool, code: int | None) -> None:
    closing = cell.sim.faults.close_sockets(greeted=greeted, code=code, times=3)
    cell.proxy.cut(websockets_only=True)
    await eventually(lambda: closing.hits == 3, "three closed sockets")


@fault
async def upgrades_refused_for_a_while(cell: Cell) -> None:
    with cell.sim.faults.refuse_sockets():
        cell.proxy.cut(websockets_only=True)
        await cell.told(LinkKind.POLLING)
        await cell.heard()


@fault
async def upgrades_stripped(cell: Cell) -> None:
    cell.final = LinkKind.POLLING
    cell.proxy.strip_upgrades()
    cell.proxy.cut(websockets_only=True)
    await cell.told(LinkKind.POLLING)


@fault
async def the_loop_is_held(cell: Cell) -> None:
    cell.sim.faults.hold_loop()
    await cell.told(LinkKind.BUSY)
    cell.sim.faults.release_loop()


@fault
async def answers_500(cell: Cell) -> None:
    # A prompt over which the server breaks three times is taken for the cause, rightly.
    cell.sim.faults.fail(500, "/prompt", method="POST", times=2)
    with cell.sim.faults.fail(500, method="GET") as failing:
        await eventually(lambda: failing.hits >= 5, "five failures")


@fault
async def takes_prompts_and_answers_500(cell: Cell) -> None:
    with cell.sim.faults.fail(500, "/prompt", method="POST", processed=True, times=2):
        await cell.worked_off()


@fault
async def answers_503(cell: Cell) -> None:
    with cell.sim.faults.fail(503) as failing:
        cell.proxy.cut()
        await eventually(lambda: failing.hits >= 8, "eight failures")


@fault
async def answers_late(cell: Cell) -> None:
    with cell.sim.faults.delay(0.3):
        await cell.worked_off()


@fault
async def answers_too_late(cell: Cell) -> None:
    with cell.sim.faults.delay(1.5) as late:
        await eventually(lambda: late.hits >= 2, "two late answers")


@fault
async def answers_never_come(cell: Cell) -> None:
    with cell.sim.faults.hold_responses(processed=True) as held:
        await eventually(lambda: held.hits >= 3, "three held answers")


async def _hit(rule: Rule) -> None:
    await eventually(lambda: rule.hits, "a prompt")


@fault
async def the_answer_to_a_prompt_lost(cell: Cell) -> None:
    await _hit(cell.proxy.lose_answer_to(b"POST /api/prompt"))


@fault
async def the_answer_to_a_prompt_silently_lost(cell: Cell) -> None:
    await _hit(cell.proxy.lose_answer_to(b"POST /api/prompt", silent=True))


@fault
async def the_answer_to_a_prompt_held(cell: Cell) -> None:
    rule = cell.proxy.hold_answer_to(b"POST /api/prompt")
    await _hit(rule)
    await cell.worked_off()
    rule.release()


@fault
async def reset_while_sending_a_prompt(cell: Cell) -> None:
    await _hit(cell.proxy.reset_on(b"POST /api/prompt"))
