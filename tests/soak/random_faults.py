"""The random faults of a soak; each is over when its coroutine returns."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from comfytui.sim.server import SimServer
from tests.faults.proxied_connection import Direction
from tests.faults.proxy import Proxy

MAX_FAULT_SECONDS = 1.2
"""Longest duration of a fault: far less than the time that a POST gets to arrive."""
POST = b"POST /api/prompt"
GET_REQUESTS = (b"GET /api/queue", b"GET /api/history", b"GET /api/prompt", b"GET /api/system_stats")
PATHS = ("/queue", "/history", "/prompt", "/system_stats", "/jobs", "/ws")
FRAMES = ("", "executing", "progress", "progress_state", "executed", "execution_success", "status", "execution_start")


@dataclass
class FaultTarget:
    """The server and the proxy to inject faults into; `rng` chooses their parameters."""

    sim: SimServer
    proxy: Proxy
    rng: Random

    async def wait(self) -> None:
        """Wait for the duration of a fault."""
        await asyncio.sleep(self.rng.uniform(0.05, MAX_FAULT_SECONDS))

    def times(self) -> int:
        return self.rng.randint(1, 4)

    def end_all(self) -> None:
        """End all faults."""
        self.proxy.heal()
        self.proxy.thaw()
        self.proxy.delay(0)
        self.proxy.throttle(None)
        self.proxy.close_idle(None)
        self.proxy.strip_upgrades(False)
        self.proxy.remove_rules()
        self.sim.faults.clear()


async def connections_reset(target: FaultTarget) -> None:
    target.proxy.reset_connections(websockets_only=target.rng.random() < 0.5)


async def half_open_connections(target: FaultTarget) -> None:
    ways = target.rng.choice([(), (Direction.TO_CLIENT,), (Direction.TO_SERVER,)])
    target.proxy.stall(*ways, new=target.rng.random() < 0.3)
    await target.wait()
    target.proxy.heal()


async def late_end(target: FaultTarget) -> None:
    """The server closes a dead socket only after the next one is open, which is thereby orphaned."""
    target.proxy.stall()
    await target.wait()
    target.proxy.reap()


async def freeze(target: FaultTarget) -> None:
    target.proxy.freeze(*target.rng.choice([(), (Direction.TO_CLIENT,), (Direction.TO_SERVER,)]))
    await target.wait()
    target.proxy.thaw()


async def down(target: FaultTarget) -> None:
    target.proxy.go_down()
    target.proxy.reset_connections()
    await target.wait()
    await target.proxy.come_up()


async def slow(target: FaultTarget) -> None:
    target.proxy.delay(target.rng.uniform(0.01, 0.2))
    target.proxy.throttle(target.rng.choice([None, 20_000, 200_000]))
    await target.wait()
    target.proxy.delay(0)
    target.proxy.throttle(None)


async def no_upgrades(target: FaultTarget) -> None:
    target.proxy.strip_upgrades()
    target.proxy.reset_connections(websockets_only=True)
    await target.wait()
    target.proxy.strip_upgrades(False)


async def idle(target: FaultTarget) -> None:
    target.proxy.close_idle(target.rng.uniform(0.05, 0.3))
    await target.wait()
    target.proxy.close_idle(None)


async def lost_request(target: FaultTarget) -> None:
    target.proxy.reset_on(target.rng.choice([POST, *GET_REQUESTS]))
    await target.wait()


async def lost_response(target: FaultTarget) -> None:
    target.proxy.lose_response_to(target.rng.choice([POST, POST, *GET_REQUESTS]), silent=target.rng.random() < 0.5)
    await target.wait()


async def held_response(target: FaultTarget) -> None:
    target.proxy.hold_response_to(target.rng.choice([POST, *GET_REQUESTS]))
    await target.wait()
    target.proxy.remove_rules()


async def error_response(target: FaultTarget) -> None:
    path = target.rng.choice(PATHS)
    target.sim.faults.fail(target.rng.choice([500, 502, 503, 504]), path, method="GET", times=target.times())
    await target.wait()


async def error_response_to_a_prompt(target: FaultTarget) -> None:
    """An error other than 500, since a prompt that gets three of these is rejected."""
    status = target.rng.choice([502, 503, 504])
    target.sim.faults.fail(status, "/prompt", method="POST", times=1, processed=target.rng.random() < 0.5)
    await target.wait()


async def late_response(target: FaultTarget) -> None:
    seconds, processed = target.rng.uniform(0.1, MAX_FAULT_SECONDS), target.rng.random() < 0.5
    target.sim.faults.delay(seconds, target.rng.choice(PATHS), times=target.times(), processed=processed)
    await target.wait()


async def closing_handshake(target: FaultTarget) -> None:
    code = target.rng.choice([1001, None])
    target.sim.faults.close_sockets(greeted=target.rng.random() < 0.5, code=code, times=target.times())
    target.proxy.reset_connections(websockets_only=True)
    await target.wait()


async def bad_frames(target: FaultTarget) -> None:
    faults = target.sim.faults
    disorder = target.rng.choice([faults.drop, faults.duplicate, faults.truncate, faults.postpone])
    with disorder(target.rng.choice(FRAMES), times=target.rng.randint(1, 20)):
        await target.wait()


async def orphaned(target: FaultTarget) -> None:
    for client_id in list(target.sim.sockets.clients):
        target.sim.sockets.orphan(client_id)


async def blocked_loop(target: FaultTarget) -> None:
    target.sim.faults.block_loop()
    await target.wait()
    target.sim.faults.unblock_loop()


FAULTS: tuple[Callable[[FaultTarget], Awaitable[None]], ...] = (
    connections_reset,
    half_open_connections,
    late_end,
    freeze,
    down,
    slow,
    no_upgrades,
    idle,
    lost_request,
    lost_response,
    lost_response,
    held_response,
    error_response,
    error_response_to_a_prompt,
    late_response,
    closing_handshake,
    bad_frames,
    orphaned,
    blocked_loop,
)
