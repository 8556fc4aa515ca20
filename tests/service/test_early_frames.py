"""Frames of a socket count once the server was verified after that socket opened."""

import asyncio

import pytest

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.protocol.events import Event, PreviewImage, Status
from comfytui.comfy.protocol.models import SystemStats
from comfytui.comfy.server import Server
from comfytui.service.connection.early_frames import MAX_HELD_FRAMES, EarlyFrames
from comfytui.service.connection.identity import IdentityCheck, server_fingerprint
from comfytui.service.connection.manager import ConnectionManager
from comfytui.session.state import SessionState
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.waiting import TIMEOUT, eventually

KNOWN = SystemStats("0.33.0", 2**36, 2**35, ())


class Sockets:
    """An identity check, the frames held back by it, and the frames that were delivered."""

    def __init__(self, verify_seconds: float = 2.0) -> None:
        self.identity = IdentityCheck(lambda _: None, lambda _: None, lambda: None, self._release)
        self.identity.fingerprint = server_fingerprint(KNOWN)
        self.received: list[tuple[str, Event]] = []
        self.held = EarlyFrames(self.identity, self._receive, verify_seconds)
        self.held.opened("id")

    def _receive(self, client_id: str, frame: Event) -> None:
        self.received.append((client_id, frame))

    def _release(self) -> None:
        self.held.release()

    def verify(self) -> None:
        """The known server answers."""
        assert self.identity.check(KNOWN, self.identity.socket_count)


@pytest.fixture
def sockets() -> Sockets:
    return Sockets()


def test_frames_wait_for_the_verification_and_are_delivered_in_order(sockets: Sockets) -> None:
    assert sockets.held.hold("id", Status(1))
    assert sockets.held.hold("id", Status(2))
    assert sockets.received == []
    sockets.verify()
    assert sockets.received == [("id", Status(1)), ("id", Status(2))]
    assert not sockets.held.hold("id", Status(3))


def test_the_frames_of_a_socket_that_closes_before_the_verification_are_dropped(sockets: Sockets) -> None:
    sockets.held.hold("id", Status(1))
    sockets.held.closed("id")
    sockets.verify()
    assert sockets.received == []


def test_previews_are_not_held_but_do_not_count_either(sockets: Sockets) -> None:
    assert sockets.held.hold("id", PreviewImage("png", b""))
    sockets.verify()
    assert sockets.received == []
    assert not sockets.held.hold("id", PreviewImage("png", b""))


async def test_frames_are_dropped_if_the_verification_takes_too_long() -> None:
    sockets = Sockets(verify_seconds=0.01)
    for count in range(MAX_HELD_FRAMES):
        await sockets.held.wait_for_space("id")
        sockets.held.hold("id", Status(count))
    await sockets.held.wait_for_space("id")
    assert sockets.held.hold("id", Status(99))
    await asyncio.wait_for(sockets.held.wait_for_space("id"), TIMEOUT)
    sockets.verify()
    assert sockets.received == []


async def test_a_socket_with_too_many_held_frames_is_read_again_after_the_verification() -> None:
    sockets = Sockets(verify_seconds=600.0)
    for count in range(MAX_HELD_FRAMES):
        sockets.held.hold("id", Status(count))
    waiting = asyncio.ensure_future(sockets.held.wait_for_space("id"))
    await asyncio.sleep(0)
    assert not waiting.done()
    sockets.verify()
    await asyncio.wait_for(waiting, TIMEOUT)
    assert len(sockets.received) == MAX_HELD_FRAMES


def test_frames_of_a_socket_that_is_renewed_never_count(sockets: Sockets) -> None:
    sockets.held.hold("id", Status(1))
    sockets.held.drop()
    sockets.verify()
    assert sockets.held.hold("id", Status(2))
    sockets.verify()
    assert sockets.received == []
    sockets.held.opened("id")
    sockets.verify()
    assert not sockets.held.hold("id", Status(3))


def test_renewing_does_not_drop_the_frames_of_a_verified_socket(sockets: Sockets) -> None:
    sockets.verify()
    sockets.held.drop()
    assert not sockets.held.hold("id", Status(1))


@pytest.mark.parametrize("way", ["cancelled", "renewed", "left alone"])
async def test_unverified_frames_are_dropped_with_their_socket(way: str) -> None:
    events: list[object] = []
    async with SimServer(SimConfig()) as sim, ComfyBackend(Server.from_url(sim.url)) as client:
        manager = ConnectionManager(
            Server.from_url(sim.url), SessionState, events.append, lambda _: None, lambda _: None
        )
        stats = await client.system_stats()
        manager.identity.fingerprint = server_fingerprint(stats)
        socket = asyncio.create_task(manager.run_socket(client, "id"))
        await eventually(lambda: manager._early_frames._frames.get("id"), "a held frame")
        if way == "cancelled":
            socket.cancel()
            await asyncio.wait([socket])
        elif way == "renewed":
            manager.reconnect()
        assert manager.identity.check(stats, manager.identity.socket_count)
        assert any(isinstance(event, Status) for event in events) is (way == "left alone")
        socket.cancel()
        await asyncio.wait([socket])
