"""What happens to a link and to a server in a soak; each fault is over when its coroutine is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from comfytui.sim.server import SimServer
from tests.faults.proxied_connection import Direction
from tests.faults.proxy import Proxy

LONGEST = 1.2
"""Seconds that a fault lasts at most: far less than a POST is given to land."""
POST = b"POST /api/prompt"
QUESTIONS = (b"GET /api/queue", b"GET /api/history", b"GET /api/prompt", b"GET /api/system_stats")
PATHS = ("/queue", "/history", "/prompt", "/system_stats", "/jobs", "/ws")
FRAMES = ("", "executing", "progress", "progress_state", "executed", "execution_success", "status", "execution_start")


@dataclass
class Place:
    """Where faults happen; `chance` chooses their kind and measure."""

    sim: SimServer
    proxy: Proxy
    chance: Random

    async def wait(self) -> None:
        """Let a fault last."""
        await asyncio.sleep(self.chance.uniform(0.05, LONGEST))

    def times(self) -> int:
        return self.chance.randint(1, 4)

    def calm(self) -> None:
        """End all that may still go wrong."""
        self.proxy.heal()
        self.proxy.thaw()
        self.proxy.delay(0)
        self.proxy.throttle(None)
        self.proxy.close_idle(None)
        self.proxy.strip_upgrades(False)
        self.proxy.forget_rules()
        self.sim.faults.clear()


async def cut(at: Place) -> None:
    at.proxy.cut(websockets_only=at.chance.random() < 0.5)


async def half_open(at: Place) -> None:
    ways = at.chance.choice([(), (Direction.TO_CLIENT,), (Direction.TO_SERVER,)])
    at.proxy.stall(*ways, new=at.chance.random() < 0.3)
    await at.wait()
    at.proxy.heal()


async def late_end(at: Place) -> None:
    """The server finds out that a socket is dead when the next one is open: that one goes deaf."""
    at.proxy.stall()
    await at.wait()
    at.proxy.reap()


async def freeze(at: Place) -> None:
    at.proxy.freeze(*at.chance.choice([(), (Direction.TO_CLIENT,), (Direction.TO_SERVER,)]))
    await at.wait()
    at.proxy.thaw()


async def down(at: Place) -> None:
    at.proxy.go_down()
    at.proxy.cut()
    await at.wait()
    await at.proxy.come_up()


async def slow(at: Place) -> None:
    at.proxy.delay(at.chance.uniform(0.01, 0.2))
    at.proxy.throttle(at.chance.choice([None, 20_000, 200_000]))
    await at.wait()
    at.proxy.delay(0)
    at.proxy.throttle(None)


async def no_upgrades(at: Place) -> None:
    at.proxy.strip_upgrades()
    at.proxy.cut(websockets_only=True)
    await at.wait()
    at.proxy.strip_upgrades(False)


async def idle(at: Place) -> None:
    at.proxy.close_idle(at.chance.uniform(0.05, 0.3))
    await at.wait()
    at.proxy.close_idle(None)


async def lost_request(at: Place) -> None:
    at.proxy.reset_on(at.chance.choice([POST, *QUESTIONS]))
    await at.wait()


async def lost_answer(at: Place) -> None:
    at.proxy.lose_answer_to(at.chance.choice([POST, POST, *QUESTIONS]), silent=at.chance.random() < 0.5)
    await at.wait()


async def held_answer(at: Place) -> None:
    at.proxy.hold_answer_to(at.chance.choice([POST, *QUESTIONS]))
    await at.wait()
    at.proxy.forget_rules()


async def wrong_answer(at: Place) -> None:
    path = at.chance.choice(PATHS)
    at.sim.faults.fail(at.chance.choice([500, 502, 503, 504]), path, method="GET", times=at.times())
    await at.wait()


async def wrong_answer_to_an_order(at: Place) -> None:
    """Not 500: a prompt that the server breaks over three times is refused."""
    status = at.chance.choice([502, 503, 504])
    at.sim.faults.fail(status, "/prompt", method="POST", times=1, processed=at.chance.random() < 0.5)
    await at.wait()


async def late_answer(at: Place) -> None:
    seconds, processed = at.chance.uniform(0.1, LONGEST), at.chance.random() < 0.5
    at.sim.faults.delay(seconds, at.chance.choice(PATHS), times=at.times(), processed=processed)
    await at.wait()


async def closing_door(at: Place) -> None:
    code = at.chance.choice([1001, None])
    at.sim.faults.close_sockets(greeted=at.chance.random() < 0.5, code=code, times=at.times())
    at.proxy.cut(websockets_only=True)
    await at.wait()


async def bad_frames(at: Place) -> None:
    faults = at.sim.faults
    disorder = at.chance.choice([faults.drop, faults.duplicate, faults.truncate, faults.postpone])
    with disorder(at.chance.choice(FRAMES), times=at.chance.randint(1, 20)):
        await at.wait()


async def deaf(at: Place) -> None:
    for client_id in list(at.sim.sockets.clients):
        at.sim.sockets.deafen(client_id)


async def held_loop(at: Place) -> None:
    at.sim.faults.hold_loop()
    await at.wait()
    at.sim.faults.release_loop()


FAULTS: tuple[Callable[[Place], Awaitable[None]], ...] = (
    cut,
    half_open,
    late_end,
    freeze,
    down,
    slow,
    no_upgrades,
    idle,
    lost_request,
    lost_answer,
    lost_answer,
    held_answer,
    wrong_answer,
    wrong_answer_to_an_order,
    late_answer,
    closing_door,
    bad_frames,
    deaf,
    held_loop,
)
